//! The learning rate, and momentum where it moves, as functions of the step.

use crate::nn::Pace;
use crate::recipe::ScheduleConfig;
use std::f64::consts::PI;

/// A learning rate for each step; pure, so that there is nothing to save or resume.
///
/// Steps count from 0 over the whole run. Formulas: Keras's `ExponentialDecay`, `CosineDecay` (whose warm-up all other
/// kinds share) and, for steps, `PiecewiseConstantDecay`; PyTorch's `OneCycleLR`. Epochs become whole steps, at least one
/// where a duration is meant.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    base: f64,
    warmup_steps: f64,
    warmup_from: f64,
    curve: Curve,
    /// Momentum on the first and last step, and at the peak; `None` where it does not move.
    momentum: Option<[f64; 2]>,
}

/// What follows the warm-up, as a fraction of the base rate.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Curve {
    Constant,
    Exponential { rate: f64, steps: f64, staircase: bool },
    Cosine { alpha: f64, steps: f64 },
    OneCycle { cycle: Cycle, start: f64, end: f64 },
}

/// Half a cosine to the top at step `top`, which need not be whole, and half a cosine down to step `last`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cycle {
    top: f64,
    last: f64,
}

impl Cycle {
    /// Of a run of `steps` steps, as PyTorch places them.
    fn new(warm_fraction: f64, steps: f64) -> Cycle {
        let steps = steps.max(1.0);
        Cycle { top: warm_fraction * steps - 1.0, last: steps - 1.0 }
    }

    /// The value at `step`; after the last, what it ended with.
    fn at(self, step: f64, start: f64, top: f64, end: f64) -> f64 {
        let between = |from: f64, to: f64, part: f64| to + (from - to) / 2.0 * (libm::cos(PI * part) + 1.0);
        match step.min(self.last) {
            step if step < self.top => between(start, top, step / self.top),
            step if step == self.top => top,
            step => between(top, end, (step - self.top) / (self.last - self.top)),
        }
    }
}

impl Schedule {
    /// `base` is the optimizer's learning rate, `None` keeps it throughout.
    ///
    /// A run of `total_epochs` epochs of `steps_per_epoch` steps each is what an unlimited cosine is fitted to.
    pub fn new(config: Option<&ScheduleConfig>, base: f64, steps_per_epoch: u64, total_epochs: u32) -> Schedule {
        let per_epoch = steps_per_epoch as f64;
        let whole = |epochs: f64| (epochs * per_epoch).round().max(1.0);
        let (warmup_epochs, warmup_from) = config.map_or((0.0, 0.0), ScheduleConfig::warmup);
        let warmup_steps = (warmup_epochs * per_epoch).round();
        let curve = match config {
            None | Some(ScheduleConfig::Constant { .. }) => Curve::Constant,
            Some(&ScheduleConfig::Step { factor, every_epochs, .. }) => {
                Curve::Exponential { rate: factor, steps: whole(every_epochs), staircase: true }
            }
            Some(&ScheduleConfig::Exponential { decay_rate, decay_epochs, staircase, .. }) => {
                Curve::Exponential { rate: decay_rate, steps: whole(decay_epochs), staircase }
            }
            Some(&ScheduleConfig::Cosine { alpha, decay_epochs, .. }) => {
                let rest = f64::from(total_epochs) * per_epoch - warmup_steps;
                Curve::Cosine { alpha, steps: decay_epochs.map_or(rest.max(1.0), whole) }
            }
            Some(&ScheduleConfig::OneCycle { warm_fraction, div, final_div, .. }) => {
                let cycle = Cycle::new(warm_fraction, f64::from(total_epochs) * per_epoch);
                Curve::OneCycle { cycle, start: 1.0 / div, end: 1.0 / final_div }
            }
        };
        let momentum = config.and_then(ScheduleConfig::momentum);
        Schedule { base, warmup_steps, warmup_from, curve, momentum }
    }

    /// The rate that the curve is a fraction of.
    pub fn base(&self) -> f64 {
        self.base
    }

    /// The same curve below another rate, as after a reduction on a plateau.
    #[must_use]
    pub fn with_base(&self, base: f64) -> Schedule {
        Schedule { base, ..self.clone() }
    }

    /// What step `step` takes from the schedule, counted from 0 over the whole run.
    pub fn pace(&self, step: u64) -> Pace {
        let momentum = match (self.curve, self.momentum) {
            (Curve::OneCycle { cycle, .. }, Some([high, low])) => Some(cycle.at(step as f64, high, low, high)),
            _ => None,
        };
        Pace { learning_rate: self.learning_rate(step), momentum }
    }

    /// The learning rate of step `step`, counted from 0 over the whole run.
    pub fn learning_rate(&self, step: u64) -> f64 {
        let step = step as f64;
        if step < self.warmup_steps {
            let start = self.base * self.warmup_from;
            return (self.base - start) * (step / self.warmup_steps) + start;
        }
        let step = step - self.warmup_steps;
        self.base
            * match self.curve {
                Curve::Constant => 1.0,
                Curve::Exponential { rate, steps, staircase: true } => libm::pow(rate, (step / steps).floor()),
                Curve::Exponential { rate, steps, staircase: false } => libm::pow(rate, step / steps),
                Curve::Cosine { alpha, steps } => {
                    let cosine = 0.5 * (1.0 + libm::cos(PI * (step / steps).min(1.0)));
                    (1.0 - alpha) * cosine + alpha
                }
                Curve::OneCycle { cycle, start, end } => cycle.at(step, start, 1.0, end),
            }
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
