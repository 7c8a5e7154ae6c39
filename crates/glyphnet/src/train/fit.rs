//! The loop: epochs of steps, evaluation on validation, callbacks, the best network kept, one look at test.

use glyphnet_data::{Dataset, Source};

use super::checkpoint::Latest;
use super::data::TrainingData;
use super::events::{Event, FitOptions, Observer, Outcome};
use super::run::Run;
use crate::Error;
use crate::recipe::Recipe;

/// Trains one network of `recipe` on `source`, whatever `train.ensemble` says; [`member_recipe`](super::member_recipe) and
/// [`average`](super::average) are for several.
///
/// With a folder, a checkpoint is written before the first step, after each epoch, every
/// `train.checkpoint_minutes` and when the observer asks to stop; [`resume`] goes on from there.
///
/// # Errors
/// If recipe and data do not fit, a file cannot be written, or the loss or the gradient becomes no number.
pub fn fit(
    recipe: &Recipe,
    source: &Source,
    options: &FitOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    options.threads.run(|| fit_in_pool(recipe, source, options, None, observer))
}

/// Where a run goes on.
#[derive(Debug)]
pub struct ResumeFrom {
    /// What [`Checkpoint::latest`](super::Checkpoint::latest) found; where there is none, the run starts.
    pub latest: Latest,
    /// Whether a run that is over is to go on all the same, as when somebody names the number of epochs once more.
    pub extend: bool,
}

/// Goes on with the run in the folder of `options`, to the bits that it would have come to without the interruption;
/// on another instruction set it works too, with other bits. The number of threads may be another.
///
/// `recipe` is the run's own. If it has another number of epochs than the run was to have, the run is extended: the
/// schedule is made for the new length, early stopping starts waiting anew, and what the run had come to is kept in
/// [`Outcome::extended`]. The bits are then those of an uninterrupted longer run only where the schedule does not
/// depend on the length.
///
/// # Errors
/// If data or settings are not those of the checkpoint, or anything that [`fit`] refuses.
pub fn resume(
    recipe: &Recipe,
    source: &Source,
    options: &FitOptions,
    from: ResumeFrom,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    options.threads.run(|| fit_in_pool(recipe, source, options, Some(from), observer))
}

fn fit_in_pool(
    recipe: &Recipe,
    source: &Source,
    options: &FitOptions,
    from: Option<ResumeFrom>,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    let data = TrainingData::new(recipe, source)?;
    let mut run = Run::new(recipe, source, &data, options)?;
    let mut notes: Vec<String> = data.notes.iter().chain(&run.notes).cloned().collect();
    let number = from.as_ref().and_then(|from| from.latest.number());
    if let Some(ResumeFrom { latest, extend }) = from {
        notes.extend(latest.notes);
        notes.extend(run.restore(latest.checkpoint, extend)?);
    }
    notes.iter().for_each(|note| observer.event(&Event::Message(note)));
    observer.event(&Event::Begin {
        epochs: recipe.train.epochs,
        train: data.train.len(),
        validation: data.validation.as_ref().map_or(0, Dataset::len),
        network: run.trainer.network(),
    });
    run.open_store(number)?;
    let mut interrupted = false;
    while !interrupted && !run.is_over() {
        interrupted = run.epoch(&data, observer)?.is_break() || observer.stop_requested();
    }
    run.finish(source, &data, interrupted, observer)
}
