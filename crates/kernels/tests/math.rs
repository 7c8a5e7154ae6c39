//! Our transcendental functions against f64, over their whole range: the stated error bounds, the ends, and the same
//! bits wherever a value lies in a slice.

#[path = "common/mod.rs"]
mod common;

use common::{SIZES, assert_same, each_isa, values};
use glyphnet_kernels::{Isa, math};

/// Distance in units of the last place of the correctly rounded result.
fn ulps(got: f32, want: f64) -> f64 {
    let rounded = want as f32;
    if got == rounded || (got.is_nan() && rounded.is_nan()) {
        return 0.0;
    }
    let exponent = rounded.abs().max(f32::MIN_POSITIVE).to_bits() >> 23;
    let ulp = 2.0_f64.powi(exponent as i32 - 127 - 23);
    (f64::from(got) - want).abs() / ulp
}

/// Every 997th float, of either sign: all exponents, denormals too, and the special values.
fn all_floats() -> Vec<f32> {
    let special = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MIN_POSITIVE, f32::MAX, f32::MIN, 1e-45];
    let ends = [88.0, -88.0, 88.722_83, 88.722_84, -87.336_54, -87.336_55, 1.0, -1.0, 0.5, f32::from_bits(0x7F80_0001)];
    let spread = (0..=u32::MAX).step_by(997).map(f32::from_bits);
    special.into_iter().chain(ends).chain(spread).collect()
}

/// The largest error in ulp of `function` over `inputs`, and where.
fn worst(function: impl Fn(&mut [f32]), exact: impl Fn(f64) -> f64, inputs: &[f32]) -> (f64, f32) {
    let mut results = inputs.to_vec();
    function(&mut results);
    let errors = inputs.iter().zip(&results).map(|(&x, &y)| (ulps(y, exact(f64::from(x))), x));
    errors.fold((0.0, 0.0), |worst, error| if error.0 > worst.0 || error.0.is_nan() { error } else { worst })
}

fn check(name: &str, limit: f64, function: impl Fn(Isa, &mut [f32]), exact: impl Fn(f64) -> f64, inputs: &[f32]) {
    each_isa(|isa| {
        let (error, at) = worst(|x| function(isa, x), &exact, inputs);
        println!("{name} on {isa}: {error:.3} ulp, at {at:e}");
        assert!(error <= limit, "{name} on {isa}: {error} ulp at {at:e}, allowed {limit}");
    });
}

/// A result below the smallest normal number counts as 0, which is what the kernels return there.
fn without_denormals(y: f64) -> f64 {
    if y.abs() < f64::from(f32::MIN_POSITIVE) { 0.0 } else { y }
}

#[test]
fn exp_is_within_2_ulp_everywhere() {
    check("exp", 2.0, math::exp, |x| without_denormals(libm::exp(x)), &all_floats());
}

#[test]
fn ln_is_within_2_ulp_everywhere() {
    check("ln", 2.0, math::ln, libm::log, &all_floats());
}

#[test]
fn tanh_is_within_3_ulp_everywhere() {
    check("tanh", 3.0, math::tanh, libm::tanh, &all_floats());
}

#[test]
fn sigmoid_is_within_3_ulp_where_it_is_normal() {
    let inputs: Vec<f32> = all_floats().into_iter().filter(|x| x.is_nan() || *x > -87.3).collect();
    check("sigmoid", 3.0, math::sigmoid, |x| 1.0 / (1.0 + libm::exp(-x)), &inputs);
    each_isa(|isa| {
        let mut low = [-87.4, -89.0, -1e30, f32::NEG_INFINITY];
        math::sigmoid(isa, &mut low);
        assert!(low.iter().all(|y| (0.0..1.2e-38).contains(y)), "{isa}: {low:?}");
    });
}

#[test]
fn normal_cdf_is_right_to_the_end_of_its_tail() {
    let exact = |x: f64| if x < -12.9 { 0.0 } else { 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2) };
    let near: Vec<f32> = all_floats().into_iter().filter(|x| x.is_nan() || x.abs() < 1.0 || *x > 1.0).collect();
    check("normal_cdf above -1", 6.0, math::normal_cdf, exact, &near);
    // Down the tail the rounding of x^2 counts, made good where there is a fused multiply-add.
    let tail: Vec<f32> = (0..120_000).map(|i| -12.9 + i as f32 * 1e-4).collect();
    each_isa(|isa| {
        let mut got = tail.clone();
        math::normal_cdf(isa, &mut got);
        let relative = |(&x, &y): (&f32, &f32)| (f64::from(y) / exact(f64::from(x)) - 1.0).abs();
        let error = tail.iter().zip(&got).map(relative).fold(0.0, f64::max);
        println!("normal_cdf on {isa}: relative error {error:e} in the tail");
        let limit = if isa == Isa::SCALAR { 6e-6 } else { 6e-7 };
        assert!(error <= limit, "{isa}: relative error {error:e} in the tail, allowed {limit:e}");
    });
}

#[test]
fn a_value_does_not_depend_on_its_place() {
    type Function = fn(Isa, &mut [f32]);
    let functions: [Function; 5] = [math::exp, math::ln, math::tanh, math::sigmoid, math::normal_cdf];
    each_isa(|isa| {
        for function in functions {
            for n in SIZES {
                let x = values(1, n, 5.0);
                let mut whole = x.clone();
                function(isa, &mut whole);
                let mut parts = x.clone();
                let cut = n / 3;
                function(isa, &mut parts[..cut]);
                function(isa, &mut parts[cut..]);
                assert_same(&format!("{isa} {n}"), &parts, &whole);
            }
        }
    });
}
