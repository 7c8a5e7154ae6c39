//! One split, measured.

use glyphnet::analysis::{Analysis, KnownErrors, MOST_CLASSES, known_label_errors};
use glyphnet::evaluate::{Evaluation, evaluate_with_progress};
use glyphnet::nn::Threads;
use glyphnet::{Model, Predictions};
use glyphnet_data::{Dataset, Part};
use serde::Serialize;

use crate::error::CliError;
use crate::progress::{self, Unit};

/// One split.
#[derive(Serialize)]
pub(super) struct Measured {
    pub(super) split: String,
    pub(super) images: usize,
    /// `null` without labels.
    pub(super) loss: Option<f64>,
    pub(super) accuracy: Option<f64>,
    /// `null` without labels, or with more than [`MOST_CLASSES`] classes.
    pub(super) analysis: Option<Analysis>,
    /// `null` where no label is known to be wrong.
    pub(super) known_label_errors: Option<SetAside>,
}

/// What is left without the labels that are known to be wrong.
#[derive(Serialize)]
pub(super) struct SetAside {
    /// Who says so, and which.
    #[serde(flatten)]
    pub(super) errors: KnownErrors,
    /// Images that are left.
    pub(super) images: usize,
    /// Share of them that is right.
    pub(super) accuracy: f64,
}

impl Measured {
    /// One pass of `model` over `dataset`.
    pub(super) fn new(model: &Model, part: Part, dataset: &Dataset, threads: &Threads) -> Result<Self, CliError> {
        let bar = progress::bar(format!("evaluating {part}"), dataset.len() as u64, Unit::Images);
        let mut progress = |done: usize, _total| bar.set_position(done as u64);
        let evaluation = evaluate_with_progress(model, dataset, threads, &mut progress);
        bar.finish_and_clear();
        let (split, images) = (part.to_string(), dataset.len());
        let (Some(Evaluation { score, predictions }), Some(labels)) = (evaluation?, &dataset.labels) else {
            let (loss, accuracy, analysis, known_label_errors) = (None, None, None, None);
            return Ok(Measured { split, images, loss, accuracy, analysis, known_label_errors });
        };
        let classes = model.classes().len();
        let analysed = (classes <= MOST_CLASSES).then(|| Analysis::new(labels, predictions.probabilities(), classes));
        let known = known_label_errors(dataset);
        Ok(Measured {
            split,
            images,
            loss: Some(score.loss),
            accuracy: Some(score.accuracy),
            analysis: analysed.transpose()?,
            known_label_errors: known.map(|errors| SetAside::new(errors, labels, &predictions)),
        })
    }
}

impl SetAside {
    fn new(errors: KnownErrors, labels: &[u32], predictions: &Predictions) -> SetAside {
        let rows = labels.iter().zip(predictions.labels()).zip(0_u32..);
        let kept = rows.filter(|(_, row)| errors.rows.binary_search(row).is_err());
        let right = kept.filter(|((label, predicted), _)| *label == predicted).count();
        let images = labels.len() - errors.rows.len();
        SetAside { errors, images, accuracy: right as f64 / images as f64 }
    }
}
