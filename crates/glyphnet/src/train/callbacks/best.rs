//! Keeping the best network.

use super::monitor::{Comparison, bits};
use crate::recipe::{Mode, Monitor};
use serde::{Deserialize, Serialize};

/// Keras's `ModelCheckpoint(save_best_only=True)`: after which epochs the network is the best so far.
#[derive(Debug, Clone)]
pub struct BestKeeper {
    monitor: Monitor,
    comparison: Comparison,
    state: BestState,
}

/// All that a [`BestKeeper`] remembers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BestState {
    /// The best value so far.
    #[serde(with = "bits")]
    pub best: Option<f64>,
    /// The epoch (from 1) of the best value; 0 = none yet.
    pub best_epoch: u32,
}

/// What an epoch's value is, compared with the best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// The best so far: keep this network.
    Improved {
        /// The best until now; `None` if this is the first number.
        from: Option<f64>,
        /// The best from now on.
        to: f64,
    },
    /// Not the best.
    NotImproved {
        /// What still is; `None` if there has been no number yet.
        best: Option<f64>,
    },
}

impl Verdict {
    /// Whether this network is to be kept.
    pub fn improved(&self) -> bool {
        matches!(self, Verdict::Improved { .. })
    }
}

impl BestKeeper {
    /// A run's beginning.
    pub fn new(monitor: Monitor, mode: Mode) -> BestKeeper {
        BestKeeper::resume(monitor, mode, BestState::default())
    }

    /// Goes on where `state` was taken.
    pub fn resume(monitor: Monitor, mode: Mode, state: BestState) -> BestKeeper {
        BestKeeper { monitor, comparison: Comparison::new(monitor, mode, 0.0), state }
    }

    /// All that must be kept to resume.
    pub fn state(&self) -> &BestState {
        &self.state
    }

    /// What is watched.
    pub fn monitor(&self) -> Monitor {
        self.monitor
    }

    /// To be told each epoch (from 1) and the value of the monitored number.
    pub fn on_epoch_end(&mut self, epoch: u32, value: f64) -> Verdict {
        let from = self.state.best;
        if !self.comparison.improves(value, from) {
            return Verdict::NotImproved { best: from };
        }
        self.state = BestState { best: Some(value), best_epoch: epoch };
        Verdict::Improved { from, to: value }
    }

    /// The line to show for the verdict on `epoch`, in the words of Keras.
    pub fn message(&self, epoch: u32, verdict: &Verdict) -> String {
        let monitor = self.monitor;
        match *verdict {
            Verdict::Improved { from: None, to } => {
                format!("epoch {epoch}: {monitor} improved from none to {to:.5}, saving model")
            }
            Verdict::Improved { from: Some(from), to } => {
                let digits =
                    (5..10).find(|&digits| format!("{from:.digits$}") != format!("{to:.digits$}")).unwrap_or(10);
                format!("epoch {epoch}: {monitor} improved from {from:.digits$} to {to:.digits$}, saving model")
            }
            Verdict::NotImproved { best: Some(best) } => {
                format!("epoch {epoch}: {monitor} did not improve from {best:.5}")
            }
            Verdict::NotImproved { best: None } => format!("epoch {epoch}: {monitor} did not improve: not a number"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages_are_those_that_a_keras_user_knows() {
        let mut keeper = BestKeeper::new(Monitor::ValLoss, Mode::Auto);
        let mut say = |epoch, value| {
            let verdict = keeper.on_epoch_end(epoch, value);
            keeper.message(epoch, &verdict)
        };
        assert_eq!(say(1, f64::NAN), "epoch 1: val_loss did not improve: not a number");
        assert_eq!(say(2, 0.0821), "epoch 2: val_loss improved from none to 0.08210, saving model");
        assert_eq!(say(3, 0.0613), "epoch 3: val_loss improved from 0.08210 to 0.06130, saving model");
        assert_eq!(say(4, 0.0613), "epoch 4: val_loss did not improve from 0.06130");
        assert_eq!(say(5, f64::NAN), "epoch 5: val_loss did not improve from 0.06130");
        assert_eq!(say(6, 0.0612999), "epoch 6: val_loss improved from 0.0613000 to 0.0612999, saving model");
        assert_eq!(keeper.state(), &BestState { best: Some(0.0612999), best_epoch: 6 });
    }

    #[test]
    fn a_resumed_keeper_remembers_its_best() {
        let mut before = BestKeeper::new(Monitor::ValAccuracy, Mode::Auto);
        assert!(before.on_epoch_end(1, 0.99).improved());
        let json = serde_json::to_string(before.state()).unwrap();
        let mut after = BestKeeper::resume(Monitor::ValAccuracy, Mode::Auto, serde_json::from_str(&json).unwrap());
        assert_eq!(after.on_epoch_end(2, 0.98), Verdict::NotImproved { best: Some(0.99) });
        assert_eq!(after.on_epoch_end(3, 0.995), Verdict::Improved { from: Some(0.99), to: 0.995 });
    }
}
