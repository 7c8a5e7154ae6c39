//! Loss and accuracy of a model on labelled images, and the predictions behind them.

mod saved;

use glyphnet_data::Dataset;
use glyphnet_kernels::{LossOptions, softmax_cross_entropy_loss};
use serde::{Deserialize, Deserializer, Serialize};

use crate::nn::Threads;
use crate::{Error, Model, Predictions};

pub(crate) use saved::read_predictions_without;
pub use saved::{SavedSplit, SplitPredictions, predictions_from_bytes, read_predictions, write_predictions};

/// Mean loss and share of right answers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Mean cross-entropy, without label smoothing or class weights. That of a diverged network may be no finite number:
    /// as JSON it is `null`, which is read as NaN.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
    /// Share of images classified right, in `[0, 1]`.
    pub accuracy: f64,
}

fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// What one pass over labelled images gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Loss and accuracy.
    pub score: Score,
    /// The class probabilities behind them.
    pub predictions: Predictions,
}

/// One pass of `model` over `dataset`; `None` where it has no labels or no images.
///
/// # Errors
/// If the images have another shape than the model takes, or a label is no class of the model.
pub fn evaluate(model: &Model, dataset: &Dataset, threads: &Threads) -> Result<Option<Evaluation>, Error> {
    evaluate_with_progress(model, dataset, threads, &mut |_, _| {})
}

/// The same, with the same bits, saying how far it is.
///
/// `progress(done, total)` counts images. It is called on the calling thread, with 0 done before the first image, then
/// every few hundred images a thread, and last with all done; it is not called where there is nothing to evaluate.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_with_progress(
    model: &Model,
    dataset: &Dataset,
    threads: &Threads,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Option<Evaluation>, Error> {
    let Some(labels) = dataset.labels.as_ref().filter(|labels| !labels.is_empty()) else { return Ok(None) };
    let classes = model.classes().len();
    if let Some(row) = labels.iter().position(|&label| label as usize >= classes) {
        let label = labels[row];
        return Err(Error::Mismatch(format!("image {row} has label {label}, but the model has {classes} classes")));
    }
    let logits = model.logits_on(threads, &dataset.images, progress)?;
    let sum = softmax_cross_entropy_loss(model.isa(), classes, &logits, labels, &LossOptions::default(), None);
    let (n, predictions) = (labels.len() as f64, model.finish(logits));
    // Counted on the probabilities that are handed out: two logits an ulp apart may share one.
    let right = predictions.labels().iter().zip(labels).filter(|(a, b)| a == b).count();
    let score = Score { loss: sum.loss / n, accuracy: right as f64 / n };
    Ok(Some(Evaluation { score, predictions }))
}
