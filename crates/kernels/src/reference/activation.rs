//! Activations in f64, one element at a time.

use crate::Activation;
use crate::activation::LEAKY_SLOPE;

const SQRT_HALF: f64 = std::f64::consts::FRAC_1_SQRT_2;

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

/// The cumulative distribution of the standard normal.
fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * SQRT_HALF)
}

/// The density of the standard normal.
fn normal_density(x: f64) -> f64 {
    libm::exp(-0.5 * x * x) * 0.398_942_280_401_432_7
}

/// `act(x)` of one element, in f64. Softmax has no such thing and panics.
pub fn value(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Linear => x,
        Activation::Relu => {
            if x < 0.0 {
                0.0
            } else {
                x
            }
        }
        Activation::LeakyRelu => {
            if x < 0.0 {
                f64::from(LEAKY_SLOPE) * x
            } else {
                x
            }
        }
        Activation::Elu => {
            if x < 0.0 {
                libm::expm1(x)
            } else {
                x
            }
        }
        Activation::Gelu => {
            if x == f64::NEG_INFINITY {
                0.0
            } else {
                x * normal_cdf(x)
            }
        }
        Activation::Silu => {
            if x == f64::NEG_INFINITY {
                0.0
            } else {
                x * sigmoid(x)
            }
        }
        Activation::Sigmoid => sigmoid(x),
        Activation::Tanh => libm::tanh(x),
        Activation::Softmax => panic!("softmax is not elementwise: use softmax_rows"),
    }
}

/// `act'(z)` of one element, in f64, at the pre-activation `z`; at a kink the derivative from the left, as in
/// TensorFlow.
pub fn slope(activation: Activation, z: f64) -> f64 {
    match activation {
        Activation::Linear => 1.0,
        Activation::Relu => {
            if z > 0.0 {
                1.0
            } else {
                0.0
            }
        }
        Activation::LeakyRelu => {
            if z > 0.0 {
                1.0
            } else {
                f64::from(LEAKY_SLOPE)
            }
        }
        Activation::Elu => {
            if z > 0.0 {
                1.0
            } else {
                libm::exp(z)
            }
        }
        Activation::Gelu => normal_cdf(z) + z * normal_density(z),
        Activation::Silu => sigmoid(z) * (1.0 + z * (1.0 - sigmoid(z))),
        Activation::Sigmoid => sigmoid(z) * (1.0 - sigmoid(z)),
        Activation::Tanh => 1.0 - libm::tanh(z) * libm::tanh(z),
        Activation::Softmax => panic!("softmax is not elementwise: use softmax_backward_rows"),
    }
}

/// `x = act(x)`, elementwise.
pub fn activate(activation: Activation, x: &mut [f32]) {
    for value_ in x {
        *value_ = value(activation, f64::from(*value_)) as f32;
    }
}

/// `dy *= act'(z)`, elementwise; activations that need no `z` take their slope from the output `y`.
pub fn activation_backward(activation: Activation, z: &[f32], y: &[f32], dy: &mut [f32]) {
    for (i, gradient) in dy.iter_mut().enumerate() {
        let factor = match activation {
            _ if activation.needs_input() => slope(activation, f64::from(z[i])),
            Activation::Elu if y[i] <= 0.0 => f64::from(y[i]) + 1.0,
            Activation::Sigmoid => f64::from(y[i]) * (1.0 - f64::from(y[i])),
            Activation::Tanh => 1.0 - f64::from(y[i]) * f64::from(y[i]),
            _ => slope(activation, f64::from(y[i])),
        };
        *gradient = (f64::from(*gradient) * factor) as f32;
    }
}

/// Softmax over each row of `classes` values, in place.
pub fn softmax_rows(classes: usize, x: &mut [f32]) {
    for row in x.chunks_exact_mut(classes) {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = row.iter().map(|&v| libm::exp(f64::from(v) - f64::from(largest))).sum();
        for v in row {
            *v = (libm::exp(f64::from(*v) - f64::from(largest)) / sum) as f32;
        }
    }
}

/// `dy = y * (dy - sum(dy * y))` over each row of `classes` values, in place.
pub fn softmax_backward_rows(classes: usize, y: &[f32], dy: &mut [f32]) {
    for (y, dy) in y.chunks_exact(classes).zip(dy.chunks_exact_mut(classes)) {
        let dot: f64 = y.iter().zip(&*dy).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        for (gradient, &p) in dy.iter_mut().zip(y) {
            *gradient = (f64::from(p) * (f64::from(*gradient) - dot)) as f32;
        }
    }
}
