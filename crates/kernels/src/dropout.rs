//! Dropout whose mask is a pure function of where it is applied, so that it need not be stored.

use pulp::{Simd, WithSimd};

use crate::Isa;
use crate::lanes::{iota, load, store};
use crate::random::{MULTIPLIERS, Purpose, Stream, WEYL};

/// `y = x / (1 - rate)` where the element is kept, 0 where it is dropped.
///
/// Whether an element is kept depends on `(seed, position, sample, index)` alone, the same on every instruction
/// set: each Philox block gives eight draws of 16 bits, and an element is kept if its draw is at least
/// `rate * 65536`, rounded. `position` is the caller's unique number for (step, layer); `sample` the sample's place
/// in the batch; `x` and `y` are that one sample.
///
/// # Panics
/// If the lengths differ or `rate` is not in `[0, 1)`.
pub fn dropout_forward(isa: Isa, rate: f32, seed: u64, position: u64, sample: u32, x: &[f32], y: &mut [f32]) {
    check("dropout_forward", rate, x.len(), y.len());
    isa.run(Dropout::new(rate, seed, position, sample, x, y));
}

/// `dx = dy / (1 - rate)` where [`dropout_forward`] kept the element, 0 where it dropped it; the mask is drawn anew
/// from the same arguments.
///
/// # Panics
/// If the lengths differ or `rate` is not in `[0, 1)`.
pub fn dropout_backward(isa: Isa, rate: f32, seed: u64, position: u64, sample: u32, dy: &[f32], dx: &mut [f32]) {
    check("dropout_backward", rate, dy.len(), dx.len());
    isa.run(Dropout::new(rate, seed, position, sample, dy, dx));
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

/// Blocks drawn for one group of elements. Element `j` of a group takes draw `j / 16` of block `j % 16`: so a
/// register of up to 16 blocks yields eight runs of adjacent elements, and the mask is the same for every register size.
const GROUP_BLOCKS: usize = 16;
const GROUP: usize = 8 * GROUP_BLOCKS;

struct Dropout<'a> {
    key: [u32; 2],
    /// The counter of a block, less its first word, the block's number.
    place: [u32; 3],
    threshold: u32,
    scale: f32,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl<'a> Dropout<'a> {
    fn new(rate: f32, seed: u64, position: u64, sample: u32, x: &'a [f32], y: &'a mut [f32]) -> Dropout<'a> {
        let place = [sample, position as u32, (position >> 32) as u32];
        Dropout { key: key(seed), place, threshold: threshold(rate), scale: 1.0 / (1.0 - rate), x, y }
    }
}

impl WithSimd for Dropout<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (threshold, scale) = (simd.splat_u32s(self.threshold), simd.splat_f32s(self.scale));
        let (low, sixteen, zero) = (simd.splat_u32s(0xFFFF), simd.splat_u32s(16), simd.splat_f32s(0.0));
        for (group, (x, y)) in self.x.chunks(GROUP).zip(self.y.chunks_mut(GROUP)).enumerate() {
            for first in (0..GROUP_BLOCKS.min(x.len())).step_by(S::F32_LANES) {
                let block = (group * GROUP_BLOCKS + first) as u32;
                let words = philox(simd, block, self.place, self.key);
                for draw in 0..8 {
                    let start = draw * GROUP_BLOCKS + first;
                    if start >= x.len() {
                        break;
                    }
                    let end = usize::min(start + S::F32_LANES, x.len());
                    let word = words[draw / 2];
                    let bits = if draw % 2 == 0 {
                        simd.and_u32s(word, low)
                    } else {
                        simd.wrapping_dyn_shr_u32s(word, sixteen)
                    };
                    let kept = simd.greater_than_or_equal_u32s(bits, threshold);
                    let value = simd.mul_f32s(load(simd, &x[start..end]), scale);
                    store(simd, &mut y[start..end], simd.select_f32s(kept, value, zero));
                }
            }
        }
    }
}

/// A register of Philox 4x32-10 blocks, numbered from `block`; see [`crate::random::philox4x32`].
#[inline(always)]
fn philox<S: Simd>(simd: S, block: u32, place: [u32; 3], key: [u32; 2]) -> [S::u32s; 4] {
    let number = simd.add_u32s(simd.splat_u32s(block), iota(simd));
    let mut c = [number, simd.splat_u32s(place[0]), simd.splat_u32s(place[1]), simd.splat_u32s(place[2])];
    let mut k = key;
    for round in 0..10 {
        if round > 0 {
            k = [k[0].wrapping_add(WEYL[0]), k[1].wrapping_add(WEYL[1])];
        }
        let (low_0, high_0) = simd.widening_mul_u32s(c[0], simd.splat_u32s(MULTIPLIERS[0]));
        let (low_1, high_1) = simd.widening_mul_u32s(c[2], simd.splat_u32s(MULTIPLIERS[1]));
        c = [
            simd.xor_u32s(simd.xor_u32s(high_1, c[1]), simd.splat_u32s(k[0])),
            low_1,
            simd.xor_u32s(simd.xor_u32s(high_0, c[3]), simd.splat_u32s(k[1])),
            low_0,
        ];
    }
    c
}
