//! Dense layers so large that they run on the whole batch, cut into blocks of weights: the number of threads changes
//! no bit, and the gradient is that of the samples one by one.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use glyphnet::Isa;
use glyphnet::nn::{
    Activation, Batch, BatchNorm, Conv2d, Dense, Dropout, Flatten, Kernels, Sequential, Threads, Trainer,
    TrainerOptions,
};
use glyphnet::recipe::OptimizerConfig;
use glyphnet_data::ImageShape;

const SHAPE: ImageShape = ImageShape { height: 12, width: 12, channels: 1 };

/// More samples than two panels hold.
const BATCH: usize = 70;

/// Samples of nothing in particular, from this one on.
struct Samples {
    first: usize,
    count: usize,
}

impl Batch for Samples {
    fn len(&self) -> usize {
        self.count
    }

    fn fill(&self, position: usize, input: &mut [f32]) {
        let sample = self.first + position;
        input.iter_mut().enumerate().for_each(|(i, x)| *x = ((sample * 31 + i * (17 + sample)) % 23) as f32 / 23.0);
    }

    fn label(&self, position: usize) -> u32 {
        ((self.first + position) % 3) as u32
    }
}

fn trainer(layers: &Sequential, threads: usize, isa: Isa) -> Trainer {
    let options = TrainerOptions {
        isa,
        kernels: Kernels::default(),
        batch_size: BATCH,
        seed: 0,
        label_smoothing: 0.0,
        class_weights: None,
        optimizer: OptimizerConfig::default(),
        averaging: None,
    };
    let network = layers.build(SHAPE, 3, 1).unwrap();
    Trainer::new(network, Threads::new(threads).unwrap(), options).unwrap()
}

#[test]
fn threads_change_nothing() {
    let layers = Sequential::new()
        .add(Conv2d::new(4, 3).activation(Activation::Relu))
        .add(Flatten {})
        .add(Dense::new(250).activation(Activation::Relu))
        .add(BatchNorm::default())
        .add(Dropout { rate: 0.2 })
        .add(Dense::new(300).activation(Activation::Gelu))
        .add(Dense::new(3));
    let weights = |threads| {
        let mut trainer = trainer(&layers, threads, Isa::detect());
        for count in [BATCH, BATCH, 1, 33, BATCH] {
            assert!(trainer.step(&Samples { first: 0, count }, 1e-3).loss.is_finite());
        }
        trainer.into_network().weights().to_vec()
    };
    let one = weights(1);
    for threads in [2, 3, 8] {
        assert!(weights(threads) == one, "{threads} threads give other bits");
    }
}

#[test]
fn the_gradient_is_the_mean_of_the_samples() {
    let layers = Sequential::new()
        .add(Flatten {})
        .add(Dense::new(470).activation(Activation::Silu))
        .add(Dense::new(165).activation(Activation::Relu))
        .add(Dense::new(3));
    for isa in Isa::available() {
        let mut trainer = trainer(&layers, 2, isa);
        let mut mean = vec![0.0; trainer.network().weights().len()];
        for first in 0..BATCH {
            trainer.gradient_step(&Samples { first, count: 1 });
            mean.iter_mut().zip(trainer.gradient()).for_each(|(m, g)| *m += f64::from(*g) / BATCH as f64);
        }
        trainer.gradient_step(&Samples { first: 0, count: BATCH });
        let largest = mean.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        let furthest = mean.iter().zip(trainer.gradient()).fold(0.0_f64, |m, (a, b)| m.max((a - f64::from(*b)).abs()));
        assert!(largest > 1e-3 && furthest <= 1e-5 * largest, "{isa}: off by {furthest:.1e} of {largest:.1e}");
    }
}
