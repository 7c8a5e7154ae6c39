//! What a classifier gets right and wrong: every figure is a pure function of labels and class probabilities.
//!
//! The figures are those of scikit-learn (`parity/metrics_golden.py`), in `f64`. Wherever probabilities tie, the class
//! that comes first counts as the more probable.

mod calibration;
mod confusion;
mod known_errors;
mod per_class;
mod rows;

use serde::Serialize;

use crate::Error;

pub use calibration::{Bin, Calibration};
pub use confusion::{ConfusedPair, ConfusionMatrix};
pub use known_errors::{KnownErrors, known_label_errors};
pub use per_class::{Averages, ClassMetrics};
pub(crate) use rows::{Rows, largest};

/// With more classes there is no analysis: the confusion matrix alone would take more than 128 MiB.
pub const MOST_CLASSES: usize = 4096;
/// So many images are listed by their loss.
pub const TOP_LOSSES: usize = 100;
/// A probability counts as at least this much in a logarithm, so that one that is 0 costs 36, not infinity.
pub const LEAST_PROBABILITY: f64 = f64::EPSILON;
/// The `k` of top-k accuracy, as far as there are more classes.
const TOP: [usize; 3] = [2, 3, 5];

/// Everything that labels and probabilities tell about a classifier on some images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Analysis {
    /// Number of images.
    pub images: usize,
    /// Number of classes.
    pub classes: usize,
    /// Share of images whose most probable class is their label.
    pub accuracy: f64,
    /// Mean of `-ln(p)`, where `p` is the probability of the label, cut to at least [`LEAST_PROBABILITY`] and at most
    /// 1 minus that.
    pub loss: f64,
    /// Mean over the images of the sum over the classes of the squared differences between the probability and 1 for
    /// the label, 0 for the others: from 0 to 2.
    pub brier: f64,
    /// How often the label is among the most probable classes: for the best 2, 3 and 5, if there are more classes.
    pub top: Vec<TopAccuracy>,
    /// How often each class is taken for each.
    pub confusion: ConfusionMatrix,
    /// Precision, recall and F1 of each class, by label.
    pub per_class: Vec<ClassMetrics>,
    /// Their means over all classes, those without images included.
    pub macro_average: Averages,
    /// Their means weighted by the images of each class.
    pub weighted_average: Averages,
    /// How far the probabilities can be believed.
    pub calibration: Calibration,
    /// Which classes are taken for which, most often first, then by label and prediction.
    pub confused: Vec<ConfusedPair>,
    /// The [`TOP_LOSSES`] images with the largest losses (fewer if there are fewer), the worst first, then by row.
    pub top_losses: Vec<TopLoss>,
}

/// How often the label is among the `k` most probable classes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TopAccuracy {
    /// So many classes count.
    pub k: usize,
    /// Share of images.
    pub accuracy: f64,
}

/// An image with a large loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TopLoss {
    /// Which one: its row among the labels that were given.
    pub row: usize,
    /// Its label.
    pub label: u32,
    /// The most probable class, which may be the label all the same.
    pub predicted: u32,
    /// Probability of the most probable class.
    pub probability: f32,
    /// Probability of the label.
    pub label_probability: f32,
    /// Its loss.
    pub loss: f64,
}

impl Analysis {
    /// Looks at `labels` (n of them) and `probabilities` (n x `classes`, row-major).
    ///
    /// # Errors
    /// If there is no image, their numbers do not fit, a label is no class, there are more than [`MOST_CLASSES`]
    /// classes, or a row's probabilities are not from 0 to 1 with a sum of 1 (to a thousandth).
    pub fn new(labels: &[u32], probabilities: &[f32], classes: usize) -> Result<Analysis, Error> {
        if classes > MOST_CLASSES {
            let problem = format!("{classes} classes are too many to analyse: at most {MOST_CLASSES} are looked at");
            return Err(Error::Mismatch(problem));
        }
        let rows = Rows::new(labels, probabilities, classes).map_err(Error::Mismatch)?;
        let predicted = rows.predicted();
        let losses = losses(&rows);
        let confusion = ConfusionMatrix::new(labels, &predicted, classes);
        let per_class: Vec<ClassMetrics> = (0..classes).map(|class| ClassMetrics::new(&confusion, class)).collect();
        let n = labels.len() as f64;
        Ok(Analysis {
            images: labels.len(),
            classes,
            accuracy: confusion.right() as f64 / n,
            loss: losses.iter().sum::<f64>() / n,
            brier: rows.iter().map(|(label, row)| squared_distance(label, row)).sum::<f64>() / n,
            top: top_accuracy(&rows),
            macro_average: Averages::of_classes(&per_class),
            weighted_average: Averages::of_images(&per_class),
            calibration: Calibration::new(&rows, &predicted),
            confused: confusion.confused(),
            top_losses: top_losses(&rows, &predicted, &losses),
            confusion,
            per_class,
        })
    }
}

/// The loss of each image.
pub(crate) fn losses(rows: &Rows<'_>) -> Vec<f64> {
    rows.iter().map(|(label, row)| loss(row[label as usize])).collect()
}

/// The rows in the order of their losses, the greatest first, then by row.
pub(crate) fn worst_first(losses: &[f64]) -> Vec<usize> {
    let mut worst: Vec<usize> = (0..losses.len()).collect();
    worst.sort_by(|&a, &b| losses[b].total_cmp(&losses[a]));
    worst
}

/// Cross-entropy of one image whose label has this probability.
fn loss(probability: f32) -> f64 {
    -f64::from(probability).clamp(LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY).ln()
}

/// From a row of probabilities to that in which the label has all.
fn squared_distance(label: u32, row: &[f32]) -> f64 {
    let difference = |(class, &p): (usize, &f32)| f64::from(p) - if class == label as usize { 1.0 } else { 0.0 };
    row.iter().enumerate().map(difference).map(|d| d * d).sum()
}

fn top_accuracy(rows: &Rows<'_>) -> Vec<TopAccuracy> {
    let mut counts = [0_u64; TOP.len()];
    for (label, row) in rows.iter() {
        let (own, label) = (row[label as usize], label as usize);
        let before = row.iter().enumerate().filter(|&(class, &p)| p > own || (p == own && class < label)).count();
        for (count, k) in counts.iter_mut().zip(TOP) {
            *count += u64::from(before < k);
        }
    }
    let kept = TOP.into_iter().zip(counts).filter(|&(k, _)| k < rows.classes());
    kept.map(|(k, count)| TopAccuracy { k, accuracy: count as f64 / rows.len() as f64 }).collect()
}

fn top_losses(rows: &Rows<'_>, predicted: &[u32], losses: &[f64]) -> Vec<TopLoss> {
    let described = worst_first(losses).into_iter().take(TOP_LOSSES).map(|row| {
        let (label, probabilities) = rows.get(row);
        TopLoss {
            row,
            label,
            predicted: predicted[row],
            probability: probabilities[predicted[row] as usize],
            label_probability: probabilities[label as usize],
            loss: losses[row],
        }
    });
    described.collect()
}

#[cfg(test)]
mod tests;
