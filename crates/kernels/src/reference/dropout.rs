//! Dropout, one element at a time.

use crate::dropout::{key, threshold};
use crate::random::philox4x32;

/// Whether element `index` of a sample is kept; see [`crate::dropout_forward`].
pub fn keeps(rate: f32, seed: u64, position: u64, sample: u32, index: usize) -> bool {
    let (group, within) = (index / 128, index % 128);
    let block = (group * 16 + within % 16) as u32;
    let words = philox4x32([block, sample, position as u32, (position >> 32) as u32], key(seed));
    let word = words[within / 16 / 2];
    let bits = if (within / 16).is_multiple_of(2) { word & 0xFFFF } else { word >> 16 };
    bits >= threshold(rate)
}

/// `y = keep ? x / (1 - rate) : 0`; see [`crate::dropout_forward`].
pub fn dropout_forward(rate: f32, seed: u64, position: u64, sample: u32, x: &[f32], y: &mut [f32]) {
    let scale = 1.0 / (1.0 - rate);
    for (i, (y, &x)) in y.iter_mut().zip(x).enumerate() {
        *y = if keeps(rate, seed, position, sample, i) { x * scale } else { 0.0 };
    }
}
