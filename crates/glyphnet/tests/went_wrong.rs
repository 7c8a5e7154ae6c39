//! Numbers that are none any more: found at once, named with their cause, and gone back on where that is wanted.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::Path;

use glyphnet::nn::{Batch, Dense, Flatten, Kernels, Sequential, Threads, Trainer, TrainerOptions};
use glyphnet::recipe::Recipe;
use glyphnet::train::{FitOptions, RunFolder, fit};
use glyphnet::{Error, ImageShape, Images, Model};
use glyphnet_kernels::Isa;

#[path = "common/rows.rs"]
mod rows;
#[path = "common/runs.rs"]
mod runs;

use rows::source;
use runs::{STEPS_PER_EPOCH, Watch, begin, go_on, history, latest, stop_after};

const RECIPE: &str = r#"
data.validation = 40
train = { batch_size = 24, epochs = 4 }
optimizer = { kind = "sgd", learning_rate = 0.1, momentum = 0.5 }
[[layer]]
kind = "flatten"
[[layer]]
kind = "dense"
units = "classes"
activation = "softmax"
"#;

fn recipe(overrides: &[&str]) -> Recipe {
    Recipe::from_toml(RECIPE, "test").unwrap().with_overrides(overrides).unwrap()
}

fn rollbacks(watch: &Watch) -> Vec<&String> {
    watch.heard.iter().filter(|text| text.contains("; back to ")).collect()
}

/// A learning rate that rises until the numbers run out, in the third epoch.
const RISING: [&str; 4] = [
    "optimizer.learning_rate=3e38",
    "train.label_smoothing=0.1",
    "schedule.kind=constant",
    "schedule.warmup_epochs=3.0",
];

/// What it comes to at last, but for times.
fn result(path: &Path) -> (Vec<u8>, Vec<String>) {
    (std::fs::read(path.join("model.safetensors")).unwrap(), history(path))
}

#[test]
fn the_run_ends_in_the_very_step_and_keeps_its_best_network() {
    let place = tempfile::tempdir().unwrap();
    let mut watch = Watch::default();
    let error = begin(&recipe(&RISING), place.path(), &mut watch).unwrap_err();
    let Error::Diverged { epoch, step, ref what, ref cause, ref kept, curable: true } = error else {
        panic!("{error}")
    };
    assert_eq!((epoch, watch.taken), (3, 2 * STEPS_PER_EPOCH + step as usize - 1), "{error}");
    assert!(what.starts_with("the loss is ") && cause.contains("learning rate") && cause.contains("e38"), "{error}");
    assert!(kept.contains("the best network so far, of epoch "), "{error}");
    assert!(Model::load(place.path()).is_ok());
    assert_eq!(result(place.path()).1.len(), 3, "a heading and two epochs");
    // It may go on from the epoch before with the other setting.
    let mut watch = Watch::default();
    assert!(go_on(&recipe(&RISING), place.path(), 1, &mut watch).unwrap_err().to_string() == error.to_string());
    let rollback = recipe(&[&RISING[..], &["train.on_nan=rollback"]].concat());
    assert_eq!(go_on(&rollback, place.path(), 1, &mut watch).unwrap().history.records().len(), 4);
    assert_eq!(rollbacks(&watch).len(), 1, "{:?}", watch.heard);
}

#[test]
fn going_back_comes_to_the_same_bits_however_often_the_run_is_interrupted() {
    let recipe = recipe(&[&RISING[..], &["train.on_nan=rollback"]].concat());
    let whole = tempfile::tempdir().unwrap();
    let mut watch = Watch::default();
    let outcome = begin(&recipe, whole.path(), &mut watch).unwrap();
    assert_eq!((rollbacks(&watch).len(), outcome.history.records().len()), (1, 4), "{:?}", watch.heard);
    let went_wrong = rollbacks(&watch)[0].split_once(';').unwrap().0.to_owned();
    for stop in [3, 2 * STEPS_PER_EPOCH, 2 * STEPS_PER_EPOCH + 2, watch.taken - 9, watch.taken - 1] {
        let place = tempfile::tempdir().unwrap();
        let mut first = stop_after(stop);
        begin(&recipe, place.path(), &mut first).unwrap();
        let mut second = Watch::default();
        go_on(&recipe, place.path(), 3, &mut second).unwrap();
        assert!(result(place.path()) == result(whole.path()), "stopped after {stop}");
        let said: Vec<_> = rollbacks(&first).into_iter().chain(rollbacks(&second)).collect();
        assert!(said.len() == 1 && said[0].starts_with(&went_wrong), "{said:?}");
        let folder = RunFolder::open(place.path()).unwrap();
        assert_eq!(latest(&folder, false).latest.checkpoint.unwrap().rollbacks(), 1, "it counts on");
    }
}

