//! The rates of a range test.

use crate::Error;

/// Which rates a range test goes through, and in how many steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateRange {
    lowest: f64,
    highest: f64,
    steps: u32,
}

/// Fewer steps show no curve.
const LEAST_STEPS: u32 = 10;
/// More steps are a training run.
const MOST_STEPS: u32 = 100_000;

impl RateRange {
    /// Rates from `lowest` to `highest`, each the same factor above the one before.
    ///
    /// # Errors
    /// If they are not two positive numbers that 32 bits can hold, the lower one first, or there are not 10 to 100,000
    /// steps.
    pub fn new(lowest: f64, highest: f64, steps: u32) -> Result<RateRange, Error> {
        let wrong = |what: String| Err(Error::Mismatch(what));
        let usable = f64::from(f32::MIN_POSITIVE)..=f64::from(f32::MAX);
        if !(usable.contains(&lowest) && usable.contains(&highest)) {
            return wrong(format!(
                "learning rates from {lowest} to {highest}: they must be positive numbers that 32 bits can hold"
            ));
        }
        if highest <= lowest {
            return wrong(format!(
                "learning rates from {lowest} to {highest}: the second must be higher than the first"
            ));
        }
        if !(LEAST_STEPS..=MOST_STEPS).contains(&steps) {
            return wrong(format!("{steps} steps: a range test has {LEAST_STEPS} to {MOST_STEPS} of them"));
        }
        Ok(RateRange { lowest, highest, steps })
    }

    /// The rate of the first step.
    pub fn lowest(&self) -> f64 {
        self.lowest
    }

    /// The rate of the last step.
    pub fn highest(&self) -> f64 {
        self.highest
    }

    /// Steps, each with a rate of its own.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// The rate of `step`, from 0.
    pub(super) fn rate(&self, step: u32) -> f64 {
        let share = f64::from(step) / f64::from(self.steps - 1);
        self.lowest * libm::pow(self.highest / self.lowest, share)
    }
}

impl Default for RateRange {
    /// From 1e-7 to 10 in 200 steps: wide enough for every optimizer.
    fn default() -> RateRange {
        RateRange { lowest: 1e-7, highest: 10.0, steps: 200 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_grow_by_a_constant_factor_from_end_to_end() {
        let range = RateRange::new(1e-4, 1e2, 13).unwrap();
        for step in 0..13 {
            let expected = 10_f64.powf(-4.0 + 0.5 * f64::from(step));
            assert!((range.rate(step) / expected - 1.0).abs() < 1e-12, "{step}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused_with_the_reason() {
        let refusal = |lowest, highest, steps| RateRange::new(lowest, highest, steps).unwrap_err().to_string();
        for (lowest, highest) in
            [(0.0, 1.0), (-1e-3, 1.0), (f64::NAN, 1.0), (1e-3, f64::INFINITY), (1e-3, f64::NAN), (1e-39, 1.0)]
        {
            assert!(refusal(lowest, highest, 100).contains("positive numbers"), "{lowest} {highest}");
        }
        assert!(refusal(1e-3, 1e-3, 100).contains("higher than the first"));
        assert!(refusal(1e-1, 1e-3, 100).contains("higher than the first"));
        assert!(refusal(1e-3, 1.0, 9).contains("10 to 100000"));
        assert!(refusal(1e-3, 1.0, 100_001).contains("10 to 100000"));
        let default = RateRange::default();
        assert_eq!(RateRange::new(default.lowest(), default.highest(), default.steps()).unwrap(), default);
    }
}
