//! One training step: forward, loss, backward, reduction, update.
//!
//! The batch is cut into chunks whose number depends on the batch size alone. A chunk accumulates its own gradient,
//! sample after sample; the chunks' gradients are added in their order. So the bits do not depend on the number of
//! threads, nor on which thread took which chunk.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use glyphnet_kernels::{Isa, LossSum, sum_chunks, sum_of_squares};
use rayon::prelude::*;

use super::average::{AverageState, Averaging, WeightAverage};
use super::chunk::{Chunk, StepContext, Work, Worker};
use super::layer::Values;
use super::optimizer::{Optimizer, Pace, SHARD};
use super::plan::{Plan, Stage};
use super::plan_report::{MOST_MEMORY, MemoryReport, PlanReport};
use super::{Kernels, Network, Threads, TrainerError};
use crate::recipe::OptimizerConfig;

mod recalibrate;

/// The most chunks that a batch is cut into. Measured were 4, 8 and 16 at batches of 32 and 64, on the network of recipe
/// `seed` and a small one: 4 and 8 cost the same within 6 %, 16 cost 2 to 5 % more, and eight feed eight threads.
const CHUNKS: usize = 8;

/// Where the samples of a batch come from. Workers ask for a sample just before its forward pass.
pub trait Batch: Sync {
    /// Samples in the batch.
    fn len(&self) -> usize;

    /// Whether there is no sample.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the network's input for the sample at `position` (height x width x channels).
    fn fill(&self, position: usize, input: &mut [f32]);

    /// Its label.
    fn label(&self, position: usize) -> u32;

    /// Whether the batch has targets instead of labels: one-hot or soft rows, one probability for each class.
    fn has_targets(&self) -> bool {
        false
    }

    /// Writes the target of the sample at `position`, one value for each class. Asked only where
    /// [`Batch::has_targets`]; the label is then not asked.
    fn target(&self, _position: usize, _target: &mut [f32]) {}
}

/// What a [`Trainer`] needs to know besides the network.
#[derive(Debug, Clone)]
pub struct TrainerOptions {
    /// Instruction set of the kernels.
    pub isa: Isa,
    /// Which kernels to use.
    pub kernels: Kernels,
    /// Samples of a full batch.
    pub batch_size: usize,
    /// Seed of the dropout masks.
    pub seed: u64,
    /// Share of the target's probability that is spread over all classes.
    pub label_smoothing: f32,
    /// A weight for each class, if any.
    pub class_weights: Option<Vec<f32>>,
    /// How weights follow gradients.
    pub optimizer: OptimizerConfig,
    /// Which steps' weights are averaged, if any.
    pub averaging: Option<Averaging>,
}

/// All that the next step of a [`Trainer`] depends on, besides its options and the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainerState {
    /// Steps taken so far.
    pub steps: u64,
    /// The network's trained weights, in the order of [`Network::weights`].
    pub weights: Vec<f32>,
    /// The network's running averages, in the order of [`Network::state`].
    pub state: Vec<f32>,
    /// The optimizer's arrays by name, each in the order of the weights.
    pub optimizer: Vec<(&'static str, Vec<f32>)>,
    /// The average of the weights, once it has begun.
    pub average: Option<AverageState>,
}

impl TrainerState {
    /// The names of the arrays that this optimizer keeps, in their order.
    pub fn optimizer_arrays(config: &OptimizerConfig) -> Vec<&'static str> {
        Optimizer::slots(config).into_iter().map(|(_, name)| name).collect()
    }
}

/// A network in training: the plan, all buffers, and the optimizer's state.
pub struct Trainer {
    network: Network,
    plan: Plan,
    options: TrainerOptions,
    threads: Threads,
    optimizer: Optimizer,
    average: Option<WeightAverage>,
    chunks: Vec<Mutex<Chunk>>,
    workers: Vec<Mutex<Worker>>,
    gradient: Vec<f32>,
    /// Whether all of the last step's gradient were numbers.
    finite: bool,
    step: u64,
}

/// How a full batch is cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) chunks: usize,
    /// Samples of the longest chunk.
    pub(super) longest: usize,
    /// Whether chunks keep the activations of all their samples, as more than one segment needs; otherwise each thread
    /// keeps those of a group.
    pub(super) keep: bool,
}

