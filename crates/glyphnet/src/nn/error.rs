//! Why a list of layers is no network.

use super::Shape;

/// Why a layer cannot stand where it stands.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LayerError {
    /// The layer needs another kind of input.
    #[error("needs {needs}, but its input is {got}")]
    Input {
        /// What the layer needs.
        needs: String,
        /// The shape it gets.
        got: Shape,
    },
    /// A setting of the layer is out of its range.
    #[error("{key} must be {needs}, but is {got}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// What it must be.
        needs: &'static str,
        /// What it is.
        got: String,
    },
}

/// Why a network cannot be trained.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TrainerError {
    /// It would take too much memory.
    #[error(
        "training in batches of {batch_size} would take more than {} GiB of memory: make the batches or the network smaller",
        super::plan_report::MOST_MEMORY >> 30
    )]
    TooLarge {
        /// Samples of a full batch.
        batch_size: usize,
    },
    /// No model file of it would be read.
    #[error(
        "predicting with this network would take more than {} GiB of memory in each thread: make its layers or the images smaller",
        super::plan_report::MOST_TO_PREDICT >> 30
    )]
    TooWide,
}

/// Why a list of layers is no network.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NetworkError {
    /// There is no layer.
    #[error("the network has no layers: add [[layer]] tables to the recipe")]
    Empty,
    /// There are more layers than this program handles.
    #[error("the network has {layers} layers; {most} is the limit")]
    TooMany {
        /// Layers.
        layers: usize,
        /// The most there may be.
        most: usize,
    },
    /// A layer does not fit.
    #[error("layer {number} ({kind}) {error}")]
    Layer {
        /// Position, from 1.
        number: usize,
        /// The layer's kind, as recipes name it.
        kind: &'static str,
        /// What is wrong.
        error: LayerError,
    },
    /// The last layer does not give one value for each class.
    #[error(
        "the network ends in {got}, but the data has {classes} classes: end with a dense layer of units = \"classes\""
    )]
    Output {
        /// The shape of the last layer.
        got: Shape,
        /// Classes in the data.
        classes: usize,
    },
    /// The last activation cannot be trained with cross-entropy.
    #[error("the last layer has activation {0}; cross-entropy needs softmax (or linear, then softmax is implied)")]
    OutputActivation(String),
    /// The data has fewer than two classes.
    #[error("a classifier needs at least two classes, but the data has {0}")]
    Classes(usize),
    /// The network is larger than this program handles.
    #[error("layer {number} ({kind}) is too large: {what}")]
    TooLarge {
        /// Position, from 1.
        number: usize,
        /// The layer's kind.
        kind: &'static str,
        /// What is too large.
        what: String,
    },
}
