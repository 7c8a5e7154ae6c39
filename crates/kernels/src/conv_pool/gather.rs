//! The kernel's gradient: every winner adds its patch of the input, times its gradient, to its filter.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::{ConvPool, Winners};
use crate::{Isa, size, tile};

/// Input that the windows of a band may reach, in floats: what stays in the nearest cache while filter after filter
/// reads it.
const BAND_FLOATS: usize = 12 * 1024;

/// Rows of the kernel that one pass over a list takes together, and registers of each.
const BLOCK: (usize, usize) = (3, 6);

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
    let (rows, run, stride) = (shape.conv.kernel.0, shape.run(), shape.frame_width() * shape.conv.channels);
    if let Some(&furthest) = winners.patches.iter().max() {
        assert!(furthest as usize + (rows - 1) * stride + run <= x.len(), "a patch reaches beyond the input");
    }
    let mut start = 0;
    for ends in winners.ends.chunks(windows * winners.places) {
        let end = ends.last().map_or(0, |&end| end as usize);
        counts.fill(0);
        sort_by_filter(winners, start..end, windows, gradients, patches, counts);
        start = end;
        isa.run(Gather { x, stride, run, windows, counts, gradients, patches, gathered });
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

/// `gathered[filter][row][..] += sum over the filter's list of gradient * x[patch + row * stride ..]`. The patches of the lists
/// were checked against `x`.
struct Gather<'a> {
    x: &'a [f32],
    stride: usize,
    run: usize,
    /// From one list to the next.
    windows: usize,
    /// Length of each list.
    counts: &'a [u32],
    gradients: &'a [f32],
    patches: &'a [u32],
    gathered: &'a mut [f32],
}

impl WithSimd for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Gather { x, stride, run, windows, counts, gradients, patches, gathered } = self;
        let depth = gathered.len() / counts.len();
        let widest = ((S::REGISTER_COUNT - 4) / BLOCK.0).min(BLOCK.1) * S::F32_LANES;
        for ((filter, gathered), &count) in gathered.chunks_exact_mut(depth).enumerate().zip(counts) {
            if count == 0 {
                continue;
            }
            let list = filter * windows..filter * windows + count as usize;
            let list = (&gradients[list.clone()], &patches[list]);
            for (block, gathered) in gathered.chunks_mut(BLOCK.0 * run).enumerate() {
                let rows = gathered.len() / run;
                let mut start = 0;
                while start < run {
                    let width = widest.min(run - start);
                    let (from, to) = (&x[block * BLOCK.0 * stride + start..], &mut gathered[start..]);
                    // SAFETY: `rows` rows of `width` floats are left in both from here on, as every patch has all of the
                    // kernel's in `x`.
                    unsafe { pick(simd, from, stride, list, to, run, (rows, width)) };
                    start += width;
                }
            }
        }
    }
}

/// [`list`] for so many rows and floats of each.
/// # Safety
/// As [`list`].
#[inline(always)]
unsafe fn pick<S: Simd>(
    simd: S,
    x: &[f32],
    stride: usize,
    winners: (&[f32], &[u32]),
    gathered: &mut [f32],
    run: usize,
    (rows, width): (usize, usize),
) {
    let (vectors, tail) = (width.div_ceil(S::F32_LANES), width % S::F32_LANES);
    macro_rules! pick {
        ($(($rows:literal, $vectors:literal))*) => {
            match (rows, vectors) {
                // SAFETY: the caller vouches for the operands; the tail is that of the width.
                $(($rows, $vectors) => unsafe {
                    if tail == 0 {
                        list::<S, $rows, $vectors, true>(simd, x, stride, winners, 0, gathered, run)
                    } else {
                        list::<S, $rows, $vectors, false>(simd, x, stride, winners, tail, gathered, run)
                    }
                },)*
                _ => unreachable!("a block is at most {BLOCK:?}"),
            }
        };
    }
    pick!((1, 1)(1, 2)(1, 3)(1, 4)(1, 5)(1, 6)(2, 1)(2, 2)(2, 3)(2, 4)(2, 5)(2, 6)(3, 1)(3, 2)(3, 3)(3, 4)(3, 5)(3, 6));
}

/// # Safety
/// Every patch must leave `ROWS` rows, `stride` apart, of `N` registers (the last of `tail` lanes where not `WHOLE`) readable
/// in `x`, and `gathered` as many, `run` apart.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "closures inside iterators are not sure to be compiled for the set")]
unsafe fn list<S: Simd, const ROWS: usize, const N: usize, const WHOLE: bool>(
    simd: S,
    x: &[f32],
    stride: usize,
    (gradients, patches): (&[f32], &[u32]),
    tail: usize,
    gathered: &mut [f32],
    run: usize,
) {
    let lanes = |j: usize| if WHOLE || j + 1 < N { S::F32_LANES } else { tail };
    // SAFETY: the caller vouches for all patches and for `gathered`.
    unsafe {
        let to = gathered.as_mut_ptr();
        let mut acc = [[simd.splat_f32s(0.0); N]; ROWS];
        for r in 0..ROWS {
            for j in 0..N {
                acc[r][j] = tile::load_lanes(simd, to.add(r * run + j * S::F32_LANES), lanes(j));
            }
        }
        for (&g, &patch) in gradients.iter().zip(patches) {
            let (g, from) = (simd.splat_f32s(g), x.as_ptr().add(patch as usize));
            for r in 0..ROWS {
                for j in 0..N {
                    let value = tile::load_lanes(simd, from.add(r * stride + j * S::F32_LANES), lanes(j));
                    acc[r][j] = simd.mul_add_e_f32s(g, value, acc[r][j]);
                }
            }
        }
        for r in 0..ROWS {
            for j in 0..N {
                tile::store_lanes(simd, to.add(r * run + j * S::F32_LANES), acc[r][j], lanes(j));
            }
        }
    }
}
