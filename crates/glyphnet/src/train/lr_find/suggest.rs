//! Which rate to train with.

use super::RatePoint;

/// How the suggestion is found, in a sentence.
pub const SUGGESTION_RULE: &str = "a tenth of the rate at which the smoothed loss is lowest";

/// The rate to train with after the steps at `points`; `None` where the loss never fell.
pub(super) fn suggestion(points: &[RatePoint]) -> Option<f64> {
    let lowest = points.iter().min_by(|a, b| a.smoothed_loss.total_cmp(&b.smoothed_loss))?;
    (lowest.smoothed_loss < points[0].smoothed_loss).then(|| rounded(lowest.learning_rate / 10.0))
}

/// To two digits: the test is no more precise, and the number is to be typed.
fn rounded(rate: f64) -> f64 {
    format!("{rate:.1e}").parse().unwrap_or(rate)
}
