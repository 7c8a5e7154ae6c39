//! Probabilities for every training image, each from a network that was trained without it.

use glyphnet_data::{Part, Source};

use super::stratified_folds;
use crate::nn::Threads;
use crate::recipe::Recipe;
use crate::train::{Event, FitOptions, Observer, fit};
use crate::{Error, Model, Predictions};

/// What networks say to images that they have not seen.
#[derive(Debug, Clone, PartialEq)]
pub struct OutOfSample {
    /// Class probabilities of each training image of the source.
    pub predictions: Predictions,
    /// The fold of each image, from 0: those of a fold were judged by a network that was trained on all others.
    pub folds: Vec<u32>,
}

/// Trains a network of `recipe` for each of `folds` folds of the source's training images, on the images of all others,
/// and lets it judge those of its fold. The folds are those of [`stratified_folds`] by the recipe's seed.
///
/// Each is an ordinary run in memory: its validation images, if the recipe holds some out, are part of the images that
/// it is trained on, unless the source brings its own. `observer` sees the runs one after another, each from its
/// [`Event::Begin`] on, and the judging as [`Event::Evaluating`] of [`Part::Test`]; where it asks to stop, the answer is
/// `None`. The same recipe, source and instruction set give the same bits, whatever the number of threads.
///
/// # Errors
/// If the training images have no labels, the folds cannot be made, or anything that [`fit`] refuses.
pub fn out_of_sample(
    recipe: &Recipe,
    source: &Source,
    folds: usize,
    options: &FitOptions,
    observer: &mut dyn Observer,
) -> Result<Option<OutOfSample>, Error> {
    let Some(labels) = &source.train.labels else {
        return Err(Error::Mismatch(format!("{} has no labels: there is nothing to judge", source.name)));
    };
    if labels.len() != source.train.len() {
        let (images, labels, name) = (source.train.len(), labels.len(), &source.name);
        return Err(Error::Mismatch(format!("{name}: {images} training images have {labels} labels")));
    }
    let fold = stratified_folds(labels, folds, recipe.train.seed)?;
    let options = FitOptions { folder: None, ..options.clone() };
    let classes = source.classes.len();
    let mut probabilities = vec![0.0; labels.len() * classes];
    for number in 0..folds as u32 {
        let rows = |inside: bool| {
            let chosen = (0_u32..).zip(&fold).filter(|&(_, &of)| (of == number) == inside);
            chosen.map(|(image, _)| image).collect::<Vec<u32>>()
        };
        let (held_out, others) = (rows(true), rows(false));
        let rest = without_test(source, &others);
        let outcome = fit(recipe, &rest, &options, observer)?;
        drop(rest);
        if outcome.interrupted {
            return Ok(None);
        }
        let judged = judge(&outcome.model, source, &held_out, &options.threads, observer)?;
        for (place, &image) in held_out.iter().enumerate() {
            let image = image as usize * classes;
            probabilities[image..image + classes].copy_from_slice(judged.row(place));
        }
    }
    Ok(Some(OutOfSample { predictions: Predictions::new(classes, probabilities), folds: fold }))
}

/// The source with these training images only.
fn without_test(source: &Source, rows: &[u32]) -> Source {
    Source {
        name: source.name.clone(),
        kind: source.kind,
        classes: source.classes.clone(),
        train: source.train.select(rows),
        validation: source.validation.clone(),
        test: None,
        notes: Vec::new(),
    }
}

fn judge(
    model: &Model,
    source: &Source,
    rows: &[u32],
    threads: &Threads,
    observer: &mut dyn Observer,
) -> Result<Predictions, Error> {
    let images = source.train.images.select(rows);
    let mut progress = |done, total| observer.event(&Event::Evaluating { split: Part::Test, done, total });
    Ok(model.finish(model.logits_on(threads, &images, &mut progress)?))
}
