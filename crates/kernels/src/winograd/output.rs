//! The way back from transformed products to outputs.

use pulp::{Simd, WithSimd};

use super::phase::View;
use super::{Layout, POINTS, SIDE};
use crate::lanes::{iota, store_u32};
use crate::pool::wins;
use crate::{activation, tile};

/// Transforms the products of a block back: Y = A^T m A, then bias, relu and pooling.
pub(super) struct Outputs<'a> {
    pub(super) layout: &'a Layout,
    /// The outputs: where they go, or, if they are pooled, where they would go.
    pub(super) view: View,
    pub(super) filters: usize,
    /// Points x tiles x filters.
    pub(super) m: &'a [f32],
    /// Distance of the points.
    pub(super) stride: usize,
    pub(super) bias: &'a [f32],
    pub(super) relu: bool,
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) sink: Sink<'a>,
}

/// Where outputs go.
pub(super) enum Sink<'a> {
    /// Every output.
    Whole(&'a mut [f32]),
    /// The largest of every 2x2 outputs, and, if `argmax` is not empty, its offset in the sample's outputs.
    Pooled { y: &'a mut [f32], argmax: &'a mut [u32] },
}

impl Sink<'_> {
    /// Borrows it for one block.
    pub(super) fn again(&mut self) -> Sink<'_> {
        match self {
            Sink::Whole(y) => Sink::Whole(y),
            Sink::Pooled { y, argmax } => Sink::Pooled { y, argmax },
        }
    }

    /// Floats of a sample in the sink.
    fn sample(&self, view: &View, filters: usize) -> usize {
        match self {
            Sink::Whole(_) => view.sample,
            Sink::Pooled { .. } => (view.height / 2) * (view.width / 2) * filters,
        }
    }

    fn len(&self) -> usize {
        match self {
            Sink::Whole(y) => y.len(),
            Sink::Pooled { y, .. } => y.len(),
        }
    }
}

/// The tile at hand.
#[derive(Clone, Copy)]
struct Place {
    /// Its first row and column in the sample's outputs.
    row: usize,
    column: usize,
    /// Where the sample's values start in the sink.
    sample: usize,
}

impl WithSimd for Outputs<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (filters, sample) = (self.filters, self.sink.sample(&self.view, self.filters));
        assert!(self.view.lies_in_its_sample(filters), "outputs beyond their sample");
        assert!(self.m.len() >= (POINTS - 1) * self.stride + self.count * filters, "a block's products");
        for t in 0..self.count {
            let (s, index) = ((self.first + t) / self.layout.per_sample(), (self.first + t) % self.layout.per_sample());
            let (row, column) = (SIDE * (index / self.layout.columns), SIDE * (index % self.layout.columns));
            assert!((s + 1) * sample <= self.sink.len(), "an output tile");
            let place = Place { row, column, sample: s * sample };
            for f in (0..filters).step_by(S::F32_LANES) {
                let tail = S::F32_LANES.min(filters - f);
                // SAFETY: the products, the view and the sample were checked; the tile's corner lies in the view; `tail`
                // filters are real.
                unsafe {
                    if tail == S::F32_LANES {
                        self.tile::<S, true>(simd, t * filters, f, place, 0);
                    } else {
                        self.tile::<S, false>(simd, t * filters, f, place, tail);
                    }
                }
            }
        }
    }
}

impl Outputs<'_> {
    /// One register of filters of a tile, or its first `tail` lanes.
    /// # Safety
    /// `from` must be the tile's place in the first point of `m`; `place` must lie in the outputs, and its sample in the
    /// sink.
    #[inline(always)]
    unsafe fn tile<S: Simd, const WHOLE: bool>(
        &mut self,
        simd: S,
        from: usize,
        filter: usize,
        place: Place,
        tail: usize,
    ) {
        let tail = if WHOLE { S::F32_LANES } else { tail };
        let (filters, View { height, width, start, row, pixel, .. }) = (self.filters, self.view);
        let (rows, columns) = (SIDE.min(height - place.row), SIDE.min(width - place.column));
        // SAFETY: the caller vouches for the products, and there is a bias for every filter.
        let values = unsafe { self.values(simd, from + filter, filter, tail) };
        match &mut self.sink {
            Sink::Whole(y) => {
                let at = place.sample + start + place.row * row + place.column * pixel + filter;
                for (i, values) in values.iter().enumerate().take(rows) {
                    for (j, value) in values.iter().enumerate().take(columns) {
                        // SAFETY: rows and columns were cut to the output, and the caller vouches for the corner.
                        unsafe {
                            tile::store_lanes(simd, y.as_mut_ptr().add(at + i * row + j * pixel), *value, tail);
                        }
                    }
                }
            }
            Sink::Pooled { y, argmax } => {
                let lane = iota(simd);
                for i in 0..rows / 2 {
                    for j in 0..columns / 2 {
                        let corner = (place.row + 2 * i) * row + (place.column + 2 * j) * pixel + filter;
                        let (best, winner) = largest(simd, &values, (2 * i, 2 * j), corner, (row, pixel));
                        let pooled = (place.row / 2 + i) * (width / 2) + place.column / 2 + j;
                        let at = place.sample + pooled * filters + filter;
                        // SAFETY: whole pairs of rows and columns have a pooled output in the sample.
                        unsafe { tile::store_lanes(simd, y.as_mut_ptr().add(at), best, tail) };
                        if !argmax.is_empty() {
                            store_u32(simd, &mut argmax[at..at + tail], simd.add_u32s(winner, lane));
                        }
                    }
                }
            }
        }
    }

    /// The 4x4 outputs of a tile, some of which may lie beyond the image.
    /// # Safety
    /// `from` must lie in the first point of `m` with `tail` lanes after it, and `filter` likewise among the biases.
    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "closures inside iterators are not sure to be compiled for the set")]
    unsafe fn values<S: Simd>(&self, simd: S, from: usize, filter: usize, tail: usize) -> [[S::f32s; 4]; 4] {
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
            // SAFETY: the caller vouches for the biases.
            bias => unsafe { tile::load_lanes(simd, bias.as_ptr().add(filter), tail) },
        };
        let mut values = [[zero; 4]; 4];
        for i in 0..4 {
            let row = output_transform(simd, half[i]);
            for j in 0..4 {
                let value = simd.add_f32s(row[j], bias);
                values[i][j] = if self.relu { activation::relu(simd, value) } else { value };
            }
        }
        values
    }
}

/// The largest of the 2x2 values from `(i, j)` on, and its offset; `corner` is the first one's, rows and columns lie
/// `down` and `right` apart.
#[inline(always)]
fn largest<S: Simd>(
    simd: S,
    values: &[[S::f32s; 4]; 4],
    (i, j): (usize, usize),
    corner: usize,
    (down, right): (usize, usize),
) -> (S::f32s, S::u32s) {
    let mut best = values[i][j];
    let mut winner = simd.splat_u32s(corner as u32);
    for (r, c) in [(0, 1), (1, 0), (1, 1)] {
        let value = values[i + r][j + c];
        let wins = wins(simd, value, best);
        best = simd.select_f32s(wins, value, best);
        winner = simd.select_u32s(wins, simd.splat_u32s((corner + r * down + c * right) as u32), winner);
    }
    (best, winner)
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
