//! The list of winners by AVX-512, which puts those lanes of a register that count side by side.

use std::arch::x86_64::{__m512, __m512i, _CMP_GT_OQ, _CMP_NEQ_UQ};

use pulp::x86::V4;
use pulp::{Simd, WithSimd, cast};

use super::winners::{Lists, Steps};
use super::{ConvPool, Pooled};
use crate::lanes::{MAX_LANES, iota, load, load_u32};

/// Lists the winners of a sample, window by window, place by place, a register of filters at a time.
pub(super) struct Compress<'a, 'b> {
    /// The proof that the CPU can.
    pub(super) set: V4,
    pub(super) shape: &'a ConvPool,
    pub(super) side: Pooled<'a>,
    pub(super) steps: &'a Steps,
    /// For each window, its first pixel's offset in the convolution's output, and that pixel's patch.
    pub(super) corners: &'a [u32],
    /// With room for a register past the last winner.
    pub(super) lists: Lists<'b>,
}

impl WithSimd for Compress<'_, '_> {
    /// The number of winners.
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) -> usize {
        let (rows, columns) = self.shape.pool.window;
        let filters = self.shape.conv.filters;
        let (mut found, mut place) = (0, 0);
        for window in 0..self.corners.len() / 2 {
            for row in 0..rows {
                for column in 0..columns {
                    let pixel = self.corners[2 * window].wrapping_add(self.steps.output(row, column));
                    let patch = self.corners[2 * window + 1].wrapping_add(self.steps.input(row, column));
                    for filter in (0..filters).step_by(MAX_LANES) {
                        found += self.append(found, (window * filters, filter), pixel, patch);
                    }
                    self.lists.ends[place] = found as u32;
                    place += 1;
                }
            }
        }
        found
    }
}

impl Compress<'_, '_> {
    /// Lists those of a register of filters from `filter` on, of the window whose values start at `window`, that `pixel`
    /// won, from `found` on; tells how many they are.
    #[inline(always)]
    fn append(&mut self, found: usize, (window, filter): (usize, usize), pixel: u32, patch: u32) -> usize {
        let (set, f, at) = (self.set, self.set.avx512f, window + filter);
        let filters = set.add_u32s(set.splat_u32s(filter as u32), iota(set));
        let least = if self.shape.relu { 0.0 } else { f32::NEG_INFINITY };
        let [y, dy]: [__m512; 2] = [self.side.y, self.side.dy].map(|values| cast(load(set, &values[at..])));
        let argmax: __m512i = cast(load_u32(set, &self.side.argmax[at..]));
        let wanted: __m512i = cast(set.add_u32s(set.splat_u32s(pixel), filters));
        let real = u32::MAX >> (32 - MAX_LANES.min(self.shape.conv.filters - filter));
        let live = f._mm512_cmp_ps_mask::<_CMP_GT_OQ>(y, cast(set.splat_f32s(least)))
            & f._mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(dy, cast(set.splat_f32s(0.0)))
            & f._mm512_cmpeq_epi32_mask(argmax, wanted)
            & real as u16;
        let gradients: [f32; MAX_LANES] = cast(f._mm512_maskz_compress_ps(live, dy));
        let filters: [u32; MAX_LANES] = cast(f._mm512_maskz_compress_epi32(live, cast(filters)));
        let to = found..found + MAX_LANES;
        self.lists.gradients[to.clone()].copy_from_slice(&gradients);
        self.lists.filters[to.clone()].copy_from_slice(&filters);
        self.lists.patches[to].fill(patch);
        live.count_ones() as usize
    }
}
