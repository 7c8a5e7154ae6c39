//! Which rate to train with.

use super::{RangeEnd, RatePoint, RateRange};

/// How the suggestion is found, in a sentence.
pub const SUGGESTION_RULE: &str = "two thirds of the rate at which the smoothed loss is lowest";

const SHARE: f64 = 2.0 / 3.0;
/// Standard deviation of the weights of neighbours, in decades of the learning rate.
const WIDTH: f64 = 0.4;
/// Neighbours further away, in standard deviations, have no weight.
const REACH: f64 = 4.0;
/// A loss counts for no more than so many times the first one: how far it jumps tells nothing about its neighbours.
const MOST: f64 = 1.2;
/// Where the loss falls by less than this share of its beginning, noise may be all that there is.
const LEAST_FALL: f64 = 0.02;

/// The losses of the steps of `range`, each the mean of its neighbours by weights that fall off as a normal distribution
/// with the logarithm of the rate. It does not lag behind, as an average over past steps would, and hardly depends on the
/// number of steps. Steps that were not taken, because the loss had grown too much, count as the highest loss.
pub(super) fn smoothed(losses: &[f64], range: &RateRange, end: RangeEnd) -> Vec<f64> {
    let Some(first) = losses.first() else { return Vec::new() };
    let missing = match end {
        RangeEnd::Highest => 0,
        RangeEnd::Diverged | RangeEnd::NotANumber => (range.steps() as usize).saturating_sub(losses.len()),
    };
    let most = MOST * first;
    let all: Vec<f64> = losses.iter().map(|loss| loss.min(most)).chain(std::iter::repeat_n(most, missing)).collect();
    let weights = weights(range, all.len());
    let mean = |at: usize| {
        let near = at.saturating_sub(weights.len() - 1)..(at + weights.len()).min(all.len());
        let weighted = near.map(|other| (weights[at.abs_diff(other)], all[other]));
        let (weight, sum) = weighted.fold((0.0, 0.0), |(w, s), (weight, loss)| (w + weight, s + weight * loss));
        sum / weight
    };
    (0..losses.len()).map(mean).collect()
}

/// The weight of a neighbour by how many steps it is away, for at most `most` of them.
fn weights(range: &RateRange, most: usize) -> Vec<f64> {
    let step = libm::log10(range.rate(1) / range.rate(0)) / WIDTH;
    let weight = |away: usize| {
        let deviations = away as f64 * step;
        (deviations <= REACH).then(|| libm::exp(-0.5 * deviations * deviations))
    };
    (0..most).map_while(weight).collect()
}

/// The rate to train with after the steps at `points`; `None` where the loss never fell by more than noise may.
pub(super) fn suggestion(points: &[RatePoint]) -> Option<f64> {
    let lowest = points.iter().min_by(|a, b| a.smoothed_loss.total_cmp(&b.smoothed_loss))?;
    let fell = lowest.smoothed_loss < (1.0 - LEAST_FALL) * points[0].smoothed_loss;
    fell.then(|| rounded(SHARE * lowest.learning_rate))
}

