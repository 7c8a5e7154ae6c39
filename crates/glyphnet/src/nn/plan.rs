//! The plan: a network compiled once for one instruction set into stages that run one after another on a few samples.
//!
//! Stages form segments. Inside a segment samples run depth-first, a group at a time through all stages, so that
//! their activations stay in the cache. A stage that couples the batch (batch norm in training) or runs on the whole of
//! it (a large dense layer in training) starts a segment. The plan depends on the network, the batch size and the
//! instruction set alone, never on the machine's caches or cores.

use std::ops::Range;

use glyphnet_kernels::{Buffer, Isa};

use super::Network;
use super::layer::{Kernels, Op, OpContext, Tape, Values};
use super::layers::fuse;

/// Bytes of activations that a group may take: a group has as many samples as fit, at least one.
const GROUP_BYTES: usize = 512 * 1024;

/// One step of a pass: an op and the sizes around it.
pub(super) struct Stage {
    pub(super) op: Box<dyn Op>,
    /// The layers that it runs, by their position in the network.
    pub(super) layers: Range<usize>,
    pub(super) input: usize,
    pub(super) output: usize,
}

pub(super) struct Plan {
    pub(super) stages: Vec<Stage>,
    /// Ranges of stages. Every segment but the first starts with a coupled or a whole-batch stage; the first may be empty.
    pub(super) segments: Vec<Range<usize>>,
    /// Values of one input sample.
    pub(super) input: usize,
    /// Values of one output sample.
    pub(super) output: usize,
    /// The first stage that has weights: no gradient is needed below it.
    pub(super) first_trained: usize,
    /// The weights whose gradients are sums over chunks: all but those of whole-batch stages. Sorted.
    pub(super) summed: Vec<Range<usize>>,
}

impl Plan {
    /// The plan for training with batches of so many samples, or for inference.
    pub(super) fn new(network: &Network, isa: Isa, training: Option<usize>, kernels: Kernels) -> Plan {
        let (layers, specs) = (network.layers(), network.runnable());
        let (mut stages, mut first_trained, mut index) = (Vec::new(), None, 0);
        while index < layers.len() {
            let layer = &layers[index];
            let mut context = OpContext {
                isa,
                input: layer.input,
                output: layer.output,
                index,
                tensors: layer.tensors.iter().map(|t| t.range.clone()).collect(),
                training: training.is_some(),
                batch_size: training.unwrap_or(0),
                kernels,
            };
            let last: Option<&mut Stage> = stages.last_mut();
            if let Some(last) = last.filter(|_| context.folds())
                && last.op.absorb(&specs[index], &context)
            {
                last.output = context.output.len();
                index += 1;
                last.layers.end = index;
                continue;
            }
            let next = specs.get(index + 1).filter(|_| !context.folds());
            let fused = next.and_then(|next| fuse(&specs[index], next, &context));
            if fused.is_some() {
                index += 1;
                context.output = layers[index].output;
            }
            if let Some(op) = fused.or_else(|| specs[index].layer().op(&context)) {
                if first_trained.is_none() && layer.tensors.iter().any(|t| t.trained) {
                    first_trained = Some(stages.len());
                }
                let layers = context.index..index + 1;
                stages.push(Stage { op, layers, input: layer.input.len(), output: context.output.len() });
            }
            index += 1;
        }
        let mut starts: Vec<usize> = vec![0];
        starts
            .extend((0..stages.len()).filter(|&i| stages[i].op.coupled().is_some() || stages[i].op.whole().is_some()));
        let ends = starts[1..].iter().copied().chain([stages.len()]);
        let segments = starts.iter().zip(ends).map(|(&start, end)| start..end).collect();
        let (input, output) = (network.input().len(), network.classes());
        let first_trained = first_trained.unwrap_or(stages.len());
        let summed = summed(&stages, network.trained_parameters());
        Plan { stages, segments, input, output, first_trained, summed }
    }

    /// Hands changed weights to every stage.
    pub(super) fn prepare(&mut self, values: Values<'_>) {
        self.stages.iter_mut().for_each(|stage| stage.op.prepare(values));
    }

