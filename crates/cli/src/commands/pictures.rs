//! The pictures in a run's folder. One that cannot be drawn is said and left out: the run is worth more than it.

use std::error::Error;
use std::path::Path;

use glyphnet::analysis::Analysis;
use glyphnet::data::augment::Augmenter;
use glyphnet::evaluate::{SavedSplit, read_predictions};
use glyphnet::saved_run::run_name;
use glyphnet::train::{Outcome, TrainingData};
use glyphnet::{Dataset, Source};
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

/// What came of a run: learning curves, and of the images that it held out confusion matrix, reliability diagram and worst errors. Where none
/// were held out these are of the test images: looking at test errors and then changing the recipe would be choosing by
/// them.
pub(crate) fn results(folder: &Path, outcome: &Outcome, source: &Source) {
    let (name, epochs) = (run_name(folder), outcome.history.records());
    if !epochs.is_empty() {
        save(folder, "curves.png", || Ok(pictures::curves(&name, epochs, outcome.best_epoch)?));
    }
    let predictions = folder.join("predictions.safetensors");
    if outcome.validation.is_none() && outcome.test.is_none() {
        return;
    }
    let splits = match read_predictions(&predictions) {
        Ok(splits) => splits,
        Err(error) => return say!("note: no pictures of the images that were held out: {}", chain(&error)),
    };
    let of = |name: &str| splits.iter().find(|split| split.split == name);
    let own = source.validation.as_ref().unwrap_or(&source.train);
    if let Some(split) = of("validation") {
        of_split(folder, &name, split, own, &source.classes);
    } else if let (Some(split), Some(test)) = (of("test"), &source.test) {
        of_split(folder, &name, split, test, &source.classes);
    }
}

/// The pictures of a split, whose indices are rows of `dataset`.
fn of_split(folder: &Path, run: &str, split: &SavedSplit, dataset: &Dataset, classes: &[String]) {
    let analysis = match Analysis::new(&split.labels, &split.probabilities, split.classes) {
        Ok(analysis) => analysis,
        Err(error) => return say!("note: no pictures of the {} images: {}", split.split, chain(&error)),
    };
    let subject = Subject { split: &split.split, run };
    save(folder, "confusion.png", || Ok(pictures::confusion(&subject, classes, analysis.confusion.counts())?));
    save(folder, "reliability.png", || Ok(pictures::reliability(&subject, &analysis.calibration)?));
    let wrong = analysis.top_losses.iter().filter(|loss| loss.label != loss.predicted);
    let worst = wrong.map(|loss| WrongImage {
        pixels: dataset.images.get(split.indices[loss.row] as usize),
        label: loss.label,
        predicted: loss.predicted,
        probability: loss.probability,
    });
    let worst: Vec<WrongImage<'_>> = worst.take(MOST_ERRORS).collect();
    let right: u64 = (0..analysis.classes).map(|class| analysis.confusion.count(class, class)).sum();
    let counts = (analysis.images - right as usize, analysis.images);
    save(folder, "errors.png", || Ok(pictures::errors(&subject, classes, dataset.images.shape(), &worst, counts)?));
}

fn save(folder: &Path, file: &str, draw: impl FnOnce() -> Result<Vec<u8>, Box<dyn Error>>) {
    let drawn = draw().and_then(|png| Ok(write_atomic(&folder.join(file), &png)?));
    if let Err(error) = drawn {
        say!("note: {file} was not drawn: {}", chain(&*error));
    }
}
