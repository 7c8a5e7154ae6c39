//! Gradients of whole networks against finite differences of their own loss, in directions in the space of the weights.
//!
//! The loss is computed in f32, so a difference must be taken over a step that is not too small, and the step's own
//! error be removed: two central differences are extrapolated (Richardson), which leaves an error of the fourth
//! power of the step. That asks for smooth networks; one with corners (relu, maxima) is checked more coarsely.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use glyphnet::nn::{Batch, Kernels, LayerSpec, Network, Sequential, Threads, Trainer, TrainerOptions};
use glyphnet::recipe::OptimizerConfig;
use glyphnet_data::ImageShape;
use glyphnet_kernels::Isa;
use glyphnet_kernels::random::{Purpose, Stream};

/// Random images and labels.
struct Samples {
    images: Vec<f32>,
    labels: Vec<u32>,
}

impl Samples {
    fn new(shape: ImageShape, classes: u32, n: usize) -> Samples {
        let mut random = Stream::new(7, Purpose::Sample, 0, 0);
        Samples {
            images: (0..n * shape.len()).map(|_| (random.unit() * 2.0 - 1.0) as f32).collect(),
            labels: (0..n).map(|_| random.next_u32() % classes).collect(),
        }
    }
}

impl Batch for Samples {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn fill(&self, position: usize, input: &mut [f32]) {
        let n = input.len();
        input.copy_from_slice(&self.images[position * n..(position + 1) * n]);
    }

    fn label(&self, position: usize) -> u32 {
        self.labels[position]
    }
}

/// A network, its batch, and the trainer that gives its loss at any weights.
struct Probe {
    trainer: Trainer,
    samples: Samples,
    start: Network,
}

impl Probe {
    fn new(layers: &str, shape: ImageShape, classes: u32, isa: Isa) -> Probe {
        #[derive(serde::Deserialize)]
        struct Layers {
            layer: Vec<LayerSpec>,
        }
        let specs = toml::from_str::<Layers>(layers).unwrap().layer;
        let mut start = Sequential::from(specs).build(shape, classes as usize, 3).unwrap();
        let mut random = Stream::new(5, Purpose::Initialise, 0, 0);
        // Biases and scales away from their starting points, so that no gradient is zero by symmetry.
        start.weights_mut().iter_mut().for_each(|w| *w += (random.unit() - 0.5) as f32 * 0.3);
        let options = TrainerOptions {
            isa,
            kernels: Kernels::default(),
            batch_size: 24,
            seed: 11,
            label_smoothing: 0.1,
            class_weights: Some((0..classes).map(|c| 0.5 + c as f32).collect()),
            optimizer: OptimizerConfig::default(),
            averaging: None,
        };
        let trainer = Trainer::new(start.clone(), Threads::new(2).unwrap(), options).unwrap();
        Probe { trainer, samples: Samples::new(shape, classes, 19), start }
    }

    /// The mean loss at `start + step * direction`, where `direction` covers the weights from `at` on.
    fn loss(&mut self, at: usize, direction: &[f64], step: f64) -> f64 {
        let mut weights = self.start.weights().to_vec();
        for (w, d) in weights[at..].iter_mut().zip(direction) {
            *w = (f64::from(*w) + step * d) as f32;
        }
        self.trainer.set_weights(&weights, self.start.state());
        self.trainer.gradient_step(&self.samples).loss / self.samples.len() as f64
    }

    fn slope(&mut self, at: usize, direction: &[f64], step: f64) -> f64 {
        let mut central = |h: f64| (self.loss(at, direction, h) - self.loss(at, direction, -h)) / (2.0 * h);
        (4.0 * central(step / 2.0) - central(step)) / 3.0
    }
}

/// Unit vectors: along the gradient, along its largest entry, and three at random.
fn directions(gradient: &[f64], random: &mut Stream) -> Vec<Vec<f64>> {
    let largest = (0..gradient.len()).max_by(|&a, &b| gradient[a].abs().total_cmp(&gradient[b].abs())).unwrap();
    let mut axis = vec![0.0; gradient.len()];
    axis[largest] = 1.0;
    let mut all = vec![gradient.to_vec(), axis];
    all.extend((0..3).map(|_| gradient.iter().map(|_| random.unit() - 0.5).collect::<Vec<_>>()));
    for direction in &mut all {
        let length = direction.iter().map(|d| d * d).sum::<f64>().sqrt();
        direction.iter_mut().for_each(|d| *d /= length);
    }
    all
}

/// Compares, tensor by tensor; the difference must be below `tolerance` of the tensor's gradient.
fn check(layers: &str, shape: ImageShape, classes: u32, step: f64, tolerance: f64) {
    for isa in Isa::available() {
        let mut probe = Probe::new(layers, shape, classes, isa);
        probe.loss(0, &[], 0.0);
        let gradient: Vec<f64> = probe.trainer.gradient().iter().map(|g| f64::from(*g)).collect();
        let tensors: Vec<_> = probe.start.tensors().filter(|tensor| tensor.trained).cloned().collect();
        let mut random = Stream::new(9, Purpose::Sample, 1, 0);
        for tensor in tensors {
            let gradient = &gradient[tensor.range.clone()];
            let length = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            assert!(length > 1e-3, "{}: the gradient is too small to be tested: {length}", tensor.name);
            for (i, direction) in directions(gradient, &mut random).iter().enumerate() {
                let exact: f64 = gradient.iter().zip(direction).map(|(g, d)| g * d).sum();
                let slope = probe.slope(tensor.range.start, direction, step);
                let error = (slope - exact).abs() / length;
                let name = &tensor.name;
                assert!(
                    error <= tolerance,
                    "{isa}, {name}, direction {i}: slope {slope}, gradient {exact}, {error:.1e}"
                );
            }
        }
    }
}

