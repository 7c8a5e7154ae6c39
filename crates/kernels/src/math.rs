//! Exponential, logarithm, hyperbolic tangent and normal distribution: our own, so that a result depends on the
//! instruction set alone and never on the platform's mathematics library.
//!
//! The polynomials are minimax fits printed by `parity/polynomials.py`. Errors stated here are measured by
//! `tests/math.rs` against f64 over the whole range; one ulp is 6.0e-8 to 1.2e-7 of the value.

use pulp::Simd;

use crate::Isa;
use crate::lanes::{Lanewise, lanewise};

/// `ln 2` in two parts; the first has 9 bits, so that its product with an exponent is exact.
const LN_2: [f32; 2] = [355.0 / 512.0, -2.121_944_4e-4];
/// Added and taken away again, it rounds to the nearest integer, which then lies in the low bits.
const ROUND: f32 = 12_582_912.0;
/// Below this `exp` is less than the smallest normal number, 2^-126.
const EXP_MIN: f32 = -87.336_54;
/// Above this `exp` is more than the largest number.
const EXP_MAX: f32 = 88.722_83;
/// `(exp(r) - 1 - r) / r^2` for `|r| <= ln(2) / 2`.
const EXP: [f32; 5] = [4.999_999_4e-1, 1.666_652_1e-1, 4.166_839e-2, 8.368_717_5e-3, 1.381_459_6e-3];
/// `(2 atanh(s) - 2 s) / s^3` as a polynomial of `s^2`.
const LN: [f32; 4] = [6.666_666e-1, 4.000_033_4e-1, 2.853_729_4e-1, 2.358_243_8e-1];
/// `(t + 4) exp(t^2 / 2) Phi(-t)` as a polynomial of `(t - 4) / (t + 4)`, for `0 <= t <= 14`.
const TAIL: [f32; 10] = [
    7.552_851_4e-1,
    -6.078_966e-1,
    3.871_368_8e-1,
    -1.865_232e-1,
    6.040_414_4e-2,
    -7.526_727e-3,
    -3.514_981_4e-3,
    1.571_858_4e-3,
    1.846_28e-4,
    -1.295_293_2e-4,
];
const TAIL_CENTRE: f32 = 4.0;
/// Beyond this `Phi(-t)` and the density are below the smallest normal number.
const TAIL_END: f32 = 12.9;
const INV_SQRT_2_PI: f32 = 0.398_942_3;

#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, coefficients: &[f32; N], x: S::f32s) -> S::f32s {
    let mut sum = simd.splat_f32s(coefficients[N - 1]);
    for k in (0..N - 1).rev() {
        sum = simd.mul_add_e_f32s(sum, x, simd.splat_f32s(coefficients[k]));
    }
    sum
}

/// `x = n ln 2 + r` with `|r| <= ln(2) / 2`: returns `exp(r) - 1` and `n * 2^23` as an integer, ready to be added to
/// the bits of a float.
#[inline(always)]
fn exp_parts<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::u32s) {
    let round = simd.splat_f32s(ROUND);
    let shifted = simd.mul_add_e_f32s(x, simd.splat_f32s(std::f32::consts::LOG2_E), round);
    let n = simd.sub_f32s(shifted, round);
    let r = simd.negate_mul_add_e_f32s(n, simd.splat_f32s(LN_2[0]), x);
    let r = simd.negate_mul_add_e_f32s(n, simd.splat_f32s(LN_2[1]), r);
    let rest = polynomial(simd, &EXP, r);
    let exponent = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    (simd.mul_add_e_f32s(simd.mul_f32s(r, r), rest, r), exponent)
}

/// `exp(x)`, within 2 ulp. Results below the smallest normal number are 0; NaN stays NaN.
#[inline(always)]
pub(crate) fn exp_lanes<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let (rest, exponent) = exp_parts(simd, x);
    let scaled = simd.transmute_u32s_f32s(simd.add_f32s(simd.splat_f32s(1.0), rest));
    let result = simd.transmute_f32s_u32s(simd.add_u32s(scaled, exponent));
    // Past the top: infinity, and NaN for NaN.
    let beyond = simd.add_f32s(x, simd.splat_f32s(f32::INFINITY));
    let result = simd.select_f32s(simd.less_than_or_equal_f32s(x, simd.splat_f32s(EXP_MAX)), result, beyond);
    simd.select_f32s(simd.less_than_f32s(x, simd.splat_f32s(EXP_MIN)), simd.splat_f32s(0.0), result)
}

