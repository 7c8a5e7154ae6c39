//! Optimizer updates, one weight at a time, as Keras 3 writes them.

use crate::optimizer::TINY;
use crate::{Adam, RmsProp, Sgd};

fn flush(state: f32) -> f32 {
    if state.abs() < TINY { 0.0 } else { state }
}

/// Stochastic gradient descent; see [`crate::sgd_update`].
pub fn sgd_update(sgd: &Sgd, weights: &mut [f32], gradient: &[f32], velocity: &mut [f32]) {
    let (rate, momentum) = (sgd.learning_rate as f32, sgd.momentum as f32);
    let decay = (sgd.learning_rate * sgd.weight_decay) as f32;
    for (i, w) in weights.iter_mut().enumerate() {
        *w -= *w * decay;
        if sgd.momentum == 0.0 {
            *w -= rate * gradient[i];
        } else {
            velocity[i] = flush(velocity[i] * momentum - gradient[i] * rate);
            *w += if sgd.nesterov { velocity[i] * momentum - gradient[i] * rate } else { velocity[i] };
        }
    }
}

/// RMSprop; see [`crate::rmsprop_update`].
pub fn rmsprop_update(
    rmsprop: &RmsProp,
    weights: &mut [f32],
    gradient: &[f32],
    v: &mut [f32],
    momentum_buffer: &mut [f32],
    average_gradient: &mut [f32],
) {
    let (rate, rho, rest) = (rmsprop.learning_rate as f32, rmsprop.rho as f32, (1.0 - rmsprop.rho) as f32);
    for (i, w) in weights.iter_mut().enumerate() {
        let g = gradient[i];
        v[i] = flush(rho * v[i] + rest * (g * g));
        let mut denominator = v[i] + rmsprop.epsilon as f32;
        if rmsprop.centered {
            average_gradient[i] = flush(rho * average_gradient[i] + rest * g);
            denominator = v[i] - average_gradient[i] * average_gradient[i] + rmsprop.epsilon as f32;
        }
        let increment = rate * g / denominator.sqrt();
        if rmsprop.momentum > 0.0 {
            momentum_buffer[i] = flush(rmsprop.momentum as f32 * momentum_buffer[i] + increment);
            *w -= momentum_buffer[i];
        } else {
            *w -= increment;
        }
    }
}

/// A moving average; see [`crate::average_update`].
pub fn average_update(average: &mut [f32], values: &[f32], rate: f64) {
    average.iter_mut().zip(values).for_each(|(a, v)| *a = flush(*a + (v - *a) * rate as f32));
}

/// Adam and AdamW; see [`crate::adam_update`].
pub fn adam_update(adam: &Adam, weights: &mut [f32], gradient: &[f32], m: &mut [f32], v: &mut [f32]) {
    let alpha = adam.step_size();
    let (rest_1, rest_2) = ((1.0 - adam.beta_1) as f32, (1.0 - adam.beta_2) as f32);
    let decay = (adam.learning_rate * adam.weight_decay) as f32;
    for (i, w) in weights.iter_mut().enumerate() {
        let g = gradient[i];
        *w -= *w * decay;
        m[i] = flush(m[i] + (g - m[i]) * rest_1);
        v[i] = flush(v[i] + (g * g - v[i]) * rest_2);
        *w -= m[i] * alpha / (v[i].sqrt() + adam.epsilon as f32);
    }
}
