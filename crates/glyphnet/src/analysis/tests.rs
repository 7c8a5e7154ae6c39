//! Golden values of scikit-learn and NumPy, and input that makes no sense.

use std::path::Path;

use serde::Deserialize;

use super::*;

/// One case of `parity/golden/metrics.json`; `parity/metrics_golden.py` says what is in it.
#[derive(Deserialize)]
struct Case {
    name: String,
    classes: usize,
    labels: Vec<u32>,
    /// Shortest decimals of 32-bit numbers.
    probabilities: Vec<f32>,
    accuracy: f64,
    loss: f64,
    brier: f64,
    /// `[k, accuracy]`.
    top: Vec<(usize, f64)>,
    confusion: Vec<Vec<u64>>,
    precision: Vec<f64>,
    recall: Vec<f64>,
    f1: Vec<f64>,
    support: Vec<u64>,
    macro_average: [f64; 3],
    weighted_average: [f64; 3],
    /// `[count, confidence, accuracy]` of each bin.
    bins: Vec<(u64, f64, f64)>,
    ece: f64,
    mce: f64,
}

fn cases() -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../parity/golden/metrics.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Equal to 1e-9.
fn close(case: &str, what: &str, found: &[f64], golden: &[f64]) {
    assert_eq!(found.len(), golden.len(), "{case}: {what}");
    for (i, (a, b)) in found.iter().zip(golden).enumerate() {
        assert!((a - b).abs() <= 1e-9, "{case}: {what} {i} is {a}, scikit-learn says {b}");
    }
}

#[test]
fn every_figure_is_that_of_scikit_learn() {
    let cases = cases();
    assert!(cases.len() >= 10, "only {} cases", cases.len());
    for case in &cases {
        let found = Analysis::new(&case.labels, &case.probabilities, case.classes).unwrap();
        let name = case.name.as_str();
        assert_eq!((found.images, found.classes), (case.labels.len(), case.classes), "{name}");
        close(name, "accuracy", &[found.accuracy], &[case.accuracy]);
        close(name, "loss", &[found.loss], &[case.loss]);
        close(name, "Brier score", &[found.brier], &[case.brier]);
        assert_eq!(found.confusion.counts(), case.confusion.concat(), "{name}");
        let (k, shares): (Vec<usize>, Vec<f64>) = case.top.iter().copied().unzip();
        assert_eq!(found.top.iter().map(|top| top.k).collect::<Vec<_>>(), k, "{name}");
        close(name, "top-k accuracy", &found.top.iter().map(|top| top.accuracy).collect::<Vec<_>>(), &shares);
        let column = |value: fn(&ClassMetrics) -> f64| found.per_class.iter().map(value).collect::<Vec<f64>>();
        close(name, "precision", &column(|c| c.precision), &case.precision);
        close(name, "recall", &column(|c| c.recall), &case.recall);
        close(name, "F1", &column(|c| c.f1), &case.f1);
        assert_eq!(found.per_class.iter().map(|c| c.support).collect::<Vec<_>>(), case.support, "{name}");
        let averages = |a: Averages| [a.precision, a.recall, a.f1];
        close(name, "macro average", &averages(found.macro_average), &case.macro_average);
        close(name, "weighted average", &averages(found.weighted_average), &case.weighted_average);
        check_calibration(case, &found.calibration);
        check_lists(&found, &case.probabilities);
    }
}

fn check_calibration(case: &Case, found: &Calibration) {
    let name = case.name.as_str();
    assert_eq!(
        found.bins.iter().map(|b| b.count).collect::<Vec<_>>(),
        case.bins.iter().map(|b| b.0).collect::<Vec<_>>()
    );
    let column = |value: fn(&Bin) -> f64| found.bins.iter().map(value).collect::<Vec<f64>>();
    close(name, "confidence", &column(|b| b.confidence), &case.bins.iter().map(|b| b.1).collect::<Vec<_>>());
    close(name, "accuracy of a bin", &column(|b| b.accuracy), &case.bins.iter().map(|b| b.2).collect::<Vec<_>>());
    close(name, "ECE, MCE", &[found.ece, found.mce], &[case.ece, case.mce]);
    assert_eq!((found.bins[0].lower, found.bins[14].upper), (0.0, 1.0));
}

