//! Softmax over rows of classes.

use pulp::{Simd, WithSimd};

use crate::Isa;
use crate::lanes::{load, registers, store};
use crate::math::exp_lanes;

/// Softmax over each row of `classes` values of `x` (rows x classes), in place. A row with a NaN becomes all NaN.
///
/// # Panics
/// If `x` is not whole rows.
pub fn softmax_rows(isa: Isa, classes: usize, x: &mut [f32]) {
    check_rows("softmax_rows", classes, x.len());
    isa.run(Forward { classes, x });
}

/// The gradient through [`softmax_rows`], in place: `dy = y * (dy - sum(dy * y))` over each row; `y` is the output.
///
/// # Panics
/// If `y` and `dy` differ in length or are not whole rows.
pub fn softmax_backward_rows(isa: Isa, classes: usize, y: &[f32], dy: &mut [f32]) {
    check_rows("softmax_backward_rows", classes, y.len());
    assert_eq!(y.len(), dy.len(), "softmax_backward_rows: y has {} values, dy {}", y.len(), dy.len());
    isa.run(Backward { classes, y, dy });
}

pub(crate) fn check_rows(name: &str, classes: usize, len: usize) {
    assert!(classes > 0 && len.is_multiple_of(classes), "{name}: {len} values are not rows of {classes} classes");
}

/// The largest logit of a row and the sum of `exp(logit - largest)`; NaN if the row has one.
#[derive(Clone, Copy)]
pub(crate) struct RowSum {
    pub(crate) largest: f32,
    pub(crate) sum: f32,
}

/// The largest value of a row; of a row with a NaN, anything.
#[inline(always)]
fn largest<S: Simd>(simd: S, row: &[f32]) -> f32 {
    let lowest = simd.splat_f32s(f32::NEG_INFINITY);
    let mut best = lowest;
    registers!(S, row.len(), |c, width| {
        let v = load(simd, &row[c..c + width]);
        let inside = simd.mask_between_m32s(0, width as u32).mask();
        best = simd.max_f32s(best, simd.select_f32s(inside, v, lowest));
    });
    simd.reduce_max_f32s(best)
}

#[inline(always)]
pub(crate) fn row_sum<S: Simd>(simd: S, row: &[f32]) -> RowSum {
    let largest = largest(simd, row);
    let (shift, zero) = (simd.splat_f32s(largest), simd.splat_f32s(0.0));
    let mut sum = zero;
    registers!(S, row.len(), |c, width| {
        let v = exp_lanes(simd, simd.sub_f32s(load(simd, &row[c..c + width]), shift));
        let inside = simd.mask_between_m32s(0, width as u32).mask();
        sum = simd.add_f32s(sum, simd.select_f32s(inside, v, zero));
    });
    RowSum { largest, sum: simd.reduce_sum_f32s(sum) }
}

/// The probability of each logit in the register.
#[inline(always)]
fn probability<S: Simd>(simd: S, logit: S::f32s, row: RowSum) -> S::f32s {
    let shifted = simd.sub_f32s(logit, simd.splat_f32s(row.largest));
    simd.div_f32s(exp_lanes(simd, shifted), simd.splat_f32s(row.sum))
}

/// `probabilities = softmax(logits)` of one row whose [`row_sum`] is known.
#[inline(always)]
pub(crate) fn probability_row<S: Simd>(simd: S, logits: &[f32], sum: RowSum, probabilities: &mut [f32]) {
    registers!(S, logits.len(), |c, width| {
        let p = probability(simd, load(simd, &logits[c..c + width]), sum);
        store(simd, &mut probabilities[c..c + width], p);
    });
}

struct Forward<'a> {
    classes: usize,
    x: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for row in self.x.chunks_exact_mut(self.classes) {
            let sum = row_sum(simd, row);
            registers!(S, row.len(), |c, width| {
                let p = probability(simd, load(simd, &row[c..c + width]), sum);
                store(simd, &mut row[c..c + width], p);
            });
        }
    }
}

struct Backward<'a> {
    classes: usize,
    y: &'a [f32],
    dy: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (y, dy) in self.y.chunks_exact(self.classes).zip(self.dy.chunks_exact_mut(self.classes)) {
            let mut dot = simd.splat_f32s(0.0);
            registers!(S, y.len(), |c, width| {
                dot = simd.mul_add_e_f32s(load(simd, &y[c..c + width]), load(simd, &dy[c..c + width]), dot);
            });
            let dot = simd.splat_f32s(simd.reduce_sum_f32s(dot));
            registers!(S, y.len(), |c, width| {
                let gradient = simd.sub_f32s(load(simd, &dy[c..c + width]), dot);
                let gradient = simd.mul_f32s(gradient, load(simd, &y[c..c + width]));
                store(simd, &mut dy[c..c + width], gradient);
            });
        }
    }
}
