//! Optimizer updates with the formulas of Keras 3.
//!
//! One call updates one array of weights; each weight depends on its own gradient and state alone, so an array may
//! be cut anywhere and the parts updated by different threads.
//!
//! Decaying state would become denormal, and denormals are slow: state whose magnitude falls below [`TINY`] is set
//! to exactly 0. That is far below what any epsilon lets matter; the weights agree with Keras within float error.

use pulp::Simd;

use crate::Isa;
use crate::lanes::{Lanewise, lanewise};

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
    /// The learning rate with both bias corrections: `lr * sqrt(1 - beta_2^step) / (1 - beta_1^step)`. As in Keras,
    /// the betas of the corrections (and only those) are rounded to f32, which at the first steps moves `1 - beta_2`
    /// by 1e-5 of it.
    pub fn step_size(&self) -> f32 {
        let power = |beta: f64| libm::pow(f64::from(beta as f32), self.step as f64);
        (self.learning_rate * (1.0 - power(self.beta_2)).sqrt() / (1.0 - power(self.beta_1))) as f32
    }
}

/// `velocity = momentum * velocity - lr * g; w += velocity` (Nesterov: `w += momentum * velocity - lr * g`); without
/// momentum `w -= lr * g`, and `velocity` may be empty.
///
/// # Panics
/// If the lengths differ.
pub fn sgd_update(isa: Isa, sgd: &Sgd, weights: &mut [f32], gradient: &[f32], velocity: &mut [f32]) {
    check("sgd_update: gradient", weights.len(), gradient.len(), true);
    check("sgd_update: velocity", weights.len(), velocity.len(), sgd.momentum != 0.0);
    let step = SgdStep {
        rate: sgd.learning_rate as f32,
        momentum: sgd.momentum as f32,
        decay: (sgd.learning_rate * sgd.weight_decay) as f32,
    };
    match (sgd.momentum != 0.0, sgd.nesterov) {
        (false, _) => lanewise(isa, step, [gradient], [weights]),
        (true, false) => lanewise(isa, Momentum::<false>(step), [gradient], [weights, velocity]),
        (true, true) => lanewise(isa, Momentum::<true>(step), [gradient], [weights, velocity]),
    }
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
    isa: Isa,
    rmsprop: &RmsProp,
    weights: &mut [f32],
    gradient: &[f32],
    v: &mut [f32],
    momentum_buffer: &mut [f32],
    average_gradient: &mut [f32],
) {
    let len = weights.len();
    let has_momentum = rmsprop.momentum > 0.0;
    check("rmsprop_update: gradient", len, gradient.len(), true);
    check("rmsprop_update: v", len, v.len(), true);
    check("rmsprop_update: momentum_buffer", len, momentum_buffer.len(), has_momentum);
    check("rmsprop_update: average_gradient", len, average_gradient.len(), rmsprop.centered);
    let step = RmsPropStep {
        rate: rmsprop.learning_rate as f32,
        rho: rmsprop.rho as f32,
        rest: (1.0 - rmsprop.rho) as f32,
        momentum: rmsprop.momentum as f32,
        epsilon: rmsprop.epsilon as f32,
    };
    match (has_momentum, rmsprop.centered) {
        (false, false) => lanewise(isa, step, [gradient], [weights, v]),
        (true, false) => lanewise(isa, WithMomentum(step), [gradient], [weights, v, momentum_buffer]),
        (false, true) => lanewise(isa, Centred(step), [gradient], [weights, v, average_gradient]),
        (true, true) => lanewise(isa, step, [gradient], [weights, v, momentum_buffer, average_gradient]),
    }
}

