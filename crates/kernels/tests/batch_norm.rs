//! Batch normalisation against its naive twin and against finite differences; moments that merge.

#[path = "common/mod.rs"]
mod common;

use common::{assert_close, assert_same, each_isa, panic_message, values};
use glyphnet_kernels::{
    Isa, Moments, batch_norm_backward, batch_norm_backward_sums, reference::batch_norm as naive, scale_shift,
    scale_shift_in_place,
};

const CHANNELS: [usize; 12] = [1, 2, 3, 7, 8, 9, 16, 17, 31, 33, 64, 100];
const PIXELS: [usize; 10] = [1, 2, 3, 5, 63, 64, 65, 129, 300, 1000];

fn each_size(check: impl Fn(usize, usize)) {
    for channels in CHANNELS {
        for pixels in PIXELS {
            check(channels, pixels);
        }
    }
}

fn assert_moments(what: &str, got: &Moments, want: &Moments) {
    assert_eq!(got.count, want.count, "{what}");
    for c in 0..want.mean.len() {
        let deviation = (want.m2[c] / want.count as f64).sqrt();
        let error = (got.mean[c] - want.mean[c]).abs();
        assert!(error <= 1e-7 * deviation + 1e-14 * want.mean[c].abs(), "{what}: mean {error:e} off in channel {c}");
        let (got, want) = (got.m2[c], want.m2[c]);
        assert!((got - want).abs() <= 2e-6 * want + 1e-20, "{what}: m2 {got} is not {want} in channel {c}");
    }
}

#[test]
fn moments_equal_their_twin_even_far_from_zero() {
    each_size(|channels, pixels| {
        for offset in [0.0, 1000.0] {
            let x: Vec<f32> = values(1, channels * pixels, 1.0).iter().map(|v| v + offset).collect();
            let want = naive::moments(channels, &x);
            each_isa(|isa| {
                let mut got = Moments::new(channels);
                got.accumulate(isa, &values(2, channels, 9.0)); // replaced
                got.accumulate(isa, &x);
                assert_moments(&format!("{isa} {pixels} x {channels} + {offset}"), &got, &want);
            });
        }
    });
}

#[test]
fn merged_chunks_equal_the_whole_and_repeat_their_bits() {
    let channels = 5;
    let x = values(3, channels * 400, 3.0);
    let want = naive::moments(channels, &x);
    each_isa(|isa| {
        let merged = || {
            let (mut total, mut chunk) = (Moments::new(channels), Moments::new(channels));
            for part in [0..17, 17..17, 17..200, 200..400] {
                chunk.accumulate(isa, &x[part.start * channels..part.end * channels]);
                total.merge(&chunk);
            }
            total
        };
        let (first, second) = (merged(), merged());
        assert_moments(&format!("{isa} merged"), &first, &want);
        assert_eq!((&first.mean, &first.m2), (&second.mean, &second.m2), "{isa}");
        let mut again = first.clone();
        again.reset();
        assert_eq!((again.count, again.mean), (0, vec![0.0; channels]));
    });
}

#[test]
fn variances_are_biased_and_unbiased_as_named() {
    let mut moments = Moments::new(1);
    moments.accumulate(Isa::SCALAR, &[1.0, 2.0, 3.0, 6.0]);
    assert_eq!((moments.mean[0], moments.variance(0), moments.unbiased_variance(0)), (3.0, 3.5, 14.0 / 3.0));
    // A constant channel has no variance, and not a negative one.
    moments.accumulate(Isa::SCALAR, &[0.1; 1000]);
    assert!((0.0..1e-18).contains(&moments.variance(0)), "{}", moments.variance(0));
    moments.accumulate(Isa::SCALAR, &[1.0, f32::NAN, 2.0]);
    assert!(moments.mean[0].is_nan() && moments.variance(0).is_nan());
}

#[test]
fn the_affine_map_equals_its_twin_and_keeps_pixels_apart() {
    each_size(|channels, pixels| {
        let x = values(4, channels * pixels, 3.0);
        let (scale, shift) = (values(5, channels, 2.0), values(6, channels, 2.0));
        let mut want = vec![0.0; x.len()];
        naive::scale_shift(channels, &x, &scale, &shift, &mut want);
        each_isa(|isa| {
            let what = format!("{isa} {pixels} x {channels}");
            let (mut got, mut last) = (vec![f32::NAN; x.len()], vec![f32::NAN; channels]);
            scale_shift(isa, channels, &x, &scale, &shift, &mut got);
            assert_close(&what, &got, &want, 0.0, 2e-6);
            scale_shift(isa, channels, &x[x.len() - channels..], &scale, &shift, &mut last);
            assert_same(&what, &last, &got[x.len() - channels..]);
            let mut in_place = x.clone();
            scale_shift_in_place(isa, channels, &mut in_place, &scale, &shift, false);
            assert_same(&what, &in_place, &got);
            let mut rectified = x.clone();
            scale_shift_in_place(isa, channels, &mut rectified, &scale, &shift, true);
            assert_same(&what, &rectified, &got.iter().map(|v| v.max(0.0)).collect::<Vec<_>>());
        });
    });
}

