//! Activation functions and their derivatives.

use serde::{Deserialize, Serialize};

use crate::{Isa, reference};

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
    /// `exp(x) / sum(exp(x))` over the classes of a sample; not elementwise, see [`softmax_rows`].
    Softmax,
}

impl Activation {
    /// Whether the derivative needs the pre-activation; of the others, the output is enough.
    pub fn needs_input(self) -> bool {
        matches!(self, Activation::Gelu | Activation::Silu)
    }
}

/// `x = act(x)`, elementwise, in place. NaN stays NaN.
///
/// # Panics
/// With [`Activation::Softmax`], which is not elementwise.
pub fn activate(_isa: Isa, activation: Activation, x: &mut [f32]) {
    check_elementwise(activation, "softmax_rows");
    reference::activation::activate(activation, x);
}

/// `y = act(x)`, elementwise; `x` and `y` have the same length.
///
/// # Panics
/// If the lengths differ, and with [`Activation::Softmax`].
pub fn activate_to(isa: Isa, activation: Activation, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "activate_to: x has {} values, y {}", x.len(), y.len());
    y.copy_from_slice(x);
    activate(isa, activation, y);
}

/// `dy = dy * act'(z)`, elementwise, in place. `z` is the pre-activation and may be empty unless
/// [`Activation::needs_input`]; `y` is the output.
///
/// # Panics
/// If the lengths differ, and with [`Activation::Softmax`].
pub fn activation_backward(_isa: Isa, activation: Activation, z: &[f32], y: &[f32], dy: &mut [f32]) {
    check_elementwise(activation, "softmax_backward_rows");
    if activation.needs_input() {
        assert_eq!(z.len(), dy.len(), "activation_backward: z has {} values, dy {}", z.len(), dy.len());
    }
    assert_eq!(y.len(), dy.len(), "activation_backward: y has {} values, dy {}", y.len(), dy.len());
    reference::activation::activation_backward(activation, z, y, dy);
}

/// Softmax over each row of `classes` values of `x` (rows x classes), in place.
///
/// # Panics
/// If `x` is not whole rows.
pub fn softmax_rows(_isa: Isa, classes: usize, x: &mut [f32]) {
    check_rows("softmax_rows", classes, x.len());
    reference::activation::softmax_rows(classes, x);
}

/// The gradient through [`softmax_rows`], in place: `dy = y * (dy - sum(dy * y))` over each row; `y` is the output.
///
/// # Panics
/// If `y` and `dy` differ in length or are not whole rows.
pub fn softmax_backward_rows(_isa: Isa, classes: usize, y: &[f32], dy: &mut [f32]) {
    check_rows("softmax_backward_rows", classes, y.len());
    assert_eq!(y.len(), dy.len(), "softmax_backward_rows: y has {} values, dy {}", y.len(), dy.len());
    reference::activation::softmax_backward_rows(classes, y, dy);
}

fn check_elementwise(activation: Activation, instead: &str) {
    assert!(activation != Activation::Softmax, "softmax is not elementwise: call {instead} with the number of classes");
}

fn check_rows(name: &str, classes: usize, len: usize) {
    assert!(classes > 0 && len.is_multiple_of(classes), "{name}: {len} values are not rows of {classes} classes");
}
