//! The optimizer: its state, clipping, and the update of all weights, cut into shards.

use glyphnet_kernels::{
    Adam, Isa, RmsProp, Sgd, adam_update, clip_in_place, rmsprop_update, scale_in_place, sgd_update, sum_of_squares,
};
use rayon::prelude::*;

use super::Network;
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

/// An optimizer with its state. Each weight depends on its own gradient and state alone, so shards are independent.
pub(super) struct Optimizer {
    config: OptimizerConfig,
    /// Updates done.
    step: u64,
    shards: Vec<Shard>,
}

/// The state of [`SHARD`] weights: up to three values a weight, as the kind of optimizer needs.
struct Shard {
    state: [Vec<f32>; 3],
}

/// What the three arrays of each kind are called where they are saved.
fn names(config: &OptimizerConfig) -> [&'static str; 3] {
    match config {
        OptimizerConfig::Sgd(_) => ["velocity", "", ""],
        OptimizerConfig::Rmsprop(_) => ["mean_square", "velocity", "mean"],
        OptimizerConfig::Adam(_) | OptimizerConfig::Adamw(_) => ["mean", "mean_square", ""],
    }
}

/// How many values a weight each kind keeps: which of the three arrays are used.
fn used(config: &OptimizerConfig) -> [bool; 3] {
    match config {
        OptimizerConfig::Sgd(sgd) => [sgd.momentum != 0.0, false, false],
        OptimizerConfig::Rmsprop(rmsprop) => [true, rmsprop.momentum > 0.0, rmsprop.centered],
        OptimizerConfig::Adam(_) | OptimizerConfig::Adamw(_) => [true, true, false],
    }
}

impl Optimizer {
    pub(super) fn new(config: OptimizerConfig, weights: usize) -> Optimizer {
        let used = used(&config);
        let shard = |start: usize| {
            let len = SHARD.min(weights - start);
            Shard { state: used.map(|used| vec![0.0; if used { len } else { 0 }]) }
        };
        let shards = (0..weights).step_by(SHARD).map(shard).collect();
        Optimizer { config, step: 0, shards }
    }

    /// The arrays that it keeps, by name, each with a value for every weight.
    pub(super) fn state(&self) -> Vec<(&'static str, Vec<f32>)> {
        let array = |slot: usize| self.shards.iter().flat_map(|shard| shard.state[slot].iter().copied()).collect();
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
        }
    }

    /// The arrays that are used, with their names.
    pub(super) fn slots(config: &OptimizerConfig) -> Vec<(usize, &'static str)> {
        let (used, names) = (used(config), names(config));
        (0..3).filter(|&slot| used[slot]).map(|slot| (slot, names[slot])).collect()
    }

    /// Values that it keeps for each weight.
    pub(super) fn values_per_weight(config: &OptimizerConfig) -> usize {
        used(config).into_iter().filter(|&used| used).count()
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
        let [first, second, third] = &mut self.state;
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{RmspropConfig, SgdConfig};

    /// The weights after two updates, the second with another gradient.
    fn updated(config: OptimizerConfig, pace: Pace) -> Vec<f32> {
        let (mut weights, mut gradient) = (vec![1.0, -2.0, 0.5], vec![0.3, -0.1, 2.0]);
        let mut optimizer = Optimizer::new(config, weights.len());
        for _ in 0..2 {
            optimizer.update(Isa::SCALAR, &mut weights, &mut gradient, pace, |_, _| {});
            gradient.reverse();
        }
        weights
    }

    #[test]
    fn the_momentum_of_a_schedule_stands_in_for_the_optimizers_own() {
        let kinds: [fn(f64) -> OptimizerConfig; 4] = [
            |momentum| OptimizerConfig::Sgd(SgdConfig { momentum, nesterov: true, ..SgdConfig::default() }),
            |momentum| OptimizerConfig::Rmsprop(RmspropConfig { momentum, ..RmspropConfig::default() }),
            |beta_1| OptimizerConfig::Adam(AdamConfig { beta_1, ..AdamConfig::default() }),
            |beta_1| OptimizerConfig::Adamw(AdamwConfig { beta_1, ..AdamwConfig::default() }),
        ];
        for kind in kinds {
            let moved = updated(kind(0.9), Pace { learning_rate: 0.01, momentum: Some(0.6) });
            assert_eq!(moved, updated(kind(0.6), Pace::from(0.01)), "{:?}", kind(0.9));
            assert_ne!(moved, updated(kind(0.9), Pace::from(0.01)), "{:?}", kind(0.9));
        }
    }
}
