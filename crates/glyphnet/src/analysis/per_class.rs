//! Precision, recall and F1.

use serde::Serialize;

use super::ConfusionMatrix;

/// How well one class is found. What would divide by zero is 0, as with scikit-learn's `zero_division=0`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassMetrics {
    /// Of the images that were taken for the class, the share that has its label; 0 if none was taken for it.
    pub precision: f64,
    /// Of the images with its label, the share that was taken for it; 0 if there is none.
    pub recall: f64,
    /// Harmonic mean of the two; 0 if both are.
    pub f1: f64,
    /// Images with its label.
    pub support: u64,
}

/// Means over the classes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Averages {
    /// Mean precision.
    pub precision: f64,
    /// Mean recall.
    pub recall: f64,
    /// Mean F1.
    pub f1: f64,
}

impl ClassMetrics {
    pub(super) fn new(confusion: &ConfusionMatrix, class: usize) -> ClassMetrics {
        let (right, support, predicted) =
            (confusion.count(class, class), confusion.row_total(class), confusion.column_total(class));
        ClassMetrics {
            precision: ratio(right, predicted),
            recall: ratio(right, support),
            f1: ratio(2 * right, support + predicted),
            support,
        }
    }
}

impl Averages {
    /// Every class counts the same.
    pub(super) fn of_classes(classes: &[ClassMetrics]) -> Averages {
        Averages::weighted(classes, |_| 1.0)
    }

    /// Every class counts by its images.
    pub(super) fn of_images(classes: &[ClassMetrics]) -> Averages {
        Averages::weighted(classes, |class| class.support as f64)
    }

    fn weighted(classes: &[ClassMetrics], weight: impl Fn(&ClassMetrics) -> f64) -> Averages {
        let total: f64 = classes.iter().map(&weight).sum();
        let mean = |value: fn(&ClassMetrics) -> f64| {
            classes.iter().map(|class| weight(class) * value(class)).sum::<f64>() / total
        };
        Averages { precision: mean(|c| c.precision), recall: mean(|c| c.recall), f1: mean(|c| c.f1) }
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
