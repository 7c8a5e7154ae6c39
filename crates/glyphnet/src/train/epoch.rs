//! The steps of an epoch, and what happens when numbers go wrong in one.

use std::time::{Duration, Instant};

use glyphnet_data::{Subset, epoch_order};

use super::checkpoint::EpochProgress;
use super::data::EpochBatch;
use super::events::{Event, Observer};
use super::exact::Exact;
use super::run::Run;
use crate::Error;
use crate::nn::Batch as _;
use crate::recipe::OnNan;

/// How often a run goes back at most.
const MOST_ROLLBACKS: u32 = 3;
/// How often, at most, it is looked whether the run's folder is still there.
const LOOK: Duration = Duration::from_secs(5);

/// Pixels that are further from zero when the network sees them are a likelier cause than the learning rate.
const LARGEST_INPUT: f32 = 1e6;

/// How the steps of an epoch ended.
pub(super) enum Pass {
    /// All were taken: means over the images.
    Done { loss: f64, accuracy: f64 },
    /// The observer asked to stop.
    Interrupted,
    /// The network is worth nothing any more.
    WentWrong(WentWrong),
}

/// Numbers that are none any more.
pub(super) struct WentWrong {
    pub(super) epoch: u32,
    /// In the epoch, from 1.
    pub(super) step: u64,
    pub(super) what: String,
    pub(super) cause: String,
    /// Whether a lower learning rate may help.
    pub(super) curable: bool,
}

