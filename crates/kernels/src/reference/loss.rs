//! Softmax cross-entropy by its definition, in f64.

use crate::{LossOptions, LossSum};

/// The first largest value's index; `None` where there is a NaN (or nothing).
pub fn argmax(values: &[f32]) -> Option<usize> {
    let mut best = None;
    for (i, v) in values.iter().enumerate() {
        if v.is_nan() {
            return None;
        }
        best = match best {
            Some(b) if values[b] >= *v => Some(b),
            _ => Some(i),
        };
    }
    best
}

/// Softmax cross-entropy against one-hot or soft targets; see [`crate::softmax_cross_entropy_targets`]. Gradient
/// and probabilities are both written.
pub fn softmax_cross_entropy_targets(
    classes: usize,
    (logits, targets): (&[f32], &[f32]),
    options: &LossOptions<'_>,
    scale: f32,
    dlogits: &mut [f32],
    probabilities: &mut [f32],
) -> LossSum {
    let mut total = LossSum::default();
    for (sample, (z, t)) in logits.chunks_exact(classes).zip(targets.chunks_exact(classes)).enumerate() {
        let largest = f64::from(z.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let sum: f64 = z.iter().map(|&v| libm::exp(f64::from(v) - largest)).sum();
        let top = argmax(t);
        let weight = f64::from(options.class_weights.zip(top).map_or(1.0, |(weights, label)| weights[label]));
        let smoothing = f64::from(options.smoothing);
        let smooth = |c: usize| f64::from(t[c]) * (1.0 - smoothing) + smoothing / classes as f64;
        let mass: f64 = (0..classes).map(smooth).sum();
        for (c, &logit) in z.iter().enumerate() {
            let log_p = f64::from(logit) - largest - libm::log(sum);
            let at = sample * classes + c;
            if smooth(c) != 0.0 || log_p.is_nan() {
                total.loss -= weight * smooth(c) * log_p;
            }
            probabilities[at] = libm::exp(log_p) as f32;
            dlogits[at] = (weight * f64::from(scale) * (mass * libm::exp(log_p) - smooth(c))) as f32;
        }
        total.correct += usize::from(top.is_some() && argmax(z) == top);
    }
    total
}

/// The one-hot rows of `labels`.
pub fn one_hot(classes: usize, labels: &[u32]) -> Vec<f32> {
    let mut rows = vec![0.0; classes * labels.len()];
    for (row, &label) in rows.chunks_exact_mut(classes).zip(labels) {
        row[label as usize] = 1.0;
    }
    rows
}
