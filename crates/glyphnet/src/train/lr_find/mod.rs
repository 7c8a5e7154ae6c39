//! The learning-rate range test: a few steps at a rate that grows from one to the next by the same factor, and a look at
//! how the loss follows (Smith, "Cyclical learning rates for training neural networks", 2015; Smith, "A disciplined
//! approach to neural network hyper-parameters: part 1", 2018; the procedure is that of fastai's `lr_find`).

mod range;
mod suggest;

use glyphnet_data::{Source, epoch_order};
use serde::Serialize;

pub use self::range::RateRange;
pub use self::suggest::SUGGESTION_RULE;

use super::data::{EpochBatch, TrainingData};
use super::events::FitOptions;
use super::run::Run;
use crate::Error;
use crate::nn::{Batch, Trainer};
use crate::recipe::Recipe;

/// How much of the running mean of the loss stays from one step to the next.
const KEPT: f64 = 0.95;
/// The test is over when the running mean is so many times its lowest value.
const DIVERGED: f64 = 4.0;

/// What a range test found. It serialises as the JSON that `lr-find --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RangeTest {
    /// The steps that were taken, in their order: rates grow.
    pub points: Vec<RatePoint>,
    /// How it ended.
    pub end: RangeEnd,
    /// The rate to train with, by [`SUGGESTION_RULE`], to two digits; `None` where the smoothed loss never fell by 2 %.
    pub suggestion: Option<f64>,
}

/// One step of a range test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RatePoint {
    /// The rate that the step was taken at.
    pub learning_rate: f64,
    /// Mean loss of its batch, before the update.
    pub loss: f64,
    /// The mean of the losses around it, a normal distribution over the logarithm of the rate with a standard deviation
    /// of 0.4 decades being their weights; losses above 1.2 times the first one count as that, and so do steps that were
    /// not taken because the loss had grown too much.
    pub smoothed_loss: f64,
}

/// How a range test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RangeEnd {
    /// At the highest rate.
    Highest,
    /// The running mean of the loss had grown to four times its lowest value.
    Diverged,
    /// The loss or the gradient of the step after the last point was no number.
    NotANumber,
}

impl RangeTest {
    /// The point with the lowest smoothed loss.
    pub fn lowest(&self) -> Option<&RatePoint> {
        self.points.iter().min_by(|a, b| a.smoothed_loss.total_cmp(&b.smoothed_loss))
    }
}

/// Takes the steps of `range` with `trainer`, a batch for each from `batches`, until the loss diverges; `progress` hears
/// how many of how many are done. The trainer is then put back: network, optimizer and step count are as before, bit for
/// bit.
///
/// Without points, numbers went wrong at the first step, or there was no batch.
///
/// # Panics
/// If a batch is empty or larger than the trainer's, or has a label that is no class.
pub fn range_test<B: Batch>(
    trainer: &mut Trainer,
    range: &RateRange,
    batches: impl IntoIterator<Item = B>,
    progress: &mut dyn FnMut(u32, u32),
) -> RangeTest {
    let before = trainer.state();
    let (mut losses, mut end) = (Vec::new(), RangeEnd::Highest);
    let (mut average, mut kept, mut lowest) = (0.0, 1.0, f64::INFINITY);
    progress(0, range.steps());
    for (step, batch) in (0..range.steps()).zip(batches) {
        let sum = trainer.step(&batch, range.rate(step));
        progress(step + 1, range.steps());
        if !sum.loss.is_finite() || !trainer.gradient_is_finite() {
            end = RangeEnd::NotANumber;
            break;
        }
        let loss = sum.loss / batch.len() as f64;
        losses.push(loss);
        // An exponential moving average whose start at zero is corrected for, as Adam corrects its means.
        (average, kept) = (KEPT * average + (1.0 - KEPT) * loss, kept * KEPT);
        let mean = average / (1.0 - kept);
        lowest = mean.min(lowest);
        if mean > DIVERGED * lowest {
            end = RangeEnd::Diverged;
            break;
        }
    }
    trainer.restore(&before);
    let smoothed = suggest::smoothed(&losses, range, end);
    let points = (0..).zip(losses.into_iter().zip(smoothed));
    let points: Vec<RatePoint> = points
        .map(|(step, (loss, smoothed_loss))| RatePoint { learning_rate: range.rate(step), loss, smoothed_loss })
        .collect();
    RangeTest { suggestion: suggest::suggestion(&points), points, end }
}