impl Cut {
    pub(super) fn new(plan: &Plan, batch_size: usize) -> Cut {
        let chunks = chunk_count(batch_size.max(1));
        let longest = batch_size.max(1).div_ceil(chunks);
        Cut { chunks, longest, keep: plan.segments.len() > 1 }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panicking worker takes the step down with it; buffers are overwritten by the next step anyway.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Trainer {
    /// Compiles `network` and allocates everything that its steps will use.
    ///
    /// # Errors
    /// If that is more memory than any machine here can be expected to have, 256 GiB, or predicting with the network would
    /// take more than a GiB in each thread.
    pub fn new(network: Network, threads: Threads, options: TrainerOptions) -> Result<Trainer, TrainerError> {
        let plan = Plan::new(&network, options.isa, Some(options.batch_size), options.kernels);
        if MemoryReport::training(&network, &plan, &options, threads.count()).total() > MOST_MEMORY {
            return Err(TrainerError::TooLarge { batch_size: options.batch_size });
        }
        if !PlanReport::can_predict(&network, options.isa) {
            return Err(TrainerError::TooWide);
        }
        let weights = network.trained_parameters();
        let Cut { chunks, longest, keep } = Cut::new(&plan, options.batch_size);
        let chunks = (0..chunks).map(|_| Mutex::new(Chunk::new(&plan, weights, longest, keep))).collect();
        let workers = (0..threads.count()).map(|_| Mutex::new(Worker::new(&plan, longest, !keep))).collect();
        let optimizer = Optimizer::new(options.isa, options.optimizer.clone(), &network);
        let average = options.averaging.map(|averaging| WeightAverage::new(averaging, &network));
        let gradient = vec![0.0; weights];
        let (finite, step) = (true, 0);
        let mut trainer =
            Trainer { network, plan, options, threads, optimizer, average, chunks, workers, gradient, finite, step };
        trainer.in_pool(Trainer::prepare);
        Ok(trainer)
    }

    /// The network as it is now.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Replaces all weights and all state; see [`Network::weights`] and [`Network::state`] for their order.
    ///
    /// # Panics
    /// If the lengths differ from the network's.
    pub fn set_weights(&mut self, weights: &[f32], state: &[f32]) {
        self.network.set(weights, state);
        self.in_pool(Trainer::prepare);
    }

    /// Everything that the steps so far have changed.
    pub fn state(&self) -> TrainerState {
        TrainerState {
            steps: self.step,
            weights: self.network.weights().to_vec(),
            state: self.network.state().to_vec(),
            optimizer: self.optimizer_state(),
            average: self.average().cloned(),
        }
    }

    /// The average of the weights, once it has begun.
    pub fn average(&self) -> Option<&AverageState> {
        self.average.as_ref().and_then(WeightAverage::current)
    }

    /// The network that is judged and kept: with the average of the weights, once it has begun; else as it is.
    pub fn averaged(&self) -> Network {
        let mut network = self.network.clone();
        if let Some(AverageState { weights, state, .. }) = self.average() {
            network.set(weights, state);
        }
        network
    }

    /// The optimizer's arrays alone: [`TrainerState::optimizer`].
    pub fn optimizer_state(&self) -> Vec<(&'static str, Vec<f32>)> {
        self.optimizer.state()
    }

    /// Goes on from `state`: the next step is, bit for bit, the one that would have followed there, on the same
    /// instruction set.
    ///
    /// # Panics
    /// If it is the state of another network or optimizer.
    pub fn restore(&mut self, state: &TrainerState) {
        self.step = state.steps;
        self.optimizer.restore(state.steps, &state.optimizer);
        if let Some(average) = &mut self.average {
            average.restore(state.steps, state.average.as_ref());
        }
        self.set_weights(&state.weights, &state.state);
    }

    /// The network, when training is over.
    pub fn into_network(self) -> Network {
        self.network
    }

    /// Steps taken so far.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// The threads that it works with.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// The gradient of the last step's mean loss with respect to [`Network::weights`], frozen ones left out, which lie at
    /// their end; after [`Trainer::step`] it is clipped.
    pub fn gradient(&self) -> &[f32] {
        &self.gradient
    }

    /// Whether the gradient of the last [`Trainer::step`], before clipping, held numbers alone: no infinity, no NaN. The
    /// weights are then worth nothing any more, even where the loss does not show it: a relu may hide a NaN.
    pub fn gradient_is_finite(&self) -> bool {
        self.finite
    }

    /// Runs one step on a batch: returns the sum of its losses and the number of right answers, both before the update.
    /// `pace` is a learning rate, or what a schedule says of the step.
    ///
    /// A step allocates nothing where it is called inside [`Threads::run`] of the trainer's own threads; from outside, handing
    /// it to them costs a small allocation every few dozen steps.
    ///
    /// # Panics
    /// If the batch is empty or has more samples than the batch size, or a label is no class.
    pub fn step(&mut self, batch: &dyn Batch, pace: impl Into<Pace>) -> LossSum {
        let pace = pace.into();
        self.in_pool(|trainer| {
            let loss = trainer.accumulate(batch);
            trainer.update(batch.len(), pace);
            trainer.step += 1;
            if let Some(average) = &mut trainer.average {
                average.after_step(trainer.options.isa, trainer.step, &trainer.network);
            }
            trainer.prepare_stages(|stage| !stage.fixed);
            loss
        })
    }

    /// Forward and backward without clipping and without an update of the weights: fills [`Trainer::gradient`]. Batch
    /// norm's running averages move, as in any training pass.
    pub fn gradient_step(&mut self, batch: &dyn Batch) -> LossSum {
        self.in_pool(|trainer| {
            let loss = trainer.accumulate(batch);
            let (sums, gradient, isa) = (
                ChunkSums::new(&mut trainer.chunks, batch.len(), &trainer.plan),
                &mut trainer.gradient,
                trainer.options.isa,
            );
            gradient.par_chunks_mut(SHARD).enumerate().for_each(|(i, shard)| sums.shard(isa, i, shard));
            loss
        })
    }

    /// Everything of a step runs in the pool, so that its parallel parts start without a detour.
    fn in_pool<T: Send>(&mut self, work: impl FnOnce(&mut Trainer) -> T + Send) -> T {
        let threads = self.threads.clone();
        threads.run(|| work(self))
    }

    fn prepare(&mut self) {
        self.prepare_stages(|_| true);
    }

    /// Hands the weights to those stages that `which` chooses.
    fn prepare_stages(&mut self, which: impl Fn(&Stage) -> bool + Sync) {
        let values = Values { weights: self.network.weights(), state: self.network.state() };
        let prepare = |stage: &mut Stage| {
            if which(stage) {
                stage.op.prepare(values);
            }
        };
        self.plan.stages.par_iter_mut().with_max_len(1).for_each(prepare);
    }

    fn accumulate(&mut self, batch: &dyn Batch) -> LossSum {
        let last = self.plan.segments.len() - 1;
        self.forward_to(last, batch);
        self.each_chunk(batch.len(), |work| work.forward_and_back(last, batch));
        for segment in (0..last).rev() {
            self.settle_backward(segment + 1, batch.len());
            self.each_chunk(batch.len(), |work| work.back_only(segment));
        }
        let mut total = LossSum::default();
        for chunk in self.used_chunks(batch.len()) {
            let chunk = lock(chunk);
            total.loss += chunk.loss.loss;
            total.correct += chunk.loss.correct;
        }
        total
    }

    /// Forward to the beginning of segment `last`.
    fn forward_to(&mut self, last: usize, batch: &dyn Batch) {
        assert!(!batch.is_empty() && batch.len() <= self.options.batch_size, "a batch of {} samples", batch.len());
        for segment in 0..last {
            self.each_chunk(batch.len(), |work| work.forward_only(segment, batch));
            self.settle(segment + 1, batch.len());
        }
    }

    fn used_chunks(&self, samples: usize) -> &[Mutex<Chunk>] {
        &self.chunks[..chunk_count(samples)]
    }

    fn each_chunk(&self, samples: usize, run: impl Fn(&mut Work<'_>) + Sync) {
        let count = chunk_count(samples);
        self.used_chunks(samples).par_iter().with_max_len(1).enumerate().for_each(|(c, chunk)| {
            let mut chunk = lock(chunk);
            let mut worker = lock(&self.workers[rayon::current_thread_index().unwrap_or(0) % self.workers.len()]);
            let step = StepContext {
                plan: &self.plan,
                options: &self.options,
                weights: self.network.weights(),
                step: self.step,
                batch: samples,
            };
            let part = border(c, count, samples)..border(c + 1, count, samples);
            let mut work = Work::new(step, &mut chunk, &mut worker, part);
            run(&mut work);
            work.end();
        });
    }

    /// Hands what the chunks collected to the stage that starts `segment`.
    fn settle(&mut self, segment: usize, samples: usize) {
        let (chunks, plan) = (&self.chunks[..chunk_count(samples)], &mut self.plan);
        let start = plan.segments[segment].start;
        let stage = &mut plan.stages[start];
        if let Some(whole) = stage.op.whole_mut() {
            gather(chunks, &mut whole.inputs()[..samples * stage.input], samples, |chunk| chunk.boundary(start));
            whole.forward(self.network.weights(), samples);
            return;
        }
        let mut first = lock(&chunks[0]);
        let merged = &mut first.coupled[segment - 1].moments;
        for chunk in &chunks[1..] {
            merged.merge(&lock(chunk).coupled[segment - 1].moments);
        }
        let (weights, state) = self.network.split_mut();
        if let Some(coupled) = stage.op.coupled_mut() {
            coupled.settle(merged, weights, state);
        }
    }

    /// The same on the way back.
    fn settle_backward(&mut self, segment: usize, samples: usize) {
        let (chunks, plan) = (&self.chunks[..chunk_count(samples)], &mut self.plan);
        let start = plan.segments[segment].start;
        let stage = &mut plan.stages[start];
        if let Some(whole) = stage.op.whole_mut() {
            let gradients = &mut whole.gradients()[..samples * stage.output];
            gather(chunks, gradients, samples, |chunk| &chunk.coupled[segment - 1].border);
            whole.backward(self.network.weights(), samples, start > plan.first_trained, &mut self.gradient);
            return;
        }
        let mut first = lock(&chunks[0]);
        let Chunk { gradient, coupled, .. } = &mut *first;
        let sums = &mut coupled[segment - 1].sums;
        for chunk in &chunks[1..] {
            let chunk = lock(chunk);
            sums.iter_mut().zip(&chunk.coupled[segment - 1].sums).for_each(|(a, b)| *a += b);
        }
        if let Some(coupled) = stage.op.coupled_mut() {
            coupled.settle_backward(sums, gradient);
        }
    }

    /// Adds the gradients of the chunks and changes the weights by the sum: shard by shard in one go, unless clipping
    /// must see the whole gradient first.
    fn update(&mut self, samples: usize, pace: Pace) {
        let isa = self.options.isa;
        let sums = ChunkSums::new(&mut self.chunks, samples, &self.plan);
        let finite = AtomicBool::new(true);
        let sum = |i: usize, shard: &mut [f32]| {
            sums.shard(isa, i, shard);
            // The square of a large number may overflow; what is in doubt is looked at one by one.
            if !sum_of_squares(isa, shard).is_finite() && !shard.iter().all(|g| g.is_finite()) {
                finite.store(false, Ordering::Relaxed);
            }
        };
        if self.optimizer.clips() {
            self.gradient.par_chunks_mut(SHARD).enumerate().for_each(|(i, shard)| sum(i, shard));
            self.optimizer.clip(isa, &self.network, &mut self.gradient);
            self.optimizer.update(isa, self.network.trained_mut(), &mut self.gradient, pace, |_, _| {});
        } else {
            self.optimizer.update(isa, self.network.trained_mut(), &mut self.gradient, pace, sum);
        }
        self.finite = finite.into_inner();
    }
}

/// The gradients of a batch's chunks, to be added in their order.
struct ChunkSums<'a> {
    parts: [&'a [f32]; CHUNKS],
    count: usize,
    /// The weights that are summed; the gradients of the others are there already.
    summed: &'a [Range<usize>],
}

impl<'a> ChunkSums<'a> {
    fn new(chunks: &'a mut [Mutex<Chunk>], samples: usize, plan: &'a Plan) -> ChunkSums<'a> {
        let count = chunk_count(samples);
        let mut parts: [&[f32]; CHUNKS] = [&[]; CHUNKS];
        for (part, chunk) in parts.iter_mut().zip(&mut chunks[..count]) {
            *part = &chunk.get_mut().unwrap_or_else(PoisonError::into_inner).gradient;
        }
        ChunkSums { parts, count, summed: &plan.summed }
    }

    /// The sum of shard `i`.
    fn shard(&self, isa: Isa, i: usize, sum: &mut [f32]) {
        let first = i * SHARD;
        for range in self.summed {
            let (start, end) = (range.start.max(first), range.end.min(first + sum.len()));
            if start >= end {
                continue;
            }
            let mut parts: [&[f32]; CHUNKS] = [&[]; CHUNKS];
            for (cut, part) in parts.iter_mut().zip(&self.parts[..self.count]) {
                *cut = &part[start..end];
            }
            sum_chunks(isa, &mut sum[start - first..end - first], &parts[..self.count]);
        }
    }
}

/// Where chunk `c` of `count` starts in the batch.
fn border(c: usize, count: usize, samples: usize) -> usize {
    c * samples / count
}

/// Puts the chunks' samples side by side: `rows` has as many values for each of `samples`.
fn gather(chunks: &[Mutex<Chunk>], rows: &mut [f32], samples: usize, from: impl Fn(&Chunk) -> &[f32] + Sync) {
    let (count, width) = (chunks.len(), rows.len() / samples);
    let mut parts: [&mut [f32]; CHUNKS] = std::array::from_fn(|_| &mut [][..]);
    let mut rest = rows;
    for (c, part) in parts[..count].iter_mut().enumerate() {
        (*part, rest) = rest.split_at_mut((border(c + 1, count, samples) - border(c, count, samples)) * width);
    }
    let parts = parts[..count].par_iter_mut();
    parts.zip(chunks).for_each(|(part, chunk)| part.copy_from_slice(&from(&lock(chunk))[..part.len()]));
}

fn chunk_count(samples: usize) -> usize {
    CHUNKS.min(samples)
}
