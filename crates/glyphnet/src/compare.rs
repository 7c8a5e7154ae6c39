//! Whether one network is better than another, or only luckier.

use serde::Serialize;

use crate::analysis::largest;
use crate::evaluate::SavedSplit;

/// What two networks say to the same images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PairedAnswers {
    /// Number of images.
    pub images: usize,
    /// Images that they take for different classes, whether one of them is right or none.
    pub different: u64,
    /// Images that only the first one is right on.
    pub only_first: u64,
    /// Images that only the second one is right on.
    pub only_second: u64,
    /// The probability that two equally good networks differ in their numbers of right answers by as much or more:
    /// [`mcnemar`] of the two numbers above.
    pub p_value: f64,
}

impl PairedAnswers {
    /// Compares two networks' predictions, image by image; `None` if they are not of the same images with the same
    /// labels and classes. Indices alone do not tell: both must come from the same data.
    pub fn new(first: &SavedSplit, second: &SavedSplit) -> Option<PairedAnswers> {
        let same = first.indices == second.indices && first.labels == second.labels && first.classes == second.classes;
        if !same || first.labels.is_empty() {
            return None;
        }
        let mut found =
            PairedAnswers { images: first.labels.len(), different: 0, only_first: 0, only_second: 0, p_value: 1.0 };
        for (row, &label) in first.labels.iter().enumerate() {
            let [a, b] = [first, second].map(|split| largest(split.row(row)));
            found.different += u64::from(a != b);
            found.only_first += u64::from(a == label && b != label);
            found.only_second += u64::from(a != label && b == label);
        }
        found.p_value = mcnemar(found.only_first, found.only_second);
        Some(found)
    }
}

/// McNemar's exact test (McNemar: "Note on the sampling error of the difference between correlated proportions or
/// percentages", 1947): the probability, from 0 to 1, that of `a + b` images on which exactly one of two networks is
/// right, chance deals them out as unevenly as `a` to `b` or more so.
pub fn mcnemar(a: u64, b: u64) -> f64 {
    let (n, k) = ((a + b) as f64, a.min(b));
    // The logarithm of the binomial coefficient, then of the probability of exactly k of n.
    let coefficient: f64 = (1..=k).map(|i| ((n - k as f64 + i as f64) / i as f64).ln()).sum();
    let exactly = (coefficient - n * std::f64::consts::LN_2).exp();
    // Each of those below is a fraction of the one before.
    let fractions = (1..=k).rev().scan(1.0, |term, i| {
        *term *= i as f64 / (n - i as f64 + 1.0);
        Some(*term)
    });
    (2.0 * exactly * (1.0 + fractions.sum::<f64>())).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// A case of `parity/golden/mcnemar.json`; `parity/mcnemar_golden.py` says what is in it.
    #[derive(serde::Deserialize)]
    struct Case {
        a: u64,
        b: u64,
        p: f64,
    }

    #[test]
    fn probabilities_are_those_of_scipy() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../parity/golden/mcnemar.json");
        let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(cases.len() > 20, "{}", cases.len());
        for Case { a, b, p } in cases {
            for ours in [mcnemar(a, b), mcnemar(b, a)] {
                assert!((ours - p).abs() <= 1e-9 * p, "{a} {b}: {ours}, SciPy says {p}");
            }
        }
    }

    fn split(labels: &[u32], says: &[u32]) -> SavedSplit {
        let row = |&class: &u32| (0..3).map(move |c| if c == class { 0.5 } else { 0.25 });
        SavedSplit {
            split: "validation".to_owned(),
            indices: (0..labels.len() as u32).collect(),
            labels: labels.to_vec(),
            probabilities: says.iter().flat_map(row).collect(),
            classes: 3,
        }
    }

    #[test]
    fn images_are_counted_by_who_is_right() {
        let labels = [0, 0, 0, 1, 1, 2, 2];
        let first = split(&labels, &[0, 0, 0, 1, 2, 0, 2]);
        let second = split(&labels, &[0, 1, 2, 0, 1, 1, 2]);
        let found = PairedAnswers::new(&first, &second).unwrap();
        assert_eq!((found.images, found.different, found.only_first, found.only_second), (7, 5, 3, 1));
        // 2 x (1 + 4) / 16.
        assert!((found.p_value - 0.625).abs() < 1e-15, "{}", found.p_value);
        let same = PairedAnswers::new(&first, &first).unwrap();
        assert_eq!((same.different, same.p_value), (0, 1.0));
    }

    #[test]
    fn other_images_are_not_compared() {
        let first = split(&[0, 1], &[0, 1]);
        assert_eq!(PairedAnswers::new(&first, &split(&[0, 2], &[0, 1])), None);
        assert_eq!(PairedAnswers::new(&first, &SavedSplit { indices: vec![1, 0], ..first.clone() }), None);
        assert_eq!(PairedAnswers::new(&first, &split(&[0], &[0])), None);
        assert_eq!(PairedAnswers::new(&split(&[], &[]), &split(&[], &[])), None);
    }
}
