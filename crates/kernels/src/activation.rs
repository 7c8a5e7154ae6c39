//! Activation functions and their derivatives.

use pulp::Simd;
use serde::{Deserialize, Serialize};

use crate::Isa;
use crate::lanes::{Lanewise, lanewise};
use crate::math::{exp_minus_1_of_negative, normal_lanes, sigmoid_lanes, tanh_lanes};

/// The slope of `leaky_relu` below zero, as `keras.activations.leaky_relu` has it.
pub const LEAKY_SLOPE: f32 = 0.2;

/// What is applied to a layer's output. The names in recipes are those of Keras: `leaky_relu`, `gelu`, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x`.
    #[default]
    Linear,
    /// `max(x, 0)`.
    Relu,
    /// `x` above zero, [`LEAKY_SLOPE`]` * x` below.
    LeakyRelu,
    /// `x` above zero, `exp(x) - 1` below.
    Elu,
    /// `x * Phi(x)`, `Phi` the cumulative normal distribution (by `erf`, not the tanh approximation).
    Gelu,
    /// `x * sigmoid(x)`, also called swish.
    Silu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `tanh(x)`.
    Tanh,
    /// `exp(x) / sum(exp(x))` over the classes of a sample; not elementwise, see [`crate::softmax_rows`].
    Softmax,
}

impl Activation {
    /// Whether the derivative needs the pre-activation; of the others, the output is enough.
    pub fn needs_input(self) -> bool {
        matches!(self, Activation::Gelu | Activation::Silu)
    }

    /// Whether a larger input never has a smaller output, so that the largest output is that of the largest input.
    pub fn rises(self) -> bool {
        !matches!(self, Activation::Gelu | Activation::Silu | Activation::Softmax)
    }
}

/// `x = act(x)`, elementwise, in place. NaN stays NaN.
///
/// # Panics
/// With [`Activation::Softmax`], which is not elementwise.
pub fn activate(isa: Isa, activation: Activation, x: &mut [f32]) {
    match activation {
        Activation::Linear => {}
        Activation::Relu => lanewise(isa, Forward(Relu), [], [x]),
        Activation::LeakyRelu => lanewise(isa, Forward(LeakyRelu), [], [x]),
        Activation::Elu => lanewise(isa, Forward(Elu), [], [x]),
        Activation::Gelu => lanewise(isa, Forward(Gelu), [], [x]),
        Activation::Silu => lanewise(isa, Forward(Silu), [], [x]),
        Activation::Sigmoid => lanewise(isa, Forward(Sigmoid), [], [x]),
        Activation::Tanh => lanewise(isa, Forward(Tanh), [], [x]),
        Activation::Softmax => panic!("softmax is not elementwise: call softmax_rows with the number of classes"),
    }
}

/// `y = act(x)`, elementwise; `x` and `y` have the same length.
///
/// # Panics
/// If the lengths differ, and with [`Activation::Softmax`].
pub fn activate_to(isa: Isa, activation: Activation, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "activate_to: x has {} values, y {}", x.len(), y.len());
    match activation {
        Activation::Linear => y.copy_from_slice(x),
        Activation::Relu => lanewise(isa, Forward(Relu), [x], [y]),
        Activation::LeakyRelu => lanewise(isa, Forward(LeakyRelu), [x], [y]),
        Activation::Elu => lanewise(isa, Forward(Elu), [x], [y]),
        Activation::Gelu => lanewise(isa, Forward(Gelu), [x], [y]),
        Activation::Silu => lanewise(isa, Forward(Silu), [x], [y]),
        Activation::Sigmoid => lanewise(isa, Forward(Sigmoid), [x], [y]),
        Activation::Tanh => lanewise(isa, Forward(Tanh), [x], [y]),
        Activation::Softmax => panic!("softmax is not elementwise: call softmax_rows with the number of classes"),
    }
}

/// `dy = dy * act'(z)`, elementwise, in place. `z` is the pre-activation and may be empty unless
/// [`Activation::needs_input`]; `y` is the output. At a kink the derivative from the left, as in TensorFlow.
///
/// # Panics
/// If the lengths differ, and with [`Activation::Softmax`].
pub fn activation_backward(isa: Isa, activation: Activation, z: &[f32], y: &[f32], dy: &mut [f32]) {
    if activation.needs_input() {
        assert_eq!(z.len(), dy.len(), "activation_backward: z has {} values, dy {}", z.len(), dy.len());
    }
    assert_eq!(y.len(), dy.len(), "activation_backward: y has {} values, dy {}", y.len(), dy.len());
    match activation {
        Activation::Linear => {}
        Activation::Relu => lanewise(isa, Backward(Relu), [y], [dy]),
        Activation::LeakyRelu => lanewise(isa, Backward(LeakyRelu), [y], [dy]),
        Activation::Elu => lanewise(isa, Backward(Elu), [y], [dy]),
        Activation::Gelu => lanewise(isa, Backward(Gelu), [z], [dy]),
        Activation::Silu => lanewise(isa, Backward(Silu), [z], [dy]),
        Activation::Sigmoid => lanewise(isa, Backward(Sigmoid), [y], [dy]),
        Activation::Tanh => lanewise(isa, Backward(Tanh), [y], [dy]),
        Activation::Softmax => panic!("softmax is not elementwise: call softmax_backward_rows with the classes"),
    }
}

/// An elementwise activation on a register.
trait Curve {
    fn value<S: Simd>(simd: S, x: S::f32s) -> S::f32s;

    /// `gradient` times the derivative; `v` is the pre-activation where [`Activation::needs_input`], else the output.
    fn backward<S: Simd>(simd: S, v: S::f32s, gradient: S::f32s) -> S::f32s;
}

struct Forward<C: Curve>(C);
struct Backward<C: Curve>(C);

