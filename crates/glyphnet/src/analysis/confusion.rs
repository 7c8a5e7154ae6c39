//! Which classes are taken for which.

use std::iter::zip;

use serde::{Serialize, Serializer};

/// How many images of each class were taken for each class. As JSON an array of rows, one for each label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    /// `classes x classes`, row-major: rows are labels, columns predictions.
    counts: Vec<u64>,
    classes: usize,
}

/// A class that is taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ConfusedPair {
    /// What the images are labelled.
    pub label: u32,
    /// What they are taken for.
    pub predicted: u32,
    /// So many images.
    pub count: u64,
    /// Their share of all images with that label.
    pub share_of_label: f64,
}

impl ConfusionMatrix {
    /// Counts; labels and predictions are checked to be below `classes`.
    pub(crate) fn new(labels: &[u32], predicted: &[u32], classes: usize) -> ConfusionMatrix {
        let mut counts = vec![0; classes * classes];
        for (&label, &predicted) in zip(labels, predicted) {
            counts[label as usize * classes + predicted as usize] += 1;
        }
        ConfusionMatrix { counts, classes }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// All counts, `classes x classes`, row-major: rows are labels, columns predictions.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Images with this label that were taken for class `predicted`.
    ///
    /// # Panics
    /// If one of them is no class.
    pub fn count(&self, label: usize, predicted: usize) -> u64 {
        assert!(predicted < self.classes, "class {predicted} of {}", self.classes);
        self.counts[label * self.classes + predicted]
    }

    /// Images that were taken for their label.
    pub fn right(&self) -> u64 {
        (0..self.classes).map(|class| self.count(class, class)).sum()
    }

    /// Images with this label.
    ///
    /// # Panics
    /// If it is no class.
    pub fn row_total(&self, label: usize) -> u64 {
        self.counts[label * self.classes..(label + 1) * self.classes].iter().sum()
    }

    /// Images that were taken for this class.
    ///
    /// # Panics
    /// If it is no class.
    pub fn column_total(&self, predicted: usize) -> u64 {
        (0..self.classes).map(|label| self.count(label, predicted)).sum()
    }

    /// What is off the diagonal, most often first.
    pub(crate) fn confused(&self) -> Vec<ConfusedPair> {
        let mut pairs = Vec::new();
        for (label, row) in self.counts.chunks_exact(self.classes).enumerate() {
            let total: u64 = row.iter().sum();
            let off = row.iter().enumerate().filter(|&(predicted, &count)| predicted != label && count > 0);
            pairs.extend(off.map(|(predicted, &count)| ConfusedPair {
                label: label as u32,
                predicted: predicted as u32,
                count,
                share_of_label: count as f64 / total as f64,
            }));
        }
        // A stable sort: equal counts stay in the order of label and prediction.
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.count));
        pairs
    }
}

impl Serialize for ConfusionMatrix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.counts.chunks_exact(self.classes.max(1)))
    }
}