/// `m += (g - m) * (1 - beta_1); v += (g^2 - v) * (1 - beta_2); w -= step_size * m / (sqrt(v) + epsilon)`, with
/// [`Adam::step_size`].
///
/// # Panics
/// If the lengths differ or `step` is 0.
pub fn adam_update(isa: Isa, adam: &Adam, weights: &mut [f32], gradient: &[f32], m: &mut [f32], v: &mut [f32]) {
    assert!(adam.step > 0, "adam_update: steps are counted from 1");
    check("adam_update: gradient", weights.len(), gradient.len(), true);
    check("adam_update: m", weights.len(), m.len(), true);
    check("adam_update: v", weights.len(), v.len(), true);
    let step = AdamStep {
        alpha: adam.step_size(),
        rest_1: (1.0 - adam.beta_1) as f32,
        rest_2: (1.0 - adam.beta_2) as f32,
        epsilon: adam.epsilon as f32,
        decay: (adam.learning_rate * adam.weight_decay) as f32,
    };
    lanewise(isa, step, [gradient], [weights, m, v]);
}

/// `average += (values - average) * rate`: one value more in a moving average (`rate` constant) or a mean (`rate` = 1 / the
/// number of values).
///
/// # Panics
/// If the lengths differ.
pub fn average_update(isa: Isa, average: &mut [f32], values: &[f32], rate: f64) {
    assert_eq!(average.len(), values.len(), "average_update: {} averages of {} values", average.len(), values.len());
    lanewise(isa, AverageStep { rate: rate as f32 }, [values], [average]);
}

fn check(name: &str, weights: usize, len: usize, needed: bool) {
    assert!(len == weights || (!needed && len == 0), "{name} has {len} values for {weights} weights");
}

/// State below [`TINY`] becomes 0; NaN stays NaN.
#[inline(always)]
pub(crate) fn flush<S: Simd>(simd: S, state: S::f32s) -> S::f32s {
    let tiny = simd.less_than_f32s(simd.abs_f32s(state), simd.splat_f32s(TINY));
    simd.select_f32s(tiny, simd.splat_f32s(0.0), state)
}

#[derive(Clone, Copy)]
struct SgdStep {
    rate: f32,
    momentum: f32,
    decay: f32,
}

impl SgdStep {
    #[inline(always)]
    fn decayed<S: Simd>(&self, simd: S, w: S::f32s) -> S::f32s {
        simd.negate_mul_add_e_f32s(w, simd.splat_f32s(self.decay), w)
    }
}

impl Lanewise<1, 1> for SgdStep {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, [g]: [S::f32s; 1], [w]: [S::f32s; 1]) -> [S::f32s; 1] {
        [simd.negate_mul_add_e_f32s(g, simd.splat_f32s(self.rate), self.decayed(simd, w))]
    }
}

struct Momentum<const NESTEROV: bool>(SgdStep);

impl<const NESTEROV: bool> Lanewise<1, 2> for Momentum<NESTEROV> {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, [g]: [S::f32s; 1], [w, velocity]: [S::f32s; 2]) -> [S::f32s; 2] {
        let momentum = simd.splat_f32s(self.0.momentum);
        let pull = simd.mul_f32s(g, simd.splat_f32s(-self.0.rate));
        let velocity = flush(simd, simd.mul_add_e_f32s(velocity, momentum, pull));
        let ahead = if NESTEROV { simd.mul_add_e_f32s(velocity, momentum, pull) } else { velocity };
        [simd.add_f32s(self.0.decayed(simd, w), ahead), velocity]
    }
}

#[derive(Clone, Copy)]
struct RmsPropStep {
    rate: f32,
    rho: f32,
    rest: f32,
    momentum: f32,
    epsilon: f32,
}

impl RmsPropStep {
    /// `rho * average + (1 - rho) * value`.
    #[inline(always)]
    fn averaged<S: Simd>(&self, simd: S, average: S::f32s, value: S::f32s) -> S::f32s {
        let value = simd.mul_f32s(value, simd.splat_f32s(self.rest));
        flush(simd, simd.mul_add_e_f32s(average, simd.splat_f32s(self.rho), value))
    }