impl<C: Curve> Lanewise<0, 1> for Forward<C> {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, _: [S::f32s; 0], [x]: [S::f32s; 1]) -> [S::f32s; 1] {
        [C::value(simd, x)]
    }
}

impl<C: Curve> Lanewise<1, 1> for Forward<C> {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, [x]: [S::f32s; 1], _: [S::f32s; 1]) -> [S::f32s; 1] {
        [C::value(simd, x)]
    }
}

impl<C: Curve> Lanewise<1, 1> for Backward<C> {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, [v]: [S::f32s; 1], [gradient]: [S::f32s; 1]) -> [S::f32s; 1] {
        [C::backward(simd, v, gradient)]
    }
}

/// `above` where `v > 0`, `below` elsewhere, NaN included.
#[inline(always)]
fn where_positive<S: Simd>(simd: S, v: S::f32s, above: S::f32s, below: S::f32s) -> S::f32s {
    simd.select_f32s(simd.greater_than_f32s(v, simd.splat_f32s(0.0)), above, below)
}

/// `max(0, v)`, but NaN stays NaN on every instruction set.
#[inline(always)]
pub(crate) fn relu<S: Simd>(simd: S, v: S::f32s) -> S::f32s {
    where_negative(simd, v, simd.splat_f32s(0.0), v)
}

/// `below` where `v < 0`, `above` elsewhere, NaN included.
#[inline(always)]
fn where_negative<S: Simd>(simd: S, v: S::f32s, below: S::f32s, above: S::f32s) -> S::f32s {
    simd.select_f32s(simd.less_than_f32s(v, simd.splat_f32s(0.0)), below, above)
}

struct Relu;
impl Curve for Relu {
    #[inline(always)]
    fn value<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        relu(simd, x)
    }

    #[inline(always)]
    fn backward<S: Simd>(simd: S, y: S::f32s, gradient: S::f32s) -> S::f32s {
        where_positive(simd, y, gradient, simd.splat_f32s(0.0))
    }
}

struct LeakyRelu;
impl Curve for LeakyRelu {
    #[inline(always)]
    fn value<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        where_negative(simd, x, simd.mul_f32s(x, simd.splat_f32s(LEAKY_SLOPE)), x)
    }

    #[inline(always)]
    fn backward<S: Simd>(simd: S, y: S::f32s, gradient: S::f32s) -> S::f32s {
        where_positive(simd, y, gradient, simd.mul_f32s(gradient, simd.splat_f32s(LEAKY_SLOPE)))
    }
}

struct Elu;
impl Curve for Elu {
    #[inline(always)]
    fn value<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        where_negative(simd, x, exp_minus_1_of_negative(simd, x), x)
    }

    #[inline(always)]
    fn backward<S: Simd>(simd: S, y: S::f32s, gradient: S::f32s) -> S::f32s {
        where_positive(simd, y, gradient, simd.mul_add_e_f32s(gradient, y, gradient))
    }
}

struct Gelu;
impl Curve for Gelu {
    #[inline(always)]
    fn value<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        let (cdf, _) = normal_lanes(simd, x);
        let tail_end = simd.less_than_f32s(x, simd.splat_f32s(-100.0));
        simd.select_f32s(tail_end, simd.splat_f32s(0.0), simd.mul_f32s(x, cdf))
    }

    #[inline(always)]
    fn backward<S: Simd>(simd: S, z: S::f32s, gradient: S::f32s) -> S::f32s {
        let z = clamp(simd, z, 100.0);
        let (cdf, density) = normal_lanes(simd, z);
        simd.mul_f32s(gradient, simd.mul_add_e_f32s(z, density, cdf))
    }
}

struct Silu;
impl Curve for Silu {
    #[inline(always)]
    fn value<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        let tail_end = simd.less_than_f32s(x, simd.splat_f32s(-100.0));
        simd.select_f32s(tail_end, simd.splat_f32s(0.0), simd.mul_f32s(x, sigmoid_lanes(simd, x)))
    }

    #[inline(always)]
    fn backward<S: Simd>(simd: S, z: S::f32s, gradient: S::f32s) -> S::f32s {
        let (z, one) = (clamp(simd, z, 100.0), simd.splat_f32s(1.0));
        let s = sigmoid_lanes(simd, z);
        let slope = simd.mul_f32s(s, simd.mul_add_e_f32s(z, simd.sub_f32s(one, s), one));
        simd.mul_f32s(gradient, slope)
    }
}

struct Sigmoid;
impl Curve for Sigmoid {
    #[inline(always)]
    fn value<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        sigmoid_lanes(simd, x)
    }

    #[inline(always)]
    fn backward<S: Simd>(simd: S, y: S::f32s, gradient: S::f32s) -> S::f32s {
        simd.mul_f32s(gradient, simd.negate_mul_add_e_f32s(y, y, y))
    }
}

struct Tanh;
impl Curve for Tanh {
    #[inline(always)]
    fn value<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        tanh_lanes(simd, x)
    }

    #[inline(always)]
    fn backward<S: Simd>(simd: S, y: S::f32s, gradient: S::f32s) -> S::f32s {
        simd.mul_f32s(gradient, simd.negate_mul_add_e_f32s(y, y, simd.splat_f32s(1.0)))
    }
}

/// `x` moved into `[-limit, limit]`; NaN stays NaN.
#[inline(always)]
pub(crate) fn clamp<S: Simd>(simd: S, x: S::f32s, limit: f32) -> S::f32s {
    let (low, high) = (simd.splat_f32s(-limit), simd.splat_f32s(limit));
    let x = simd.select_f32s(simd.greater_than_f32s(x, high), high, x);
    simd.select_f32s(simd.less_than_f32s(x, low), low, x)
}
