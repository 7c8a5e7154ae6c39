//! Softmax cross-entropy against real Keras (`parity/loss_golden.py`), its naive twin and finite differences; ties, NaN
//! and extreme logits.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "common/mod.rs"]
mod common;

use common::{assert_close, assert_same, each_isa, panic_message, values};
use glyphnet_kernels::{
    Isa, LossOptions, LossSum, reference::loss as naive, softmax_cross_entropy, softmax_cross_entropy_loss,
    softmax_cross_entropy_targets,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    classes: usize,
    smoothing: f32,
    class_weights: Option<Vec<f32>>,
    logits: Vec<f32>,
    labels: Option<Vec<u32>>,
    targets: Vec<f32>,
    loss: f64,
    accuracy: f64,
    gradient: Vec<f32>,
}

#[test]
fn loss_gradient_and_accuracy_equal_those_of_keras() {
    let text = include_str!("../../../parity/golden/losses.json");
    let golden: Golden = serde_json::from_str(text).unwrap();
    assert_eq!(golden.cases.len(), 24);
    each_isa(|isa| {
        for case in &golden.cases {
            let Case { classes, logits, targets, .. } = case;
            let options = LossOptions { smoothing: case.smoothing, class_weights: case.class_weights.as_deref() };
            let samples = logits.len() / classes;
            let check = |way: &str, sum: LossSum, gradient: &[f32]| {
                let what = format!("{isa} {} by {way}", case.name);
                let loss = sum.loss / samples as f64;
                assert!((loss - case.loss).abs() <= 1e-6 * case.loss.max(1.0), "{what}: {loss}, Keras {}", case.loss);
                assert!((sum.correct as f64 / samples as f64 - case.accuracy).abs() < 1e-6, "{what}: {sum:?}");
                assert_close(&what, gradient, &case.gradient, 1e-6, 2e-7);
            };
            let (scale, mut gradient) = (1.0 / samples as f32, vec![f32::NAN; logits.len()]);
            let out = Some(&mut gradient[..]);
            let sum = softmax_cross_entropy_targets(isa, *classes, logits, targets, &options, scale, out, None);
            check("targets", sum, &gradient);
            if let Some(labels) = &case.labels {
                gradient.fill(f32::NAN);
                let sum = softmax_cross_entropy(isa, *classes, logits, labels, &options, scale, &mut gradient, None);
                check("labels", sum, &gradient);
            }
        }
    });
}

#[test]
fn every_class_count_equals_its_twin() {
    for classes in [1, 2, 3, 7, 8, 9, 10, 15, 16, 17, 31, 33, 100, 257] {
        let samples = 7;
        let logits = values(1, samples * classes, 6.0);
        let labels: Vec<u32> = (0..samples).map(|i| (i * 5 % classes) as u32).collect();
        let weights: Vec<f32> = values(2, classes, 1.0).iter().map(|v| v + 1.5).collect();
        let targets = naive::one_hot(classes, &labels);
        for (smoothing, class_weights) in [(0.0, None), (0.1, Some(&weights[..])), (1.0, None)] {
            let options = LossOptions { smoothing, class_weights };
            let n = logits.len();
            let (mut want_dz, mut want_p) = (vec![0.0; n], vec![0.0; n]);
            let given = (&logits[..], &targets[..]);
            let want = naive::softmax_cross_entropy_targets(classes, given, &options, 0.25, &mut want_dz, &mut want_p);
            each_isa(|isa| {
                let what = format!("{isa} {classes} classes, {options:?}");
                let (mut dz, mut p) = (vec![f32::NAN; n], vec![f32::NAN; n]);
                let probabilities = Some(&mut p[..]);
                let got = softmax_cross_entropy(isa, classes, &logits, &labels, &options, 0.25, &mut dz, probabilities);
                assert!((got.loss - want.loss).abs() <= 1e-6 * want.loss + 1e-6, "{what}: {got:?}, {want:?}");
                assert_eq!(got.correct, want.correct, "{what}");
                assert_close(&what, &dz, &want_dz, 2e-6, 1e-7);
                assert_close(&what, &p, &want_p, 2e-6, 1e-12);

                let mut again = vec![f32::NAN; n];
                let eval = softmax_cross_entropy_loss(isa, classes, &logits, &labels, &options, Some(&mut again));
                assert_eq!(eval, got, "{what}: evaluation gives the same bits");
                assert_same(&what, &again, &p);
                let bare = softmax_cross_entropy_loss(isa, classes, &logits, &labels, &options, None);
                assert_eq!(bare, got, "{what}");

                let last = n - classes;
                let mut alone = vec![f32::NAN; classes];
                let (z, label) = (&logits[last..], &labels[samples - 1..]);
                softmax_cross_entropy(isa, classes, z, label, &options, 0.25, &mut alone, None);
                assert_same(&format!("{what}, alone"), &alone, &dz[last..]);
            });
        }
    }
}

