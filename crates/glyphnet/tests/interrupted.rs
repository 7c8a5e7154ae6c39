//! What a run leaves that was asked to stop.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use glyphnet::evaluate::evaluate;
use glyphnet::nn::{Kernels, Threads};
use glyphnet::recipe::Recipe;
use glyphnet::train::{Event, FitOptions, Observer, Outcome, RunFolder, TrainingData, fit};
use glyphnet_kernels::Isa;

#[path = "common/rows.rs"]
mod rows;

use rows::source;

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

/// Asks to stop after so many steps.
struct StopAfter {
    steps: usize,
    taken: usize,
}

impl Observer for StopAfter {
    fn event(&mut self, event: &Event<'_>) {
        self.taken += usize::from(matches!(event, Event::Step { .. }));
    }

    fn stop_requested(&self) -> bool {
        self.taken >= self.steps
    }
}

/// A run of 7 steps an epoch, the last of 16 images, that is stopped after so many; its files are in `folder`.
fn stopped_after(steps: usize, folder: &RunFolder) -> Outcome {
    let recipe = Recipe::from_toml(RECIPE, "test").unwrap();
    let threads = Threads::new(2).unwrap();
    let options = FitOptions { threads, isa: Isa::detect(), folder: Some(folder.clone()), kernels: Kernels::default() };
    fit(&recipe, &source(), &options, &mut StopAfter { steps, taken: 0 }).unwrap()
}

#[test]
fn a_finished_epoch_gives_its_own_validation() {
    let place = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(place.path()).unwrap();
    let outcome = stopped_after(16, &folder);
    assert!(outcome.interrupted);
    assert_eq!((outcome.history.records().len(), outcome.images), (2, 2 * 160 + 2 * 24));
    let recipe = Recipe::from_toml(RECIPE, "test").unwrap();
    let validation = TrainingData::new(&recipe, &source()).unwrap().validation.unwrap();
    let again = evaluate(&outcome.model, &validation, &Threads::new(1).unwrap()).unwrap().unwrap();
    assert_eq!(outcome.validation, Some(again.score), "of the network that was kept");
    assert_eq!(outcome.validation, outcome.history.validation(outcome.best_epoch));
    assert_eq!(outcome.test, None, "test is read once, at the end");
    assert!(folder.file("model.safetensors").exists() && !folder.file("predictions.safetensors").exists());
}

#[test]
fn a_run_without_a_finished_epoch_counts_the_images_of_its_finished_steps() {
    let place = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(place.path()).unwrap();
    let outcome = stopped_after(3, &folder);
    assert!(outcome.interrupted);
    assert_eq!((outcome.best_epoch, outcome.images, outcome.validation, outcome.test), (0, 3 * 24, None, None));
    assert!(outcome.train_seconds > 0.0);
    assert!(outcome.data_wait_seconds > 0.0, "the order of an epoch takes some time");
    assert!(folder.file("model.safetensors").exists());
    assert!(!folder.file("predictions.safetensors").exists(), "there is no prediction to hold");
}
