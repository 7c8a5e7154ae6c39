//! The layers, one file each: what they answer as data ([`Layer`](super::layer::Layer)) and how they run
//! ([`Op`](super::layer::Op)).

mod activation;
mod batch_norm;
mod conv2d;
mod conv_pool;
mod convolve;
mod dense;
mod dropout;
mod flatten;
mod folded;
mod global_avg_pool2d;
mod pool2d;
mod whole_dense;
mod window;

pub(crate) use conv_pool::fuse;
pub(crate) use pool2d::{AvgPool, MaxPool};
pub use window::Window;

use std::ops::Range;

use crate::nn::LayerError;

/// The most filters or units that a layer may have.
const MOST: usize = 1 << 24;

/// Checks a number of filters or units.
fn count(key: &'static str, n: usize) -> Result<(), LayerError> {
    if (1..=MOST).contains(&n) {
        return Ok(());
    }
    Err(LayerError::Setting { key, needs: "between 1 and 16,777,216", got: n.to_string() })
}

/// The gradients of a layer's weights and bias (empty for none); the bias lies right behind the weights.
fn split_gradient<'a>(
    gradient: &'a mut [f32],
    weights: &Range<usize>,
    bias: Option<&Range<usize>>,
) -> (&'a mut [f32], &'a mut [f32]) {
    let end = bias.map_or(weights.end, |bias| bias.end);
    gradient[weights.start..end].split_at_mut(weights.len())
}
