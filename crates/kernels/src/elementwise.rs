//! Small elementwise helpers and reductions.

use pulp::{Simd, WithSimd};

use crate::Isa;
use crate::activation::clamp;
use crate::lanes::{Lanewise, lanewise, load, registers, store};

/// `dst += src`.
///
/// # Panics
/// If the lengths differ.
pub fn add_in_place(isa: Isa, dst: &mut [f32], src: &[f32]) {
    assert_eq!(dst.len(), src.len(), "add_in_place: {} values += {}", dst.len(), src.len());
    lanewise(isa, Add, [src], [dst]);
}

/// `dst = parts[0] + parts[1] + ...`, added in that order; zero if there are no parts.
///
/// # Panics
/// If a part's length is not that of `dst`.
pub fn sum_chunks(isa: Isa, dst: &mut [f32], parts: &[&[f32]]) {
    for (i, part) in parts.iter().enumerate() {
        assert_eq!(part.len(), dst.len(), "sum_chunks: part {i} has {} values, dst {}", part.len(), dst.len());
    }
    isa.run(SumChunks { dst, parts });
}

/// The sum of the squares of `x`, in a fixed order: f32 within blocks of 4096 values, f64 across blocks. Squares
/// above the largest f32 (values beyond 1.8e19) make it infinite.
pub fn sum_of_squares(isa: Isa, x: &[f32]) -> f64 {
    isa.run(SumOfSquares { x })
}

/// `x *= factor`.
pub fn scale_in_place(isa: Isa, x: &mut [f32], factor: f32) {
    lanewise(isa, Scale(factor), [], [x]);
}

/// Moves each value into `[-limit, limit]`; NaN stays NaN.
///
/// # Panics
/// If `limit` is negative or NaN.
pub fn clip_in_place(isa: Isa, x: &mut [f32], limit: f32) {
    assert!(limit >= 0.0, "clip_in_place: the limit {limit} is not a size");
    lanewise(isa, Clip(limit), [], [x]);
}

struct Add;
impl Lanewise<1, 1> for Add {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, [src]: [S::f32s; 1], [dst]: [S::f32s; 1]) -> [S::f32s; 1] {
        [simd.add_f32s(dst, src)]
    }
}

struct Scale(f32);
impl Lanewise<0, 1> for Scale {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, _: [S::f32s; 0], [x]: [S::f32s; 1]) -> [S::f32s; 1] {
        [simd.mul_f32s(x, simd.splat_f32s(self.0))]
    }
}

struct Clip(f32);
impl Lanewise<0, 1> for Clip {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, _: [S::f32s; 0], [x]: [S::f32s; 1]) -> [S::f32s; 1] {
        [clamp(simd, x, self.0)]
    }
}

struct SumChunks<'a> {
    dst: &'a mut [f32],
    parts: &'a [&'a [f32]],
}

impl WithSimd for SumChunks<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Some((first, rest)) = self.parts.split_first() else {
            return self.dst.fill(0.0);
        };
        registers!(S, self.dst.len(), |i, width| {
            let mut sum = load(simd, &first[i..i + width]);
            for part in rest {
                sum = simd.add_f32s(sum, load(simd, &part[i..i + width]));
            }
            store(simd, &mut self.dst[i..i + width], sum);
        });
    }
}

struct SumOfSquares<'a> {
    x: &'a [f32],
}

impl WithSimd for SumOfSquares<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let zero = simd.splat_f32s(0.0);
        let mut total = 0.0;
        for block in self.x.chunks(4096) {
            // Four sums, so that one addition need not wait for the last.
            let mut sums = [zero; 4];
            let (body, tail) = S::as_simd_f32s(block);
            for group in body.chunks(4) {
                for (sum, v) in sums.iter_mut().zip(group) {
                    *sum = simd.mul_add_e_f32s(*v, *v, *sum);
                }
            }
            if !tail.is_empty() {
                let v = simd.partial_load_f32s(tail);
                sums[0] = simd.mul_add_e_f32s(v, v, sums[0]);
            }
            let sum = simd.add_f32s(simd.add_f32s(sums[0], sums[1]), simd.add_f32s(sums[2], sums[3]));
            total += f64::from(simd.reduce_sum_f32s(sum));
        }
        total
    }
}
