//! Muon against PyTorch (`parity/muon_golden.py`) and against its naive twin.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "common/mod.rs"]
mod common;

use common::{each_isa, panic_message, values};
use glyphnet_kernels::{Isa, Muon, MuonRoom, reference};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    rows: usize,
    columns: usize,
    learning_rate: f64,
    momentum: f64,
    weight_decay: f64,
    start: Vec<f32>,
    gradients: Vec<Vec<f32>>,
    weights: Vec<Vec<f32>>,
}

/// Asserts that weights after a step of `step` differ by as little as 32 bits allow: the iteration makes a small singular
/// value, and the rounding of it, up to 3.4445^5 = 485 times as large.
fn assert_near(what: &str, got: &[f32], want: &[f32], step: f64) {
    let largest = want.iter().fold(0.0, |m: f32, v| m.max(v.abs()));
    let tolerance = 485.0 * f64::from(f32::EPSILON) * step + 2.0 * f64::from(f32::EPSILON * largest);
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let difference = (f64::from(*got) - f64::from(*want)).abs();
        assert!(
            difference <= tolerance,
            "{what}, weight {i}: {got} for {want}, off by {difference:e} of {tolerance:e}"
        );
    }
}

#[test]
fn three_steps_equal_those_of_pytorch() {
    let golden: Golden = serde_json::from_str(include_str!("../../../parity/golden/muon.json")).unwrap();
    assert_eq!(golden.cases.len(), 5);
    each_isa(|isa| {
        for case in &golden.cases {
            let Case { rows, columns, learning_rate, momentum, weight_decay, .. } = *case;
            let muon = Muon { learning_rate, momentum, weight_decay };
            let mut room = MuonRoom::new(isa, rows, columns);
            let (mut weights, mut mean) = (case.start.clone(), vec![0.0; case.start.len()]);
            for (step, (gradient, want)) in (1..).zip(case.gradients.iter().zip(&case.weights)) {
                room.direct(isa, &muon, gradient, &mut mean);
                room.apply(isa, &muon, &mut weights);
                let reach = muon.step_size(rows, columns) * f64::from(step);
                assert_near(&format!("{isa} {rows} x {columns} step {step}"), &weights, want, reach);
            }
        }
    });
}

#[test]
fn matrices_of_all_shapes_equal_the_naive_twin() {
    let muon = Muon { learning_rate: 0.1, momentum: 0.6, weight_decay: 0.02 };
    for (rows, columns) in
        [(1, 1), (1, 17), (17, 1), (9, 16), (25, 16), (9, 33), (33, 9), (144, 64), (63, 65), (40, 40)]
    {
        let len = rows * columns;
        let gradient = values(1, len, 0.01);
        let (start, mean) = (values(2, len, 0.5), values(3, len, 0.01));
        let (mut want, mut want_mean) = (start.clone(), mean.clone());
        reference::muon::muon_update(&muon, rows, columns, &mut want, &gradient, &mut want_mean);
        each_isa(|isa| {
            let (mut weights, mut mean) = (start.clone(), mean.clone());
            let mut room = MuonRoom::new(isa, rows, columns);
            // The room must forget what it was used for before.
            room.direct(isa, &muon, &values(4, len, 1.0), &mut vec![0.0; len]);
            room.direct(isa, &muon, &gradient, &mut mean);
            room.apply(isa, &muon, &mut weights);
            assert_near(&format!("{isa} {rows} x {columns}"), &weights, &want, muon.step_size(rows, columns));
            for (got, want) in mean.iter().zip(&want_mean) {
                assert!((got - want).abs() <= 1e-6 * 0.01, "{isa} {rows} x {columns}: mean {got} for {want}");
            }
        });
    }
}

#[test]
fn nothing_comes_of_no_gradient_and_no_number_is_hidden() {
    let muon = Muon { learning_rate: 0.1, momentum: 0.6, weight_decay: 0.0 };
    each_isa(|isa| {
        let mut room = MuonRoom::new(isa, 5, 3);
        let (mut weights, mut mean) = (values(1, 15, 1.0), vec![0.0; 15]);
        let start = weights.clone();
        room.direct(isa, &muon, &[0.0; 15], &mut mean);
        room.apply(isa, &muon, &mut weights);
        assert_eq!(weights, start, "{isa}");
        let mut gradient = [1.0; 15];
        gradient[7] = f32::NAN;
        room.direct(isa, &muon, &gradient, &mut mean);
        room.apply(isa, &muon, &mut weights);
        assert!(weights.iter().any(|w| w.is_nan()), "{isa}");
    });
}

#[test]
fn misuse_is_named() {
    let muon = Muon { learning_rate: 0.1, momentum: 0.6, weight_decay: 0.0 };
    let message =
        panic_message(move || MuonRoom::new(Isa::SCALAR, 2, 3).direct(Isa::SCALAR, &muon, &[0.0; 5], &mut [0.0; 6]));
    assert!(message.contains("not 6 values"), "{message}");
    let message = panic_message(move || MuonRoom::new(Isa::SCALAR, 2, 3).apply(Isa::SCALAR, &muon, &mut [0.0; 5]));
    assert!(message.contains("not 6 weights"), "{message}");
}