/// The range test for `recipe` on `source`: its network, optimizer and augmentation, on the batches that training would
/// begin with, full ones only where there are any; the schedule has no part in it. Nothing is written, and neither
/// validation nor test images are looked at. `progress` hears how many steps of how many are done.
///
/// # Errors
/// If recipe and data do not fit, or the loss or the gradient of the first step is no number.
pub fn find_learning_rate(
    recipe: &Recipe,
    source: &Source,
    options: &FitOptions,
    range: &RateRange,
    progress: &mut (dyn FnMut(u32, u32) + Send),
) -> Result<RangeTest, Error> {
    let options = FitOptions { folder: None, ..options.clone() };
    options.threads.run(|| {
        let data = TrainingData::new(recipe, source)?;
        let mut run = Run::new(recipe, source, &data, &options)?;
        let rows = rows(recipe, data.train.len(), range.steps() as usize);
        let Run { trainer, augmenter, preprocess, .. } = &mut run;
        let (augmenter, preprocess) = (augmenter.as_ref(), &*preprocess);
        let batches =
            rows.iter().map(|&(epoch, ref rows)| EpochBatch { data: &data.train, rows, augmenter, preprocess, epoch });
        let test = range_test(trainer, range, batches, progress);
        if test.points.is_empty() {
            let (epoch, rows) = &rows[0];
            let (augmenter, preprocess) = (run.augmenter.as_ref(), &run.preprocess);
            let batch = EpochBatch { data: &data.train, rows, augmenter, preprocess, epoch: *epoch };
            return Err(no_first_step(&run, &batch, range));
        }
        Ok(test)
    })
}

/// The first `steps` full batches of training, or of what there is: an epoch's number and rows of the training images.
fn rows(recipe: &Recipe, images: usize, steps: usize) -> Vec<(u32, Vec<u32>)> {
    let size = recipe.train.batch_size.clamp(1, images.max(1));
    let (mut order, mut batches) = (Vec::new(), Vec::with_capacity(steps));
    for epoch in 1.. {
        epoch_order(recipe.train.seed, epoch, images, &mut order);
        let full = order.chunks_exact(size).map(|rows| (epoch, rows.to_vec()));
        batches.extend(full.take(steps - batches.len()));
        if batches.len() == steps {
            break;
        }
    }
    batches
}

/// Why there is nothing to show.
fn no_first_step(run: &Run<'_>, batch: &EpochBatch<'_>, range: &RateRange) -> Error {
    let rate = range.lowest();
    let wrong = run.went_wrong(batch, "the loss or the gradient of the first step is no number".to_owned(), rate);
    let cause = match wrong.curable {
        true => format!("start the test at a lower rate than {rate:e}"),
        false => wrong.cause,
    };
    Error::Mismatch(format!("no range test: {}; {cause}", wrong.what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_full_and_go_on_as_training_would() {
        let recipe = Recipe::load("seed").unwrap().with_overrides(&["train.batch_size=8", "train.seed=6"]).unwrap();
        let batches = rows(&recipe, 20, 5);
        assert!(batches.iter().map(|(epoch, rows)| (*epoch, rows.len())).eq([(1, 8), (1, 8), (2, 8), (2, 8), (3, 8)]));
        let mut order = Vec::new();
        epoch_order(6, 2, 20, &mut order);
        assert_eq!([&batches[2].1[..], &batches[3].1[..]].concat(), order[..16]);
        let batches = rows(&recipe, 3, 2);
        assert!(batches.iter().map(|(epoch, rows)| (*epoch, rows.len())).eq([(1, 3), (2, 3)]), "less than a batch");
    }
}
