//! Schedules against Keras's (`parity/schedule_golden.py`) and PyTorch's (`parity/one_cycle_golden.py`), and what neither has.

use super::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    schedule: ScheduleConfig,
    base: f64,
    steps_per_epoch: u64,
    epochs: u32,
    steps: Vec<u64>,
    rates: Vec<f64>,
}

fn schedule(toml: &str, base: f64, steps_per_epoch: u64, epochs: u32) -> Schedule {
    let config: ScheduleConfig = toml::from_str(toml).unwrap();
    Schedule::new(Some(&config), base, steps_per_epoch, epochs)
}

#[test]
fn the_rates_are_those_of_keras() {
    let golden: Golden = serde_json::from_str(include_str!("../../../../parity/golden/schedule.json")).unwrap();
    assert!(golden.cases.len() >= 13);
    for case in golden.cases {
        let schedule = Schedule::new(Some(&case.schedule), case.base, case.steps_per_epoch, case.epochs);
        assert_eq!(case.steps.len(), case.rates.len());
        for (&step, &expected) in case.steps.iter().zip(&case.rates) {
            let got = schedule.learning_rate(step);
            // Relative to the rate; where a cosine arrives at zero, to the last digits of its base.
            let tolerance = 1e-12 * expected.abs() + 1e-15 * case.base;
            assert!((got - expected).abs() <= tolerance, "{:?} step {step}: {got}, Keras {expected}", case.schedule);
        }
    }
}

#[derive(Deserialize)]
struct OneCycle {
    schedule: ScheduleConfig,
    base: f64,
    steps_per_epoch: u64,
    epochs: u32,
    rates: Vec<f64>,
    momenta: Option<Vec<f64>>,
}

#[test]
fn one_cycle_is_that_of_pytorch_at_every_step() {
    let text = include_str!("../../../../parity/golden/one_cycle.json");
    let golden: std::collections::BTreeMap<String, serde_json::Value> = serde_json::from_str(text).unwrap();
    let cases: Vec<OneCycle> = serde_json::from_value(golden["cases"].clone()).unwrap();
    assert!(cases.len() >= 8);
    for case in cases {
        let schedule = Schedule::new(Some(&case.schedule), case.base, case.steps_per_epoch, case.epochs);
        assert_eq!(case.rates.len() as u64, case.steps_per_epoch * u64::from(case.epochs));
        for (step, expected) in case.rates.iter().enumerate() {
            let Pace { learning_rate, momentum } = schedule.pace(step as u64);
            let what = format!("{:?} step {step}", case.schedule);
            // The cosine of the last step is -1 to the last digit, which counts where the rate ends near zero.
            let tolerance = 1e-12 * expected + 1e-15 * case.base;
            assert!((learning_rate - expected).abs() <= tolerance, "{what}: {learning_rate}, PyTorch {expected}");
            let expected = case.momenta.as_ref().map(|momenta| momenta[step]);
            assert_eq!(momentum.is_some(), expected.is_some(), "{what}");
            let difference = momentum.unwrap_or_default() - expected.unwrap_or_default();
            assert!(difference.abs() <= 1e-14, "{what}: {momentum:?}, PyTorch {expected:?}");
        }
    }
}

#[test]
fn one_cycle_keeps_its_last_values_and_moves_momentum_against_the_rate() {
    let cycle = schedule("kind = \"one_cycle\"\nfinal_div = 10\nmomentum = [0.95, 0.85]", 0.01, 100, 5);
    let [first, peak, last] = [0, 149, 499].map(|step| cycle.pace(step));
    assert!((first.learning_rate - 0.0004).abs() < 1e-17 && first.momentum == Some(0.95));
    assert_eq!((peak.learning_rate, peak.momentum), (0.01, Some(0.85)));
    assert!((last.learning_rate - 0.001).abs() < 1e-17 && (last.momentum.unwrap() - 0.95).abs() < 1e-15);
    assert_eq!(cycle.pace(500), last);
    assert_eq!(cycle.with_base(0.1).pace(149), Pace { learning_rate: 0.1, momentum: Some(0.85) });
    assert_eq!(schedule("kind = \"one_cycle\"", 0.01, 100, 5).pace(7).momentum, None);
    assert_eq!(schedule("kind = \"cosine\"", 0.01, 100, 5).pace(0), Pace::from(0.01));
}

