//! How far probabilities can be believed: of the images that a classifier is 80 % sure of, 80 % should be right.

use std::iter::zip;

use serde::Serialize;

use super::rows::Rows;

/// Number of bins.
const BINS: usize = 15;

/// Images sorted into bins of equal width by the probability of the class that they were taken for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// 15 bins from 0 to 1, empty ones included.
    pub bins: Vec<Bin>,
    /// Expected calibration error: the mean distance between accuracy and confidence of a bin, weighted by its images.
    pub ece: f64,
    /// Maximum calibration error: the largest such distance of a bin that is not empty.
    pub mce: f64,
}

/// The images whose probability is above `lower` and at most `upper`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// Lower end, which belongs to the bin below.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
    /// Images.
    pub count: u64,
    /// Mean probability of the class that they were taken for; 0 if there is no image.
    pub confidence: f64,
    /// Share of them that was right; 0 if there is no image.
    pub accuracy: f64,
}

impl Calibration {
    pub(super) fn new(rows: &Rows<'_>, predicted: &[u32]) -> Calibration {
        let edge = |i: usize| i as f64 / BINS as f64;
        let mut sums = [(0_u64, 0.0, 0_u64); BINS];
        for ((label, row), &predicted) in zip(rows.iter(), predicted) {
            let probability = f64::from(row[predicted as usize]);
            let place = (1..BINS).find(|&i| probability <= edge(i)).unwrap_or(BINS);
            let (count, confidence, right) = &mut sums[place - 1];
            *count += 1;
            *confidence += probability;
            *right += u64::from(label == predicted);
        }
        let bin = |(i, (count, confidence, right)): (usize, (u64, f64, u64))| {
            let n = count.max(1) as f64;
            Bin { lower: edge(i), upper: edge(i + 1), count, confidence: confidence / n, accuracy: right as f64 / n }
        };
        let bins: Vec<Bin> = sums.into_iter().enumerate().map(bin).collect();
        let gap = |bin: &Bin| (bin.accuracy - bin.confidence).abs();
        let ece = bins.iter().map(|bin| bin.count as f64 / rows.len() as f64 * gap(bin)).sum();
        let mce = bins.iter().map(gap).fold(0.0, f64::max);
        Calibration { bins, ece, mce }
    }

    /// Images in all bins.
    pub fn images(&self) -> u64 {
        self.bins.iter().map(|bin| bin.count).sum()
    }

    /// The mean over all images of a figure of their bins; 0 if there is no image.
    pub fn mean(&self, figure: impl Fn(&Bin) -> f64) -> f64 {
        let sum: f64 = self.bins.iter().map(|bin| bin.count as f64 * figure(bin)).sum();
        sum / self.images().max(1) as f64
    }
}
