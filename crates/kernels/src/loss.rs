//! Softmax cross-entropy from logits, with its gradient.
//!
//! As in Keras: label smoothing turns a target `t` into `t * (1 - smoothing) + smoothing / classes`; a class weight
//! multiplies its samples' losses (the class of a soft target is its largest entry); the mean over a batch divides
//! by the number of samples, not by the sum of the weights. The caller passes that division as `scale`.

use crate::{Isa, reference};

/// The loss and the right answers of some samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossSum {
    /// The sum of the weighted losses, added sample after sample.
    pub loss: f64,
    /// How many samples have their largest logit at the label; of equal logits the first counts, and a sample with
    /// a NaN is never right. Class weights do not matter here.
    pub correct: usize,
}

/// How the loss is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossOptions<'a> {
    /// Label smoothing, in `[0, 1]`; 0 for none.
    pub smoothing: f32,
    /// A weight for each class, or none.
    pub class_weights: Option<&'a [f32]>,
}

/// Softmax cross-entropy against class indices.
///
/// Writes `dlogits` = the gradient of the sum of the weighted losses, times `scale`; and `probabilities`, if wanted.
/// Shapes: `logits`, `dlogits`, `probabilities` N x classes; `labels` N.
///
/// # Panics
/// If the lengths do not fit or a label is not below `classes`.
#[expect(clippy::too_many_arguments, reason = "one pass writes all that the last layer needs")]
pub fn softmax_cross_entropy(
    isa: Isa,
    classes: usize,
    logits: &[f32],
    labels: &[u32],
    options: &LossOptions<'_>,
    scale: f32,
    dlogits: &mut [f32],
    probabilities: Option<&mut [f32]>,
) -> LossSum {
    assert_eq!(logits.len(), labels.len() * classes, "logits are not {} rows of {classes}", labels.len());
    let targets = reference::loss::one_hot(classes, labels);
    softmax_cross_entropy_targets(isa, classes, logits, &targets, options, scale, dlogits, probabilities)
}

/// Softmax cross-entropy against one-hot or soft targets (N x classes); otherwise as [`softmax_cross_entropy`].
///
/// A target row need not sum to 1: the loss is `-sum(t * log p)`, and the gradient is that of this very sum.
///
/// # Panics
/// If the lengths do not fit.
#[expect(clippy::too_many_arguments, reason = "one pass writes all that the last layer needs")]
pub fn softmax_cross_entropy_targets(
    _isa: Isa,
    classes: usize,
    logits: &[f32],
    targets: &[f32],
    options: &LossOptions<'_>,
    scale: f32,
    dlogits: &mut [f32],
    probabilities: Option<&mut [f32]>,
) -> LossSum {
    let mut unused = vec![0.0; logits.len()];
    let probabilities = probabilities.unwrap_or(&mut unused);
    reference::loss::softmax_cross_entropy_targets(classes, (logits, targets), options, scale, dlogits, probabilities)
}

/// [`softmax_cross_entropy`] without the gradient, for evaluation.
///
/// # Panics
/// If the lengths do not fit or a label is not below `classes`.
pub fn softmax_cross_entropy_loss(
    isa: Isa,
    classes: usize,
    logits: &[f32],
    labels: &[u32],
    options: &LossOptions<'_>,
    probabilities: Option<&mut [f32]>,
) -> LossSum {
    let mut unused = vec![0.0; logits.len()];
    softmax_cross_entropy(isa, classes, logits, labels, options, 0.0, &mut unused, probabilities)
}