const fn shape(height: usize, width: usize, channels: usize) -> ImageShape {
    ImageShape { height, width, channels }
}

#[test]
fn smooth_network() {
    let layers = r#"
        layer = [
            { kind = "conv2d", filters = 5, kernel = [2, 3], padding = "same", activation = "gelu" },
            { kind = "avg_pool2d", size = 2, padding = "same" },
            { kind = "conv2d", filters = 6, kernel = 3, stride = [1, 2], padding = 1, activation = "silu" },
            { kind = "activation", activation = "tanh" },
            { kind = "flatten" },
            { kind = "dense", units = 9, activation = "sigmoid" },
            { kind = "dense", units = "classes", activation = "softmax" },
        ]"#;
    check(layers, shape(7, 8, 2), 4, 0.1, 2e-3);
}

#[test]
fn network_with_batch_norm_and_dropout() {
    let layers = r#"
        layer = [
            { kind = "conv2d", filters = 6, kernel = 3, use_bias = false },
            { kind = "batch_norm" },
            { kind = "activation", activation = "gelu" },
            { kind = "dropout", rate = 0.3 },
            { kind = "conv2d", filters = 4, kernel = 2, use_bias = false },
            { kind = "batch_norm", torch_momentum = 0.1, epsilon = 1e-5 },
            { kind = "activation", activation = "silu" },
            { kind = "global_avg_pool2d" },
            { kind = "dropout", rate = 0.2 },
            { kind = "dense", units = "classes", activation = "softmax" },
        ]"#;
    check(layers, shape(6, 7, 1), 3, 0.05, 2e-3);
}

#[test]
fn softmax_inside_a_network() {
    let layers = r#"
        layer = [
            { kind = "conv2d", filters = 5, kernel = 3, activation = "softmax" },
            { kind = "flatten" },
            { kind = "dense", units = 7, activation = "softmax" },
            { kind = "dense", units = "classes" },
        ]"#;
    check(layers, shape(5, 6, 2), 3, 0.1, 2e-3);
}

#[test]
fn network_with_corners() {
    let layers = r#"
        layer = [
            { kind = "conv2d", filters = 8, kernel = 3, activation = "relu" },
            { kind = "conv2d", filters = 6, kernel = 3, activation = "leaky_relu" },
            { kind = "max_pool2d", size = 2 },
            { kind = "flatten" },
            { kind = "dense", units = 12, activation = "elu" },
            { kind = "dense", units = "classes", activation = "softmax" },
        ]"#;
    check(layers, shape(10, 9, 1), 5, 0.004, 2e-2);
}

/// Dense layers so large that they run on the whole batch: behind a segment, behind each other, before batch norm.
#[test]
fn network_with_large_dense_layers() {
    let layers = r#"
        layer = [
            { kind = "conv2d", filters = 2, kernel = 3, activation = "tanh" },
            { kind = "flatten" },
            { kind = "dense", units = 520, activation = "gelu" },
            { kind = "dense", units = 140, activation = "tanh", use_bias = false },
            { kind = "batch_norm" },
            { kind = "dense", units = "classes", activation = "softmax" },
        ]"#;
    check(layers, shape(10, 10, 1), 3, 0.1, 2e-3);
}

/// Convolutions by Winograd's algorithm in all three passes, and one whose kernel is as large as its input.
#[test]
fn fast_convolutions() {
    let layers = r#"
        layer = [
            { kind = "conv2d", filters = 16, kernel = 3, activation = "tanh", padding = "same" },
            { kind = "conv2d", filters = 17, kernel = 3, activation = "tanh" },
            { kind = "conv2d", filters = 18, kernel = 3, activation = "tanh" },
            { kind = "conv2d", filters = 7, kernel = 5, activation = "tanh" },
            { kind = "flatten" },
            { kind = "dense", units = "classes" },
        ]
    "#;
    check(layers, shape(9, 9, 1), 3, 1e-2, 2e-3);
}

#[test]
fn frozen_layers_pass_gradients_on() {
    let layers = r#"
        layer = [
            { kind = "conv2d", filters = 5, kernel = 3, activation = "gelu", frozen = true },
            { kind = "conv2d", filters = 6, kernel = 3, padding = 1, activation = "silu" },
            { kind = "batch_norm", frozen = true },
            { kind = "conv2d", filters = 4, kernel = 2, stride = 2, activation = "tanh", frozen = true },
            { kind = "flatten" },
            { kind = "dense", units = 9, activation = "sigmoid" },
            { kind = "dense", units = 7, activation = "tanh", frozen = true },
            { kind = "dense", units = "classes", activation = "softmax" },
        ]"#;
    check(layers, shape(8, 8, 2), 4, 0.1, 2e-3);
}
