//! Every decision of the callbacks, epoch by epoch, against those of the Keras classes on generated sequences
//! (`parity/callbacks_golden.py`).

use super::{BestKeeper, EarlyStopping, ReduceLrOnPlateau};
use crate::recipe::{EarlyStoppingConfig, Mode, Monitor, ReduceLrConfig};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
    nan_first: Vec<NanFirst>,
}

#[derive(Deserialize)]
struct Case {
    values: Vec<Value>,
    early: EarlyStoppingConfig,
    early_out: String,
    best_out: String,
    plateau: ReduceLrConfig,
    plateau_out: Vec<(u32, f32)>,
}

#[derive(Deserialize)]
struct NanFirst {
    values: Vec<Value>,
    watch: Watch,
    best_out: String,
    rest_out: String,
}

#[derive(Deserialize)]
struct Watch {
    monitor: Monitor,
    mode: Mode,
}

/// A number; `null` is NaN, infinities are text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Number(f64),
    Infinity(String),
    Nan(()),
}

fn numbers(values: &[Value]) -> Vec<f64> {
    let number = |value: &Value| match value {
        Value::Number(number) => *number,
        Value::Infinity(text) => text.parse().unwrap(),
        Value::Nan(()) => f64::NAN,
    };
    values.iter().map(number).collect()
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../../../../parity/golden/callbacks.json")).unwrap()
}

fn best_decisions(monitor: Monitor, mode: Mode, values: &[f64]) -> String {
    let mut keeper = BestKeeper::new(monitor, mode);
    let mut decide = |(epoch, value)| if keeper.on_epoch_end(epoch, value).improved() { 'i' } else { '.' };
    (1..).zip(values.iter().copied()).map(&mut decide).collect()
}

#[test]
fn early_stopping_decides_as_keras_does() {
    for (number, case) in golden().cases.iter().enumerate() {
        let mut callback = EarlyStopping::new(&case.early);
        let decide = |(epoch, value)| {
            let decision = callback.on_epoch_end(epoch, value);
            match (decision.improved, decision.stop) {
                (true, false) => 'i',
                (false, true) => 's',
                (false, false) => '.',
                (true, true) => '!',
            }
        };
        let decisions: String = (1..).zip(numbers(&case.values)).map(decide).collect();
        assert_eq!(decisions, case.early_out, "case {number}: {:?}", case.early);
    }
}

#[test]
fn best_keeping_decides_as_keras_does() {
    for (number, case) in golden().cases.iter().enumerate() {
        let decisions = best_decisions(case.early.monitor, case.early.mode, &numbers(&case.values));
        assert_eq!(decisions, case.best_out, "case {number}: {:?}", case.early);
    }
}

#[test]
fn the_learning_rate_is_reduced_when_and_as_keras_does() {
    for (number, case) in golden().cases.iter().enumerate() {
        let mut callback = ReduceLrOnPlateau::new(&case.plateau);
        let mut rate = 1e-3_f32;
        let mut reductions = Vec::new();
        for (epoch, value) in (1..).zip(numbers(&case.values)) {
            if let Some(reduced) = callback.on_epoch_end(value, rate) {
                reductions.push((epoch, reduced));
                rate = reduced;
            }
        }
        assert_eq!(reductions, case.plateau_out, "case {number}: {:?}", case.plateau);
    }
}

/// The one deliberate difference: Keras takes a leading NaN as the best and never improves on it.
#[test]
fn a_leading_nan_is_passed_over_where_keras_gets_stuck_on_it() {
    for case in golden().nan_first {
        let values = numbers(&case.values);
        let leading = values.iter().take_while(|value| value.is_nan()).count();
        assert_eq!(case.best_out, format!("i{}", ".".repeat(values.len() - 1)), "Keras has changed");
        let expected = ".".repeat(leading) + &case.rest_out;
        assert_eq!(best_decisions(case.watch.monitor, case.watch.mode, &values), expected);
    }
}

/// Two hundred sequences at the least; and they must be able to tell a wrong rule from the right one.
#[test]
fn the_sequences_are_many_and_hard() {
    let golden = golden();
    assert!(golden.cases.len() >= 250);
    let count = |hard: fn(&Case) -> bool| golden.cases.iter().filter(|case| hard(case)).count();
    assert!(count(|case| numbers(&case.values).iter().any(|value| value.is_nan())) >= 50);
    assert!(count(|case| case.early.baseline.is_some()) >= 50);
    assert!(count(|case| case.early.start_from_epoch > 0) >= 50);
    assert!(count(|case| case.plateau.cooldown > 0 && !case.plateau_out.is_empty()) >= 20);
    assert!(count(|case| case.plateau_out.iter().any(|(_, rate)| *rate == case.plateau.min_lr as f32)) >= 20);
    // Sequences that a comparison in 64 bits gets wrong.
    let in_64_bits = |case: &Case| {
        let down = case.early.mode == Mode::Min
            || (case.early.mode == Mode::Auto && matches!(case.early.monitor, Monitor::ValLoss | Monitor::TrainLoss));
        let mut best = None;
        let decide = |value: f64| {
            let better = best.is_none_or(|best| if down { value < best } else { value > best });
            if better {
                best = Some(value);
            }
            if better { 'i' } else { '.' }
        };
        numbers(&case.values).into_iter().map(decide).collect::<String>()
    };
    assert!(golden.cases.iter().filter(|case| in_64_bits(case) != case.best_out).count() >= 5);
}