#[test]
fn a_run_goes_back_three_times_at_most() {
    let deep = r#"
        data.validation = 40
        train = { batch_size = 24, epochs = 4, on_nan = "rollback" }
        optimizer = { kind = "sgd", learning_rate = 1e38 }
        [[layer]]
        kind = "flatten"
        [[layer]]
        kind = "dense"
        units = 8
        [[layer]]
        kind = "dense"
        units = "classes"
    "#;
    let place = tempfile::tempdir().unwrap();
    let mut watch = Watch::default();
    let error = begin(&Recipe::from_toml(deep, "test").unwrap(), place.path(), &mut watch).unwrap_err().to_string();
    assert_eq!(rollbacks(&watch).len(), 3);
    assert!(rollbacks(&watch)[2].contains("halved to 1.25e37 (3 of 3 times)"), "{:?}", watch.heard);
    assert!(error.starts_with("epoch 1, step 2: ") && error.contains("halved 3 times"), "{error}");
    assert!(!place.path().join("model.safetensors").exists(), "there is no network worth keeping");
}

#[test]
fn an_input_out_of_proportion_is_named_and_no_learning_rate_is_halved_for_it() {
    let place = tempfile::tempdir().unwrap();
    let mut watch = Watch::default();
    let recipe = recipe(&["preprocess.std=[1e-39]", "train.on_nan=rollback"]);
    let error = begin(&recipe, place.path(), &mut watch).unwrap_err().to_string();
    assert!(error.starts_with("epoch 1, step 1: ") && error.contains("[preprocess]"), "{error}");
    assert!(error.contains("has the value inf") && error.contains("no network is kept"), "{error}");
    assert_eq!((watch.taken, rollbacks(&watch).len()), (0, 0));
}

#[test]
fn a_run_that_wants_to_go_back_only_now_goes_back_to_where_it_went_on() {
    let place = tempfile::tempdir().unwrap();
    begin(&recipe(&RISING), place.path(), &mut stop_after(2 * STEPS_PER_EPOCH + 1)).unwrap();
    let rollback = recipe(&[&RISING[..], &["train.on_nan=rollback"]].concat());
    let mut watch = Watch::default();
    go_on(&rollback, place.path(), 1, &mut watch).unwrap();
    assert!(rollbacks(&watch)[0].contains("back to step 1 of the epoch"), "{:?}", watch.heard);
    assert_eq!(history(place.path()).len(), 5);
}

#[test]
fn a_gradient_without_bounds_ends_the_run_in_its_step() {
    // Behind images that are all the same, batch norm divides by next to nothing on the way back.
    let text = r#"
        data.validation = 40
        train = { batch_size = 24, epochs = 4, class_weights = [1e36, 1e36, 1e36, 1e36] }
        [[layer]]
        kind = "flatten"
        [[layer]]
        kind = "dense"
        units = 8
        [[layer]]
        kind = "batch_norm"
        epsilon = 1e-30
        [[layer]]
        kind = "dense"
        units = "classes"
    "#;
    let mut source = source();
    let shape = source.train.images.shape();
    source.train.images = Images::new(shape, vec![100; source.train.len() * shape.len()]).unwrap();
    let threads = Threads::new(1).unwrap();
    let options = FitOptions { threads, isa: Isa::detect(), folder: None, kernels: Kernels::default() };
    let recipe = Recipe::from_toml(text, "test").unwrap();
    let error = fit(&recipe, &source, &options, &mut ()).unwrap_err().to_string();
    assert!(error.starts_with("epoch 1, step 1: the gradient is not finite; "), "{error}");
}

/// Two samples of huge pixels.
struct Huge;

impl Batch for Huge {
    fn len(&self) -> usize {
        2
    }

    fn fill(&self, _: usize, input: &mut [f32]) {
        input.fill(3e38);
    }

    fn label(&self, position: usize) -> u32 {
        position as u32 % 2
    }
}

#[test]
fn a_gradient_without_bounds_is_seen_behind_a_loss_that_has_them() {
    for clip in ["", "clip_value = 1.0", "global_clip_norm = 1.0"] {
        for isa in Isa::available() {
            let layers = Sequential::new().add(Flatten {}).add(Dense::new(3)).add(Dense::new(2));
            let network = layers.build(ImageShape::new(2, 2, 1), 2, 1).unwrap();
            let mut weights = vec![0.0; network.weights().len()];
            // The second kernel, behind 4 x 3 weights and 3 biases that are zero.
            weights[15..21].copy_from_slice(&[100.0, -100.0, 100.0, -100.0, 100.0, -100.0]);
            let optimizer = Recipe::from_toml(
                &format!("[optimizer]\nkind = \"sgd\"\n{clip}\n[[layer]]\nkind = \"flatten\"\n"),
                "test",
            );
            let options = TrainerOptions {
                isa,
                kernels: Kernels::default(),
                batch_size: 2,
                seed: 0,
                label_smoothing: 0.0,
                class_weights: Some(vec![1.0, 0.5]),
                optimizer: optimizer.unwrap().optimizer,
                averaging: None,
            };
            let mut trainer = Trainer::new(network, Threads::new(1).unwrap(), options).unwrap();
            trainer.set_weights(&weights, &[]);
            let sum = trainer.step(&Huge, 1e-3);
            assert!(sum.loss.is_finite() && !trainer.gradient_is_finite(), "{isa} {clip}: {}", sum.loss);
            trainer.set_weights(&vec![0.0; weights.len()], &[]);
            trainer.step(&Huge, 1e-3);
            assert!(trainer.gradient_is_finite(), "{isa} {clip}: large is not infinite");
        }
    }
}
