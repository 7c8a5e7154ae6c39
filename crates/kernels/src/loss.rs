//! Softmax cross-entropy from logits, with its gradient.
//!
//! As in Keras: label smoothing turns a target `t` into `t * (1 - smoothing) + smoothing / classes`; a class weight
//! multiplies its samples' losses (the class of a soft target is its largest entry); the mean over a batch divides
//! by the number of samples, not by the sum of the weights. The caller passes that division as `scale`.

use pulp::{Simd, WithSimd};

use crate::Isa;
use crate::softmax::{RowSum, check_rows, probability_row, row_sum};

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
    check_labels("softmax_cross_entropy", classes, logits.len(), labels);
    let targets = Labels { labels, smoothing: Smoothing::new(options, classes) };
    run(isa, classes, logits, targets, options, scale, Some(dlogits), probabilities)
}

/// [`softmax_cross_entropy`] without the gradient, for evaluation; the same values.
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
    check_labels("softmax_cross_entropy_loss", classes, logits.len(), labels);
    let targets = Labels { labels, smoothing: Smoothing::new(options, classes) };
    run(isa, classes, logits, targets, options, 0.0, None, probabilities)
}

/// Softmax cross-entropy against one-hot or soft targets (N x classes); otherwise as [`softmax_cross_entropy`].
/// `dlogits` is written only if wanted.
///
/// A target row need not sum to 1: the loss is `-sum(t * log p)`, and the gradient is that of this very sum. A sample
/// counts as correct if its largest logit is at its largest target.
///
/// # Panics
/// If the lengths do not fit.
#[expect(clippy::too_many_arguments, reason = "one pass writes all that the last layer needs")]
pub fn softmax_cross_entropy_targets(
    isa: Isa,
    classes: usize,
    logits: &[f32],
    targets: &[f32],
    options: &LossOptions<'_>,
    scale: f32,
    dlogits: Option<&mut [f32]>,
    probabilities: Option<&mut [f32]>,
) -> LossSum {
    let (logits_len, targets_len) = (logits.len(), targets.len());
    assert_eq!(logits_len, targets_len, "softmax_cross_entropy_targets: {logits_len} logits, {targets_len} targets");
    let targets = Soft { targets, smoothing: Smoothing::new(options, classes), classes };
    run(isa, classes, logits, targets, options, scale, dlogits, probabilities)
}

fn check_labels(name: &str, classes: usize, logits: usize, labels: &[u32]) {
    assert_eq!(logits, labels.len() * classes, "{name}: {logits} logits are not {} rows of {classes}", labels.len());
    let wrong = labels.iter().position(|&label| label as usize >= classes);
    assert!(wrong.is_none(), "{name}: sample {} has a label past the {classes} classes", wrong.unwrap_or_default());
}

/// What the probabilities of each sample are compared with.
trait Targets {
    /// The class of a sample, for its weight and for counting right answers.
    fn class(&self, sample: usize) -> Option<usize>;

    /// The smoothed target of a class.
    fn target(&self, sample: usize, class: usize) -> f64;
}

struct Labels<'a> {
    labels: &'a [u32],
    smoothing: Smoothing,
}

impl Targets for Labels<'_> {
    #[inline(always)]
    fn class(&self, sample: usize) -> Option<usize> {
        Some(self.labels[sample] as usize)
    }

    #[inline(always)]
    fn target(&self, sample: usize, class: usize) -> f64 {
        self.smoothing.of(f64::from(u8::from(self.labels[sample] as usize == class)))
    }
}

struct Soft<'a> {
    targets: &'a [f32],
    smoothing: Smoothing,
    classes: usize,
}

impl Targets for Soft<'_> {
    #[inline(always)]
    fn class(&self, sample: usize) -> Option<usize> {
        argmax(&self.targets[sample * self.classes..][..self.classes])
    }

    #[inline(always)]
    fn target(&self, sample: usize, class: usize) -> f64 {
        self.smoothing.of(f64::from(self.targets[sample * self.classes + class]))
    }
}

/// `t -> t * keep + share`.
#[derive(Clone, Copy)]
struct Smoothing {
    keep: f64,
    share: f64,
}

