//! Checkpoints: all that a run needs to go on as if nothing had happened.
//!
//! A checkpoint is a sealed safetensors file, so that every damaged bit is noticed. Its sections:
//!
//! | section | holds |
//! |---|---|
//! | `network.<layer>/<tensor>` | the network |
//! | `optimizer.<array>.<layer>/<tensor>` | the optimizer's arrays |
//! | `average.<layer>/<tensor>` | the average of the weights, once it has begun |
//! | `best.<layer>/<tensor>` | the best network so far, once an epoch is over |
//! | `rollback.network.…`, `rollback.optimizer.…`, `rollback.average.…` | where `on_nan = "rollback"` goes back to; only in the middle of an epoch |
//! | `history` | the text of `history.csv` |
//!
//! The header's texts say the rest: the recipe, fingerprints, and as JSON how far the run has come. Random numbers are
//! functions of seed and position, so there is no generator to save.

mod progress;
mod store;

pub(super) use progress::{EpochProgress, Extended, Progress, RunResult, Totals};
pub(super) use store::Store;
pub use store::{CheckpointError, Latest};

use std::path::Path;

use glyphnet_data::Source;

use crate::model_file::{self, ModelParts};
use crate::nn::{AverageState, Network, TrainerState};
use crate::recipe::Recipe;
use crate::sealed::{self, Expected, LONGEST_HEADER, Opened, Section};

use super::history::History;
use super::same_run;
use crate::Error;
use crate::evaluate::Score;

/// What this program writes and reads.
const VERSION: &str = "1";
const CHECKPOINT: Expected = Expected { format: "glyphnet-checkpoint", versions: &[VERSION], unsealed: None };
/// A file larger than this is no checkpoint of ours: it has up to eleven arrays of 2^28 values.
const LARGEST: u64 = (11 << 30) + LONGEST_HEADER as u64 + (1 << 30);

/// The arrays of an optimizer, by name.
type Arrays = Vec<(&'static str, Vec<f32>)>;

/// A moment of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The run's settings.
    pub(super) recipe: Recipe,
    /// The fingerprint of its data.
    pub(super) data: String,
    /// The instruction set that it ran on.
    pub(super) simd: String,
    /// The version of the program.
    pub(super) program: String,
    /// The network as it was, with its classes and its preprocessing.
    pub(super) model: ModelParts,
    /// The optimizer's arrays.
    pub(super) optimizer: Arrays,
    /// The average of the weights, once it has begun.
    pub(super) average: Option<AverageState>,
    /// The best network so far.
    pub(super) best: Option<Network>,
    /// The point that the run goes back to when numbers go wrong, as a rule the epoch's beginning.
    pub(super) rollback: Option<TrainerState>,
    /// The epochs that are over.
    pub(super) history: History,
    /// Everything else.
    pub(super) progress: Progress,
}

impl Checkpoint {
    /// The file as bytes. Equal checkpoints are equal files.
    ///
    /// # Errors
    /// A sentence on what cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let mut metadata = model_file::description(&self.model, CHECKPOINT.format, VERSION)?;
        let progress = serde_json::to_string(&self.progress).map_err(|error| error.to_string())?;
        metadata.extend([
            ("recipe", self.recipe.to_toml().map_err(|error| error.to_string())?),
            ("data", self.data.clone()),
            ("simd", self.simd.clone()),
            ("program", self.program.clone()),
            ("progress", progress),
        ]);
        let network = self.model.network();
        let mut sections = model_file::sections("network.", network);
        sections.extend(arrays("optimizer.", network, &self.optimizer));
        sections.extend(averaged("average.", network, self.average.as_ref()));
        if let Some(best) = &self.best {
            sections.extend(model_file::sections("best.", best));
        }
        if let Some(TrainerState { weights, state, optimizer, average, .. }) = &self.rollback {
            sections.extend(model_file::sections("rollback.network.", &with_values(network, weights, state)));
            sections.extend(arrays("rollback.optimizer.", network, optimizer));
            sections.extend(averaged("rollback.average.", network, average.as_ref()));
        }
        sections.push(Section::text("history", &self.history.to_csv()));
        sealed::seal(&metadata, sections)
    }

    /// Reads the bytes of a checkpoint; `origin` names them in errors.
    ///
    /// # Errors
    /// If they are no intact checkpoint.
    pub fn from_bytes(bytes: &[u8], origin: &Path) -> Result<Checkpoint, CheckpointError> {
        parse(bytes).map_err(|reason| CheckpointError::Malformed { path: origin.to_owned(), reason })
    }

    /// Whether a run of `recipe` on `source` can go on from here; where the data lie, the number of epochs,
    /// `train.checkpoint_minutes` and `train.on_nan` may be others.
    ///
    /// # Errors
    /// Other data or other settings, with what differs.
    pub fn check(&self, recipe: &Recipe, source: &Source) -> Result<(), Error> {
        same_run::check(self, recipe, &source.fingerprint())
    }

    /// Epochs that are over.
    pub fn epochs(&self) -> u32 {
        self.progress.epochs
    }

    /// Epochs that the run is to have at most.
    pub fn planned_epochs(&self) -> u32 {
        self.progress.planned
    }

    /// The instruction set that the run was on, by name.
    pub fn simd(&self) -> &str {
        &self.simd
    }

    /// How often the run has gone back because numbers went wrong.
    pub fn rollbacks(&self) -> u32 {
        self.progress.rollbacks
    }

    /// Whether no epoch is left, either because all are over or because early stopping ended the run.
    pub fn is_over(&self) -> bool {
        self.progress.stopped || self.progress.epochs >= self.progress.planned
    }

    /// Loss and accuracy on validation and test of a run that is finished, the last evaluation included.
    pub fn result(&self) -> Option<(Option<Score>, Option<Score>)> {
        self.progress.result.map(|result| result.scores())
    }

    /// What the trainer goes on from.
    pub(super) fn state(&self) -> TrainerState {
        TrainerState {
            steps: self.progress.steps,
            weights: self.model.network().weights().to_vec(),
            state: self.model.network().state().to_vec(),
            optimizer: self.optimizer.clone(),
            average: self.average.clone(),
        }
    }
}

