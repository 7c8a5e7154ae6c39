//! Square pieces of images and their transforms.

use std::marker::PhantomData;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::phase::View;
use super::{POINTS, SIDE};
use crate::{Isa, tile};

/// The squares of some samples, in order: each starts four pixels after the last, the first `top` and `left` pixels
/// before the view.
pub(super) struct Squares<'a> {
    /// Whole images.
    pub(super) images: &'a [f32],
    /// The pixels that count.
    pub(super) view: View,
    pub(super) channels: usize,
    pub(super) top: usize,
    pub(super) left: usize,
    /// Squares of one sample.
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// Squares, and room for one that reaches beyond its image.
pub(super) struct Patches<'a> {
    pub(super) squares: Squares<'a>,
    pub(super) patch: &'a mut [f32],
}

impl Patches<'_> {
    /// `v[point][square][channel] = B^T d B` for the squares of 6x6 in `range`.
    pub(super) fn transform_inputs(&mut self, isa: Isa, range: Range<usize>, to: Transformed<'_>) {
        self.transform::<6, InputTransform>(isa, range, to);
    }

    /// `v[point][square][channel] = A d A^T` for the squares of 4x4 in `range`.
    pub(super) fn transform_gradients(&mut self, isa: Isa, range: Range<usize>, to: Transformed<'_>) {
        self.transform::<4, GradientTransform>(isa, range, to);
    }

    fn transform<const E: usize, T: Transform<E>>(&mut self, isa: Isa, range: Range<usize>, to: Transformed<'_>) {
        let (channels, stride) = (self.squares.channels, to.stride);
        for (i, index) in range.enumerate() {
            let (square, row, pixel) = self.square::<E>(index);
            let v = &mut to.v[i * to.square..];
            isa.run(One::<E, T> { square, row, pixel, channels, v, stride, transform: PhantomData });
        }
    }

    /// The pixels of a square, the distance of its rows and that of its pixels: in place where all lie inside the image,
    /// else a copy.
    fn square<const E: usize>(&mut self, index: usize) -> (&[f32], usize, usize) {
        let Squares { images, view, channels, top, left, rows, columns } = self.squares;
        let View { height, width, start, row, pixel, .. } = view;
        let (sample, index) = (index / (rows * columns), index % (rows * columns));
        let (y, x) = (SIDE * (index / columns), SIDE * (index % columns));
        let image = &images[sample * view.sample..][..view.sample];
        if y >= top && x >= left && y - top + E <= height && x - left + E <= width {
            return (&image[start + (y - top) * row + (x - left) * pixel..], row, pixel);
        }
        let patch = &mut self.patch[..E * E * channels];
        patch.fill(0.0);
        let skip = left.saturating_sub(x);
        let first = (x + skip - left).min(width);
        let run = (E - skip.min(E)).min(width - first);
        for (i, to) in patch.chunks_exact_mut(E * channels).enumerate() {
            if (top..top + height).contains(&(y + i)) {
                let from = start + (y + i - top) * row;
                for (j, to) in to[skip.min(E) * channels..].chunks_exact_mut(channels).take(run).enumerate() {
                    to.copy_from_slice(&image[from + (first + j) * pixel..][..channels]);
                }
            }
        }
        (patch, E * channels, channels)
    }
}

/// Where transformed squares go.
pub(super) struct Transformed<'a> {
    pub(super) v: &'a mut [f32],
    /// Floats from one point to the next.
    pub(super) stride: usize,
    /// Floats from one square to the next.
    pub(super) square: usize,
}

/// One direction of a transform from `E` values to 6.
trait Transform<const E: usize> {
    fn apply<S: Simd>(simd: S, d: [S::f32s; E]) -> [S::f32s; 6];
}

/// B^T d.
struct InputTransform;

