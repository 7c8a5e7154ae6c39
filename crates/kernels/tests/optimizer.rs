//! Optimizer updates against real Keras (`parity/optimizer_golden.py`) and against their naive twins; sums of squares,
//! clipping and the other elementwise helpers.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "common/mod.rs"]
mod common;

use common::{SIZES, assert_close, assert_same, each_isa, panic_message, values};
use glyphnet_kernels::{
    Adam, Isa, RmsProp, Sgd, TINY, adam_update, average_update, reference::optimizer as naive, rmsprop_update,
    sgd_update,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    start: Vec<f32>,
    gradients: Vec<Vec<f32>>,
    cases: Vec<Case>,
}

/// Settings that a kind of optimizer does not have are absent.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Case {
    name: String,
    kind: String,
    learning_rate: f64,
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
    rho: f64,
    epsilon: f64,
    centered: bool,
    beta_1: f64,
    beta_2: f64,
    weights: Vec<Vec<f32>>,
}

impl Case {
    fn update(&self, isa: Isa, step: u64, w: &mut [f32], g: &[f32], state: &mut [Vec<f32>; 3]) {
        let Case { learning_rate, momentum, epsilon, weight_decay, .. } = *self;
        let [first, second, third] = state;
        match self.kind.as_str() {
            "sgd" => {
                let sgd = Sgd { learning_rate, momentum, nesterov: self.nesterov, weight_decay };
                let velocity: &mut [f32] = if momentum == 0.0 { &mut [] } else { first };
                sgd_update(isa, &sgd, w, g, velocity);
            }
            "rmsprop" => {
                let rmsprop = RmsProp { learning_rate, rho: self.rho, momentum, epsilon, centered: self.centered };
                let buffer: &mut [f32] = if momentum == 0.0 { &mut [] } else { second };
                let average: &mut [f32] = if self.centered { third } else { &mut [] };
                rmsprop_update(isa, &rmsprop, w, g, first, buffer, average);
            }
            "adam" => {
                let (beta_1, beta_2) = (self.beta_1, self.beta_2);
                let adam = Adam { learning_rate, beta_1, beta_2, epsilon, weight_decay, step };
                adam_update(isa, &adam, w, g, first, second);
            }
            other => panic!("unknown kind {other}"),
        }
    }
}

#[test]
fn eight_steps_equal_those_of_keras() {
    let text = include_str!("../../../parity/golden/optimizers.json");
    let golden: Golden = serde_json::from_str(text).unwrap();
    assert_eq!(golden.cases.len(), 13);
    each_isa(|isa| {
        for case in &golden.cases {
            let mut w = golden.start.clone();
            let mut state = [(); 3].map(|()| vec![0.0; w.len()]);
            for (step, (gradient, want)) in golden.gradients.iter().zip(&case.weights).enumerate() {
                case.update(isa, step as u64 + 1, &mut w, gradient, &mut state);
                assert_close(&format!("{isa} {} step {}", case.name, step + 1), &w, want, 1e-6, 2e-7);
            }
        }
    });
}

/// Gradients of all sizes, some zero.
fn gradients(n: usize) -> Vec<f32> {
    let mut g = values(1, n, 1.0);
    for (i, g) in g.iter_mut().enumerate() {
        *g *= 10.0_f32.powi((i % 7) as i32 * 2 - 9);
        if i % 11 == 3 {
            *g = 0.0;
        }
    }
    g
}

/// One update of each kind on `state`, whose arrays are weights, then three of state (positive).
type Update = Box<dyn Fn(Option<Isa>, &mut [Vec<f32>; 4], &[f32])>;