/// A network of the same layers with these values.
fn with_values(network: &Network, weights: &[f32], state: &[f32]) -> Network {
    let mut network = network.clone();
    network.set(weights, state);
    network
}

/// An average of the weights as sections, if there is one.
fn averaged(prefix: &str, network: &Network, average: Option<&AverageState>) -> Vec<Section<'static>> {
    let sections =
        |average: &AverageState| model_file::sections(prefix, &with_values(network, &average.weights, &average.state));
    average.map(sections).unwrap_or_default()
}

/// An average of so many steps, if it has begun.
fn read_average(
    opened: &Opened<'_>,
    prefix: &str,
    outline: &Network,
    count: u64,
) -> Result<Option<AverageState>, String> {
    if count == 0 {
        return Ok(None);
    }
    let network = model_file::network(opened, prefix, outline)?;
    Ok(Some(AverageState { count, weights: network.weights().to_vec(), state: network.state().to_vec() }))
}

/// An optimizer's arrays as sections: each is cut into the tensors that it belongs to.
fn arrays(prefix: &str, network: &Network, arrays: &Arrays) -> Vec<Section<'static>> {
    let mut sections = Vec::new();
    for (array, values) in arrays {
        for tensor in network.tensors().filter(|tensor| tensor.trained) {
            let name = format!("{prefix}{array}.{}", tensor.name);
            sections.push(Section::numbers(name, tensor.shape.clone(), &values[tensor.range.clone()]));
        }
    }
    sections
}

fn read_arrays(opened: &Opened<'_>, prefix: &str, network: &Network, recipe: &Recipe) -> Result<Arrays, String> {
    let trained = || network.tensors().filter(|tensor| tensor.trained);
    let mut arrays = Vec::new();
    for array in TrainerState::optimizer_arrays(&recipe.optimizer) {
        for tensor in trained() {
            opened.check(&format!("{prefix}{array}.{}", tensor.name), &tensor.shape)?;
        }
        let mut values = vec![0.0; network.trained_parameters()];
        for tensor in trained() {
            let name = format!("{prefix}{array}.{}", tensor.name);
            opened.numbers(&name, &tensor.shape, &mut values[tensor.range.clone()])?;
        }
        arrays.push((array, values));
    }
    Ok(arrays)
}

fn parse(bytes: &[u8]) -> Result<Checkpoint, String> {
    let opened = sealed::open(bytes, &CHECKPOINT)?;
    let recipe = Recipe::from_toml(opened.field("recipe")?, "its recipe").map_err(|error| error.to_string())?;
    let progress: Progress = opened.json("progress")?;
    let outline = model_file::outline(&opened)?;
    let layers = outline.network();
    let network = model_file::network(&opened, "network.", layers)?;
    let optimizer = read_arrays(&opened, "optimizer.", &network, &recipe)?;
    let average = read_average(&opened, "average.", layers, progress.averaged)?;
    let best = match progress.best_epoch {
        0 => None,
        _ => Some(model_file::network(&opened, "best.", layers)?),
    };
    let rollback = match opened.begins("rollback.") {
        false => None,
        true => {
            let earlier = model_file::network(&opened, "rollback.network.", layers)?;
            let gone_back = progress.epoch.steps.checked_sub(progress.back.steps);
            let steps = gone_back.and_then(|steps| progress.steps.checked_sub(steps));
            Some(TrainerState {
                steps: steps.ok_or("its steps do not add up")?,
                weights: earlier.weights().to_vec(),
                state: earlier.state().to_vec(),
                optimizer: read_arrays(&opened, "rollback.optimizer.", &network, &recipe)?,
                average: read_average(&opened, "rollback.average.", layers, progress.back_averaged)?,
            })
        }
    };
    let history =
        History::from_csv(opened.text("history")?.as_bytes(), Path::new("history")).map_err(|e| e.to_string())?;
    let text = |key: &str| opened.field(key).map(str::to_owned);
    let (data, simd, program) = (text("data")?, text("simd")?, text("program")?);
    let model = ModelParts { networks: network.into(), ..outline };
    let checkpoint =
        Checkpoint { recipe, data, simd, program, model, optimizer, average, best, rollback, history, progress };
    check(&checkpoint)?;
    Ok(checkpoint)
}

/// What must hold between the parts of a checkpoint.
fn check(checkpoint: &Checkpoint) -> Result<(), String> {
    let Checkpoint { progress, history, .. } = checkpoint;
    if history.records().len() != progress.epochs as usize {
        return Err(format!("its history has {} epochs, not {}", history.records().len(), progress.epochs));
    }
    if progress.best_epoch > progress.epochs {
        return Err(format!("its best epoch is {} of {}", progress.best_epoch, progress.epochs));
    }
    if progress.averaged > progress.steps {
        return Err(format!("{} of its {} steps are averaged", progress.averaged, progress.steps));
    }
    if progress.epoch.steps > progress.steps || !progress.learning_rate.0.is_finite() {
        return Err("its steps or its learning rate cannot be".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