/// `exp(x) - 1` for `x <= 0`, within 2 ulp; anything for `x > 0` and NaN.
#[inline(always)]
pub(crate) fn exp_minus_1_of_negative<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let minus_one = simd.splat_f32s(-1.0);
    let (rest, exponent) = exp_parts(simd, x);
    let one = simd.transmute_u32s_f32s(simd.splat_f32s(1.0));
    let power = simd.transmute_f32s_u32s(simd.add_u32s(one, exponent));
    let result = simd.mul_add_e_f32s(power, rest, simd.add_f32s(power, minus_one));
    simd.select_f32s(simd.less_than_f32s(x, simd.splat_f32s(-20.0)), minus_one, result)
}

/// `tanh(x)`, within 3 ulp; NaN stays NaN.
#[inline(always)]
pub(crate) fn tanh_lanes<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let size = simd.abs_f32s(x);
    let t = exp_minus_1_of_negative(simd, simd.mul_f32s(size, simd.splat_f32s(-2.0)));
    let result = simd.div_f32s(simd.neg_f32s(t), simd.add_f32s(t, simd.splat_f32s(2.0)));
    let sign = simd.and_f32s(x, simd.splat_f32s(-0.0));
    simd.select_f32s(simd.equal_f32s(x, x), simd.or_f32s(result, sign), x)
}

/// `1 / (1 + exp(-x))`, within 3 ulp.
#[inline(always)]
pub(crate) fn sigmoid_lanes<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    simd.div_f32s(one, simd.add_f32s(one, exp_lanes(simd, simd.neg_f32s(x))))
}

/// `ln(x)`, within 2 ulp, denormals included; `-inf` at 0, NaN below.
#[inline(always)]
pub(crate) fn ln_lanes<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    const SQRT_HALF: u32 = 0x3F35_04F3;
    // Denormals are brought into the normal range by 2^23.
    let small = simd.less_than_f32s(x, simd.splat_f32s(f32::MIN_POSITIVE));
    let scaled = simd.select_f32s(small, simd.mul_f32s(x, simd.splat_f32s(8_388_608.0)), x);
    let bias = simd.select_f32s(small, simd.splat_f32s(127.0 + 23.0), simd.splat_f32s(127.0));
    // scaled = 2^e m with sqrt(1/2) <= m < sqrt(2).
    let bits = simd.add_u32s(simd.transmute_u32s_f32s(scaled), simd.splat_u32s(0x3F80_0000 - SQRT_HALF));
    let biased = simd.or_u32s(simd.wrapping_dyn_shr_u32s(bits, simd.splat_u32s(23)), simd.splat_u32s(0x4B00_0000));
    let e = simd.sub_f32s(simd.sub_f32s(simd.transmute_f32s_u32s(biased), simd.splat_f32s(8_388_608.0)), bias);
    let m = simd.transmute_f32s_u32s(
        simd.add_u32s(simd.and_u32s(bits, simd.splat_u32s(0x007F_FFFF)), simd.splat_u32s(SQRT_HALF)),
    );
    let z = simd.sub_f32s(m, simd.splat_f32s(1.0));
    let s = simd.div_f32s(z, simd.add_f32s(z, simd.splat_f32s(2.0)));
    let half_square = simd.mul_f32s(simd.mul_f32s(z, z), simd.splat_f32s(0.5));
    let s2 = simd.mul_f32s(s, s);
    let rest = simd.mul_f32s(polynomial(simd, &LN, s2), s2);
    // ln(1 + z) = z - z^2/2 + s (z^2/2 + rest), the large terms last.
    let correction = simd.mul_f32s(s, simd.add_f32s(half_square, rest));
    let low = simd.mul_add_e_f32s(e, simd.splat_f32s(LN_2[1]), simd.sub_f32s(correction, half_square));
    let result = simd.mul_add_e_f32s(e, simd.splat_f32s(LN_2[0]), simd.add_f32s(low, z));
    // 0, infinity, negative numbers and NaN.
    let at_zero = simd.select_f32s(
        simd.equal_f32s(x, simd.splat_f32s(0.0)),
        simd.splat_f32s(f32::NEG_INFINITY),
        simd.splat_f32s(f32::NAN),
    );
    let inside = simd.and_m32s(
        simd.greater_than_f32s(x, simd.splat_f32s(0.0)),
        simd.less_than_f32s(x, simd.splat_f32s(f32::INFINITY)),
    );
    let outside = simd.select_f32s(simd.equal_f32s(x, simd.splat_f32s(f32::INFINITY)), x, at_zero);
    simd.select_f32s(inside, result, outside)
}

