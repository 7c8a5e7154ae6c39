//! The way back from transformed products to outputs.

use pulp::{Simd, WithSimd};

use super::{Layout, POINTS, SIDE};
use crate::conv::ConvShape;
use crate::{activation, tile};

/// Transforms the products of a block back: Y = A^T m A, then bias and relu.
pub(super) struct Outputs<'a> {
    pub(super) layout: &'a Layout,
    pub(super) shape: &'a ConvShape,
    /// Points x tiles x filters.
    pub(super) m: &'a [f32],
    /// Distance of the points.
    pub(super) stride: usize,
    pub(super) bias: &'a [f32],
    pub(super) relu: bool,
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) y: &'a mut [f32],
}

impl WithSimd for Outputs<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (filters, sample) = (self.shape.filters, self.shape.output_len());
        assert!(self.m.len() >= (POINTS - 1) * self.stride + self.count * filters, "a block's products");
        for t in 0..self.count {
            let (s, index) = ((self.first + t) / self.layout.per_sample(), (self.first + t) % self.layout.per_sample());
            let (row, column) = (SIDE * (index / self.layout.columns), SIDE * (index % self.layout.columns));
            assert!((s + 1) * sample <= self.y.len(), "an output tile");
            for f in (0..filters).step_by(S::F32_LANES) {
                let tail = S::F32_LANES.min(filters - f);
                let at = s * sample + (row * self.shape.out_width() + column) * filters + f;
                // SAFETY: the products and the sample were checked; the tile's corner lies in the sample; `tail`
                // filters are real.
                unsafe {
                    if tail == S::F32_LANES {
                        self.tile::<S, true>(simd, t * filters + f, f, (row, column), at, 0);
                    } else {
                        self.tile::<S, false>(simd, t * filters + f, f, (row, column), at, tail);
                    }
                }
            }
        }
    }
}

impl Outputs<'_> {
    /// One register of filters of a tile, or its first `tail` lanes.
    /// # Safety
    /// `from` must lie in the first point of `m`, `at` in `y` at the tile's corner.
    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "closures inside iterators are not sure to be compiled for the set")]
    unsafe fn tile<S: Simd, const WHOLE: bool>(
        &mut self,
        simd: S,
        from: usize,
        filter: usize,
        (row, column): (usize, usize),
        at: usize,
        tail: usize,
    ) {
        let tail = if WHOLE { S::F32_LANES } else { tail };
        let (filters, width) = (self.shape.filters, self.shape.out_width());
        let (rows, columns) = (SIDE.min(self.shape.out_height() - row), SIDE.min(width - column));
        let zero = simd.splat_f32s(0.0);
        let mut half = [[zero; 6]; 4];
        for j in 0..6 {
            let mut m = [zero; 6];
            for i in 0..6 {
                // SAFETY: the caller vouches for the first point, and all 36 are equally long.
                m[i] = unsafe { tile::load_lanes(simd, self.m.as_ptr().add(from + (i * 6 + j) * self.stride), tail) };
            }
            let m = output_transform(simd, m);
            for i in 0..4 {
                half[i][j] = m[i];
            }
        }
        let bias = match self.bias {
            [] => zero,
            // SAFETY: there is a bias for every filter.
            bias => unsafe { tile::load_lanes(simd, bias.as_ptr().add(filter), tail) },
        };
        for i in 0..rows {
            let values = output_transform(simd, half[i]);
            for j in 0..columns {
                let value = simd.add_f32s(values[j], bias);
                let value = if self.relu { activation::relu(simd, value) } else { value };
                // SAFETY: rows and columns were cut to the output, and the caller vouches for the corner.
                unsafe {
                    tile::store_lanes(simd, self.y.as_mut_ptr().add(at + (i * width + j) * filters), value, tail)
                };
            }
        }
    }
}

/// A^T m.
#[inline(always)]
fn output_transform<S: Simd>(simd: S, m: [S::f32s; 6]) -> [S::f32s; 4] {
    let [two, four, eight] = [2.0, 4.0, 8.0].map(|factor| simd.splat_f32s(factor));
    let (sum_12, difference_12) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
    let (sum_34, difference_34) = (simd.add_f32s(m[3], m[4]), simd.sub_f32s(m[3], m[4]));
    [
        simd.add_f32s(m[0], simd.add_f32s(sum_12, sum_34)),
        simd.mul_add_e_f32s(two, difference_34, difference_12),
        simd.mul_add_e_f32s(four, sum_34, sum_12),
        simd.add_f32s(m[5], simd.mul_add_e_f32s(eight, difference_34, difference_12)),
    ]
}
