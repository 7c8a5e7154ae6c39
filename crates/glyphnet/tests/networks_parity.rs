//! Whole networks in training against PyTorch: loss, gradients, running statistics, and probabilities in inference
//! mode; on every instruction set, with one thread and with several, which must give the same bits.
//! Single layers are compared in `src/nn/layers_parity.rs`, where their insides can be reached.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::golden::{Differences, Golden, GoldenTensor};
use glyphnet::nn::{Batch, Kernels, LayerSpec, Network, Predictor, Sequential, Threads, Trainer, TrainerOptions};
use glyphnet::recipe::OptimizerConfig;
use glyphnet_kernels::Isa;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    layers: Vec<LayerSpec>,
    classes: usize,
    label_smoothing: f32,
    class_weights: Option<Vec<f32>>,
}

/// The samples of a case.
struct Samples {
    images: GoldenTensor,
    labels: Vec<f32>,
}

impl Batch for Samples {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn fill(&self, position: usize, input: &mut [f32]) {
        let n = input.len();
        input.copy_from_slice(&self.images.values[position * n..(position + 1) * n]);
    }

    fn label(&self, position: usize) -> u32 {
        self.labels[position] as u32
    }
}

/// Golden names of the network's tensors, in its order: `3/kernel`.
fn names(network: &Network) -> Vec<String> {
    let of_layer = |(i, layer): (usize, &glyphnet::nn::NetworkLayer)| {
        layer.tensors.iter().map(|t| format!("{i}/{}", t.name.rsplit('/').next().unwrap())).collect::<Vec<_>>()
    };
    network.layers().iter().enumerate().flat_map(of_layer).collect()
}

fn build(golden: &Golden, case: &Case, samples: &Samples) -> Network {
    let sequential = Sequential::from(case.layers.clone());
    let mut network = sequential.build(samples.images.image_shape(), case.classes, 0).unwrap();
    let tensors: Vec<_> = network.tensors().cloned().collect();
    for (tensor, name) in tensors.iter().zip(names(&network)) {
        let values = golden.get(&case.name, &name);
        assert_eq!(values.shape, tensor.shape, "{}: shape of {name}", case.name);
        network.tensor_mut(tensor).copy_from_slice(&values.values);
    }
    network
}

fn check(golden: &Golden, case: &Case, isa: Isa, differences: &mut Differences) {
    let get = |name: &str| golden.get(&case.name, name).values;
    let samples = Samples { images: golden.get(&case.name, "input"), labels: get("labels") };
    let network = build(golden, case, &samples);
    let predictor = Predictor::new(&network, isa);
    let mut found = predictor.logits(samples.len(), |i, input| samples.fill(i, input));
    let shared = predictor.logits_on(&Threads::new(3).unwrap(), samples.len(), |i, input| samples.fill(i, input));
    if found != shared {
        differences.note(format!("{} on {isa}: the logits' bits depend on the number of threads", case.name));
    }
    predictor.softmax(&mut found);
    differences.compare(|| format!("{} on {isa}: probabilities", case.name), &found, &get("probabilities"));

    let mut one_thread: Option<Vec<f32>> = None;
    for threads in [1, 3] {
        // A batch size above the number of samples: the batch is a partial one.
        let options = TrainerOptions {
            isa,
            kernels: Kernels::default(),
            batch_size: samples.len() + 5 * (threads - 1),
            seed: 0,
            label_smoothing: case.label_smoothing,
            class_weights: case.class_weights.clone(),
            optimizer: OptimizerConfig::default(),
            averaging: None,
        };
        let mut trainer = Trainer::new(network.clone(), Threads::new(threads).unwrap(), options).unwrap();
        trainer.gradient_step(&samples);
        let state = trainer.network().state().to_vec();
        // The second pass must forget the first.
        let loss = trainer.gradient_step(&samples).loss / samples.len() as f64;
        let gradient = trainer.gradient().to_vec();
        let mut compare = |name: &str, found: &[f32]| {
            differences.compare(|| format!("{} on {isa}, {threads} threads: {name}", case.name), found, &get(name));
        };
        compare("loss", &[loss as f32]);
        for (tensor, name) in network.tensors().zip(names(&network)) {
            let (layer, tensor_name) = name.split_once('/').unwrap();
            match tensor.trained {
                true => compare(&format!("{layer}/d_{tensor_name}"), &gradient[tensor.range.clone()]),
                false => compare(&format!("{layer}/after_{tensor_name}"), &state[tensor.range.clone()]),
            }
        }
        if one_thread.get_or_insert_with(|| gradient.clone()) != &gradient {
            differences.note(format!("{} on {isa}: the gradient's bits depend on the number of threads", case.name));
        }
    }
}

#[test]
fn training_steps_equal_pytorch() {
    let golden = Golden::open("layers_training.safetensors");
    let cases: Vec<Case> = golden.cases();
    let mut differences = Differences::default();
    for isa in Isa::available() {
        cases.iter().for_each(|case| check(&golden, case, isa, &mut differences));
    }
    differences.check(100);
}