impl Transform<6> for InputTransform {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, d: [S::f32s; 6]) -> [S::f32s; 6] {
        let [minus_5, minus_4, minus_2] = [-5.0, -4.0, -2.0].map(|factor| simd.splat_f32s(factor));
        let [four, two] = [4.0, 2.0].map(|factor| simd.splat_f32s(factor));
        let even = simd.mul_add_e_f32s(minus_4, d[2], d[4]);
        let odd = simd.mul_add_e_f32s(minus_4, d[1], d[3]);
        let (outer, inner) = (simd.sub_f32s(d[4], d[2]), simd.sub_f32s(d[3], d[1]));
        [
            simd.mul_add_e_f32s(four, d[0], simd.mul_add_e_f32s(minus_5, d[2], d[4])),
            simd.add_f32s(even, odd),
            simd.sub_f32s(even, odd),
            simd.mul_add_e_f32s(two, inner, outer),
            simd.mul_add_e_f32s(minus_2, inner, outer),
            simd.mul_add_e_f32s(four, d[1], simd.mul_add_e_f32s(minus_5, d[3], d[5])),
        ]
    }
}

/// A d: the transpose of the outputs' transform.
struct GradientTransform;

impl Transform<4> for GradientTransform {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, d: [S::f32s; 4]) -> [S::f32s; 6] {
        let [two, four, eight] = [2.0, 4.0, 8.0].map(|factor| simd.splat_f32s(factor));
        let (even, odd) = (simd.add_f32s(d[0], d[2]), simd.add_f32s(d[1], d[3]));
        let even_2 = simd.mul_add_e_f32s(four, d[2], d[0]);
        let odd_2 = simd.mul_add_e_f32s(eight, d[3], simd.mul_f32s(two, d[1]));
        [
            d[0],
            simd.add_f32s(even, odd),
            simd.sub_f32s(even, odd),
            simd.add_f32s(even_2, odd_2),
            simd.sub_f32s(even_2, odd_2),
            d[3],
        ]
    }
}

/// Transforms one square in both directions.
struct One<'a, const E: usize, T> {
    square: &'a [f32],
    /// Distance of its rows.
    row: usize,
    /// Distance of its pixels.
    pixel: usize,
    channels: usize,
    v: &'a mut [f32],
    /// Distance of the points in `v`.
    stride: usize,
    transform: PhantomData<T>,
}

impl<const E: usize, T: Transform<E>> WithSimd for One<'_, E, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let One { square, row, pixel, channels, v, stride, .. } = self;
        assert!(square.len() >= (E - 1) * (row + pixel) + channels, "a square");
        assert!(v.len() >= (POINTS - 1) * stride + channels, "a transformed square");
        let whole = channels - channels % S::F32_LANES;
        for c in (0..whole).step_by(S::F32_LANES) {
            // SAFETY: both slices were checked; a register of channels is inside every pixel and point.
            unsafe { strip::<S, E, T, true>(simd, &square[c..], row, pixel, &mut v[c..], stride, 0) }
        }
        if whole < channels {
            // SAFETY: the same for the channels that are left.
            unsafe {
                strip::<S, E, T, false>(simd, &square[whole..], row, pixel, &mut v[whole..], stride, channels - whole)
            }
        }
    }
}

/// One register of channels, or, where not `WHOLE`, its first `tail` lanes.
/// # Safety
/// `square` must hold `E` rows of `E` pixels, `v` 36 points, at these distances.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "a strip is its operands")]
#[allow(clippy::needless_range_loop, reason = "closures inside iterators are not sure to be compiled for the set")]
unsafe fn strip<S: Simd, const E: usize, T: Transform<E>, const WHOLE: bool>(
    simd: S,
    square: &[f32],
    row: usize,
    pixel: usize,
    v: &mut [f32],
    stride: usize,
    tail: usize,
) {
    let tail = if WHOLE { S::F32_LANES } else { tail };
    let mut half = [[simd.splat_f32s(0.0); E]; 6];
    for j in 0..E {
        let mut d = [simd.splat_f32s(0.0); E];
        for i in 0..E {
            // SAFETY: the caller vouches for every pixel.
            d[i] = unsafe { tile::load_lanes(simd, square.as_ptr().add(i * row + j * pixel), tail) };
        }
        let d = T::apply(simd, d);
        for i in 0..6 {
            half[i][j] = d[i];
        }
    }
    for i in 0..6 {
        let row = T::apply(simd, half[i]);
        for j in 0..6 {
            // SAFETY: the caller vouches for every point.
            unsafe { tile::store_lanes(simd, v.as_mut_ptr().add((i * 6 + j) * stride), row[j], tail) };
        }
    }
}