impl Smoothing {
    fn new(options: &LossOptions<'_>, classes: usize) -> Smoothing {
        let smoothing = f64::from(options.smoothing);
        Smoothing { keep: 1.0 - smoothing, share: smoothing / classes as f64 }
    }

    #[inline(always)]
    fn of(self, target: f64) -> f64 {
        target * self.keep + self.share
    }
}

/// The first of the largest values; `None` if there is a NaN.
fn argmax(values: &[f32]) -> Option<usize> {
    let mut best = 0;
    for (i, v) in values.iter().enumerate() {
        if v.is_nan() {
            return None;
        }
        if *v > values[best] {
            best = i;
        }
    }
    Some(best)
}

#[expect(clippy::too_many_arguments, reason = "checks and forwards what its callers got")]
fn run(
    isa: Isa,
    classes: usize,
    logits: &[f32],
    targets: impl Targets,
    options: &LossOptions<'_>,
    scale: f32,
    dlogits: Option<&mut [f32]>,
    probabilities: Option<&mut [f32]>,
) -> LossSum {
    check_rows("softmax_cross_entropy", classes, logits.len());
    let smoothing = options.smoothing;
    assert!((0.0..=1.0).contains(&smoothing), "softmax_cross_entropy: smoothing {smoothing} is not in [0, 1]");
    for (name, buffer) in [("dlogits", dlogits.as_deref()), ("probabilities", probabilities.as_deref())] {
        let len = buffer.map_or(logits.len(), <[f32]>::len);
        assert_eq!(len, logits.len(), "softmax_cross_entropy: {name} has {len} values, logits {}", logits.len());
    }
    let weights = options.class_weights.map_or(classes, <[f32]>::len);
    assert_eq!(weights, classes, "softmax_cross_entropy: {weights} class weights for {classes} classes");
    isa.run(Run { classes, logits, targets, weights: options.class_weights, scale, dlogits, probabilities })
}

struct Run<'a, T> {
    classes: usize,
    logits: &'a [f32],
    targets: T,
    weights: Option<&'a [f32]>,
    scale: f32,
    dlogits: Option<&'a mut [f32]>,
    probabilities: Option<&'a mut [f32]>,
}

impl<T: Targets> WithSimd for Run<'_, T> {
    type Output = LossSum;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) -> LossSum {
        let mut total = LossSum::default();
        for (sample, z) in self.logits.chunks_exact(self.classes).enumerate() {
            let row = sample * self.classes..(sample + 1) * self.classes;
            let sum = row_sum(simd, z);
            let class = self.targets.class(sample);
            let weight = f64::from(class.zip(self.weights).map_or(1.0, |(class, weights)| weights[class]));
            let (loss, mass) = self.row_loss(sample, z, sum);
            total.loss += weight * loss;
            total.correct += usize::from(class.is_some() && argmax(z) == class);
            if let Some(probabilities) = &mut self.probabilities {
                probability_row(simd, z, sum, &mut probabilities[row.clone()]);
            }
            if let Some(dlogits) = &mut self.dlogits {
                let dlogits = &mut dlogits[row];
                probability_row(simd, z, sum, dlogits);
                let factor = weight * f64::from(self.scale);
                for (class, gradient) in dlogits.iter_mut().enumerate() {
                    let target = self.targets.target(sample, class);
                    *gradient = (factor * (mass * f64::from(*gradient) - target)) as f32;
                }
            }
        }
        total
    }
}

impl<T: Targets> Run<'_, T> {
    /// The unweighted loss of a sample and the sum of its targets.
    #[inline(always)]
    fn row_loss(&self, sample: usize, z: &[f32], RowSum { largest, sum }: RowSum) -> (f64, f64) {
        let log_sum = f64::from(largest) + libm::log(f64::from(sum));
        let (mut loss, mut mass) = (0.0, 0.0);
        for (class, z) in z.iter().enumerate() {
            let target = self.targets.target(sample, class);
            mass += target;
            // A class without a target adds nothing, even where its probability is 0.
            if target != 0.0 {
                loss += target * (log_sum - f64::from(*z));
            }
        }
        (loss, mass)
    }
}
