//! Inference that folds layers together against inference layer by layer, for batch norm, activation and max-pooling
//! in every order behind a convolution or dense layer; on every instruction set.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use glyphnet::data::ImageShape;
use glyphnet::nn::{
    Activation, ActivationLayer, BatchNorm, Conv2d, Dense, Dropout, Flatten, Kernels, LayerSpec, NamedPadding, Network,
    Padding, Pool2d, Predictor, Sequential, Threads, Units,
};
use glyphnet_kernels::Isa;
use glyphnet_kernels::random::{Purpose, Stream};

const SAMPLES: usize = 7;

/// Of the largest logit: Winograd's convolution rounds some ten times more than a direct sum.
const TOLERANCE: f32 = 2e-5;

/// A layer behind a product.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Tail {
    Norm,
    Act(Activation),
    /// Side by side.
    Pool,
    /// Windows that overlap and hang over the edge.
    OverlappingPool,
    Dropout,
}

impl Tail {
    fn pools(&self) -> bool {
        matches!(self, Tail::Pool | Tail::OverlappingPool)
    }
}

fn layer(tail: Tail) -> LayerSpec {
    match tail {
        Tail::Norm => BatchNorm::default().into(),
        Tail::Act(activation) => ActivationLayer { activation }.into(),
        Tail::Pool => LayerSpec::max_pool2d(2),
        Tail::OverlappingPool => {
            LayerSpec::MaxPool2d(Pool2d::new(3).stride(2).padding(Padding::Named(NamedPadding::Same)))
        }
        Tail::Dropout => Dropout { rate: 0.4 }.into(),
    }
}

/// All orders of up to three of these.
fn orders() -> Vec<Vec<Tail>> {
    use Tail::{Act, Dropout, Norm, OverlappingPool, Pool};
    let choices = [Norm, Act(Activation::Relu), Pool, OverlappingPool, Dropout, Act(Activation::Gelu)];
    let mut orders: Vec<Vec<Tail>> = vec![Vec::new()];
    let mut last = orders.clone();
    for _ in 0..3 {
        last = last
            .iter()
            .flat_map(|order| choices.iter().map(move |&next| [&order[..], &[next]].concat()))
            .filter(|order| order.iter().filter(|tail| tail.pools()).count() <= 1)
            .collect();
        orders.extend(last.clone());
    }
    orders
}

/// Weights, and running averages that are far from zero and one; a scale may be negative.
fn randomise(network: &mut Network) {
    let tensors: Vec<_> = network.tensors().cloned().collect();
    for (i, tensor) in tensors.iter().enumerate() {
        let mut stream = Stream::new(5, Purpose::Sample, i as u32, 0);
        let (low, high) = match tensor.name.rsplit('/').next().unwrap() {
            "gamma" => (-0.5, 1.5),
            "moving_variance" => (0.2, 3.0),
            "kernel" => (-0.3, 0.3),
            _ => (-0.8, 0.8),
        };
        network.tensor_mut(tensor).iter_mut().for_each(|v| *v = stream.uniform(low, high) as f32);
    }
}

fn fill(sample: usize, input: &mut [f32]) {
    let mut stream = Stream::new(6, Purpose::Sample, sample as u32, 0);
    input.iter_mut().for_each(|v| *v = stream.uniform(0.0, 1.0) as f32);
}

fn check(isa: Isa, what: &str, sequential: &Sequential) {
    let mut network = sequential.build(ImageShape { height: 9, width: 11, channels: 3 }, 5, 0).unwrap();
    randomise(&mut network);
    let wanted = Predictor::with_kernels(&network, isa, Kernels::Direct).logits(SAMPLES, fill);
    let folded = Predictor::new(&network, isa);
    let got = folded.logits(SAMPLES, fill);
    let size = wanted.iter().fold(0.0, |size: f32, v| size.max(v.abs()));
    for (i, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
        assert!((got - wanted).abs() <= TOLERANCE * size, "{isa}, {what}: logit {i} is {got}, not {wanted} ({size})");
    }
    for i in 0..SAMPLES {
        let alone = folded.logits(1, |_, input| fill(i, input));
        assert_eq!(alone, got[i * 5..][..5], "{isa}, {what}: sample {i} depends on its companions");
    }
    let shared = folded.logits_on(&Threads::new(3).unwrap(), SAMPLES, fill);
    assert_eq!(shared, got, "{isa}, {what}: the bits depend on the number of threads");
}

#[test]
fn a_convolution_with_anything_behind_it_equals_its_layers() {
    for (n, order) in orders().iter().enumerate() {
        // Odd numbers of channels and such that suit Winograd, strides, and every activation of the layer itself.
        let filters = [16, 5, 17, 32][n % 4];
        let conv = Conv2d::new(filters, [3, 3, 2][n % 3]).stride([1, 1, 1, 2, 1][n % 5]);
        let conv = if n % 2 == 0 { conv.padding(Padding::Named(NamedPadding::Same)) } else { conv.without_bias() };
        for activation in [Activation::Linear, Activation::Relu, Activation::Silu] {
            let mut sequential = Sequential::new()
                .add(Conv2d::new(16, 3).padding(Padding::Named(NamedPadding::Same)).activation(Activation::Relu))
                .add(conv.clone().activation(activation));
            for &tail in order {
                sequential = sequential.add(layer(tail));
            }
            let sequential = sequential.add(Flatten {}).add(Dense::new(Units::CLASSES));
            for isa in Isa::available() {
                check(isa, &format!("{filters} filters, {activation:?}, then {order:?}"), &sequential);
            }
        }
    }
}

#[test]
fn a_dense_layer_with_anything_behind_it_equals_its_layers() {
    for order in orders().iter().filter(|order| !order.iter().any(Tail::pools)) {
        for activation in [Activation::Linear, Activation::Relu, Activation::Softmax] {
            let mut sequential = Sequential::new().add(Flatten {}).add(Dense::new(19).activation(activation));
            for &tail in order {
                sequential = sequential.add(layer(tail));
            }
            let sequential = sequential.add(Dense::new(Units::CLASSES));
            for isa in Isa::available() {
                check(isa, &format!("{activation:?}, then {order:?}"), &sequential);
            }
        }
    }
}
