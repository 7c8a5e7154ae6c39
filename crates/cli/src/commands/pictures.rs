//! The pictures in a run's folder. One that cannot be drawn is said and left out: the run is worth more than it.

use std::error::Error;
use std::path::Path;

use glyphnet::analysis::{Analysis, TopLoss};
use glyphnet::data::augment::Augmenter;
use glyphnet::evaluate::SavedSplit;
use glyphnet::saved_run::{SavedRun, run_name};
use glyphnet::train::TrainingData;
use glyphnet::{ImageShape, Source};
use glyphnet_artifacts::choose_samples;
use glyphnet_artifacts::pictures::{self, MOST_ERRORS, Original, Subject, WrongImage};
use glyphnet_data::write_atomic;

use super::train::plan::Plan;
use crate::error::chain;
use crate::output::say;

/// Originals in the preview of the augmentation.
const ORIGINALS: usize = 6;

/// `augmentation.png`, where the recipe augments: training images beside what the run will see of them.
pub(crate) fn augmentation(folder: &Path, plan: &Plan, source: &Source) {
    let Some(augment) = &plan.recipe.augment else { return };
    save(folder, "augmentation.png", || {
        let seed = plan.recipe.train.seed;
        let augmenter = Augmenter::new(augment, source.shape(), seed, plan.isa)?;
        let data = TrainingData::new(&plan.recipe, source)?;
        let rows = choose_samples(data.train.len(), ORIGINALS, seed);
        let labels: Vec<String> =
            rows.iter().map(|&row| label(&source.classes, data.train.label(row as usize))).collect();
        let originals = rows.iter().zip(&labels);
        let originals: Vec<Original<'_>> =
            originals.map(|(&row, label)| Original { row, pixels: data.train.image(row as usize), label }).collect();
        Ok(pictures::augmentation(&run_name(folder), &augmenter, &originals)?)
    });
}

fn label(classes: &[String], label: Option<u32>) -> String {
    let name = |label: u32| pictures::name(classes.get(label as usize).map_or("", String::as_str), label);
    label.map(name).unwrap_or_default()
}

/// What came of a run: learning curves, and of the images that it held out confusion matrix, reliability diagram and worst
/// errors. Where none were held out these are of the test images: looking at test errors and then changing the recipe
/// would be choosing by them.
pub(crate) fn results(run: &SavedRun, source: &Source) {
    curves(run);
    let Some((split, analysis)) = held_out(run) else { return };
    of_figures(run, split, &analysis);
    let own = source.validation.as_ref().unwrap_or(&source.train);
    let dataset = if split.split == "validation" { Some(own) } else { source.test.as_ref() };
    let Some(images) = dataset.map(|dataset| &dataset.images) else { return };
    let pixels = |row: usize| Some(images.get(split.indices[row] as usize));
    errors(run, split, &analysis, images.shape(), pixels);
}

/// The same from what the run has stored. Errors are drawn only if that is as good as it was: thumbnails of large images
/// have fewer pixels.
pub(crate) fn again(run: &SavedRun) {
    curves(run);
    let Some((split, analysis)) = held_out(run) else { return };
    of_figures(run, split, &analysis);
    let Some(thumbnails) = run.thumbnails(&split.split) else { return };
    let whole = run.facts.as_ref().is_some_and(|facts| facts.image == thumbnails.shape);
    if whole || !run.path.join("errors.png").exists() {
        errors(run, split, &analysis, thumbnails.shape, |row| thumbnails.image(row as u32));
    }
}

fn curves(run: &SavedRun) {
    if !run.history.is_empty() {
        save(&run.path, "curves.png", || Ok(pictures::curves(&run.name, &run.history, run.best_epoch())?));
    }
}

/// The images that pictures are of, with what there is to say about them.
fn held_out(run: &SavedRun) -> Option<(&SavedSplit, Analysis)> {
    let diverged = run.diverged();
    let of = ["validation", "test"]
        .into_iter()
        .find(|split| diverged.contains(split) || run.predictions(split).is_some())?;
    if diverged.contains(&of) {
        say!("note: no pictures of the {of} images: the network diverged, its loss on them is no finite number");
        return None;
    }
    let split = run.predictions(of)?;
    match Analysis::new(&split.labels, &split.probabilities, split.classes) {
        Ok(analysis) => Some((split, analysis)),
        Err(error) => {
            say!("note: no pictures of the {} images: {}", split.split, chain(&error));
            None
        }
    }
}

/// The pictures that show no image.
fn of_figures(run: &SavedRun, split: &SavedSplit, analysis: &Analysis) {
    let (subject, classes) = (Subject { split: &split.split, run: &run.name }, run.classes());
    save(&run.path, "confusion.png", || Ok(pictures::confusion(&subject, &classes, analysis.confusion.counts())?));
    save(&run.path, "reliability.png", || Ok(pictures::reliability(&subject, &analysis.calibration)?));
}

/// `errors.png`, if `pixels` has the images of all rows that it shows.
fn errors<'a>(
    run: &SavedRun,
    split: &SavedSplit,
    analysis: &Analysis,
    shape: ImageShape,
    pixels: impl Fn(usize) -> Option<&'a [u8]>,
) {
    let wrong = analysis.top_losses.iter().filter(|loss| loss.label != loss.predicted);
    let worst = wrong.take(MOST_ERRORS).map(|loss| {
        let &TopLoss { row, label, predicted, probability, .. } = loss;
        Some(WrongImage { pixels: pixels(row)?, label, predicted, probability })
    });
    let Some(worst) = worst.collect::<Option<Vec<WrongImage<'_>>>>() else { return };
    let right = analysis.confusion.right();
    let counts = (analysis.images - right as usize, analysis.images);
    let subject = Subject { split: &split.split, run: &run.name };
    save(&run.path, "errors.png", || Ok(pictures::errors(&subject, &run.classes(), shape, &worst, counts)?));
}

fn save(folder: &Path, file: &str, draw: impl FnOnce() -> Result<Vec<u8>, Box<dyn Error>>) {
    let drawn = draw().and_then(|png| Ok(write_atomic(&folder.join(file), &png)?));
    if let Err(error) = drawn {
        say!("note: {file} was not drawn: {}", chain(&*error));
    }
}
