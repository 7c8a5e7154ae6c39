//! `[ema]` and `[swa]`: averages of the weights, which are judged and kept in place of the last ones.

use serde::{Deserialize, Serialize};

use super::Recipe;
use crate::nn::{AverageRule, Averaging};

/// `[ema]`: an exponential moving average of the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmaConfig {
    /// How much of the average stays each time.
    pub decay: f64,
    /// The share of all steps after which it begins, with the weights as they are then.
    pub start: f64,
    /// Steps from one update to the next; the last is after the last step.
    pub every: u32,
    /// Recompute batch norm's running statistics over so many training images before the average is judged; 0 = average
    /// them as the weights.
    pub recalibrate_batch_norm: usize,
}

impl Default for EmaConfig {
    fn default() -> EmaConfig {
        EmaConfig { decay: 0.99, start: 0.5, every: 1, recalibrate_batch_norm: 0 }
    }
}

/// `[swa]`: stochastic weight averaging (Izmailov et al. 2018), the mean of the weights late in the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SwaConfig {
    /// The share of all steps after which it begins.
    pub start: f64,
    /// Steps from one set of weights to the next; absent = the end of each epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<u32>,
    /// As in [`EmaConfig`].
    pub recalibrate_batch_norm: usize,
}

impl Default for SwaConfig {
    fn default() -> SwaConfig {
        SwaConfig { start: 0.75, every: None, recalibrate_batch_norm: 0 }
    }
}

impl Recipe {
    /// Which steps' weights are averaged in a run whose epochs have so many steps, and how; `None` = none.
    pub fn averaging(&self, steps_per_epoch: u64) -> Option<Averaging> {
        let (rule, start, every) = match (&self.ema, &self.swa) {
            (Some(ema), _) => (AverageRule::Exponential { decay: ema.decay }, ema.start, Some(ema.every)),
            (None, Some(swa)) => (AverageRule::Mean, swa.start, swa.every),
            (None, None) => return None,
        };
        let last = u64::from(self.train.epochs) * steps_per_epoch;
        // Steps count from 1: with `start` 0 the first counts, with 1 the last alone.
        let first = ((start * last as f64).ceil() as u64).clamp(1, last.max(1));
        let every = every.map_or(steps_per_epoch, u64::from).max(1);
        Some(Averaging { rule, first, every, last })
    }

    /// Over how many training images batch norm's statistics of an average are recomputed; 0 = not at all.
    pub fn recalibration(&self) -> usize {
        let ema = self.ema.as_ref().map(|ema| ema.recalibrate_batch_norm);
        ema.or(self.swa.as_ref().map(|swa| swa.recalibrate_batch_norm)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_a_run_become_steps() {
        let of = |overrides: &[&str]| {
            let recipe = Recipe::load("seed").unwrap().with_overrides(&["train.epochs=10"]).unwrap();
            recipe.with_overrides(overrides).unwrap().averaging(7)
        };
        assert_eq!(of(&[]), None);
        let rule = AverageRule::Exponential { decay: 0.97 };
        assert_eq!(of(&["ema.decay=0.97"]), Some(Averaging { rule, first: 35, every: 1, last: 70 }));
        let swa = Averaging { rule: AverageRule::Mean, first: 53, every: 7, last: 70 };
        assert_eq!(of(&["swa.start=0.75"]), Some(swa));
        assert_eq!(of(&["swa.start=0", "swa.every=3"]), Some(Averaging { first: 1, every: 3, ..swa }));
        assert_eq!(of(&["swa.start=1"]), Some(Averaging { first: 70, ..swa }));
    }
}
