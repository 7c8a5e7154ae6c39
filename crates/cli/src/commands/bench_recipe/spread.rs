//! Figures of several runs: mean, spread and interval.

use serde::{Deserialize, Serialize};

/// The mean of several values with its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Spread {
    /// Number of values.
    pub(super) n: usize,
    /// Their mean.
    pub(super) mean: f64,
    /// Their standard deviation, of a sample (n - 1); `None` of a single value.
    pub(super) sd: Option<f64>,
    /// The 95 % confidence interval of the mean by Student's t; `None` of a single value.
    pub(super) interval: Option<[f64; 2]>,
}

impl Spread {
    /// Of these values, if there are any.
    pub(super) fn of(values: &[f64]) -> Option<Spread> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let sd = (n > 1).then(|| {
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            (squares / (n - 1) as f64).sqrt()
        });
        let interval = sd.map(|sd| {
            let half = student(n - 1) * sd / (n as f64).sqrt();
            [mean - half, mean + half]
        });
        Some(Spread { n, mean, sd, interval })
    }
}

/// The middle and the ends of several values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Range {
    /// The median.
    pub(super) median: f64,
    /// The least.
    pub(super) min: f64,
    /// The greatest.
    pub(super) max: f64,
}

impl Range {
    /// Of these values, if there are any.
    pub(super) fn of(values: &[f64]) -> Option<Range> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let half = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[half] } else { (sorted[half - 1] + sorted[half]) / 2.0 };
        Some(Range { median, min, max })
    }
}

/// The 0.975 quantile of Student's t for 1 to 30 degrees of freedom.
const STUDENT: [f64; 30] = [
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788, 2.1604, 2.1448,
    2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484,
    2.0452, 2.0423,
];

/// The 0.975 quantile of Student's t for so many degrees of freedom, at least 1.
fn student(freedom: usize) -> f64 {
    if let Some(&t) = STUDENT.get(freedom - 1) {
        return t;
    }
    // Beyond the table the first terms of Fisher's expansion around the normal quantile are right to four digits.
    let (z, v) = (1.959_963_985_f64, freedom as f64);
    let first = (z.powi(3) + z) / (4.0 * v);
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * v * v);
    z + first + second
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_is_that_of_a_sample() {
        // By hand: the deviations of 1, 2, 4, 5 from 3 are 2, 1, 1, 2; 10 / 3 is the variance.
        let spread = Spread::of(&[1.0, 2.0, 4.0, 5.0]).unwrap();
        let sd = (10.0_f64 / 3.0).sqrt();
        assert_eq!((spread.n, spread.mean, spread.sd), (4, 3.0, Some(sd)));
        let half = 3.1824 * sd / 2.0;
        assert_eq!(spread.interval, Some([3.0 - half, 3.0 + half]));
        let one = Spread::of(&[0.5]).unwrap();
        assert_eq!((one.mean, one.sd, one.interval), (0.5, None, None));
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn medians_stand_in_the_middle() {
        assert_eq!(Range::of(&[3.0, 1.0, 2.0]), Some(Range { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Range::of(&[4.0, 1.0, 2.0, 9.0]), Some(Range { median: 3.0, min: 1.0, max: 9.0 }));
        assert_eq!(Range::of(&[]), None);
    }

    #[test]
    fn students_quantiles_are_those_of_the_tables() {
        // Printed tables: 2.0395 at 31, 2.0211 at 40, 1.9799 at 120 degrees of freedom.
        for (freedom, t) in [(19, 2.0930), (31, 2.0395), (40, 2.0211), (120, 1.9799)] {
            assert!((student(freedom) - t).abs() < 1e-4, "{freedom}: {}", student(freedom));
        }
    }
}
