//! What counts as better.

use crate::recipe::{Mode, Monitor};

/// Whether one value of a monitored number is an improvement on another.
///
/// Keras's rule, strictly: `value + |min_delta| < reference` where down is better, `value - |min_delta| > reference`
/// where up is better. Three points of Keras need saying:
///
/// - It compares in 32 bits, and so does this: the sum is made in 64 bits, then both sides are rounded. An exact tie
///   with `min_delta` is thereby a tie, which 64 bits would decide by the last digit.
/// - NaN never improves. In Keras a NaN in the very first epoch becomes the best and nothing ever beats it; here it
///   does not, and the first number does.
/// - Any first number improves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    up: bool,
    min_delta: f64,
}

impl Comparison {
    /// `min_delta` counts by its magnitude; [`Mode::Auto`] is down for a loss, up for an accuracy.
    pub fn new(monitor: Monitor, mode: Mode, min_delta: f64) -> Comparison {
        let up = match mode {
            Mode::Min => false,
            Mode::Max => true,
            Mode::Auto => matches!(monitor, Monitor::TrainAccuracy | Monitor::ValAccuracy),
        };
        Comparison { up, min_delta: min_delta.abs() }
    }

    /// Whether `value` improves on `reference`; on nothing (`None`) any number does.
    pub fn improves(&self, value: f64, reference: Option<f64>) -> bool {
        match reference {
            None => !value.is_nan(),
            Some(reference) if self.up => ((value - self.min_delta) as f32) > reference as f32,
            Some(reference) => ((value + self.min_delta) as f32) < reference as f32,
        }
    }
}

/// An optional number with every bit.
pub(super) mod bits {
    use crate::train::exact::Exact;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        number.map(Exact).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        Ok(Option::<Exact>::deserialize(deserializer)?.map(|exact| exact.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_direction_follows_the_name_unless_said() {
        let better = |monitor, mode| Comparison::new(monitor, mode, 0.0).improves(2.0, Some(1.0));
        assert!(!better(Monitor::ValLoss, Mode::Auto));
        assert!(!better(Monitor::TrainLoss, Mode::Auto));
        assert!(better(Monitor::ValAccuracy, Mode::Auto));
        assert!(better(Monitor::TrainAccuracy, Mode::Auto));
        assert!(better(Monitor::ValLoss, Mode::Max));
        assert!(!better(Monitor::ValAccuracy, Mode::Min));
    }

    #[test]
    fn a_tie_with_min_delta_is_no_improvement() {
        let down = Comparison::new(Monitor::ValLoss, Mode::Auto, -0.01);
        // In 64 bits 0.57 + 0.01 is a hair below 0.58.
        assert!(!down.improves(0.57, Some(0.58)));
        assert!(down.improves(0.5699, Some(0.58)));
    }

    #[test]
    fn nan_never_improves_and_any_first_number_does() {
        for mode in [Mode::Min, Mode::Max] {
            let comparison = Comparison::new(Monitor::ValLoss, mode, 0.0);
            assert!(!comparison.improves(f64::NAN, None));
            assert!(!comparison.improves(f64::NAN, Some(1.0)));
            assert!(comparison.improves(f64::INFINITY, None));
            assert!(comparison.improves(f64::NEG_INFINITY, None));
        }
    }
}