#[test]
fn without_a_schedule_the_rate_stays() {
    let constant = Schedule::new(None, 0.001, 100, 5);
    assert!([0, 1, 499, 10_000].into_iter().all(|step| constant.learning_rate(step) == 0.001));
    assert_eq!(schedule("kind = \"constant\"", 0.001, 100, 5), constant);
}

#[test]
fn every_kind_warms_up_and_then_starts_its_own_curve() {
    let warm = "warmup_epochs = 1.5\nwarmup_from = 0.2\n";
    for (kind, ten_epochs_later) in [
        ("kind = \"constant\"", 1.0),
        ("kind = \"step\"\nfactor = 0.5\nevery_epochs = 5", 0.25),
        ("kind = \"exponential\"\ndecay_rate = 0.9\ndecay_epochs = 10", 0.9),
        ("kind = \"cosine\"\nalpha = 0.1\ndecay_epochs = 10", 0.1),
    ] {
        let schedule = schedule(&format!("{kind}\n{warm}"), 0.01, 100, 20);
        assert_eq!(schedule.learning_rate(0), 0.01 * 0.2);
        assert!((schedule.learning_rate(75) - 0.01 * 0.6).abs() < 1e-15, "half way up");
        assert!((schedule.learning_rate(149) - 0.01 * (0.2 + 0.8 * 149.0 / 150.0)).abs() < 1e-15);
        assert_eq!(schedule.learning_rate(150), 0.01, "{kind}");
        assert!((schedule.learning_rate(1150) - 0.01 * ten_epochs_later).abs() < 1e-15, "{kind}");
    }
}

#[test]
fn a_cosine_fills_what_the_warm_up_leaves() {
    let cosine = schedule("kind = \"cosine\"\nwarmup_epochs = 1", 0.01, 100, 5);
    assert!((cosine.learning_rate(300) - 0.005).abs() < 1e-15);
    assert!(cosine.learning_rate(499) > 0.0);
    assert!(cosine.learning_rate(500) < 1e-15);
    assert_eq!(cosine.learning_rate(500), cosine.learning_rate(1_000_000));
}

#[test]
fn degenerate_lengths_stay_finite() {
    for toml in [
        "kind = \"cosine\"\nwarmup_epochs = 9",
        "kind = \"cosine\"\ndecay_epochs = 0.001",
        "kind = \"exponential\"\ndecay_rate = 0.5\ndecay_epochs = 0.0001",
        "kind = \"step\"\nfactor = 0.5\nevery_epochs = 0.0001",
        "kind = \"one_cycle\"",
        "kind = \"one_cycle\"\nwarm_fraction = 0.0",
        "kind = \"one_cycle\"\nwarm_fraction = 0.5",
        "kind = \"one_cycle\"\nwarm_fraction = 1.0\ndiv = 1.0",
    ] {
        for steps_per_epoch in [0, 1, 3] {
            let schedule = schedule(toml, 0.01, steps_per_epoch, 2);
            for step in [0, 1, 2, 6, 27, u64::MAX] {
                let rate = schedule.learning_rate(step);
                assert!((0.0..=0.01).contains(&rate), "{toml} {steps_per_epoch} {step}: {rate}");
            }
        }
    }
}

#[test]
fn another_base_scales_the_whole_curve() {
    let cosine = schedule("kind = \"cosine\"\nwarmup_epochs = 1\nwarmup_from = 0.5", 0.01, 100, 5);
    let reduced = cosine.with_base(0.001);
    for step in [0, 50, 100, 321] {
        assert!((reduced.learning_rate(step) * 10.0 - cosine.learning_rate(step)).abs() < 1e-16);
    }
}
