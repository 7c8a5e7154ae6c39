//! Reducing the learning rate when nothing gets better.

use super::monitor::{Comparison, bits};
use crate::recipe::ReduceLrConfig;
use serde::{Deserialize, Serialize};

/// Keras's `ReduceLROnPlateau`.
///
/// While it rests after a reduction it only counts down. Otherwise an improvement sets the count back to 0, and at
/// `patience` epochs without one the learning rate becomes `max(rate * factor, min_lr)`. The learning rate is a 32-bit
/// number, as in Keras, and belongs to the caller.
#[derive(Debug, Clone)]
pub struct ReduceLrOnPlateau {
    config: ReduceLrConfig,
    comparison: Comparison,
    state: ReduceLrState,
}

/// All that a [`ReduceLrOnPlateau`] remembers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReduceLrState {
    /// Epochs since the count was last set back.
    pub wait: u32,
    /// Epochs of rest that remain.
    pub cooldown: u32,
    /// The best value so far.
    #[serde(with = "bits")]
    pub best: Option<f64>,
}

impl ReduceLrOnPlateau {
    /// A run's beginning.
    pub fn new(config: &ReduceLrConfig) -> ReduceLrOnPlateau {
        ReduceLrOnPlateau::resume(config, ReduceLrState::default())
    }

    /// Goes on where `state` was taken.
    pub fn resume(config: &ReduceLrConfig, state: ReduceLrState) -> ReduceLrOnPlateau {
        let comparison = Comparison::new(config.monitor, config.mode, config.min_delta);
        ReduceLrOnPlateau { config: config.clone(), comparison, state }
    }

    /// All that must be kept to resume.
    pub fn state(&self) -> &ReduceLrState {
        &self.state
    }

    /// To be told, after each epoch, the value of the monitored number and the learning rate; the new learning rate if
    /// it is to be reduced.
    pub fn on_epoch_end(&mut self, value: f64, learning_rate: f32) -> Option<f32> {
        let state = &mut self.state;
        if state.cooldown > 0 {
            state.cooldown -= 1;
            state.wait = 0;
        }
        if self.comparison.improves(value, state.best) {
            state.best = Some(value);
            state.wait = 0;
            return None;
        }
        if state.cooldown > 0 {
            return None;
        }
        state.wait += 1;
        if state.wait < self.config.patience || learning_rate <= self.config.min_lr as f32 {
            return None;
        }
        state.cooldown = self.config.cooldown;
        state.wait = 0;
        Some((f64::from(learning_rate) * self.config.factor).max(self.config.min_lr) as f32)
    }

    /// The line to show for a reduction after `epoch`.
    pub fn message(&self, epoch: u32, from: f32, to: f32) -> String {
        let (monitor, from, to) = (self.config.monitor, readable(from), readable(to));
        format!("epoch {epoch}: {monitor} is on a plateau, reducing the learning rate from {from} to {to}")
    }
}

/// Six digits: 32 bits hold no more of 0.0001 exactly.
fn readable(rate: f32) -> f64 {
    format!("{rate:.5e}").parse().unwrap_or(f64::from(rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reduces_rests_and_stops_at_the_least() {
        let config =
            ReduceLrConfig { factor: 0.1, patience: 2, cooldown: 1, min_lr: 5e-5, ..ReduceLrConfig::default() };
        let mut callback = ReduceLrOnPlateau::new(&config);
        let mut rate = 1e-3_f32;
        let mut rates = Vec::new();
        for _ in 0..9 {
            rate = callback.on_epoch_end(1.0, rate).unwrap_or(rate);
            rates.push(rate);
        }
        // The first value improves, two do not. The fourth epoch ends the rest and counts already, as in Keras.
        assert_eq!(rates, [1e-3, 1e-3, 1e-3 * 0.1, 1e-3 * 0.1, 5e-5, 5e-5, 5e-5, 5e-5, 5e-5]);
    }

    #[test]
    fn nan_is_no_improvement_even_at_first() {
        let config = ReduceLrConfig { patience: 2, ..ReduceLrConfig::default() };
        let mut callback = ReduceLrOnPlateau::new(&config);
        assert_eq!(callback.on_epoch_end(f64::NAN, 1.0), None);
        assert_eq!(callback.on_epoch_end(f64::NAN, 1.0), Some(0.1));
        assert_eq!(callback.on_epoch_end(0.5, 0.1), None);
        assert_eq!(callback.state().best, Some(0.5));
    }

    #[test]
    fn a_resumed_callback_decides_as_if_nothing_had_happened() {
        let config = ReduceLrConfig { patience: 2, cooldown: 2, ..ReduceLrConfig::default() };
        let values = [1.0, 0.9, 0.95, 0.95, 0.95, 0.95, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3];
        for cut in 0..values.len() {
            let mut whole = ReduceLrOnPlateau::new(&config);
            let mut parts = ReduceLrOnPlateau::new(&config);
            for (epoch, &value) in values.iter().enumerate() {
                if epoch == cut {
                    let json = serde_json::to_string(parts.state()).unwrap();
                    parts = ReduceLrOnPlateau::resume(&config, serde_json::from_str(&json).unwrap());
                }
                assert_eq!(whole.on_epoch_end(value, 1.0), parts.on_epoch_end(value, 1.0), "{cut} {epoch}");
            }
        }
    }

    #[test]
    fn the_message_names_both_rates() {
        let callback = ReduceLrOnPlateau::new(&ReduceLrConfig::default());
        let expected = "epoch 5: val_loss is on a plateau, reducing the learning rate from 0.001 to 0.0001";
        assert_eq!(callback.message(5, 1e-3, 1e-3 * 0.1), expected);
    }
}