impl Run<'_> {
    /// What is left of a pass over the training images.
    pub(super) fn train_epoch(
        &mut self,
        train: &Subset<'_>,
        epoch: u32,
        observer: &mut dyn Observer,
    ) -> Result<Pass, Error> {
        if self.recipe.train.on_nan == OnNan::Rollback && self.back.is_none() {
            self.back = Some((self.trainer.state(), self.current));
        }
        let mut order = std::mem::take(&mut self.order);
        let began = Instant::now();
        let before = self.current.seconds.0;
        epoch_order(self.recipe.train.seed, epoch, train.len(), &mut order);
        let mut waiting = began;
        let mut pass = None;
        let batches = order.chunks(self.recipe.train.batch_size);
        for rows in batches.skip(usize::try_from(self.current.steps).unwrap_or(usize::MAX)) {
            pass = self.step(train, rows, epoch, waiting, observer);
            self.current.seconds = Exact(before + began.elapsed().as_secs_f64());
            if pass.is_some() {
                break;
            }
            self.look_after_files()?;
            waiting = Instant::now();
        }
        self.order = order;
        Ok(pass.unwrap_or_else(|| self.end_of_pass(epoch)))
    }

    /// One step; something where the epoch does not go on after it.
    fn step(
        &mut self,
        train: &Subset<'_>,
        rows: &[u32],
        epoch: u32,
        waiting: Instant,
        observer: &mut dyn Observer,
    ) -> Option<Pass> {
        let (augmenter, preprocess) = (self.augmenter.as_ref(), &self.preprocess);
        let batch = EpochBatch { data: train, rows, augmenter, preprocess, epoch };
        let started = Instant::now();
        self.totals.data_wait_seconds.0 += started.duration_since(waiting).as_secs_f64();
        let pace = self.schedule.pace(self.trainer.steps());
        let sum = self.trainer.step(&batch, pace);
        self.totals.train_seconds.0 += started.elapsed().as_secs_f64();
        self.totals.images += rows.len() as u64;
        if !sum.loss.is_finite() || !self.trainer.gradient_is_finite() {
            let what = match sum.loss.is_finite() {
                true => "the gradient is not finite".to_owned(),
                false => format!("the loss is {}", sum.loss),
            };
            return Some(Pass::WentWrong(self.went_wrong(&batch, what, pace.learning_rate)));
        }
        let EpochProgress { steps, loss, correct, images, .. } = &mut self.current;
        *steps += 1;
        loss.0 += sum.loss;
        *correct += sum.correct as u64;
        *images += rows.len() as u64;
        let (mean, accuracy) = (loss.0 / *images as f64, *correct as f64 / *images as f64);
        let images = usize::try_from(*images).unwrap_or(usize::MAX);
        observer.event(&Event::Step { epoch, images, loss: mean, accuracy });
        observer.stop_requested().then_some(Pass::Interrupted)
    }

    /// The means of an epoch, unless an update has left the range of numbers without the loss showing it.
    fn end_of_pass(&self, epoch: u32) -> Pass {
        let network = self.trainer.network();
        let EpochProgress { steps, loss, correct, images, .. } = self.current;
        if !network.weights().iter().chain(network.state()).all(|value| value.is_finite()) {
            let what = "a weight is not finite".to_owned();
            let rate = self.schedule.learning_rate(self.trainer.steps().saturating_sub(1));
            return Pass::WentWrong(WentWrong { epoch, step: steps, what, cause: too_high(rate), curable: true });
        }
        let images = images as f64;
        Pass::Done { loss: loss.0 / images, accuracy: correct as f64 / images }
    }

    /// A checkpoint, where one is due; and once in a while a look at whether the folder is still there, so that a run
    /// whose folder was deleted does not go on for an hour.
    fn look_after_files(&mut self) -> Result<(), Error> {
        let Some(folder) = &self.options.folder else { return Ok(()) };
        let now = Instant::now();
        let minutes = self.recipe.train.checkpoint_minutes;
        if minutes > 0.0 && now.duration_since(self.saved).as_secs_f64() >= minutes * 60.0 {
            return self.save();
        }
        if now.duration_since(self.seen) >= LOOK {
            self.seen = now;
            folder.look().map_err(Error::not_saved)?;
        }
        Ok(())
    }

    /// What went wrong in the step that was just taken, and why.
    pub(super) fn went_wrong(&self, batch: &EpochBatch<'_>, what: String, learning_rate: f64) -> WentWrong {
        let (epoch, step) = (batch.epoch, self.current.steps + 1);
        let mut input = vec![0.0; self.trainer.network().input().len()];
        let found = (0..batch.len()).find_map(|position| {
            batch.fill(position, &mut input);
            let beyond = input.iter().find(|value| value.is_nan() || value.abs() > LARGEST_INPUT);
            beyond.map(|&value| (batch.rows[position], f64::from(value)))
        });
        let cause = match found {
            None => return WentWrong { epoch, step, what, cause: too_high(learning_rate), curable: true },
            Some((row, value)) => format!(
                "the likely cause is [preprocess]: training image {row} has the value {} as the network sees it, so \
                 look at scale, mean and std",
                readable(value)
            ),
        };
        WentWrong { epoch, step, what, cause, curable: false }
    }

    /// Back to the last good state, as a rule the beginning of the epoch, with half the learning rate, where the recipe
    /// says so and it may help.
    pub(super) fn go_back(&mut self, wrong: &WentWrong, observer: &mut dyn Observer) -> Result<(), Error> {
        let WentWrong { epoch, step, ref what, ref cause, curable } = *wrong;
        let back = self.back.as_ref().filter(|_| curable && self.rollbacks < MOST_ROLLBACKS);
        let Some((state, sums)) = back else {
            let mut kept = match self.best_epoch() {
                0 => "no epoch was finished before it, so no network is kept".to_owned(),
                best => format!("the best network so far, of epoch {best}, is kept"),
            };
            if self.rollbacks > 0 {
                let times = if self.rollbacks == 1 { "once".to_owned() } else { format!("{} times", self.rollbacks) };
                kept += &format!("; the learning rate had been halved {times}");
            }
            let (what, cause) = (what.clone(), cause.clone());
            return Err(Error::Diverged { epoch, step, what, cause, kept, curable });
        };
        self.trainer.restore(state);
        self.current = EpochProgress { seconds: self.current.seconds, ..*sums };
        self.rollbacks += 1;
        self.schedule = self.schedule.with_base(self.schedule.base() / 2.0);
        let (base, count) = (readable(self.schedule.base()), self.rollbacks);
        let place = match self.current.steps {
            0 => "the beginning of the epoch".to_owned(),
            steps => format!("step {steps} of the epoch"),
        };
        let text = format!(
            "epoch {epoch}, step {step}: {what}; {cause}; back to {place} with the learning rate halved to {base} \
             ({count} of {MOST_ROLLBACKS} times)"
        );
        observer.event(&Event::Message(&text));
        Ok(())
    }
}

fn too_high(learning_rate: f64) -> String {
    format!(
        "the likely cause is a learning rate that is too high (it is {} here): lower optimizer.learning_rate, warm up, \
         or set optimizer.global_clip_norm",
        readable(learning_rate)
    )
}

/// Without dozens of zeros.
fn readable(number: f64) -> String {
    if (1e-4..1e6).contains(&number.abs()) { number.to_string() } else { format!("{number:e}") }
}
