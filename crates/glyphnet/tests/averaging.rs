//! The average of the weights is what a run judges and keeps; batch norm's statistics are made anew for it.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "common/rows.rs"]
mod rows;

use glyphnet::nn::{Batch, Kernels, LayerSpec, Network, Sequential, Threads, Trainer, TrainerOptions};
use glyphnet::recipe::{OptimizerConfig, Recipe};
use glyphnet::train::{FitOptions, Outcome, fit};
use glyphnet_data::ImageShape;
use glyphnet_kernels::Isa;
use rows::source;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Golden {
    batch_norm: Case,
}

#[derive(Deserialize)]
struct Case {
    input: [usize; 3],
    classes: usize,
    layers: Vec<LayerSpec>,
    tensors: BTreeMap<String, Vec<f32>>,
    batches: Vec<Vec<Vec<f32>>>,
    expected: BTreeMap<String, Vec<f32>>,
}

struct Images<'a>(&'a [Vec<f32>]);

impl Batch for Images<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn fill(&self, position: usize, input: &mut [f32]) {
        input.copy_from_slice(&self.0[position]);
    }

    fn label(&self, _: usize) -> u32 {
        0
    }
}

/// The name of a tensor in the golden file: the number of its layer, then its own.
fn tensor_names(network: &Network) -> Vec<(String, glyphnet::nn::Tensor)> {
    let layers = network.layers().iter().enumerate();
    let names = layers.flat_map(|(i, layer)| {
        layer.tensors.iter().map(move |t| (format!("{i}/{}", t.name.rsplit('/').next().unwrap()), t.clone()))
    });
    names.collect()
}

#[test]
fn recalibrated_statistics_are_those_of_pytorch() {
    let text = include_str!("../../../parity/golden/averaging.json");
    let Case { input, classes, layers, tensors, batches, expected } =
        serde_json::from_str::<Golden>(text).unwrap().batch_norm;
    let shape = ImageShape::new(input[0], input[1], input[2]);
    let mut network = Sequential::from(layers).build(shape, classes, 1).unwrap();
    for (name, tensor) in tensor_names(&network) {
        if let Some(values) = tensors.get(&name) {
            network.tensor_mut(&tensor).copy_from_slice(values);
        }
    }
    for (isa, threads) in Isa::available().into_iter().flat_map(|isa| [(isa, 1), (isa, 3)]) {
        let options = TrainerOptions {
            isa,
            kernels: Kernels::default(),
            batch_size: batches[0].len(),
            seed: 0,
            label_smoothing: 0.0,
            class_weights: None,
            optimizer: OptimizerConfig::default(),
            averaging: None,
        };
        let other = Sequential::from(network.specs()).build(shape, classes, 2).unwrap();
        let mut trainer = Trainer::new(other, Threads::new(threads).unwrap(), options.clone()).unwrap();
        let before = trainer.state();
        let mut recalibrated = network.clone();
        trainer.recalibrate(&mut recalibrated, batches.iter().map(|batch| Images(batch)));
        assert_eq!(trainer.state(), before);
        assert_eq!(recalibrated.weights(), network.weights());
        for (name, tensor) in tensor_names(&network).into_iter().filter(|(_, tensor)| !tensor.trained) {
            let largest = expected[&name].iter().fold(0.0, |m: f32, v| m.max(v.abs()));
            for (got, want) in recalibrated.tensor(&tensor).iter().zip(&expected[&name]) {
                assert!((got - want).abs() <= 1e-5 * largest, "{isa} {name}: {got}, PyTorch {want}");
            }
        }
        // Running averages go on as the layer says.
        let step = |trainer: &mut Trainer| {
            trainer.gradient_step(&Images(&batches[0]));
            trainer.state().state
        };
        let after = step(&mut trainer);
        let mut fresh = Trainer::new(trainer.network().clone(), Threads::new(threads).unwrap(), options).unwrap();
        fresh.restore(&before);
        assert_eq!(step(&mut fresh), after);
    }
}

const RECIPE: &str = r#"
data.validation = 40
train = { batch_size = 24, epochs = 4 }
optimizer = { kind = "sgd", learning_rate = 0.1, momentum = 0.9 }
[[layer]]
kind = "conv2d"
filters = 3
kernel = 2
[[layer]]
kind = "batch_norm"
keras_momentum = 0.9
[[layer]]
kind = "flatten"
[[layer]]
kind = "dense"
units = "classes"
"#;

fn run(overrides: &[&str]) -> Outcome {
    let recipe = Recipe::from_toml(RECIPE, "test").unwrap().with_overrides(overrides).unwrap();
    let threads = Threads::new(2).unwrap();
    let options = FitOptions { threads, isa: Isa::detect(), folder: None, kernels: Kernels::default() };
    fit(&recipe, &source(), &options, &mut ()).unwrap()
}

fn values(outcome: &Outcome) -> Vec<f32> {
    let network = outcome.model.network();
    [network.weights(), network.state()].concat()
}

#[test]
fn what_is_judged_and_kept_is_the_average_and_training_does_not_notice() {
    // Without validation the last epoch's network is kept.
    let last = |overrides: &[&str]| run(&[&["data.validation=0"], overrides].concat());
    let epochs: Vec<Vec<f32>> = (1..=4).map(|n| values(&last(&[&format!("train.epochs={n}")]))).collect();
    let mean: Vec<f32> =
        epochs[1].iter().zip(&epochs[2]).zip(&epochs[3]).map(|((a, b), c)| (a + b + c) / 3.0).collect();
    let swa = values(&last(&["swa.start=0.5"]));
    let furthest = swa.iter().zip(&mean).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(furthest < 1e-6, "the mean of the last three epochs' ends: off by {furthest}");
    assert_eq!(values(&last(&["ema.decay=0"])), epochs[3]);
    assert_eq!(values(&last(&["ema.start=1"])), epochs[3], "the last step alone");

    // The same steps, judged by another network from the third epoch on.
    let (plain, averaged) = (run(&[]), run(&["ema.decay=0.95", "ema.start=0.6"]));
    for (epoch, (plain, averaged)) in plain.history.records().iter().zip(averaged.history.records()).enumerate() {
        assert_eq!((plain.train_loss, plain.train_accuracy), (averaged.train_loss, averaged.train_accuracy));
        assert_eq!(plain.val_loss == averaged.val_loss, epoch < 2, "epoch {}", epoch + 1);
    }
    assert_eq!(
        averaged.validation.map(|score| score.loss),
        averaged.history.records().iter().map(|r| r.val_loss).min_by(|a, b| a.partial_cmp(b).unwrap()).unwrap()
    );
}

#[test]
fn recalibration_changes_the_averages_statistics_alone() {
    let weights = |outcome: &Outcome| outcome.model.network().weights().to_vec();
    let state = |outcome: &Outcome| outcome.model.network().state().to_vec();
    let set = ["data.validation=0", "ema.decay=0.9"];
    let (plain, recalibrated) = (run(&set), run(&[&set[..], &["ema.recalibrate_batch_norm=100"]].concat()));
    assert_eq!(weights(&plain), weights(&recalibrated));
    assert_ne!(state(&plain), state(&recalibrated));
}
