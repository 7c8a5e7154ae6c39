//! The optimizer: its state, clipping, and the update of all weights, cut into shards.

use glyphnet_kernels::{
    Adam, Isa, RmsProp, Sgd, adam_update, clip_in_place, rmsprop_update, scale_in_place, sgd_update, sum_of_squares,
};
use rayon::prelude::*;
use std::ops::Range;

use super::Network;
use super::matrices::{self, Matrices, Matrix};
use crate::recipe::{AdamConfig, AdamwConfig, Clipping, OptimizerConfig};

/// Weights that one task updates.
pub(super) const SHARD: usize = 8192;

/// What a step takes from the schedule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// The learning rate.
    pub learning_rate: f64,
    /// Momentum, `beta_1` of Adam, in place of the optimizer's own; `None` leaves that as it is.
    pub momentum: Option<f64>,
}

impl From<f64> for Pace {
    fn from(learning_rate: f64) -> Pace {
        Pace { learning_rate, momentum: None }
    }
}

/// The array that holds Muon's momentum for the matrices.
const MEAN: usize = 0;

/// An optimizer with its state. Each weight depends on its own gradient and state alone, so shards are independent; but
/// for Muon's matrices, which are updated apart.
pub(super) struct Optimizer {
    config: OptimizerConfig,
    /// Updates done.
    step: u64,
    shards: Vec<Shard>,
    matrices: Matrices,
}

/// The state of [`SHARD`] weights: up to three values a weight, as the kind of optimizer needs.
struct Shard {
    state: [Vec<f32>; 3],
    /// Its weights, from 0, that are in no matrix.
    parts: Vec<Range<usize>>,
}

/// What the three arrays of each kind are called where they are saved.
fn names(config: &OptimizerConfig) -> [&'static str; 3] {
    match config {
        OptimizerConfig::Sgd(_) => ["velocity", "", ""],
        OptimizerConfig::Rmsprop(_) => ["mean_square", "velocity", "mean"],
        OptimizerConfig::Adam(_) | OptimizerConfig::Adamw(_) | OptimizerConfig::Muon(_) => ["mean", "mean_square", ""],
    }
}

/// How many values a weight each kind keeps: which of the three arrays are used.
fn used(config: &OptimizerConfig) -> [bool; 3] {
    match config {
        OptimizerConfig::Sgd(sgd) => [sgd.momentum != 0.0, false, false],
        OptimizerConfig::Rmsprop(rmsprop) => [true, rmsprop.momentum > 0.0, rmsprop.centered],
        OptimizerConfig::Adam(_) | OptimizerConfig::Adamw(_) | OptimizerConfig::Muon(_) => [true, true, false],
    }
}

impl Optimizer {
    pub(super) fn new(isa: Isa, config: OptimizerConfig, network: &Network) -> Optimizer {
        let (used, weights) = (used(&config), network.trained_parameters());
        let matrices = Matrices::new(isa, matrices::shapes(&config, network));
        let shard = |start: usize| {
            let len = SHARD.min(weights - start);
            let parts = matrices.gaps(start..start + len);
            let parts = parts.into_iter().map(|part| part.start - start..part.end - start).collect();
            Shard { state: used.map(|used| vec![0.0; if used { len } else { 0 }]), parts }
        };
        let shards = (0..weights).step_by(SHARD).map(shard).collect();
        Optimizer { config, step: 0, shards, matrices }
    }

    /// The arrays that it keeps, by name, each with a value for every weight.
    pub(super) fn state(&self) -> Vec<(&'static str, Vec<f32>)> {
        let array = |slot: usize| {
            let mut array: Vec<f32> = self.shards.iter().flat_map(|shard| shard.state[slot].iter().copied()).collect();
            if slot == MEAN {
                for Matrix { range, mean, .. } in self.matrices.iter() {
                    array[range.clone()].copy_from_slice(mean);
                }
            }
            array
        };
        let slots = Optimizer::slots(&self.config).into_iter();
        slots.map(|(slot, name)| (name, array(slot))).collect()
    }

