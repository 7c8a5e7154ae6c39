//! Stopping when nothing gets better.

use super::monitor::{Comparison, bits};
use crate::recipe::EarlyStoppingConfig;
use serde::{Deserialize, Serialize};

/// Keras's `EarlyStopping`.
///
/// Each epoch adds one to a count; an improvement sets it back to 0, if it also beats the baseline (where there is
/// one); at `patience` without improvement the run stops, though never after its first epoch.
#[derive(Debug, Clone)]
pub struct EarlyStopping {
    config: EarlyStoppingConfig,
    comparison: Comparison,
    state: EarlyStoppingState,
}

/// All that an [`EarlyStopping`] remembers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStoppingState {
    /// Epochs since the count was last set back.
    pub wait: u32,
    /// The best value so far.
    #[serde(with = "bits")]
    pub best: Option<f64>,
    /// The epoch (from 1) of the best value; 0 = none yet.
    pub best_epoch: u32,
}

/// What an epoch's value means for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// It is the best so far.
    pub improved: bool,
    /// The run is over.
    pub stop: bool,
}

impl EarlyStopping {
    /// A run's beginning.
    pub fn new(config: &EarlyStoppingConfig) -> EarlyStopping {
        EarlyStopping::resume(config, EarlyStoppingState::default())
    }

    /// Goes on where `state` was taken.
    pub fn resume(config: &EarlyStoppingConfig, state: EarlyStoppingState) -> EarlyStopping {
        let comparison = Comparison::new(config.monitor, config.mode, config.min_delta);
        EarlyStopping { config: config.clone(), comparison, state }
    }

    /// All that must be kept to resume.
    pub fn state(&self) -> &EarlyStoppingState {
        &self.state
    }

    /// To be told each epoch (from 1) and the value of the monitored number.
    pub fn on_epoch_end(&mut self, epoch: u32, value: f64) -> Decision {
        if epoch <= self.config.start_from_epoch {
            return Decision { improved: false, stop: false };
        }
        self.state.wait += 1;
        if self.comparison.improves(value, self.state.best) {
            self.state.best = Some(value);
            self.state.best_epoch = epoch;
            let baseline = self.config.baseline;
            if baseline.is_none() || self.comparison.improves(value, baseline) {
                self.state.wait = 0;
            }
            return Decision { improved: true, stop: false };
        }
        Decision { improved: false, stop: self.state.wait >= self.config.patience && epoch > 1 }
    }

    /// The line to show when the decision was to stop after `epoch`.
    pub fn message(&self, epoch: u32) -> String {
        let EarlyStoppingState { wait, best, best_epoch } = self.state;
        let monitor = self.config.monitor;
        let epochs = if wait == 1 { "epoch" } else { "epochs" };
        match best {
            Some(best) => format!(
                "epoch {epoch}: early stopping: {monitor} did not improve for {wait} {epochs}; best {best:.5}, \
                 epoch {best_epoch}"
            ),
            None => format!("epoch {epoch}: early stopping: {monitor} was not a number for {wait} {epochs}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stops_at(config: &EarlyStoppingConfig, values: &[f64]) -> Option<u32> {
        let mut callback = EarlyStopping::new(config);
        (1..).zip(values).find(|(epoch, value)| callback.on_epoch_end(*epoch, **value).stop).map(|(epoch, _)| epoch)
    }

    #[test]
    fn it_stops_after_patience_epochs_without_improvement() {
        let config = EarlyStoppingConfig { patience: 2, ..EarlyStoppingConfig::default() };
        assert_eq!(stops_at(&config, &[1.0, 0.9, 0.95, 0.8, 0.8, 0.9, 0.1]), Some(6));
        assert_eq!(stops_at(&config, &[1.0, 0.9, 0.95, 0.8, 0.8]), None);
    }

    #[test]
    fn nan_counts_as_no_improvement_even_in_the_first_epoch() {
        let config = EarlyStoppingConfig { patience: 2, ..EarlyStoppingConfig::default() };
        assert_eq!(stops_at(&config, &[f64::NAN, f64::NAN]), Some(2));
        // Keras would hold on to the NaN and stop at 3.
        assert_eq!(stops_at(&config, &[f64::NAN, 1.0, 0.9, 0.8, 0.7]), None);
    }

    #[test]
    fn the_first_epoch_never_stops_a_run() {
        let config = EarlyStoppingConfig::default();
        assert_eq!(config.patience, 0);
        assert_eq!(stops_at(&config, &[f64::NAN]), None);
        assert_eq!(stops_at(&config, &[1.0, 1.0]), Some(2));
    }

    #[test]
    fn a_resumed_callback_decides_as_if_nothing_had_happened() {
        let config = EarlyStoppingConfig { patience: 3, baseline: Some(0.5), ..EarlyStoppingConfig::default() };
        let values = [f64::INFINITY, 0.7, 0.1 + 0.2, 0.8, 0.9, 0.30000000000000004, 0.29, 0.4, 0.4, 0.4];
        for cut in 0..values.len() {
            let (mut whole, mut before) = (EarlyStopping::new(&config), EarlyStopping::new(&config));
            for (epoch, value) in (1..).zip(&values[..cut]) {
                assert_eq!(whole.on_epoch_end(epoch, *value), before.on_epoch_end(epoch, *value));
            }
            let json = serde_json::to_string(before.state()).unwrap();
            let state: EarlyStoppingState = serde_json::from_str(&json).unwrap();
            assert_eq!(&state, before.state());
            let mut after = EarlyStopping::resume(&config, state);
            for (epoch, value) in (cut as u32 + 1..).zip(&values[cut..]) {
                assert_eq!(whole.on_epoch_end(epoch, *value), after.on_epoch_end(epoch, *value), "{cut} {epoch}");
            }
        }
    }

    #[test]
    fn a_damaged_state_is_refused() {
        let damaged = r#"{"wait": 1, "best": "not hexadecimal", "best_epoch": 1}"#;
        assert!(serde_json::from_str::<EarlyStoppingState>(damaged).is_err());
    }

    #[test]
    fn the_message_says_what_was_best() {
        let mut callback = EarlyStopping::new(&EarlyStoppingConfig { patience: 1, ..EarlyStoppingConfig::default() });
        callback.on_epoch_end(1, 0.0613);
        assert!(callback.on_epoch_end(2, 0.07).stop);
        let expected = "epoch 2: early stopping: val_loss did not improve for 1 epoch; best 0.06130, epoch 1";
        assert_eq!(callback.message(2), expected);
    }
}
