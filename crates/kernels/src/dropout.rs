//! Dropout whose mask is a pure function of where it is applied, so that it need not be stored.

use crate::random::{Purpose, Stream};
use crate::{Isa, reference};

/// `y = x / (1 - rate)` where the element is kept, 0 where it is dropped.
///
/// Whether an element is kept depends on `(seed, position, sample, index)` alone, the same on every instruction
/// set: each Philox block gives eight draws of 16 bits, and an element is kept if its draw is at least
/// `rate * 65536`, rounded. `position` is the caller's unique number for (step, layer); `sample` the sample's place
/// in the batch; `x` and `y` are that one sample.
///
/// # Panics
/// If the lengths differ or `rate` is not in `[0, 1)`.
pub fn dropout_forward(_isa: Isa, rate: f32, seed: u64, position: u64, sample: u32, x: &[f32], y: &mut [f32]) {
    check("dropout_forward", rate, x.len(), y.len());
    reference::dropout::dropout_forward(rate, seed, position, sample, x, y);
}

/// `dx = dy / (1 - rate)` where [`dropout_forward`] kept the element, 0 where it dropped it; the mask is drawn anew
/// from the same arguments.
///
/// # Panics
/// If the lengths differ or `rate` is not in `[0, 1)`.
pub fn dropout_backward(_isa: Isa, rate: f32, seed: u64, position: u64, sample: u32, dy: &[f32], dx: &mut [f32]) {
    check("dropout_backward", rate, dy.len(), dx.len());
    reference::dropout::dropout_forward(rate, seed, position, sample, dy, dx);
}

/// The Philox key of a seed's masks: drawn, so that masks share no block with any [`Stream`] of the same seed.
pub(crate) fn key(seed: u64) -> [u32; 2] {
    let mut stream = Stream::new(seed, Purpose::Dropout, 0, 0);
    [stream.next_u32(), stream.next_u32()]
}

/// An element is kept if its 16 bits are at least this.
pub(crate) fn threshold(rate: f32) -> u32 {
    (rate * 65_536.0 + 0.5) as u32
}

fn check(name: &str, rate: f32, x: usize, y: usize) {
    assert!((0.0..1.0).contains(&rate), "{name}: rate {rate} is not in [0, 1)");
    assert_eq!(x, y, "{name}: {x} values in, {y} out");
}