/// `(Phi(x), phi(x))`: cumulative distribution and density of the standard normal, whose relative errors stay
/// within 4e-7 down to the end of the tail at -12.9 (without fused multiply-add, 6e-6), below which both are 0.
#[inline(always)]
pub(crate) fn normal_lanes<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    let t = simd.abs_f32s(x);
    // exp(-t^2 / 2), the rounding error of the square made good.
    let square = simd.mul_f32s(t, t);
    let lost = simd.mul_add_e_f32s(t, t, simd.neg_f32s(square));
    let bell = exp_lanes(simd, simd.mul_f32s(square, simd.splat_f32s(-0.5)));
    let bell = simd.mul_add_e_f32s(simd.mul_f32s(bell, simd.splat_f32s(-0.5)), lost, bell);
    let inverse = simd.div_f32s(simd.splat_f32s(1.0), simd.add_f32s(t, simd.splat_f32s(TAIL_CENTRE)));
    let u = simd.mul_f32s(simd.sub_f32s(t, simd.splat_f32s(TAIL_CENTRE)), inverse);
    let tail = simd.mul_f32s(simd.mul_f32s(polynomial(simd, &TAIL, u), inverse), bell);
    let beyond = simd.greater_than_f32s(t, simd.splat_f32s(TAIL_END));
    let tail = simd.select_f32s(beyond, simd.splat_f32s(0.0), tail);
    let density = simd.select_f32s(beyond, simd.splat_f32s(0.0), simd.mul_f32s(bell, simd.splat_f32s(INV_SQRT_2_PI)));
    (
        simd.select_f32s(simd.less_than_f32s(x, simd.splat_f32s(0.0)), tail, simd.sub_f32s(simd.splat_f32s(1.0), tail)),
        density,
    )
}

macro_rules! slice_function {
    ($(#[$doc:meta])* $name:ident, |$simd:ident, $x:ident| $body:expr) => {
        $(#[$doc])*
        pub fn $name(isa: Isa, x: &mut [f32]) {
            struct Op;
            impl Lanewise<0, 1> for Op {
                #[inline(always)]
                fn apply<S: Simd>(&self, $simd: S, _: [S::f32s; 0], [$x]: [S::f32s; 1]) -> [S::f32s; 1] {
                    [$body]
                }
            }
            lanewise(isa, Op, [], [x]);
        }
    };
}

slice_function! {
    /// `x = exp(x)`, within 2 ulp; 0 where the result is below the smallest normal number.
    exp, |simd, x| exp_lanes(simd, x)
}

slice_function! {
    /// `x = ln(x)`, within 2 ulp.
    ln, |simd, x| ln_lanes(simd, x)
}

slice_function! {
    /// `x = tanh(x)`, within 3 ulp.
    tanh, |simd, x| tanh_lanes(simd, x)
}

slice_function! {
    /// `x = 1 / (1 + exp(-x))`, within 3 ulp.
    sigmoid, |simd, x| sigmoid_lanes(simd, x)
}

slice_function! {
    /// `x = Phi(x)`, the cumulative normal distribution, `(1 + erf(x / sqrt(2))) / 2`.
    normal_cdf, |simd, x| normal_lanes(simd, x).0
}