#[test]
fn the_backward_pass_equals_its_twin() {
    each_size(|channels, pixels| {
        let (x, dy) = (values(7, channels * pixels, 2.0), values(8, channels * pixels, 1.0));
        let (mean, gamma) = (values(9, channels, 0.5), values(10, channels, 2.0));
        let inv_std: Vec<f32> = values(11, channels, 0.5).iter().map(|v| v + 1.0).collect();
        let (mut want_gamma, mut want_beta) = (vec![0.5; channels], vec![-0.25; channels]);
        naive::batch_norm_backward_sums(channels, (&x, &dy), (&mean, &inv_std), &mut want_gamma, &mut want_beta);
        let (count, mut want) = (pixels as f32, vec![0.0; x.len()]);
        let parameters = (&mean[..], &inv_std[..], &gamma[..]);
        naive::batch_norm_backward(channels, (&x, &dy), parameters, (&want_gamma, &want_beta), count, &mut want);
        each_isa(|isa| {
            let what = format!("{isa} {pixels} x {channels}");
            let (mut dgamma, mut dbeta) = (vec![0.5; channels], vec![-0.25; channels]); // added to
            batch_norm_backward_sums(isa, channels, &x, &dy, &mean, &inv_std, &mut dgamma, &mut dbeta);
            assert_close(&format!("{what} dgamma"), &dgamma, &want_gamma, 1e-6, 1e-6 * (pixels as f64).sqrt());
            assert_close(&format!("{what} dbeta"), &dbeta, &want_beta, 1e-6, 1e-6 * (pixels as f64).sqrt());
            let mut dx = vec![f32::NAN; x.len()];
            let (g, b) = (&want_gamma, &want_beta);
            batch_norm_backward(isa, channels, &x, &dy, &mean, &inv_std, &gamma, g, b, count, &mut dx);
            assert_close(&format!("{what} dx"), &dx, &want, 1e-6, 1e-5);
        });
    });
}

/// `sum(weights * batch_norm(x))` in f64, whose gradient the kernels must find.
fn objective(channels: usize, x: &[f64], gamma: &[f32], weights: &[f32]) -> f64 {
    let pixels = (x.len() / channels) as f64;
    let mut sum = 0.0;
    for (c, &gamma) in gamma.iter().enumerate() {
        let column = || x.iter().skip(c).step_by(channels);
        let mean = column().sum::<f64>() / pixels;
        let variance = column().map(|v| (v - mean) * (v - mean)).sum::<f64>() / pixels;
        let inv_std = 1.0 / (variance + 1e-3).sqrt();
        let terms = column().zip(weights.iter().skip(c).step_by(channels));
        sum += terms.map(|(v, w)| f64::from(*w) * f64::from(gamma) * (v - mean) * inv_std).sum::<f64>();
    }
    sum
}

#[test]
fn the_gradient_is_that_of_the_whole_normalisation() {
    let (channels, pixels) = (3, 11);
    let (x, dy, gamma) = (values(12, 33, 2.0), values(13, 33, 1.0), values(14, 3, 2.0));
    each_isa(|isa| {
        let mut moments = Moments::new(channels);
        moments.accumulate(isa, &x);
        let mean: Vec<f32> = moments.mean.iter().map(|&m| m as f32).collect();
        let inv_std: Vec<f32> = (0..channels).map(|c| (1.0 / (moments.variance(c) + 1e-3).sqrt()) as f32).collect();
        let (mut dgamma, mut dbeta, mut dx) = (vec![0.0; 3], vec![0.0; 3], vec![0.0; 33]);
        batch_norm_backward_sums(isa, channels, &x, &dy, &mean, &inv_std, &mut dgamma, &mut dbeta);
        let count = pixels as f32;
        batch_norm_backward(isa, channels, &x, &dy, &mean, &inv_std, &gamma, &dgamma, &dbeta, count, &mut dx);
        for i in 0..x.len() {
            let moved = |h: f64| {
                let mut x: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
                x[i] += h;
                objective(channels, &x, &gamma, &dy)
            };
            let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((f64::from(dx[i]) - difference).abs() < 2e-6, "{isa} dx[{i}]: {} is not {difference}", dx[i]);
        }
    });
}

#[test]
fn misuse_is_named() {
    let message = panic_message(|| scale_shift(Isa::SCALAR, 3, &[0.0; 7], &[0.0; 3], &[0.0; 3], &mut [0.0; 7]));
    assert!(message.contains("7 values are not pixels of 3 channels"), "{message}");
    let message = panic_message(|| scale_shift(Isa::SCALAR, 3, &[0.0; 6], &[0.0; 2], &[0.0; 3], &mut [0.0; 6]));
    assert!(message.contains("expected 3 values each, got [2, 3]"), "{message}");
}
