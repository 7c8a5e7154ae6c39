//! Successive halving (Jamieson and Talwalkar 2016): all trials train for a few epochs, the best of them for more.

use std::cmp::Ordering;

use crate::evaluate::Score;
use crate::recipe::{Recipe, ScheduleConfig};

/// What trials are compared by, on the validation images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// The highest accuracy; of equal ones the lowest loss.
    Accuracy,
    /// The lowest loss; of equal ones the highest accuracy.
    Loss,
}

impl Objective {
    /// The better score comes first; what is no number comes last.
    pub fn order(self, a: Score, b: Score) -> Ordering {
        let worst = |score: Score| score.accuracy.is_nan() || score.loss.is_nan();
        let accuracy = b.accuracy.total_cmp(&a.accuracy);
        let loss = a.loss.total_cmp(&b.loss);
        worst(a).cmp(&worst(b)).then(match self {
            Objective::Accuracy => accuracy.then(loss),
            Objective::Loss => loss.then(accuracy),
        })
    }
}

/// A round of the search: so many trials are trained to so many epochs in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// Epochs of each trial, those of earlier rungs included.
    pub epochs: u32,
    /// Trials at most; fewer where some failed.
    pub trials: u32,
}

/// The rungs of a search, the first first. The last has `epochs` epochs and at least one trial, each one before it a
/// share of `1 / eta` of the epochs and `eta` times the trials, down to no fewer than `least` epochs; the first has all
/// `trials`. `eta` counts as 2 at least.
pub fn rungs(trials: u32, epochs: u32, least: u32, eta: u32) -> Vec<Rung> {
    let (eta, least) = (eta.max(2), least.max(1));
    let mut halvings = 0_u32;
    let factor = |halvings: u32| eta.checked_pow(halvings);
    while let Some(next) = factor(halvings + 1)
        && trials >= next
        && f64::from(epochs) / f64::from(next) >= f64::from(least)
    {
        halvings += 1;
    }
    let rung = |number: u32| {
        let share = factor(halvings - number).unwrap_or(u32::MAX);
        let epochs = (f64::from(epochs) / f64::from(share)).round() as u32;
        Rung { epochs, trials: trials / factor(number).unwrap_or(u32::MAX) }
    };
    (0..=halvings).map(rung).collect()
}

/// Trials by result, the best first; of equal ones the lower number.
pub fn ranked(mut results: Vec<(u32, Score)>, objective: Objective) -> Vec<u32> {
    results.sort_by(|a, b| objective.order(a.1, b.1).then(a.0.cmp(&b.0)));
    results.into_iter().map(|(trial, _)| trial).collect()
}

/// The trials that go on to a rung with room for `room`, by number. Trials that failed have no result here.
pub fn promoted(results: Vec<(u32, Score)>, objective: Objective, room: u32) -> Vec<u32> {
    let mut best = ranked(results, objective);
    best.truncate(room as usize);
    best.sort_unstable();
    best
}

/// The setting, if there is one, by which an earlier epoch depends on how many follow, or a run cannot be extended: a run of
/// such a recipe is not the beginning of a longer one, and a trial must be trained anew for each rung.
pub fn spans_epochs(recipe: &Recipe) -> Option<&'static str> {
    if recipe.train.ensemble > 1 {
        return Some("train.ensemble");
    }
    match &recipe.schedule {
        Some(ScheduleConfig::OneCycle { .. }) => return Some("schedule.kind = \"one_cycle\""),
        Some(ScheduleConfig::Cosine { decay_epochs: None, .. }) => {
            return Some("schedule.kind = \"cosine\" without decay_epochs");
        }
        _ => {}
    }
    if recipe.ema.as_ref().is_some_and(|ema| ema.start > 0.0) {
        return Some("ema.start");
    }
    recipe.swa.as_ref().is_some_and(|swa| swa.start > 0.0).then_some("swa.start")
}
