//! Labels with their rows of class probabilities, checked.

use std::iter::zip;

/// A row's probabilities may miss 1 by this much in sum: they are rounded to 32 bits, each by itself.
const TOLERANCE: f64 = 1e-3;

/// `n` labels and `n x classes` probabilities that fit together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    labels: &'a [u32],
    probabilities: &'a [f32],
    classes: usize,
}

impl<'a> Rows<'a> {
    /// Checks that there is something, that the numbers fit, that each label is a class and each row a distribution.
    pub(crate) fn new(labels: &'a [u32], probabilities: &'a [f32], classes: usize) -> Result<Rows<'a>, String> {
        let (n, values) = (labels.len(), probabilities.len());
        if n == 0 || classes == 0 {
            return Err("there are no predictions".to_owned());
        }
        if n.checked_mul(classes) != Some(values) {
            return Err(format!("{values} probabilities are not those of {n} images and {classes} classes"));
        }
        if let Some(row) = labels.iter().position(|&label| label as usize >= classes) {
            return Err(format!("row {row} has label {}, of {classes} classes", labels[row]));
        }
        for (row, values) in probabilities.chunks_exact(classes).enumerate() {
            if let Some(class) = values.iter().position(|p| !(0.0..=1.0).contains(p)) {
                return Err(format!("row {row} has a probability of {} for class {class}", values[class]));
            }
            let sum: f64 = values.iter().map(|&p| f64::from(p)).sum();
            if (sum - 1.0).abs() > TOLERANCE {
                return Err(format!("the probabilities of row {row} have the sum {sum}, not 1"));
            }
        }
        Ok(Rows { labels, probabilities, classes })
    }

    /// Number of images.
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Number of classes.
    pub(crate) fn classes(&self) -> usize {
        self.classes
    }

    /// The label and the probabilities of one image.
    pub(crate) fn get(&self, row: usize) -> (u32, &'a [f32]) {
        (self.labels[row], &self.probabilities[row * self.classes..(row + 1) * self.classes])
    }

    /// Label and probabilities, image by image.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &'a [f32])> {
        zip(self.labels.iter().copied(), self.probabilities.chunks_exact(self.classes))
    }

    /// The most probable class of each image; of equals, the first.
    pub(crate) fn predicted(&self) -> Vec<u32> {
        self.probabilities.chunks_exact(self.classes).map(largest).collect()
    }
}

/// Where the largest value stands; of equals, the first.
pub(crate) fn largest(row: &[f32]) -> u32 {
    let best = row.iter().enumerate().fold(0, |best, (class, p)| if *p > row[best] { class } else { best });
    best as u32
}