#[test]
fn the_gradient_is_that_of_the_loss() {
    let (classes, logits) = (5, values(3, 10, 2.0));
    // Soft targets that do not sum to 1.
    let targets: Vec<f32> = values(4, 10, 0.5).iter().map(|v| v + 0.5).collect();
    let weights = [0.5, 2.0, 1.0, 3.0, 0.25];
    let options = LossOptions { smoothing: 0.2, class_weights: Some(&weights) };
    each_isa(|isa| {
        let mut gradient = [0.0; 10];
        let out = Some(&mut gradient[..]);
        softmax_cross_entropy_targets(isa, classes, &logits, &targets, &options, 0.5, out, None);
        for i in 0..10 {
            let moved = |h: f32| {
                let mut z = logits.clone();
                z[i] += h;
                let (mut a, mut b) = ([0.0; 10], [0.0; 10]);
                let loss = naive::softmax_cross_entropy_targets(classes, (&z, &targets), &options, 0.5, &mut a, &mut b);
                (f64::from(z[i]), 0.5 * loss.loss)
            };
            let (high, low) = (moved(1e-3), moved(-1e-3));
            let difference = (high.1 - low.1) / (high.0 - low.0);
            assert!((f64::from(gradient[i]) - difference).abs() < 2e-6, "{isa} [{i}]: {} {difference}", gradient[i]);
        }
    });
}

#[test]
fn ties_go_to_the_first_and_nan_is_never_right() {
    let inf = f32::INFINITY;
    each_isa(|isa| {
        let options = LossOptions::default();
        let correct =
            |z: [f32; 3], label: u32| softmax_cross_entropy_loss(isa, 3, &z, &[label], &options, None).correct;
        assert_eq!([0, 1, 2].map(|label| correct([2.0, 2.0, 1.0], label)), [1, 0, 0], "{isa}");
        for label in 0..3 {
            assert_eq!(correct([f32::NAN, 1.0, 2.0], label), 0, "{isa}");
            assert_eq!(correct([1.0, 2.0, f32::NAN], label), 0, "{isa}");
            assert_eq!(correct([f32::NAN; 3], label), 0, "{isa}");
        }
        let nan = softmax_cross_entropy_loss(isa, 3, &[f32::NAN, 1.0, 2.0], &[1], &options, None);
        assert!(nan.loss.is_nan(), "{isa}: {nan:?}");
        // Far apart: exact, not infinite; impossible: infinite, not NaN.
        let far = softmax_cross_entropy_loss(isa, 3, &[-1000.0, 1000.0, 0.0], &[0], &options, None);
        assert_eq!(far, LossSum { loss: 2000.0, correct: 0 }, "{isa}");
        let impossible = softmax_cross_entropy_loss(isa, 3, &[-inf, 0.0, 0.0], &[0], &options, None);
        assert_eq!(impossible.loss, f64::INFINITY, "{isa}");
        let excluded = softmax_cross_entropy_loss(isa, 3, &[-inf, 5.0, -inf], &[1], &options, None);
        assert_eq!(excluded, LossSum { loss: 0.0, correct: 1 }, "{isa}");
    });
}

#[test]
fn misuse_is_named() {
    let options = LossOptions::default();
    let message =
        panic_message(move || _ = softmax_cross_entropy_loss(Isa::SCALAR, 3, &[0.0; 6], &[0, 3], &options, None));
    assert!(message.contains("sample 1 has a label past the 3 classes"), "{message}");
    let message =
        panic_message(move || _ = softmax_cross_entropy_loss(Isa::SCALAR, 3, &[0.0; 5], &[0, 1], &options, None));
    assert!(message.contains("5 logits are not 2 rows of 3"), "{message}");
    let few = LossOptions { class_weights: Some(&[1.0; 2]), ..options };
    let message = panic_message(move || _ = softmax_cross_entropy_loss(Isa::SCALAR, 3, &[0.0; 3], &[0], &few, None));
    assert!(message.contains("2 class weights for 3 classes"), "{message}");
}
