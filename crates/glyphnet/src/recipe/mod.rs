//! Recipes: every setting of a run, in one TOML file.
//!
//! A recipe is read strictly. A key that nobody knows, a value of the wrong type or outside its range is refused with
//! its line, its column and the key's path, because a setting that is silently ignored costs a run. A run writes the
//! recipe it used, complete, to `run.toml`, and that file is a recipe again.
//!
//! ```
//! use glyphnet::recipe::Recipe;
//! let recipe = Recipe::load("seed")?.with_overrides(&["train.batch_size=64", "optimizer.kind=adam"])?;
//! assert_eq!(recipe.train.batch_size, 64);
//! # Ok::<(), glyphnet::recipe::RecipeError>(())
//! ```

mod averaging;
mod check;
mod config;
mod error;
mod keys;
mod optimizer;
mod overrides;
mod policy;
mod rules;
mod settings;
mod shipped;

pub use averaging::{EmaConfig, SwaConfig};
pub use config::{BalancedWord, ClassWeights, DataConfig, Loss, OnNan, TrainConfig};
pub use error::{Place, Problem, RecipeError};
pub use optimizer::{AdamConfig, AdamwConfig, Clipping, MuonConfig, OptimizerConfig, RmspropConfig, SgdConfig};
pub use policy::{EarlyStoppingConfig, Mode, Monitor, ReduceLrConfig, ScheduleConfig};
pub use settings::ChangedSetting;
pub use shipped::shipped;

use crate::nn::LayerSpec;
use glyphnet_data::Preprocess;
use glyphnet_data::augment::AugmentConfig;
use serde::{Deserialize, Serialize};

/// Every setting of a run. Tables that are absent have their defaults; the optional ones are then off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Which images.
    #[serde(default)]
    pub data: DataConfig,
    /// How pixels become the network's input.
    #[serde(default)]
    pub preprocess: Preprocess,
    /// How training images are varied; absent = not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub augment: Option<AugmentConfig>,
    /// The loop and the loss.
    #[serde(default)]
    pub train: TrainConfig,
    /// The optimizer.
    #[serde(default)]
    pub optimizer: OptimizerConfig,
    /// The learning rate over the steps; absent = constant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleConfig>,
    /// An exponential moving average of the weights; absent = none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema: Option<EmaConfig>,
    /// The mean of the weights late in the run; absent = none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swa: Option<SwaConfig>,
    /// Whether to stop before the last epoch; absent = never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStoppingConfig>,
    /// Whether to reduce the learning rate when nothing improves; absent = never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduce_lr_on_plateau: Option<ReduceLrConfig>,
    /// The layers, first to last; at least one.
    pub layer: Vec<LayerSpec>,
    /// Where a `run.toml` comes from: path and fingerprint of the data, version, CPU, instruction set, command. No
    /// setting: training never looks at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<toml::Table>,
}

impl Recipe {
    /// A recipe of these layers, everything else being default: the reference network's training settings, without
    /// augmentation or early stopping.
    pub fn new(layers: Vec<LayerSpec>) -> Recipe {
        Recipe {
            data: DataConfig::default(),
            preprocess: Preprocess::default(),
            augment: None,
            train: TrainConfig::default(),
            optimizer: OptimizerConfig::default(),
            schedule: None,
            ema: None,
            swa: None,
            early_stopping: None,
            reduce_lr_on_plateau: None,
            layer: layers,
            provenance: None,
        }
    }

    /// Reads a recipe from TOML text.
    ///
    /// `origin` names the text in messages: a path, or the name of a shipped recipe.
    ///
    /// # Errors
    /// The first thing in the text that is wrong: not TOML, an unknown key, a wrong type, a value out of range, or two
    /// settings that exclude each other. Whether the layers fit each other is the network's to say.
    pub fn from_toml(text: &str, origin: &str) -> Result<Recipe, RecipeError> {
        check::parse(text, origin)
    }

    /// Reads the shipped recipe of this name ([`shipped`]), or else the file at this path.
    ///
    /// # Errors
    /// Neither exists, the file cannot be read or is not UTF-8, or anything that [`Recipe::from_toml`] refuses.
    pub fn load(name_or_path: &str) -> Result<Recipe, RecipeError> {
        shipped::load(name_or_path)
    }

    /// The whole recipe as TOML, defaults included; [`Recipe::from_toml`] gives back an equal recipe.
    ///
    /// # Errors
    /// Something in it that TOML cannot hold. [`Recipe::validate`] finds what could not be read back.
    pub fn to_toml(&self) -> Result<String, RecipeError> {
        toml::to_string(self)
            .map_err(|error| RecipeError::new(Place::of("recipe"), Problem::Unwritable { reason: error.to_string() }))
    }

    /// Checks a recipe that was put together in code by the same rules as one that was read.
    ///
    /// # Errors
    /// As [`Recipe::from_toml`], without line and column.
    pub fn validate(&self) -> Result<(), RecipeError> {
        Recipe::from_toml(&self.to_toml()?, "recipe").map(drop).map_err(RecipeError::without_position)
    }

    /// This recipe with some settings replaced, each written `dotted.path=value`.
    ///
    /// The value is TOML; what is not TOML is taken as text, so `optimizer.kind=adam` and `data.source=my/images`
    /// need no quotes. Layers are counted from 0: `layer.0.filters=32`. `none` removes an optional setting or table:
    /// `early_stopping=none`. Changing a `kind` keeps the settings that the new kind knows too and drops the others.
    ///
    /// # Errors
    /// No `=`, a path that leads nowhere, or anything that [`Recipe::from_toml`] refuses in the result.
    pub fn with_overrides<S: AsRef<str>>(&self, overrides: &[S]) -> Result<Recipe, RecipeError> {
        overrides::apply(self, overrides)
    }

    /// This recipe for one epoch: a quick look whether everything works.
    #[must_use]
    pub fn fast_run(mut self) -> Recipe {
        self.train.epochs = 1;
        self
    }
}

#[cfg(test)]
mod keys_tests;
#[cfg(test)]
mod overrides_tests;
#[cfg(test)]
mod tests;