    /// `lr * g / sqrt(mean_square + epsilon)`.
    #[inline(always)]
    fn increment<S: Simd>(&self, simd: S, g: S::f32s, mean_square: S::f32s) -> S::f32s {
        let denominator = simd.sqrt_f32s(simd.add_f32s(mean_square, simd.splat_f32s(self.epsilon)));
        simd.div_f32s(simd.mul_f32s(g, simd.splat_f32s(self.rate)), denominator)
    }

    /// `momentum * buffer + increment`.
    #[inline(always)]
    fn carried<S: Simd>(&self, simd: S, buffer: S::f32s, increment: S::f32s) -> S::f32s {
        flush(simd, simd.mul_add_e_f32s(buffer, simd.splat_f32s(self.momentum), increment))
    }
}

impl Lanewise<1, 2> for RmsPropStep {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, [g]: [S::f32s; 1], [w, v]: [S::f32s; 2]) -> [S::f32s; 2] {
        let v = self.averaged(simd, v, simd.mul_f32s(g, g));
        [simd.sub_f32s(w, self.increment(simd, g, v)), v]
    }
}

struct WithMomentum(RmsPropStep);

impl Lanewise<1, 3> for WithMomentum {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, [g]: [S::f32s; 1], [w, v, buffer]: [S::f32s; 3]) -> [S::f32s; 3] {
        let v = self.0.averaged(simd, v, simd.mul_f32s(g, g));
        let buffer = self.0.carried(simd, buffer, self.0.increment(simd, g, v));
        [simd.sub_f32s(w, buffer), v, buffer]
    }
}

struct Centred(RmsPropStep);

impl Lanewise<1, 3> for Centred {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, [g]: [S::f32s; 1], [w, v, average]: [S::f32s; 3]) -> [S::f32s; 3] {
        let v = self.0.averaged(simd, v, simd.mul_f32s(g, g));
        let average = self.0.averaged(simd, average, g);
        let variance = simd.negate_mul_add_e_f32s(average, average, v);
        [simd.sub_f32s(w, self.0.increment(simd, g, variance)), v, average]
    }
}

impl Lanewise<1, 4> for RmsPropStep {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, [g]: [S::f32s; 1], [w, v, buffer, average]: [S::f32s; 4]) -> [S::f32s; 4] {
        let v = self.averaged(simd, v, simd.mul_f32s(g, g));
        let average = self.averaged(simd, average, g);
        let variance = simd.negate_mul_add_e_f32s(average, average, v);
        let buffer = self.carried(simd, buffer, self.increment(simd, g, variance));
        [simd.sub_f32s(w, buffer), v, buffer, average]
    }
}

struct AverageStep {
    rate: f32,
}

impl Lanewise<1, 1> for AverageStep {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, [v]: [S::f32s; 1], [a]: [S::f32s; 1]) -> [S::f32s; 1] {
        [flush(simd, simd.mul_add_e_f32s(simd.sub_f32s(v, a), simd.splat_f32s(self.rate), a))]
    }
}

struct AdamStep {
    alpha: f32,
    rest_1: f32,
    rest_2: f32,
    epsilon: f32,
    decay: f32,
}

impl Lanewise<1, 3> for AdamStep {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, [g]: [S::f32s; 1], [w, m, v]: [S::f32s; 3]) -> [S::f32s; 3] {
        let w = simd.negate_mul_add_e_f32s(w, simd.splat_f32s(self.decay), w);
        let m = simd.mul_add_e_f32s(simd.sub_f32s(g, m), simd.splat_f32s(self.rest_1), m);
        let m = flush(simd, m);
        let lag = simd.sub_f32s(simd.mul_f32s(g, g), v);
        let v = flush(simd, simd.mul_add_e_f32s(lag, simd.splat_f32s(self.rest_2), v));
        let root = simd.add_f32s(simd.sqrt_f32s(v), simd.splat_f32s(self.epsilon));
        let step = simd.div_f32s(simd.mul_f32s(m, simd.splat_f32s(self.alpha)), root);
        [simd.sub_f32s(w, step), m, v]
    }
}
