//! Optimizer updates with the formulas of Keras 3.
//!
//! One call updates one array of weights; each weight depends on its own gradient and state alone, so an array may
//! be cut anywhere and the parts updated by different threads.
//!
//! Decaying state would become denormal, and denormals are slow: state whose magnitude falls below [`TINY`] is set
//! to exactly 0. That is far below what any epsilon lets matter; the weights agree with Keras within float error.

use crate::{Isa, reference};

/// State smaller than this becomes 0.
pub const TINY: f32 = 1e-30;

/// Stochastic gradient descent, with or without momentum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// Learning rate.
    pub learning_rate: f64,
    /// Momentum; 0 for none.
    pub momentum: f64,
    /// Nesterov's variant of momentum.
    pub nesterov: bool,
    /// Decoupled weight decay: `w -= learning_rate * weight_decay * w` before the update; 0 for none.
    pub weight_decay: f64,
}

/// RMSprop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp {
    /// Learning rate.
    pub learning_rate: f64,
    /// Decay of the running averages.
    pub rho: f64,
    /// Momentum; 0 for none.
    pub momentum: f64,
    /// Added to the mean square, inside the root.
    pub epsilon: f64,
    /// Whether the mean square is taken around the mean gradient.
    pub centered: bool,
}

/// Adam; with weight decay, AdamW.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Learning rate.
    pub learning_rate: f64,
    /// Decay of the mean gradient.
    pub beta_1: f64,
    /// Decay of the mean square.
    pub beta_2: f64,
    /// Added to the root of the mean square, outside the root and before bias correction, as Keras has it.
    pub epsilon: f64,
    /// Decoupled weight decay: `w -= learning_rate * weight_decay * w` before the update; 0 for none.
    pub weight_decay: f64,
    /// The number of this update, counted from 1.
    pub step: u64,
}

impl Adam {
    /// The learning rate with both bias corrections: `lr * sqrt(1 - beta_2^step) / (1 - beta_1^step)`.
    pub fn step_size(&self) -> f32 {
        let power = |beta: f64| libm::pow(beta, self.step as f64);
        (self.learning_rate * (1.0 - power(self.beta_2)).sqrt() / (1.0 - power(self.beta_1))) as f32
    }
}

/// `velocity = momentum * velocity - lr * g; w += velocity` (Nesterov: `w += momentum * velocity - lr * g`); without
/// momentum `w -= lr * g`, and `velocity` may be empty.
///
/// # Panics
/// If the lengths differ.
pub fn sgd_update(_isa: Isa, sgd: &Sgd, weights: &mut [f32], gradient: &[f32], velocity: &mut [f32]) {
    check("sgd_update: gradient", weights.len(), gradient.len(), true);
    check("sgd_update: velocity", weights.len(), velocity.len(), sgd.momentum != 0.0);
    reference::optimizer::sgd_update(sgd, weights, gradient, velocity);
}

/// `v = rho * v + (1 - rho) * g^2; w -= lr * g / sqrt(v + epsilon)`.
///
/// With momentum, `buffer = momentum * buffer + lr * g / sqrt(...); w -= buffer`. Centred, the average gradient
/// `a = rho * a + (1 - rho) * g` is kept too and the root is over `v - a^2 + epsilon`. `momentum_buffer` and
/// `average_gradient` may be empty where they are not used.
///
/// # Panics
/// If the lengths differ.
pub fn rmsprop_update(
    _isa: Isa,
    rmsprop: &RmsProp,
    weights: &mut [f32],
    gradient: &[f32],
    v: &mut [f32],
    momentum_buffer: &mut [f32],
    average_gradient: &mut [f32],
) {
    let len = weights.len();
    check("rmsprop_update: gradient", len, gradient.len(), true);
    check("rmsprop_update: v", len, v.len(), true);
    check("rmsprop_update: momentum_buffer", len, momentum_buffer.len(), rmsprop.momentum > 0.0);
    check("rmsprop_update: average_gradient", len, average_gradient.len(), rmsprop.centered);
    reference::optimizer::rmsprop_update(rmsprop, weights, gradient, v, momentum_buffer, average_gradient);
}

/// `m += (g - m) * (1 - beta_1); v += (g^2 - v) * (1 - beta_2); w -= step_size * m / (sqrt(v) + epsilon)`, with
/// [`Adam::step_size`].
///
/// # Panics
/// If the lengths differ or `step` is 0.
pub fn adam_update(_isa: Isa, adam: &Adam, weights: &mut [f32], gradient: &[f32], m: &mut [f32], v: &mut [f32]) {
    assert!(adam.step > 0, "adam_update: steps are counted from 1");
    for (name, len) in [("gradient", gradient.len()), ("m", m.len()), ("v", v.len())] {
        check(name, weights.len(), len, true);
    }
    reference::optimizer::adam_update(adam, weights, gradient, m, v);
}

fn check(name: &str, weights: usize, len: usize, needed: bool) {
    assert!(len == weights || (!needed && len == 0), "{name} has {len} values for {weights} weights");
}