/// What follows from the other figures.
fn check_lists(found: &Analysis, probabilities: &[f32]) {
    let off_diagonal = found.images as u64 - (found.accuracy * found.images as f64).round() as u64;
    assert_eq!(found.confused.iter().map(|pair| pair.count).sum::<u64>(), off_diagonal);
    assert!(found.confused.iter().all(|pair| pair.label != pair.predicted && pair.count > 0));
    assert!(found.confused.is_sorted_by_key(|pair| (u64::MAX - pair.count, pair.label, pair.predicted)));
    assert_eq!(found.top_losses.len(), found.images.min(TOP_LOSSES));
    assert!(found.top_losses.is_sorted_by(|a, b| (a.loss, b.row) > (b.loss, a.row)));
    for worst in &found.top_losses {
        let row = &probabilities[worst.row * found.classes..][..found.classes];
        assert_eq!(
            (row[worst.label as usize], row[worst.predicted as usize]),
            (worst.label_probability, worst.probability)
        );
    }
}

#[test]
fn ties_go_to_the_class_that_comes_first() {
    let probabilities = [0.25, 0.25, 0.25, 0.25, 0.5, 0.5, 0.0, 0.0];
    let found = Analysis::new(&[1, 0], &probabilities, 4).unwrap();
    assert_eq!((found.confusion.count(1, 0), found.confusion.count(0, 0), found.accuracy), (1, 1, 0.5));
    assert_eq!(found.top, [TopAccuracy { k: 2, accuracy: 1.0 }, TopAccuracy { k: 3, accuracy: 1.0 }]);
    let pair = ConfusedPair { label: 1, predicted: 0, count: 1, share_of_label: 1.0 };
    assert_eq!(found.confused, [pair]);
    assert_eq!(found.top_losses[0].row, 0);
}

#[test]
fn a_probability_of_zero_costs_as_much_as_the_smallest_that_counts() {
    let found = Analysis::new(&[0, 0], &[0.0, 1.0, 1e-30, 1.0], 2).unwrap();
    assert_eq!(found.loss, -f64::EPSILON.ln());
    assert_eq!((found.brier, found.calibration.ece, found.calibration.mce), (2.0, 1.0, 1.0));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = |labels: &[u32], probabilities: &[f32], classes: usize, word: &str| {
        let error = Analysis::new(labels, probabilities, classes).unwrap_err().to_string();
        assert!(error.contains(word), "'{word}' is not in: {error}");
    };
    refused(&[], &[], 2, "no predictions");
    refused(&[0], &[], 0, "no predictions");
    refused(&[0], &[0.5, 0.5, 0.0], 2, "3 probabilities are not those of 1 images and 2 classes");
    refused(&[2], &[0.5, 0.5], 2, "row 0 has label 2, of 2 classes");
    refused(&[0, 1], &[0.5, 0.5, f32::NAN, 1.0], 2, "row 1 has a probability of NaN for class 0");
    refused(&[0], &[1.5, -0.5], 2, "row 0 has a probability of 1.5");
    refused(&[0], &[0.5, 0.49], 2, "the sum 0.99");
    refused(&[0], &[], usize::MAX, "too many");
}

#[test]
fn the_json_has_a_row_for_each_label() {
    let json = serde_json::to_value(Analysis::new(&[1, 0, 1], &[0.5, 0.5, 1.0, 0.0, 0.25, 0.75], 2).unwrap()).unwrap();
    assert_eq!(json["confusion"], serde_json::json!([[1, 0], [1, 1]]));
    assert_eq!((&json["per_class"][1]["support"], &json["top_losses"][0]["row"]), (&2.into(), &0.into()));
}
