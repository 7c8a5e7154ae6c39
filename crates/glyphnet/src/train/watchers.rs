//! The callbacks of a run, together.

use super::callbacks::{BestKeeper, EarlyStopping, ReduceLrOnPlateau};
use super::checkpoint::Progress;
use super::history::EpochRecord;
use crate::recipe::{Mode, Monitor, Recipe};

/// The callbacks of a run. What needs a validation split is off without one.
pub(super) struct Watchers {
    best: Option<BestKeeper>,
    stop: Option<EarlyStopping>,
    reduce: Option<ReduceLrOnPlateau>,
}

/// What they make of an epoch.
pub(super) struct Verdict {
    /// Its network is the best so far.
    pub(super) keep: bool,
    /// The run is over.
    pub(super) stop: bool,
    /// What the schedule's curve is a fraction of from now on, where that changes.
    pub(super) learning_rate: Option<f64>,
}

/// The epoch whose network is kept after these, from 1; 0 where there are none.
pub(crate) fn best_epoch(recipe: &Recipe, records: &[EpochRecord]) -> u32 {
    let (mut watchers, _) = Watchers::new(recipe, records.iter().any(|record| record.val_loss.is_some()));
    let mut best = 0;
    for record in records {
        let verdict = watchers.on_epoch_end(recipe, record, f64::from(record.learning_rate), &mut drop);
        if verdict.keep || best == 0 {
            best = record.epoch;
        }
    }
    best
}

impl Watchers {
    /// Those that `recipe` asks for, and what to say about those that are off.
    pub(super) fn new(recipe: &Recipe, validation: bool) -> (Watchers, Vec<String>) {
        let mut notes = Vec::new();
        let mut usable = |table: &str, monitor: Monitor| {
            let usable = validation || !monitor.needs_validation();
            if !usable {
                notes.push(format!("{table} is off: there is no validation split to give {}", monitor.name()));
            }
            usable
        };
        let stop = recipe.early_stopping.as_ref().filter(|c| usable("early_stopping", c.monitor));
        let reduce = recipe.reduce_lr_on_plateau.as_ref().filter(|c| usable("reduce_lr_on_plateau", c.monitor));
        let (monitor, mode) = stop.map_or((Monitor::ValLoss, Mode::Auto), |c| (c.monitor, c.mode));
        let watchers = Watchers {
            best: validation.then(|| BestKeeper::new(monitor, mode)),
            stop: stop.map(EarlyStopping::new),
            reduce: reduce.map(ReduceLrOnPlateau::new),
        };
        (watchers, notes)
    }

    /// Tells each of them, `learning_rate` being what the schedule's curve is a fraction of.
    pub(super) fn on_epoch_end(
        &mut self,
        recipe: &Recipe,
        record: &EpochRecord,
        learning_rate: f64,
        say: &mut dyn FnMut(String),
    ) -> Verdict {
        let epoch = record.epoch;
        let mut verdict = Verdict { keep: true, stop: false, learning_rate: None };
        if let Some(keeper) = &mut self.best {
            let found = keeper.on_epoch_end(epoch, record.value(keeper.monitor()).unwrap_or(f64::NAN));
            say(keeper.message(epoch, &found));
            verdict.keep = found.improved();
        }
        if let (Some(reduce), Some(config)) = (&mut self.reduce, &recipe.reduce_lr_on_plateau) {
            let from = learning_rate as f32;
            let value = record.value(config.monitor).unwrap_or(f64::NAN);
            if let Some(to) = reduce.on_epoch_end(value, from) {
                say(reduce.message(epoch, from, to));
                verdict.learning_rate = Some(f64::from(to));
            }
        }
        if let (Some(stopping), Some(config)) = (&mut self.stop, &recipe.early_stopping) {
            let value = record.value(config.monitor).unwrap_or(f64::NAN);
            if stopping.on_epoch_end(epoch, value).stop {
                say(stopping.message(epoch));
                verdict.stop = true;
            }
        }
        verdict
    }

    /// Writes down what they remember.
    pub(super) fn remember(&self, progress: &mut Progress) {
        progress.best = self.best.as_ref().map(|keeper| keeper.state().clone());
        progress.early_stopping = self.stop.as_ref().map(|stopping| stopping.state().clone());
        progress.reduce_lr = self.reduce.as_ref().map(|reduce| reduce.state().clone());
    }

    /// Reads it back. A memory that is missing leaves a callback as at the run's beginning.
    pub(super) fn restore(&mut self, recipe: &Recipe, progress: &Progress) {
        let (stop, reduce) = (&recipe.early_stopping, &recipe.reduce_lr_on_plateau);
        if let (Some(keeper), Some(state)) = (&mut self.best, &progress.best) {
            let mode = stop.as_ref().map_or(Mode::Auto, |config| config.mode);
            *keeper = BestKeeper::resume(keeper.monitor(), mode, state.clone());
        }
        if let (Some(stopping), Some(config), Some(state)) = (&mut self.stop, stop, &progress.early_stopping) {
            *stopping = EarlyStopping::resume(config, state.clone());
        }
        if let (Some(watcher), Some(config), Some(state)) = (&mut self.reduce, reduce, &progress.reduce_lr) {
            *watcher = ReduceLrOnPlateau::resume(config, state.clone());
        }
    }
}
