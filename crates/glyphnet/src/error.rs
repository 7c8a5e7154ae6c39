//! Everything that can go wrong between a recipe and a model.

use std::path::PathBuf;

use crate::model_file::ModelFileError;
use crate::nn::{NetworkError, ThreadError, TrainerError};
use crate::recipe::RecipeError;
use crate::train::CheckpointError;
use crate::train::history::HistoryError;
use glyphnet_data::DataError;
use glyphnet_data::augment::AugmentError;
use glyphnet_data::split::SplitError;

/// Everything that can go wrong between a recipe and a model.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The recipe is wrong.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The layers are no network for this data.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The network cannot be trained.
    #[error(transparent)]
    Trainer(#[from] TrainerError),
    /// The validation split cannot be made.
    #[error("cannot split off validation images: {0}")]
    Split(#[from] SplitError),
    /// The augmentation cannot be applied to these images.
    #[error("augment: {0}")]
    Augment(#[from] AugmentError),
    /// The model file cannot be read or written.
    #[error(transparent)]
    ModelFile(#[from] ModelFileError),
    /// The history cannot be written.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The threads cannot be started.
    #[error(transparent)]
    Threads(#[from] ThreadError),
    /// A setting does not fit the data.
    #[error("{0}")]
    Mismatch(String),
    /// A file cannot be written or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of a run is not what the run left there.
    #[error("{}: damaged, or no file of a run: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A checkpoint cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// What a run has learned cannot be saved.
    #[error("{0}: the run cannot be saved and ends here; what was saved before is untouched")]
    NotSaved(#[source] Box<Error>),
    /// A run cannot go on with what it is given.
    #[error("{0}; a run goes on only with what it began with")]
    OtherRun(String),
    /// Another process works in the run's folder.
    #[error("{}: another process is working in this run folder", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The loss or the gradient is no number any more.
    #[error("epoch {epoch}, step {step}: {what}; {cause}; {kept}")]
    Diverged {
        /// From 1.
        epoch: u32,
        /// Step in the epoch, from 1.
        step: u64,
        /// What is no number.
        what: String,
        /// The likely cause, and what to do.
        cause: String,
        /// What was saved.
        kept: String,
        /// Whether a lower learning rate may help.
        curable: bool,
    },
}

impl Error {
    /// An error in writing what a run has learned.
    pub(crate) fn not_saved(error: impl Into<Error>) -> Error {
        Error::NotSaved(Box::new(error.into()))
    }
}
