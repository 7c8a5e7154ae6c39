//! The reference network against Keras, from the same weights with the same batches: the first 20 losses.
//! `parity/reference_losses_golden.py` says how the weights are made and which seeds can be compared at all.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use glyphnet::nn::{Activation, Batch, Conv2d, Dense, Flatten, LayerSpec, Network, Sequential};
use glyphnet::nn::{Kernels, Threads, Trainer, TrainerOptions};
use glyphnet::recipe::OptimizerConfig;
use glyphnet_data::{Dataset, ImageShape, OpenOptions, Preprocess};
use glyphnet_kernels::Isa;
use serde::Deserialize;

/// How far a loss may be from Keras's.
const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
struct Golden {
    batch_size: usize,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    weight_seed: u64,
    losses: Vec<f64>,
    correct: Vec<usize>,
    initial_weights: Vec<TensorSummary>,
}

#[derive(Deserialize)]
struct TensorSummary {
    name: String,
    shape: Vec<usize>,
    sum: f64,
    sum_abs: f64,
    first: [f32; 4],
    last: [f32; 4],
}

/// Consecutive images of the training file.
struct Consecutive<'a> {
    data: &'a Dataset,
    first: usize,
    len: usize,
}

impl Batch for Consecutive<'_> {
    fn len(&self) -> usize {
        self.len
    }

    fn fill(&self, position: usize, input: &mut [f32]) {
        Preprocess::default().normalise_u8(self.data.images.get(self.first + position), 1, input);
    }

    fn label(&self, position: usize) -> u32 {
        self.data.labels.as_ref().unwrap()[self.first + position]
    }
}

/// The splitmix64 generator of Steele, Lea and Flood (2014).
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

fn reference_network(weight_seed: u64) -> Network {
    let shape = ImageShape { height: 28, width: 28, channels: 1 };
    let mut network = Sequential::new()
        .add(Conv2d::new(64, 3).activation(Activation::Relu))
        .add(Conv2d::new(32, 3).activation(Activation::Relu))
        .add(LayerSpec::max_pool2d(2))
        .add(Flatten {})
        .add(Dense::new(10).activation(Activation::Softmax))
        .build(shape, 10, 0)
        .unwrap();
    let mut words = SplitMix64(weight_seed);
    let tensors: Vec<_> = network.tensors().cloned().collect();
    for tensor in tensors.iter().filter(|tensor| tensor.shape.len() > 1) {
        let [area @ .., inputs, outputs] = &tensor.shape[..] else { unreachable!("kernels have two axes or more") };
        let area: usize = area.iter().product();
        let limit = (6.0 / (area * inputs + area * outputs) as f64).sqrt();
        for value in network.tensor_mut(tensor) {
            *value = (((words.next() >> 40) as f64 / 16_777_216.0 * 2.0 - 1.0) * limit) as f32;
        }
    }
    network
}

/// Compares each tensor's sums and ends with Keras's.
fn check_weights(network: &Network, golden: &[TensorSummary], tolerance: f64) {
    assert_eq!(network.tensors().count(), golden.len());
    for (tensor, golden) in network.tensors().zip(golden) {
        assert_eq!(tensor.shape, golden.shape, "{}", golden.name);
        let values = network.tensor(tensor);
        let sum: f64 = values.iter().map(|v| f64::from(*v)).sum();
        let sum_abs: f64 = values.iter().map(|v| f64::from(v.abs())).sum();
        let allowed = tolerance * golden.sum_abs;
        assert!((sum - golden.sum).abs() <= allowed, "{}: sum {sum}, Keras {}", golden.name, golden.sum);
        assert!((sum_abs - golden.sum_abs).abs() <= allowed, "{}: {sum_abs}, Keras {}", golden.name, golden.sum_abs);
        let ends = values[..4].iter().chain(&values[values.len() - 4..]);
        for (value, golden_value) in ends.zip(golden.first.iter().chain(&golden.last)) {
            let distance = f64::from((value - golden_value).abs());
            assert!(distance <= tolerance, "{}: {value}, Keras {golden_value}", golden.name);
        }
    }
}

#[test]
fn the_first_losses_equal_keras() {
    let golden: Golden = serde_json::from_str(include_str!("../../../parity/golden/reference_losses.json")).unwrap();
    assert!(golden.runs.len() >= 2);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/mnist");
    let data = glyphnet_data::open(folder, &OpenOptions::default()).unwrap().train;
    for (run, isa) in golden.runs.iter().flat_map(|run| Isa::available().into_iter().map(move |isa| (run, isa))) {
        let network = reference_network(run.weight_seed);
        check_weights(&network, &run.initial_weights, 1e-7);
        let options = TrainerOptions {
            isa,
            kernels: Kernels::Direct,
            batch_size: golden.batch_size,
            seed: 0,
            label_smoothing: 0.0,
            class_weights: None,
            optimizer: OptimizerConfig::default(),
            averaging: None,
        };
        let mut trainer = Trainer::new(network, Threads::new(0).unwrap(), options).unwrap();
        assert_eq!(run.losses.len(), 20);
        for (b, (loss, correct)) in run.losses.iter().zip(&run.correct).enumerate() {
            let batch = Consecutive { data: &data, first: b * golden.batch_size, len: golden.batch_size };
            let found = trainer.step(&batch, 1e-3);
            let mean = found.loss / golden.batch_size as f64;
            let seed = run.weight_seed;
            assert!((mean - loss).abs() <= TOLERANCE, "{isa}, weights {seed}, batch {b}: loss {mean}, Keras {loss}");
            assert_eq!(found.correct, *correct, "{isa}, weights {seed}, batch {b}: right answers");
        }
        // The weights after the last step are not compared: where a rectifier's input lies within rounding of zero, one
        // rounding or another moves some weights by part of a step while the losses stay equal.
    }
}
