//! The kernel's gradient: every winner adds its patch of the input, times its gradient, to its filter.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::{ConvPool, Winners};
use crate::{Isa, size, tile};

/// Input that the windows of a band may reach, in floats: what stays in the nearest cache while filter after filter
/// reads it.
const BAND_FLOATS: usize = 12 * 1024;

/// Registers that one pass over a list accumulates.
const BLOCK: usize = 12;

/// Rows of windows that are taken together.
fn band(shape: &ConvPool) -> usize {
    let row = size(&[shape.frame_width(), shape.conv.channels]).max(1);
    let step = shape.pool.stride.0 * shape.conv.stride.0;
    let reach = shape.conv.kernel.0 + (shape.pool.window.0 - 1) * shape.conv.stride.0;
    let rows = (BAND_FLOATS / row).saturating_sub(reach) / step + 1;
    rows.min(shape.pool.out_height())
}

/// Indices that [`gather`] needs.
pub(super) fn indices_len(shape: &ConvPool) -> usize {
    shape.conv.filters + size(&[band(shape), shape.pool.out_width(), shape.conv.filters])
}

/// `gathered[filter][row][..] += sum over the filter's winners of gradient * x[patch + row * width ..]`; `x` is padded.
pub(super) fn gather(
    isa: Isa,
    shape: &ConvPool,
    winners: &Winners<'_>,
    x: &[f32],
    gathered: &mut [f32],
    gradients: &mut [f32],
    indices: &mut [u32],
) {
    let filters = shape.conv.filters;
    let windows = band(shape) * shape.pool.out_width();
    let (counts, patches) = indices.split_at_mut(filters);
    let mut start = 0;
    for ends in winners.ends.chunks(windows * winners.places) {
        let end = ends.last().map_or(0, |&end| end as usize);
        counts.fill(0);
        sort_by_filter(winners, start..end, windows, gradients, patches, counts);
        start = end;
        for (filter, &count) in counts.iter().enumerate() {
            if count > 0 {
                let list = filter * windows..filter * windows + count as usize;
                let depth = shape.conv.kernel.0 * shape.run();
                isa.run(Gather {
                    x,
                    stride: shape.frame_width() * shape.conv.channels,
                    run: shape.run(),
                    gradients: &gradients[list.clone()],
                    patches: &patches[list],
                    gathered: &mut gathered[filter * depth..(filter + 1) * depth],
                });
            }
        }
    }
}

/// Puts every filter's winners side by side, `windows` places apart.
fn sort_by_filter(
    winners: &Winners<'_>,
    range: Range<usize>,
    windows: usize,
    gradients: &mut [f32],
    patches: &mut [u32],
    counts: &mut [u32],
) {
    let list = winners.filters[range.clone()].iter().zip(&winners.gradients[range.clone()]);
    for ((&filter, &gradient), &patch) in list.zip(&winners.patches[range]) {
        let count = &mut counts[filter as usize];
        let at = filter as usize * windows + *count as usize;
        (gradients[at], patches[at]) = (gradient, patch);
        *count += 1;
    }
}

/// `gathered[row][..] += sum over the list of gradient * x[patch + row * stride ..]`.
struct Gather<'a> {
    x: &'a [f32],
    stride: usize,
    run: usize,
    gradients: &'a [f32],
    patches: &'a [u32],
    gathered: &'a mut [f32],
}

impl WithSimd for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = S::F32_LANES;
        let last = self.patches.iter().copied().max().unwrap_or(0) as usize;
        let rows = self.gathered.len() / self.run;
        assert!(last + (rows - 1) * self.stride + self.run <= self.x.len(), "a patch reaches beyond the input");
        for row in 0..rows {
            let mut start = 0;
            while start < self.run {
                let vectors = (self.run - start).div_ceil(lanes).min(BLOCK);
                let tail = (self.run - start - (vectors - 1) * lanes).min(lanes);
                let gathered = &mut self.gathered[row * self.run + start..];
                let x = &self.x[row * self.stride + start..];
                macro_rules! pick {
                    ($($n:literal)*) => {
                        match vectors {
                            // SAFETY: the furthest patch was checked against `x` above; `tail` lanes are real.
                            $($n => unsafe { list::<S, $n>(simd, x, self.gradients, self.patches, tail, gathered) },)*
                            _ => unreachable!("a block has at most {BLOCK} registers"),
                        }
                    };
                }
                pick!(1 2 3 4 5 6 7 8 9 10 11 12);
                start += vectors * lanes;
            }
        }
    }
}

/// # Safety
/// Every patch must leave `N` registers (the last of `tail` lanes) readable in `x`, and `gathered` as many.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "closures inside iterators are not sure to be compiled for the set")]
unsafe fn list<S: Simd, const N: usize>(
    simd: S,
    x: &[f32],
    gradients: &[f32],
    patches: &[u32],
    tail: usize,
    gathered: &mut [f32],
) {
    let lanes = S::F32_LANES;
    // SAFETY: the caller vouches for all patches and for `gathered`.
    unsafe {
        let to = gathered.as_mut_ptr();
        let mut acc = [simd.splat_f32s(0.0); N];
        for j in 0..N {
            acc[j] = tile::load_lanes(simd, to.add(j * lanes), if j + 1 == N { tail } else { lanes });
        }
        for (&g, &patch) in gradients.iter().zip(patches) {
            let (g, from) = (simd.splat_f32s(g), x.as_ptr().add(patch as usize));
            for j in 0..N {
                let value = tile::load_lanes(simd, from.add(j * lanes), if j + 1 == N { tail } else { lanes });
                acc[j] = simd.mul_add_e_f32s(g, value, acc[j]);
            }
        }
        for j in 0..N {
            tile::store_lanes(simd, to.add(j * lanes), acc[j], if j + 1 == N { tail } else { lanes });
        }
    }
}
