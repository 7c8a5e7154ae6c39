//! Activations and softmax: against their naive twins, against finite differences, and at the ends of the range.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "common/mod.rs"]
mod common;

use common::{SIZES, assert_close, assert_same, each_isa, panic_message, values};
use glyphnet_kernels::{
    Activation, Isa, activate, activate_to, activation_backward, reference::activation as naive, softmax_backward_rows,
    softmax_rows,
};

const ELEMENTWISE: [Activation; 8] = [
    Activation::Linear,
    Activation::Relu,
    Activation::LeakyRelu,
    Activation::Elu,
    Activation::Gelu,
    Activation::Silu,
    Activation::Sigmoid,
    Activation::Tanh,
];

fn inputs(n: usize) -> Vec<f32> {
    let mut x = values(3, n, 6.0);
    for (i, special) in [0.0, -0.0, 1e-30, -1e-30, 40.0, -40.0].into_iter().enumerate() {
        if n > 30 {
            x[4 * i] = special;
        }
    }
    x
}

#[test]
fn every_activation_equals_its_twin() {
    each_isa(|isa| {
        for activation in ELEMENTWISE {
            for n in SIZES {
                let what = format!("{isa} {activation:?} {n}");
                let x = inputs(n);
                let (mut want, mut got, mut copied) = (x.clone(), x.clone(), vec![f32::NAN; n]);
                naive::activate(activation, &mut want);
                activate(isa, activation, &mut got);
                activate_to(isa, activation, &x, &mut copied);
                assert_close(&what, &got, &want, 1e-6, 1e-36);
                assert_same(&what, &copied, &got);

                let gradient = values(4, n, 2.0);
                let (mut want_dy, mut got_dy) = (gradient.clone(), gradient);
                naive::activation_backward(activation, &x, &want, &mut want_dy);
                let z: &[f32] = if activation.needs_input() { &x } else { &[] };
                activation_backward(isa, activation, z, &want, &mut got_dy);
                assert_close(&format!("{what} backward"), &got_dy, &want_dy, 2e-6, 4e-7);
            }
        }
    });
}

#[test]
fn the_derivative_is_that_of_the_function() {
    // Away from the kink at 0; the function in f64, the derivative from the kernel.
    let x: Vec<f32> = (0..200).map(|i| -7.0 + i as f32 * 0.07 + 0.003).collect();
    each_isa(|isa| {
        for activation in ELEMENTWISE {
            let (mut y, mut slope) = (x.clone(), vec![1.0; x.len()]);
            activate(isa, activation, &mut y);
            activation_backward(isa, activation, &x, &y, &mut slope);
            for (&x, &slope) in x.iter().zip(&slope) {
                let (h, x) = (1e-5, f64::from(x));
                let difference = (naive::value(activation, x + h) - naive::value(activation, x - h)) / (2.0 * h);
                assert!(
                    (f64::from(slope) - difference).abs() < 1e-6,
                    "{isa} {activation:?}'({x}): {slope}, {difference}"
                );
            }
        }
    });
}

#[test]
fn the_ends_of_the_range_are_finite_or_honest() {
    let x = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 88.8, -88.8, 1e-40, -1e-40, f32::MAX, f32::MIN];
    each_isa(|isa| {
        for activation in ELEMENTWISE {
            let what = format!("{isa} {activation:?}");
            let (mut want, mut got) = (x, x);
            naive::activate(activation, &mut want);
            activate(isa, activation, &mut got);
            assert_close(&what, &got, &want, 1e-6, 1e-36);
            let mut slope = [1.0; 9];
            activation_backward(isa, activation, &x, &got, &mut slope);
            for (i, slope) in slope.iter().enumerate() {
                assert!(slope.is_finite() || i == 2, "{what}: slope {slope} at {}", x[i]);
            }
        }
    });
}

#[test]
fn a_kink_has_the_slope_from_the_left() {
    each_isa(|isa| {
        for (activation, slope) in [(Activation::Relu, 0.0), (Activation::LeakyRelu, 0.2), (Activation::Elu, 1.0)] {
            let mut dy = [1.0];
            activation_backward(isa, activation, &[], &[0.0], &mut dy);
            assert_eq!(dy, [slope], "{isa} {activation:?}");
        }
    });
}

#[test]
fn softmax_equals_its_twin_and_keeps_rows_apart() {
    each_isa(|isa| {
        for classes in [1, 2, 3, 7, 8, 10, 15, 16, 17, 33, 100, 257] {
            let what = format!("{isa} {classes} classes");
            let x = values(5, classes * 5, 8.0);
            let (mut want, mut got) = (x.clone(), x.clone());
            naive::softmax_rows(classes, &mut want);
            softmax_rows(isa, classes, &mut got);
            assert_close(&what, &got, &want, 2e-6, 1e-12);
            let mut alone = x[classes * 3..classes * 4].to_vec();
            softmax_rows(isa, classes, &mut alone);
            assert_same(&what, &alone, &got[classes * 3..classes * 4]);

            let dy = values(6, classes * 5, 1.0);
            let (mut want_dy, mut got_dy) = (dy.clone(), dy);
            naive::softmax_backward_rows(classes, &want, &mut want_dy);
            softmax_backward_rows(isa, classes, &want, &mut got_dy);
            assert_close(&format!("{what} backward"), &got_dy, &want_dy, 2e-6, 1e-6);
        }
    });
}

#[test]
fn softmax_survives_huge_logits_and_owns_up_to_nan() {
    each_isa(|isa| {
        let mut x = [1e30, -1e30, 1e30, f32::MIN, 0.0, f32::NAN, 2.0, 3.0, 3.0, f32::NEG_INFINITY, 3.0, 3.0];
        softmax_rows(isa, 4, &mut x);
        assert_eq!(x[..4], [0.5, 0.0, 0.5, 0.0], "{isa}");
        assert!(x[4..8].iter().all(|p| p.is_nan()), "{isa}: {x:?}");
        assert_close("thirds", &x[8..], &[1.0 / 3.0, 0.0, 1.0 / 3.0, 1.0 / 3.0], 1e-7, 0.0);
    });
}

#[test]
fn names_are_those_of_keras() {
    let names: Vec<String> = ELEMENTWISE.iter().map(|a| serde_json::to_string(a).unwrap()).collect();
    let want = ["linear", "relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "tanh"];
    assert_eq!(names, want.map(|name| format!("\"{name}\"")));
}

#[test]
fn misuse_is_named() {
    let softmax = panic_message(|| activate(Isa::SCALAR, Activation::Softmax, &mut [1.0]));
    assert!(softmax.contains("softmax_rows"), "{softmax}");
    let lengths = panic_message(|| activation_backward(Isa::SCALAR, Activation::Gelu, &[], &[1.0], &mut [1.0]));
    assert!(lengths.contains("z has 0 values"), "{lengths}");
    let rows = panic_message(|| softmax_rows(Isa::SCALAR, 3, &mut [1.0; 4]));
    assert!(rows.contains("4 values are not rows of 3 classes"), "{rows}");
}
