//! Inference: a plan without any training state, shared by all threads.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use glyphnet_kernels::{Buffer, Isa, softmax_rows};
use rayon::prelude::*;

use super::layer::{Kernels, Pass, Tape, Values};
use super::plan::{Plan, words};
use super::{Network, Threads};

/// The most samples that one task takes.
const BLOCK: usize = 32;

/// Tasks for each thread, so that the last ones end close together.
const TASKS: usize = 4;

/// Samples that run through the plan together.
pub(super) fn group(plan: &Plan) -> usize {
    plan.group(&(0..plan.stages.len())).min(BLOCK)
}

/// A trained network at work. `&self` is enough: any number of threads may share it.
pub struct Predictor {
    plan: Plan,
    isa: Isa,
    /// Samples that run through the plan together.
    group: usize,
    /// What ops read besides what they packed. Those that fold hold all they need.
    weights: Vec<f32>,
    /// Buffers that are not in use, by this network or those that share them.
    idle: Arc<Mutex<Vec<Workspace>>>,
}

/// The buffers of one thread.
pub(super) struct Workspace {
    scratch: Buffer,
    values: [Buffer; 2],
    floats: Buffer,
    indices: Vec<u32>,
}

impl Predictor {
    /// Compiles `network` for inference by the fast kernels; later changes of it are not seen.
    pub fn new(network: &Network, isa: Isa) -> Predictor {
        Predictor::with_kernels(network, isa, Kernels::Fast)
    }

    /// The same by the given kernels.
    pub fn with_kernels(network: &Network, isa: Isa, kernels: Kernels) -> Predictor {
        let mut plan = Plan::new(network, isa, None, kernels);
        plan.prepare(Values { weights: network.weights(), state: network.state() });
        let weights = if kernels == Kernels::Fast { Vec::new() } else { network.weights().to_vec() };
        let group = group(&plan);
        Predictor { plan, isa, group, weights, idle: Arc::default() }
    }

    /// The same for another network of the same layers and input. Both work in the same buffers, one after the other, so
    /// that any number of networks takes no more of them than one.
    ///
    /// # Panics
    /// If the layers or the input are others.
    pub fn beside(&self, network: &Network) -> Predictor {
        let other = Predictor::new(network, self.isa);
        let buffers = |Predictor { plan, group, .. }: &Predictor| {
            [plan.input, plan.output, *group, plan.widest(), plan.scratch()]
                .into_iter()
                .chain(tapes(plan))
                .collect::<Vec<_>>()
        };
        assert_eq!(buffers(&other), buffers(self), "networks that share buffers have the same layers and input");
        Predictor { idle: Arc::clone(&self.idle), ..other }
    }

    /// Logits of `n` samples on the calling thread: `n x classes`, row-major; softmax makes them probabilities.
    ///
    /// `fill(i, input)` writes the input of sample `i` (height x width x channels, preprocessed). A sample's bits do
    /// not depend on its companions.
    pub fn logits(&self, n: usize, fill: impl Fn(usize, &mut [f32])) -> Vec<f32> {
        let mut out = vec![0.0; n * self.plan.output];
        self.block(0, &fill, &mut out);
        out
    }

    /// The same on a pool of threads, with the same bits.
    pub fn logits_on(&self, threads: &Threads, n: usize, fill: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
        let mut out = vec![0.0; n * self.plan.output];
        let block = n.div_ceil(TASKS * threads.count()).clamp(1, BLOCK);
        threads.run(|| {
            let tasks = out.par_chunks_mut(block * self.plan.output).with_max_len(1).enumerate();
            tasks.for_each(|(b, out)| self.block(b * block, &fill, out));
        });
        out
    }

    /// Turns rows of logits into probabilities, in place.
    pub fn softmax(&self, logits: &mut [f32]) {
        softmax_rows(self.isa, self.plan.output, logits);
    }

    /// Instruction set of its kernels.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    fn block(&self, first: usize, fill: &impl Fn(usize, &mut [f32]), out: &mut [f32]) {
        let mut workspace = self.take();
        let (group, classes) = (self.group, self.plan.output);
        for (g, out) in out.chunks_mut(group * classes).enumerate() {
            let n = out.len() / classes;
            let input = &mut workspace.values[0][..n * self.plan.input];
            for (i, input) in input.chunks_exact_mut(self.plan.input).enumerate() {
                fill(first + g * group + i, input);
            }
            workspace.run(&self.plan, &self.weights, n);
            out.copy_from_slice(&workspace.values[0][..n * classes]);
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(workspace);
    }

    fn take(&self) -> Workspace {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(|| Workspace::new(&self.plan, self.group))
    }
}

impl fmt::Debug for Predictor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Predictor").field("isa", &self.isa).field("stages", &self.plan.stages.len()).finish()
    }
}

/// The longest tape of a stage, for one sample: floats and indices.
fn tapes(plan: &Plan) -> [usize; 2] {
    plan.stages
        .iter()
        .map(|stage| stage.op.needs())
        .fold([0, 0], |[floats, indices], needs| [floats.max(needs.floats), indices.max(needs.indices)])
}

impl Workspace {
    fn new(plan: &Plan, group: usize) -> Workspace {
        let [floats, indices] = tapes(plan);
        Workspace {
            scratch: Buffer::new(plan.scratch()),
            values: std::array::from_fn(|_| Buffer::new(plan.widest() * group)),
            floats: Buffer::new(floats * group),
            indices: vec![0; indices * group],
        }
    }

    /// Values and indices that a workspace makes room for.
    pub(super) fn words(plan: &Plan, group: usize) -> u64 {
        let [floats, indices] = tapes(plan);
        words(2 * plan.widest() + floats + indices, group) + plan.scratch() as u64
    }

    /// Runs `n` samples from `values[0]` back into `values[0]`.
    fn run(&mut self, plan: &Plan, weights: &[f32], n: usize) {
        let pass = Pass { weights, seed: 0, step: 0, first: 0 };
        for stage in &plan.stages {
            let needs = stage.op.needs();
            let tape =
                Tape { floats: &mut self.floats[..needs.floats * n], indices: &mut self.indices[..needs.indices * n] };
            let [x, y] = self.values.each_mut();
            stage.op.forward(&pass, &x[..n * stage.input], &mut y[..n * stage.output], tape, &mut self.scratch);
            self.values.swap(0, 1);
        }
    }
}