/// To two digits: the test is no more precise, and the number is to be typed.
fn rounded(rate: f64) -> f64 {
    format!("{rate:.1e}").parse().unwrap_or(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Flat, then falling from 1e-4 to 0.01, then high: the losses of `range`.
    fn losses(range: &RateRange) -> Vec<f64> {
        let loss = |rate: f64| match libm::log10(rate) {
            low if low < -4.0 => 2.0,
            falling if falling < -2.0 => 2.0 - 0.7 * (falling + 4.0),
            _ => 40.0,
        };
        (0..range.steps()).map(|step| loss(range.rate(step))).collect()
    }

    fn points(losses: &[f64], range: &RateRange, end: RangeEnd) -> Vec<RatePoint> {
        let smoothed = smoothed(losses, range, end);
        let point = |(step, (&loss, smoothed_loss))| RatePoint { learning_rate: range.rate(step), loss, smoothed_loss };
        (0..).zip(losses.iter().zip(smoothed)).map(point).collect()
    }

    fn suggested(losses: &[f64], range: &RateRange, end: RangeEnd) -> Option<f64> {
        suggestion(&points(losses, range, end))
    }

    #[test]
    fn smoothing_is_a_weighted_mean_of_neighbours_on_both_sides() {
        // A step is half a standard deviation.
        let range = RateRange::new(1.0, 10_f64.powf(0.2 * 30.0), 31).unwrap();
        let mut one_high = vec![1.0; 31];
        one_high[15] = 1.1;
        let smoothed = smoothed(&one_high, &range, RangeEnd::Highest);
        let total: f64 = (-8..=8).map(|away| f64::exp(-f64::from(away * away) / 8.0)).sum();
        for away in 0..=8 {
            let expected = 1.0 + 0.1 * f64::exp(-((away * away) as f64) / 8.0) / total;
            for at in [15 - away, 15 + away] {
                // At the ends some neighbours are missing, but that is far away.
                assert!((smoothed[at] - expected).abs() < 1e-3, "{at}: {} {expected}", smoothed[at]);
            }
        }
        assert!((smoothed[15] - (1.0 + 0.1 / total)).abs() < 1e-12);
        assert_eq!(smoothed[3], 1.0, "too far away");
        assert!(super::smoothed(&[], &range, RangeEnd::Highest).is_empty());
    }

    #[test]
    fn the_number_of_steps_and_the_ends_of_the_range_hardly_matter() {
        let of = |lowest, highest, steps| {
            let range = RateRange::new(lowest, highest, steps).unwrap();
            suggested(&losses(&range), &range, RangeEnd::Highest).unwrap()
        };
        let usual = of(1e-7, 10.0, 200);
        assert!((1e-3..5e-3).contains(&usual), "{usual}");
        for (lowest, highest, steps) in [(1e-7, 10.0, 100), (1e-7, 10.0, 1000), (1e-6, 1.0, 200), (1e-8, 100.0, 300)] {
            let other = of(lowest, highest, steps);
            assert!((0.8..1.25).contains(&(other / usual)), "{lowest} to {highest} in {steps}: {other}, not {usual}");
        }
    }

    #[test]
    fn how_the_loss_explodes_does_not_matter() {
        let range = RateRange::default();
        let losses = losses(&range);
        let usual = suggested(&losses, &range, RangeEnd::Highest);
        let higher: Vec<f64> = losses.iter().map(|&loss| if loss > 2.0 { 1e30 } else { loss }).collect();
        assert_eq!(suggested(&higher, &range, RangeEnd::Highest), usual);
        let taken = losses.iter().position(|&loss| loss > 2.0).unwrap();
        for end in [RangeEnd::Diverged, RangeEnd::NotANumber] {
            assert_eq!(suggested(&losses[..taken], &range, end), usual, "{end:?}");
        }
        let mut wild = losses.clone();
        wild[taken - 20] = 1e6;
        let other = suggested(&wild, &range, RangeEnd::Highest).unwrap() / usual.unwrap();
        assert!((0.8..1.25).contains(&other), "one wild batch: {other}");
    }

    #[test]
    fn noise_is_no_fall() {
        let range = RateRange::default();
        let noise: Vec<f64> = (0..200).map(|step| 2.3 + 0.1 * f64::from(step * 37 % 11) / 11.0).collect();
        assert_eq!(suggested(&noise, &range, RangeEnd::Highest), None);
        assert_eq!(suggested(&[2.3], &range, RangeEnd::NotANumber), None);
        assert_eq!(suggested(&[], &range, RangeEnd::NotANumber), None);
        let rising: Vec<f64> = (0..200).map(|step| 2.3 + 0.001 * f64::from(step)).collect();
        assert_eq!(suggested(&rising, &range, RangeEnd::Highest), None);
    }

    #[test]
    fn suggestions_have_two_digits() {
        assert_eq!([0.001_234, 0.0996, 9.96e-8].map(rounded), [0.0012, 0.1, 1e-7]);
    }
}
