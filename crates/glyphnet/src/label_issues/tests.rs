//! Golden values of cleanlab, and input that makes no sense.

use std::path::Path;

use serde::Deserialize;

use super::*;

/// One case of `parity/golden/label_issues.json`; `parity/label_issues_golden.py` says what is in it.
#[derive(Deserialize)]
struct Case {
    name: String,
    classes: usize,
    labels: Vec<u32>,
    probabilities: Vec<f32>,
    thresholds: Vec<Option<f64>>,
    /// With at least 1 on the diagonal.
    confident_joint: Vec<Vec<u64>>,
    /// Rows, the likeliest first.
    issues: Vec<usize>,
    /// All rows, the likeliest first.
    ranking: Vec<usize>,
    /// Normalised margins by row, as cleanlab scales them: from 0 to 1.
    margins: Vec<f64>,
}

#[test]
fn issues_and_ranks_are_those_of_cleanlab() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../parity/golden/label_issues.json");
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(cases.len() >= 6, "only {} cases", cases.len());
    for case in cases {
        let name = case.name.as_str();
        let found = LabelIssues::find(&case.labels, &case.probabilities, case.classes).unwrap();
        assert_eq!(found.thresholds.len(), case.classes, "{name}");
        for (a, b) in found.thresholds.iter().zip(&case.thresholds) {
            let close = a.is_some() == b.is_some() && (a.unwrap_or(0.0) - b.unwrap_or(0.0)).abs() <= 1e-9;
            assert!(close, "{name}: threshold {a:?}, cleanlab says {b:?}");
        }
        for (label, row) in case.confident_joint.iter().enumerate() {
            for (class, &count) in row.iter().enumerate() {
                let found = found.confident_joint.count(label, class);
                assert_eq!(if label == class { found.max(1) } else { found }, count, "{name}: {label}, {class}");
            }
        }
        assert_eq!(found.issues().map(|judged| judged.row).collect::<Vec<_>>(), case.issues, "{name}");
        assert_eq!(found.ranking.iter().map(|judged| judged.row).collect::<Vec<_>>(), case.ranking, "{name}");
        for judged in &found.ranking {
            let score = f64::midpoint(judged.margin, 1.0);
            assert!((score - case.margins[judged.row]).abs() <= 1e-9, "{name}: row {}", judged.row);
        }
    }
}

#[test]
fn a_flipped_label_stands_out() {
    // Two classes that the network tells apart, but for row 4, which is labelled wrong, and row 5, which is unclear.
    let labels = [0, 0, 1, 1, 1, 0];
    let probabilities = [0.9, 0.1, 0.8, 0.2, 0.1, 0.9, 0.2, 0.8, 0.95, 0.05, 0.45, 0.55];
    let found = LabelIssues::find(&labels, &probabilities, 2).unwrap();
    let issues: Vec<&JudgedLabel> = found.issues().collect();
    assert_eq!(issues.len(), 1);
    assert_eq!((issues[0].row, issues[0].label, issues[0].suggested, issues[0].label_probability), (4, 1, 0, 0.05));
    assert_eq!(found.ranking[1].row, 5);
    assert_eq!(found.ranking.len(), 6);
}

#[test]
fn equal_probabilities_go_by_margin_and_then_stay_in_order() {
    let probabilities = [0.5, 0.5, 0.0, 0.25, 0.25, 0.5, 0.25, 0.75, 0.0, 0.25, 0.75, 0.0, 0.0, 0.5, 0.5];
    let found = LabelIssues::find(&[0, 0, 0, 0, 0], &probabilities, 3).unwrap();
    assert_eq!(found.ranking.iter().map(|judged| judged.row).collect::<Vec<_>>(), [4, 2, 3, 1, 0]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = |labels: &[u32], probabilities: &[f32], classes: usize, word: &str| {
        let error = LabelIssues::find(labels, probabilities, classes).unwrap_err().to_string();
        assert!(error.contains(word), "'{word}' is not in: {error}");
    };
    refused(&[0], &[1.0], 1, "1 classes: labels can be judged among 2 to 4096");
    refused(&[0], &[], usize::MAX, "labels can be judged among");
    refused(&[], &[], 2, "no predictions");
    refused(&[2], &[0.5, 0.5], 2, "label 2, of 2 classes");
    refused(&[0], &[f32::NAN, 1.0], 2, "probability of NaN");
}
