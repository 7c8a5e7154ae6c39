//! Which labels are probably wrong, by confident learning (Northcutt, Jiang, Chuang: "Confident Learning: Estimating
//! Uncertainty in Dataset Labels", 2021).
//!
//! It needs probabilities from networks that have not seen the images that they judge: [`out_of_sample`] makes them,
//! [`LabelIssues::find`] works on labels and probabilities alone.
//!
//! A class's threshold is the mean probability of the class over the images with its label. An image is confidently of
//! a class whose threshold its probability reaches; if there are several such classes, of the most probable class of
//! all. Where that is not its label, and its label is not its most probable class, the label is an issue. Ranked are
//! all images by the probability of their label, which on MNIST finds more of the labels that were flipped on purpose
//! than the normalised margin does (`docs/label-issues.md`).

mod folds;
mod out_of_sample;

use serde::Serialize;

use crate::Error;
use crate::analysis::{ConfusionMatrix, MOST_CLASSES, Rows};

pub use folds::stratified_folds;
pub use out_of_sample::{OutOfSample, out_of_sample};

/// A probability reaches a threshold that it misses by no more than this: sums of rounded numbers are not exact.
const TOLERANCE: f64 = 1e-6;
/// No threshold is lower, or images would be confidently of a class that hardly any image is of.
const LEAST_THRESHOLD: f64 = 2e-6;

/// What labels and out-of-sample probabilities say about the labels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelIssues {
    /// From which probability on an image is confidently of a class, by class; `None` for classes without labels.
    pub thresholds: Vec<Option<f64>>,
    /// The confident joint: how many images with each label are confidently of each class, not calibrated.
    pub confident_joint: ConfusionMatrix,
    /// Every image, the label most likely to be wrong first: by the probability of the label, then by margin, then by
    /// row.
    pub ranking: Vec<JudgedLabel>,
}

/// What there is to say about one image's label.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct JudgedLabel {
    /// Which image: its row among the labels that were given.
    pub row: usize,
    /// Its label.
    pub label: u32,
    /// The class that it is confidently of, else the most probable one; it may be the label.
    pub suggested: u32,
    /// Probability of the label.
    pub label_probability: f32,
    /// Probability of the suggested class.
    pub suggested_probability: f32,
    /// Normalised margin, the probability of the label less the largest of the others: from -1 (certainly another
    /// class) to 1 (certainly the label).
    pub margin: f64,
    /// Whether the label is an issue.
    pub is_issue: bool,
}

impl LabelIssues {
    /// Judges `labels` (n of them) by `probabilities` (n x `classes`, row-major) of networks that have not been trained
    /// on the images that they judge.
    ///
    /// # Errors
    /// If there is no image, fewer than two or more than [`MOST_CLASSES`] classes, their numbers do not fit, a label is
    /// no class, or a row's probabilities are not from 0 to 1 with a sum of 1 (to a thousandth).
    pub fn find(labels: &[u32], probabilities: &[f32], classes: usize) -> Result<LabelIssues, Error> {
        if !(2..=MOST_CLASSES).contains(&classes) {
            let problem = format!("{classes} classes: labels can be judged among 2 to {MOST_CLASSES} classes");
            return Err(Error::Mismatch(problem));
        }
        let rows = Rows::new(labels, probabilities, classes).map_err(Error::Mismatch)?;
        let (predicted, thresholds) = (rows.predicted(), thresholds(&rows));
        let confident: Vec<Option<u32>> =
            rows.iter().zip(&predicted).map(|((_, row), &predicted)| confident(row, &thresholds, predicted)).collect();
        let counted = labels.iter().zip(&confident).filter_map(|(&label, class)| Some((label, (*class)?)));
        let (given, found): (Vec<u32>, Vec<u32>) = counted.unzip();
        let judged = rows.iter().enumerate().map(|(row, (label, probabilities))| {
            let suggested = confident[row].unwrap_or(predicted[row]);
            JudgedLabel {
                row,
                label,
                suggested,
                label_probability: probabilities[label as usize],
                suggested_probability: probabilities[suggested as usize],
                margin: margin(label, probabilities),
                is_issue: confident[row].is_some_and(|class| class != label) && predicted[row] != label,
            }
        });
        let mut ranking: Vec<JudgedLabel> = judged.collect();
        // A stable sort: what is equal stays in the order of the rows.
        ranking.sort_by(|a, b| a.label_probability.total_cmp(&b.label_probability).then(a.margin.total_cmp(&b.margin)));
        Ok(LabelIssues { thresholds, confident_joint: ConfusionMatrix::new(&given, &found, classes), ranking })
    }

    /// The labels that are probably wrong, the likeliest first.
    pub fn issues(&self) -> impl Iterator<Item = &JudgedLabel> {
        self.ranking.iter().filter(|judged| judged.is_issue)
    }
}

/// For each class the mean of its probability over the images with its label.
fn thresholds(rows: &Rows<'_>) -> Vec<Option<f64>> {
    let mut sums = vec![(0.0, 0_u64); rows.classes()];
    for (label, row) in rows.iter() {
        let (sum, count) = &mut sums[label as usize];
        *sum += f64::from(row[label as usize]);
        *count += 1;
    }
    let mean = |(sum, count): (f64, u64)| (count > 0).then(|| (sum / count as f64).max(LEAST_THRESHOLD));
    sums.into_iter().map(mean).collect()
}

/// The class that an image is confidently of, if there is one; `predicted` is its most probable one.
fn confident(row: &[f32], thresholds: &[Option<f64>], predicted: u32) -> Option<u32> {
    let reaches = |(_, (p, threshold)): &(usize, (&f32, &Option<f64>))| {
        threshold.is_some_and(|threshold| f64::from(**p) >= threshold - TOLERANCE)
    };
    let mut classes = row.iter().zip(thresholds).enumerate().filter(reaches).map(|(class, _)| class as u32);
    let first = classes.next()?;
    Some(if classes.next().is_some() { predicted } else { first })
}

/// The probability of the label less the largest of the others.
fn margin(label: u32, row: &[f32]) -> f64 {
    let others = row.iter().enumerate().filter(|&(class, _)| class != label as usize);
    let largest = others.map(|(_, &p)| p).fold(0.0, f32::max);
    f64::from(row[label as usize]) - f64::from(largest)
}

#[cfg(test)]
mod tests;