    /// Goes on from `state`, which is one of its own kind, after `step` updates.
    pub(super) fn restore(&mut self, step: u64, state: &[(&'static str, Vec<f32>)]) {
        self.step = step;
        for ((slot, name), (found, values)) in Optimizer::slots(&self.config).into_iter().zip(state) {
            assert_eq!(name, *found, "the state of another optimizer");
            for (shard, values) in self.shards.iter_mut().zip(values.chunks(SHARD)) {
                shard.state[slot].copy_from_slice(values);
            }
            if slot == MEAN {
                for Matrix { range, mean, .. } in self.matrices.iter_mut() {
                    mean.copy_from_slice(&values[range.clone()]);
                }
            }
        }
    }

    /// The arrays that are used, with their names.
    pub(super) fn slots(config: &OptimizerConfig) -> Vec<(usize, &'static str)> {
        let (used, names) = (used(config), names(config));
        (0..3).filter(|&slot| used[slot]).map(|slot| (slot, names[slot])).collect()
    }

    /// Values that it keeps, and works on, for `network`.
    pub(super) fn words(config: &OptimizerConfig, network: &Network) -> u64 {
        let arrays = used(config).into_iter().filter(|&used| used).count() as u64;
        let words = arrays.saturating_mul(network.trained_parameters() as u64);
        words.saturating_add(matrices::words(&matrices::shapes(config, network)))
    }

    /// Clips the gradient of all weights as the settings say.
    pub(super) fn clip(&self, isa: Isa, network: &Network, gradient: &mut [f32]) {
        match self.config.clipping() {
            None => {}
            Some(Clipping::Value(limit)) => clip_in_place(isa, gradient, limit as f32),
            Some(Clipping::GlobalNorm(limit)) => shrink(isa, gradient, limit),
            Some(Clipping::Norm(limit)) => {
                for tensor in network.tensors().filter(|t| t.trained) {
                    shrink(isa, &mut gradient[tensor.range.clone()], limit);
                }
            }
        }
    }

    /// Whether [`Optimizer::clip`] changes anything.
    pub(super) fn clips(&self) -> bool {
        self.config.clipping().is_some()
    }

    /// Changes all weights by one update, shard by shard; `finish(i, gradient)` first completes the gradient of shard
    /// `i`. Runs on the current thread pool.
    pub(super) fn update(
        &mut self,
        isa: Isa,
        weights: &mut [f32],
        gradient: &mut [f32],
        pace: Pace,
        finish: impl Fn(usize, &mut [f32]) + Sync,
    ) {
        self.step += 1;
        let (config, step) = (&self.config, self.step);
        self.shards
            .par_iter_mut()
            .zip(weights.par_chunks_mut(SHARD))
            .zip(gradient.par_chunks_mut(SHARD))
            .enumerate()
            .for_each(|(i, ((shard, weights), gradient))| {
                finish(i, gradient);
                shard.update(isa, config, step, weights, gradient, pace);
            });
        if let OptimizerConfig::Muon(config) = config {
            self.matrices.update(isa, config, pace.learning_rate, weights, gradient);
        }
    }
}

/// Scales `gradient` down to an L2 norm of `limit`, if it is longer.
fn shrink(isa: Isa, gradient: &mut [f32], limit: f64) {
    let norm = sum_of_squares(isa, gradient).sqrt();
    if norm > limit {
        scale_in_place(isa, gradient, (limit / norm) as f32);
    }
}

impl Shard {
    fn update(
        &mut self,
        isa: Isa,
        config: &OptimizerConfig,
        step: u64,
        weights: &mut [f32],
        gradient: &[f32],
        pace: Pace,
    ) {
        let Shard { state: [first, second, third], parts } = self;
        let Pace { learning_rate, momentum } = pace;
        let weight_decay = config.weight_decay();
        match config {
            OptimizerConfig::Sgd(c) => {
                let sgd =
                    Sgd { learning_rate, momentum: momentum.unwrap_or(c.momentum), nesterov: c.nesterov, weight_decay };
                sgd_update(isa, &sgd, weights, gradient, first);
            }
            OptimizerConfig::Rmsprop(c) => {
                if weight_decay != 0.0 {
                    scale_in_place(isa, weights, (1.0 - weight_decay * learning_rate) as f32);
                }
                let rmsprop = RmsProp {
                    learning_rate,
                    rho: c.rho,
                    momentum: momentum.unwrap_or(c.momentum),
                    epsilon: c.epsilon,
                    centered: c.centered,
                };
                rmsprop_update(isa, &rmsprop, weights, gradient, first, second, third);
            }
            OptimizerConfig::Adam(AdamConfig { beta_1, beta_2, epsilon, .. })
            | OptimizerConfig::Adamw(AdamwConfig { beta_1, beta_2, epsilon, .. }) => {
                let (beta_1, beta_2, epsilon) = (momentum.unwrap_or(*beta_1), *beta_2, *epsilon);
                let adam = Adam { learning_rate, beta_1, beta_2, epsilon, weight_decay, step };
                adam_update(isa, &adam, weights, gradient, first, second);
            }
            OptimizerConfig::Muon(c) => {
                let learning_rate = c.adam_learning_rate * (learning_rate / c.learning_rate);
                let (beta_1, beta_2, epsilon) = (momentum.unwrap_or(c.beta_1), c.beta_2, c.epsilon);
                let adam = Adam { learning_rate, beta_1, beta_2, epsilon, weight_decay, step };
                for part in parts.iter().cloned() {
                    let (weights, gradient) = (&mut weights[part.clone()], &gradient[part.clone()]);
                    adam_update(isa, &adam, weights, gradient, &mut first[part.clone()], &mut second[part]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Conv2d, Dense, Flatten, Sequential};
    use crate::recipe::{MuonConfig, RmspropConfig, SgdConfig};
    use glyphnet_data::ImageShape;

    /// The weights after two updates, the second with another gradient.
    fn updated(config: OptimizerConfig, pace: Pace) -> Vec<f32> {
        let layers = Sequential::new().add(Flatten {}).add(Dense::new(2));
        let network = layers.build(ImageShape::new(3, 1, 1), 2, 1).unwrap();
        let mut weights = network.weights().to_vec();
        let mut gradient: Vec<f32> = (0..weights.len()).map(|i| (i * i) as f32 - 3.5).collect();
        let mut optimizer = Optimizer::new(Isa::SCALAR, config, &network);
        for _ in 0..2 {
            optimizer.update(Isa::SCALAR, &mut weights, &mut gradient, pace, |_, _| {});
            gradient.reverse();
        }
        weights
    }

    #[test]
    fn the_momentum_of_a_schedule_stands_in_for_the_optimizers_own() {
        let kinds: [fn(f64) -> OptimizerConfig; 5] = [
            |momentum| OptimizerConfig::Sgd(SgdConfig { momentum, nesterov: true, ..SgdConfig::default() }),
            |momentum| OptimizerConfig::Rmsprop(RmspropConfig { momentum, ..RmspropConfig::default() }),
            |beta_1| OptimizerConfig::Adam(AdamConfig { beta_1, ..AdamConfig::default() }),
            |beta_1| OptimizerConfig::Adamw(AdamwConfig { beta_1, ..AdamwConfig::default() }),
            |beta_1| OptimizerConfig::Muon(MuonConfig { beta_1, ..MuonConfig::default() }),
        ];
        for kind in kinds {
            let moved = updated(kind(0.9), Pace { learning_rate: 0.01, momentum: Some(0.6) });
            assert_eq!(moved, updated(kind(0.6), Pace::from(0.01)), "{:?}", kind(0.9));
            assert_ne!(moved, updated(kind(0.9), Pace::from(0.01)), "{:?}", kind(0.9));
        }
    }

    #[test]
    fn muon_takes_kernels_of_convolutions_and_leaves_the_rest_to_adamw() {
        let layers =
            Sequential::new().add(Conv2d::new(40, 5)).add(Conv2d::new(30, 3)).add(Flatten {}).add(Dense::new(2));
        let mut network = layers.build(ImageShape::new(9, 9, 1), 2, 1).unwrap();
        let start = network.clone();
        // The second kernel lies across the border of two shards.
        let kernels: Vec<Range<usize>> =
            network.tensors().filter(|tensor| tensor.shape.len() == 4).map(|tensor| tensor.range.clone()).collect();
        assert!(kernels[1].start < SHARD && kernels[1].end > SHARD && network.trained_parameters() > kernels[1].end);
        let mut gradient: Vec<f32> = (0..network.trained_parameters()).map(|i| (i * 37 % 101) as f32 - 50.5).collect();
        let config = MuonConfig { learning_rate: 0.1, adam_learning_rate: 0.01, ..MuonConfig::default() };
        let (muon, other) =
            (OptimizerConfig::Muon(config), AdamwConfig { weight_decay: 0.0, ..AdamwConfig::default() });
        let mut optimizer = Optimizer::new(Isa::detect(), muon, &network);
        // Half of the rate is half of both.
        optimizer.update(Isa::detect(), network.weights_mut(), &mut gradient, Pace::from(0.05), |_, _| {});
        let mut adamw = Optimizer::new(Isa::detect(), OptimizerConfig::Adamw(other), &start);
        let mut by_adamw = start.clone();
        adamw.update(Isa::detect(), by_adamw.weights_mut(), &mut gradient, Pace::from(0.005), |_, _| {});
        for (i, (got, adamw)) in network.weights().iter().zip(by_adamw.weights()).enumerate() {
            let is_kernel = kernels.iter().any(|range| range.contains(&i));
            assert_eq!(got == adamw, !is_kernel, "weight {i}");
        }
        // An orthogonal matrix of 25 x 40 has a sum of squares of 25; steps are sqrt(40 / 25) times as long. The iteration
        // leaves singular values between 0.7 and 1.2.
        let of = |network: &Network| network.weights()[kernels[0].clone()].to_vec();
        let squares: f32 = of(&start).iter().zip(of(&network)).map(|(a, b)| (a - b) * (a - b)).sum();
        let length = squares / (0.05_f32 * 0.05 * 40.0 / 25.0);
        assert!((25.0 * 0.49..25.0 * 1.44).contains(&length), "{length}");

        let state = optimizer.state();
        assert_eq!(state.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["mean", "mean_square"]);
        let mut again = Optimizer::new(Isa::detect(), optimizer.config.clone(), &start);
        again.restore(1, &state);
        assert_eq!(again.state(), state);
        let mut other = network.clone();
        optimizer.update(Isa::detect(), network.weights_mut(), &mut gradient, Pace::from(0.05), |_, _| {});
        again.update(Isa::detect(), other.weights_mut(), &mut gradient, Pace::from(0.05), |_, _| {});
        assert_eq!(network.weights(), other.weights());
    }
}