fn updates() -> Vec<(&'static str, Update)> {
    let mut all: Vec<(&'static str, Update)> = Vec::new();
    for (name, momentum, nesterov) in [("sgd", 0.0, false), ("momentum", 0.9, false), ("nesterov", 0.9, true)] {
        let sgd = Sgd { learning_rate: 0.01, momentum, nesterov, weight_decay: 0.02 };
        let update: Update = Box::new(move |isa, [w, v, ..], g| match isa {
            Some(isa) => sgd_update(isa, &sgd, w, g, v),
            None => naive::sgd_update(&sgd, w, g, v),
        });
        all.push((name, update));
    }
    for (name, momentum, centered) in [("rmsprop", 0.0, false), ("rmsprop momentum", 0.9, false)] {
        let rmsprop = RmsProp { learning_rate: 0.001, rho: 0.9, momentum, epsilon: 1e-7, centered };
        let update: Update = Box::new(move |isa, [w, v, b, a], g| match isa {
            Some(isa) => rmsprop_update(isa, &rmsprop, w, g, v, b, a),
            None => naive::rmsprop_update(&rmsprop, w, g, v, b, a),
        });
        all.push((name, update));
    }
    for momentum in [0.0, 0.9] {
        // With v far above a^2, as it is for real averages.
        let rmsprop = RmsProp { learning_rate: 0.001, rho: 0.9, momentum, epsilon: 1e-7, centered: true };
        let update: Update = Box::new(move |isa, [w, v, b, a], g| {
            v.iter_mut().for_each(|v| *v += 2.0);
            match isa {
                Some(isa) => rmsprop_update(isa, &rmsprop, w, g, v, b, a),
                None => naive::rmsprop_update(&rmsprop, w, g, v, b, a),
            }
        });
        all.push(("rmsprop centred", update));
    }
    for weight_decay in [0.0, 0.004] {
        let adam = Adam { learning_rate: 0.001, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, weight_decay, step: 5 };
        let update: Update = Box::new(move |isa, [w, m, v, _], g| match isa {
            Some(isa) => adam_update(isa, &adam, w, g, m, v),
            None => naive::adam_update(&adam, w, g, m, v),
        });
        all.push(("adam", update));
    }
    all
}

/// The average of weights, which has no gradient; `w` is the average.
fn averaging() -> (&'static str, Update) {
    let update: Update = Box::new(move |isa, [w, ..], g| match isa {
        Some(isa) => average_update(isa, w, g, 0.03),
        None => naive::average_update(w, g, 0.03),
    });
    ("average", update)
}

fn start(n: usize) -> [Vec<f32>; 4] {
    let positive = |tag| values(tag, n, 1.0).iter().map(|v| v.abs()).collect();
    [values(2, n, 1.0), positive(3), positive(4), positive(5)]
}

#[test]
fn every_update_equals_its_twin_wherever_the_array_is_cut() {
    for (name, update) in updates().into_iter().chain([averaging()]) {
        for n in SIZES {
            let g = gradients(n);
            let mut want = start(n);
            update(None, &mut want, &g);
            each_isa(|isa| {
                let what = format!("{isa} {name} {n}");
                let mut got = start(n);
                update(Some(isa), &mut got, &g);
                for (got, want) in got.iter().zip(&want) {
                    assert_close(&what, got, want, 1e-6, 2e-7);
                }
                let cut = n / 3;
                let mut head = start(n).map(|a| a[..cut].to_vec());
                let mut tail = start(n).map(|a| a[cut..].to_vec());
                update(Some(isa), &mut head, &g[..cut]);
                update(Some(isa), &mut tail, &g[cut..]);
                for ((head, tail), got) in head.iter().zip(&tail).zip(&got) {
                    assert_same(&what, &[&head[..], tail].concat(), got);
                }
            });
        }
    }
}

#[test]
fn decaying_state_ends_at_zero_and_is_never_denormal() {
    each_isa(|isa| {
        for (name, update) in updates() {
            let mut state = start(33).map(|a| a.iter().map(|v| v * 1e-28).collect::<Vec<f32>>());
            for _ in 0..2000 {
                // The centred updates add to their own v, which then does not decay.
                update(Some(isa), &mut state, &[0.0; 33]);
                let all = state[1..].iter().flatten();
                assert!(all.clone().all(|v| *v == 0.0 || v.abs() >= TINY || v.is_normal()), "{isa} {name}");
            }
            if name == "rmsprop" || name == "adam" || name == "momentum" {
                assert!(
                    state[1].iter().all(|v| *v < 1e-27 && (*v == 0.0 || *v >= TINY)),
                    "{isa} {name}: {:?}",
                    state[1]
                );
            }
            assert!(name != "rmsprop" || state[1].iter().all(|v| *v == 0.0), "{isa} {name}: {:?}", state[1]);
        }
    });
}

#[test]
fn a_nan_gradient_is_not_hidden() {
    each_isa(|isa| {
        for (name, update) in updates() {
            let mut state = start(3);
            update(Some(isa), &mut state, &[f32::NAN, 1.0, 1.0]);
            assert!(state[0][0].is_nan() && state[0][1].is_finite(), "{isa} {name}");
        }
    });
}

#[test]
fn misuse_is_named() {
    let sgd = Sgd { learning_rate: 0.1, momentum: 0.9, nesterov: false, weight_decay: 0.0 };
    let message = panic_message(move || sgd_update(Isa::SCALAR, &sgd, &mut [0.0; 4], &[0.0; 4], &mut []));
    assert!(message.contains("velocity has 0 values for 4 weights"), "{message}");
    let adam = Adam { learning_rate: 0.1, beta_1: 0.9, beta_2: 0.99, epsilon: 1e-7, weight_decay: 0.0, step: 0 };
    let message = panic_message(move || adam_update(Isa::SCALAR, &adam, &mut [0.0], &[0.0], &mut [0.0], &mut [0.0]));
    assert!(message.contains("counted from 1"), "{message}");
}
