//! What a run leaves that was asked to stop.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::Path;

use glyphnet::evaluate::evaluate;
use glyphnet::nn::Threads;
use glyphnet::recipe::Recipe;
use glyphnet::train::{Outcome, TrainingData};

#[path = "common/rows.rs"]
mod rows;
#[path = "common/runs.rs"]
mod runs;

use rows::source;
use runs::{begin, stop_after};

const RECIPE: &str = r#"
data.validation = 40
train.epochs = 9
train.batch_size = 24
[[layer]]
kind = "flatten"
[[layer]]
kind = "dense"
units = "classes"
activation = "softmax"
"#;

/// A run of 7 steps an epoch, the last of 16 images, that is stopped after so many; its files are in `path`.
fn stopped_after(steps: usize, path: &Path) -> Outcome {
    begin(&Recipe::from_toml(RECIPE, "test").unwrap(), path, &mut stop_after(steps)).unwrap()
}

#[test]
fn a_finished_epoch_gives_its_own_validation() {
    let place = tempfile::tempdir().unwrap();
    let outcome = stopped_after(16, place.path());
    assert!(outcome.interrupted);
    assert_eq!((outcome.history.records().len(), outcome.images), (2, 2 * 160 + 2 * 24));
    let recipe = Recipe::from_toml(RECIPE, "test").unwrap();
    let validation = TrainingData::new(&recipe, &source()).unwrap().validation.unwrap();
    let again = evaluate(&outcome.model, &validation, &Threads::new(1).unwrap()).unwrap().unwrap();
    assert_eq!(outcome.validation, Some(again.score), "of the network that was kept");
    assert_eq!(outcome.validation, outcome.history.validation(outcome.best_epoch));
    assert_eq!(outcome.test, None, "test is read once, at the end");
    assert!(place.path().join("model.safetensors").exists() && !place.path().join("predictions.safetensors").exists());
}

#[test]
fn a_run_without_a_finished_epoch_counts_the_images_of_its_finished_steps() {
    let place = tempfile::tempdir().unwrap();
    let outcome = stopped_after(3, place.path());
    assert!(outcome.interrupted);
    assert_eq!((outcome.best_epoch, outcome.images, outcome.validation, outcome.test), (0, 3 * 24, None, None));
    assert!(outcome.train_seconds > 0.0);
    assert!(outcome.data_wait_seconds > 0.0, "the order of an epoch takes some time");
    assert!(place.path().join("model.safetensors").exists());
    assert!(!place.path().join("predictions.safetensors").exists(), "there is no prediction to hold");
}