    /// Values of the widest boundary between stages.
    pub(super) fn widest(&self) -> usize {
        self.stages.iter().map(|s| s.output).fold(self.input, usize::max)
    }

    /// Scratch that one thread needs.
    pub(super) fn scratch(&self) -> usize {
        self.stages.iter().map(|s| s.op.needs().scratch).max().unwrap_or(0)
    }

    /// Index scratch that one thread needs.
    pub(super) fn scratch_indices(&self) -> usize {
        self.stages.iter().map(|s| s.op.needs().scratch_indices).max().unwrap_or(0)
    }

    /// Samples that run through a segment together.
    pub(super) fn group(&self) -> usize {
        let sample: usize = self.input + self.stages.iter().map(|s| s.output).sum::<usize>();
        (GROUP_BYTES / (sample * size_of::<f32>())).max(1)
    }

    /// Values at the boundary before stage `i` (after the last one for `i = stages.len()`).
    pub(super) fn boundary(&self, i: usize) -> usize {
        if i == 0 { self.input } else { self.stages[i - 1].output }
    }
}

/// The ranges of weights that belong to no whole-batch stage.
fn summed(stages: &[Stage], weights: usize) -> Vec<Range<usize>> {
    let (mut summed, mut start) = (Vec::new(), 0);
    for whole in stages.iter().filter_map(|stage| stage.op.whole()) {
        summed.push(start..whole.weights().start);
        start = whole.weights().end;
    }
    summed.push(start..weights);
    summed.retain(|range| !range.is_empty());
    summed
}

/// `count` times `len`, as far as that can be counted.
pub(super) fn words(len: usize, count: usize) -> u64 {
    (len as u64).saturating_mul(count as u64)
}

/// The values at every boundary, and the tapes, of up to `capacity` samples.
pub(super) struct Activations {
    values: Vec<Buffer>,
    floats: Vec<Buffer>,
    indices: Vec<Vec<u32>>,
}

impl Activations {
    pub(super) fn new(plan: &Plan, capacity: usize) -> Activations {
        let needs: Vec<_> = plan.stages.iter().map(|s| s.op.needs()).collect();
        Activations {
            values: (0..=plan.stages.len()).map(|i| Buffer::new(plan.boundary(i) * capacity)).collect(),
            floats: needs.iter().map(|n| Buffer::new(n.floats * capacity)).collect(),
            indices: needs.iter().map(|n| vec![0; n.indices * capacity]).collect(),
        }
    }

    /// Values and indices that [`Activations::new`] makes room for.
    pub(super) fn words(plan: &Plan, capacity: usize) -> u64 {
        let tapes = plan.stages.iter().map(|s| s.op.needs()).map(|n| n.floats + n.indices);
        let sample = tapes.chain((0..=plan.stages.len()).map(|i| plan.boundary(i))).sum();
        words(sample, capacity)
    }

    /// The values at boundary `i` of all samples.
    pub(super) fn all(&self, i: usize) -> &[f32] {
        &self.values[i]
    }

    /// The values at boundary `i` of the samples in `slots`.
    pub(super) fn at(&self, plan: &Plan, i: usize, slots: &Range<usize>) -> &[f32] {
        let width = plan.boundary(i);
        &self.values[i][slots.start * width..slots.end * width]
    }

    pub(super) fn at_mut(&mut self, plan: &Plan, i: usize, slots: &Range<usize>) -> &mut [f32] {
        let width = plan.boundary(i);
        &mut self.values[i][slots.start * width..slots.end * width]
    }

    /// Everything that stage `i` touches: input, output, tape.
    pub(super) fn stage(&mut self, plan: &Plan, i: usize, slots: &Range<usize>) -> (&[f32], &mut [f32], Tape<'_>) {
        let (stage, needs) = (&plan.stages[i], plan.stages[i].op.needs());
        let cut = |width: usize| slots.start * width..slots.end * width;
        let (before, after) = self.values.split_at_mut(i + 1);
        let tape =
            Tape { floats: &mut self.floats[i][cut(needs.floats)], indices: &mut self.indices[i][cut(needs.indices)] };
        (&before[i][cut(stage.input)], &mut after[0][cut(stage.output)], tape)
    }
}
