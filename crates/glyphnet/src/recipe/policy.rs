//! `[schedule]`, `[early_stopping]`, `[reduce_lr_on_plateau]`: what changes or ends a run as it goes.

use serde::{Deserialize, Serialize};
use std::fmt;

/// `[schedule]`, told apart by `kind`: the learning rate as a function of the step. Epochs may be fractions.
///
/// Every kind but `one_cycle`, whose curve has its own, may begin with a linear warm-up from `warmup_from` times the
/// learning rate; the kind's own curve starts when that ends (as Keras's `CosineDecay` does).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ScheduleConfig {
    /// The optimizer's learning rate throughout.
    Constant {
        /// Epochs of linear warm-up.
        #[serde(default)]
        warmup_epochs: f64,
        /// Where the warm-up starts, as a fraction of the learning rate.
        #[serde(default)]
        warmup_from: f64,
    },
    /// Multiplied by `factor` after each `every_epochs` epochs (Keras's `PiecewiseConstantDecay` at even distances).
    Step {
        /// What the learning rate is multiplied by at each step down.
        factor: f64,
        /// Epochs between steps down.
        every_epochs: f64,
        /// Epochs of linear warm-up.
        #[serde(default)]
        warmup_epochs: f64,
        /// Where the warm-up starts, as a fraction of the learning rate.
        #[serde(default)]
        warmup_from: f64,
    },
    /// Keras's `ExponentialDecay`: times `decay_rate` over each `decay_epochs`, smoothly or in stairs.
    Exponential {
        /// What the learning rate is multiplied by over `decay_epochs`.
        decay_rate: f64,
        /// Epochs that one factor of `decay_rate` takes.
        decay_epochs: f64,
        /// Only at whole multiples of `decay_epochs`.
        #[serde(default)]
        staircase: bool,
        /// Epochs of linear warm-up.
        #[serde(default)]
        warmup_epochs: f64,
        /// Where the warm-up starts, as a fraction of the learning rate.
        #[serde(default)]
        warmup_from: f64,
    },
    /// Keras's `CosineDecay`: half a cosine from the learning rate down to `alpha` times it, then constant.
    Cosine {
        /// The final fraction of the learning rate.
        #[serde(default)]
        alpha: f64,
        /// Epochs the descent takes; absent = all that `train.epochs` leaves after the warm-up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decay_epochs: Option<f64>,
        /// Epochs of linear warm-up.
        #[serde(default)]
        warmup_epochs: f64,
        /// Where the warm-up starts, as a fraction of the learning rate.
        #[serde(default)]
        warmup_from: f64,
    },
    /// PyTorch's `OneCycleLR`: half a cosine up to the learning rate, then half a cosine down to the run's last step.
    OneCycle {
        /// The share of all steps that the way up takes.
        #[serde(default = "warm_fraction")]
        warm_fraction: f64,
        /// The first step's learning rate is `1 / div` of the peak.
        #[serde(default = "div")]
        div: f64,
        /// The last step's learning rate is `1 / final_div` of the peak (PyTorch's `div_factor * final_div_factor`).
        #[serde(default = "final_div")]
        final_div: f64,
        /// `[high, low]`: momentum (`beta_1` of Adam and of Muon's AdamW) goes from high down to low while the learning rate rises, and back
        /// while it falls; absent = it stays as it is in `[optimizer]`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        momentum: Option<[f64; 2]>,
    },
}

// PyTorch's defaults.
fn warm_fraction() -> f64 {
    0.3
}

fn div() -> f64 {
    25.0
}

fn final_div() -> f64 {
    25.0 * 1e4
}

impl ScheduleConfig {
    /// `(warmup_epochs, warmup_from)`; none for `one_cycle`.
    pub fn warmup(&self) -> (f64, f64) {
        match *self {
            ScheduleConfig::Constant { warmup_epochs, warmup_from }
            | ScheduleConfig::Step { warmup_epochs, warmup_from, .. }
            | ScheduleConfig::Exponential { warmup_epochs, warmup_from, .. }
            | ScheduleConfig::Cosine { warmup_epochs, warmup_from, .. } => (warmup_epochs, warmup_from),
            ScheduleConfig::OneCycle { .. } => (0.0, 0.0),
        }
    }

    /// `[high, low]` of the momentum that the schedule moves, if it does.
    pub fn momentum(&self) -> Option<[f64; 2]> {
        match *self {
            ScheduleConfig::OneCycle { momentum, .. } => momentum,
            _ => None,
        }
    }
}

/// A number that callbacks watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Monitor {
    /// The loss on the training images as the epoch went; Keras's name `loss` is understood too.
    #[serde(alias = "loss")]
    TrainLoss,
    /// The accuracy on the training images as the epoch went; Keras's name `accuracy` is understood too.
    #[serde(alias = "accuracy")]
    TrainAccuracy,
    /// The loss on the validation images after the epoch.
    ValLoss,
    /// The accuracy on the validation images after the epoch.
    ValAccuracy,
}

impl Monitor {
    /// The name, as in the columns of `history.csv`.
    pub fn name(self) -> &'static str {
        match self {
            Monitor::TrainLoss => "train_loss",
            Monitor::TrainAccuracy => "train_accuracy",
            Monitor::ValLoss => "val_loss",
            Monitor::ValAccuracy => "val_accuracy",
        }
    }

    /// Whether this can be known only with a validation split.
    pub fn needs_validation(self) -> bool {
        matches!(self, Monitor::ValLoss | Monitor::ValAccuracy)
    }
}

impl fmt::Display for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Down for a loss, up for an accuracy.
    #[default]
    Auto,
    /// Down.
    Min,
    /// Up.
    Max,
}

/// `[early_stopping]`: Keras's `EarlyStopping`. The best weights are always the ones that are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EarlyStoppingConfig {
    /// What is watched.
    pub monitor: Monitor,
    /// How much better a value must be to count; its sign does not matter.
    pub min_delta: f64,
    /// Stop after so many epochs without improvement. Keras's default is 0: stop at the first.
    pub patience: u32,
    /// Which way is better.
    pub mode: Mode,
    /// Only an improvement that beats this too restarts the count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f64>,
    /// Pay no attention to this many first epochs.
    pub start_from_epoch: u32,
}

impl Default for EarlyStoppingConfig {
    fn default() -> EarlyStoppingConfig {
        EarlyStoppingConfig {
            monitor: Monitor::ValLoss,
            min_delta: 0.0,
            patience: 0,
            mode: Mode::Auto,
            baseline: None,
            start_from_epoch: 0,
        }
    }
}

/// `[reduce_lr_on_plateau]`: Keras's `ReduceLROnPlateau`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReduceLrConfig {
    /// What is watched.
    pub monitor: Monitor,
    /// What the learning rate is multiplied by; below 1.
    pub factor: f64,
    /// Reduce after so many epochs without improvement.
    pub patience: u32,
    /// How much better a value must be to count; its sign does not matter.
    pub min_delta: f64,
    /// Epochs of rest after a reduction.
    pub cooldown: u32,
    /// The learning rate never goes below this.
    pub min_lr: f64,
    /// Which way is better.
    pub mode: Mode,
}

impl Default for ReduceLrConfig {
    fn default() -> ReduceLrConfig {
        ReduceLrConfig {
            monitor: Monitor::ValLoss,
            factor: 0.1,
            patience: 10,
            min_delta: 1e-4,
            cooldown: 0,
            min_lr: 0.0,
            mode: Mode::Auto,
        }
    }
}
