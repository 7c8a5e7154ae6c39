//! The plan: a network compiled once for one instruction set into stages that run one after another on a few samples.
//!
//! Stages form segments. Inside a segment samples run depth-first, a group at a time through all stages, so that
//! their activations stay in the cache. A stage that couples the batch (batch norm in training) or runs on the whole of
//! it (a large dense layer in training) starts a segment. The plan depends on the network, the batch size and the
//! instruction set alone, never on the machine's caches or cores.

use std::ops::Range;

use glyphnet_kernels::{Buffer, Isa};

use super::layer::{Kernels, Op, OpContext, Tape, Values};
use super::layers::fuse;
use super::{LayerSpec, Network};

/// Bytes of activations that a group may take: a group has as many samples as fit, at least one.
const GROUP_BYTES: usize = 1024 * 1024;

/// Bytes of activations and their gradients that the part of a group may take that runs through wide stages together.
const PART_BYTES: usize = 384 * 1024;

/// A boundary is narrow if it has at most this share of the values of the widest.
const NARROW: usize = 8;

/// One step of a pass: an op and the sizes around it.
pub(super) struct Stage {
    pub(super) op: Box<dyn Op>,
    /// The layers that it runs, by their position in the network.
    pub(super) layers: Range<usize>,
    /// Whether training leaves its weights as they are, or it has none.
    pub(super) fixed: bool,
    pub(super) input: usize,
    pub(super) output: usize,
}

pub(super) struct Plan {
    pub(super) stages: Vec<Stage>,
    /// Ranges of stages. Every segment but the first starts with a coupled or a whole-batch stage; the first may be empty.
    pub(super) segments: Vec<Range<usize>>,
    /// The boundaries whose values are made again for the backward pass rather than kept: behind a coupled stage, a scale
    /// and a shift, which cost less than the way to memory and back.
    transient: Vec<bool>,
    /// Values of one input sample.
    pub(super) input: usize,
    /// Values of one output sample.
    pub(super) output: usize,
    /// The first stage that has weights to be trained: no gradient is needed below it, so what lies there runs as in
    /// inference, but for dropout.
    pub(super) first_trained: usize,
    /// Whether the plan is one for training.
    pub(super) training: bool,
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
            let (trained, input_gradient) = (layer.tensors.iter().any(|t| t.trained), first_trained.is_some());
            let backward = trained || input_gradient || matches!(layer.spec, LayerSpec::Dropout(_));
            let mut context = OpContext {
                isa,
                input: layer.input,
                output: layer.output,
                index,
                tensors: layer.tensors.iter().map(|t| t.range.clone()).collect(),
                training: training.is_some() && backward,
                input_gradient,
                frozen: layer.spec.frozen(),
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
                first_trained = first_trained.or(trained.then_some(stages.len()));
                let layers = context.index..index + 1;
                let (input, output) = (layer.input.len(), context.output.len());
                stages.push(Stage { op, layers, fixed: !trained, input, output });
            }
            index += 1;
        }
        let mut starts: Vec<usize> = vec![0];
        starts
            .extend((0..stages.len()).filter(|&i| stages[i].op.coupled().is_some() || stages[i].op.whole().is_some()));
        let ends = starts[1..].iter().copied().chain([stages.len()]);
        let segments: Vec<_> = starts.iter().zip(ends).map(|(&start, end)| start..end).collect();
        let transient = transient(&stages, &segments);
        let (input, output) = (network.input().len(), network.classes());
        let first_trained = first_trained.unwrap_or(stages.len());
        let summed = summed(&stages, network.trained_parameters());
        Plan { stages, segments, transient, input, output, first_trained, training: training.is_some(), summed }
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

    /// Samples that run through these stages together.
    pub(super) fn group(&self, stages: &Range<usize>) -> usize {
        let sample: usize = (stages.start..=stages.end).map(|i| self.boundary(i)).sum();
        (GROUP_BYTES / (sample * size_of::<f32>())).max(1)
    }

    /// The stages of a segment that a group runs through in parts, as convolutions gain nothing from more samples than the
    /// cache holds, whereas the dense layers behind them do; and the samples of a part.
    pub(super) fn parts(&self, segment: usize) -> (Range<usize>, usize) {
        let Range { start, end } = self.segments[segment];
        let widest = (start..=end).map(|i| self.boundary(i)).max().unwrap_or(0);
        let narrow = |&i: &usize| self.boundary(i) * NARROW <= widest;
        let wide = end - (start..=end).rev().take_while(narrow).count().min(end - start);
        // A segment with a border keeps its groups whole: what is collected there is collected once a group.
        let wide = if segment == 0 { start..wide } else { start..start };
        let sample: usize = wide.clone().map(|i| self.boundary(i) + self.boundary(i + 1)).sum();
        (wide, (PART_BYTES / (sample * size_of::<f32>()).max(1)).max(1))
    }

    /// The most values that a group has at a boundary of its segment; groups have `most` samples at most.
    pub(super) fn widest_group(&self, most: usize) -> usize {
        let widest = |stages: &Range<usize>| (stages.start..=stages.end).map(|i| self.boundary(i)).max().unwrap_or(0);
        self.segments.iter().map(|stages| widest(stages) * self.group(stages).min(most)).max().unwrap_or(0)
    }

    /// Samples of a group in the last segment, where groups have `most` samples at most.
    pub(super) fn last_group(&self, most: usize) -> usize {
        self.segments.last().map_or(1, |stages| self.group(stages)).min(most)
    }

    /// Whether the values at the boundary before stage `i` last only as long as a group.
    pub(super) fn is_transient(&self, i: usize) -> bool {
        self.transient[i]
    }

    /// Values at the boundary before stage `i` (after the last one for `i = stages.len()`).
    pub(super) fn boundary(&self, i: usize) -> usize {
        if i == 0 { self.input } else { self.stages[i - 1].output }
    }
}

/// Which boundaries are transient: the next segment must not need them.
fn transient(stages: &[Stage], segments: &[Range<usize>]) -> Vec<bool> {
    let mut transient = vec![false; stages.len() + 1];
    for segment in segments.iter().filter(|segment| segment.len() > 1) {
        transient[segment.start + 1] = stages[segment.start].op.coupled().is_some();
    }
    transient
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

/// The values at every boundary but the transient ones, and the tapes, of up to `capacity` samples.
pub(super) struct Activations {
    values: Vec<Buffer>,
    floats: Vec<Buffer>,
    indices: Vec<Vec<u32>>,
}

impl Activations {
    pub(super) fn new(plan: &Plan, capacity: usize) -> Activations {
        let needs: Vec<_> = plan.stages.iter().map(|s| s.op.needs()).collect();
        let kept = |i: usize| if plan.is_transient(i) { 0 } else { plan.boundary(i) };
        Activations {
            values: (0..=plan.stages.len()).map(|i| Buffer::new(kept(i) * capacity)).collect(),
            floats: needs.iter().map(|n| Buffer::new(n.floats * capacity)).collect(),
            indices: needs.iter().map(|n| vec![0; n.indices * capacity]).collect(),
        }
    }

    /// Values and indices that [`Activations::new`] makes room for.
    pub(super) fn words(plan: &Plan, capacity: usize) -> u64 {
        let tapes = plan.stages.iter().map(|s| s.op.needs()).map(|n| n.floats + n.indices);
        let kept = (0..=plan.stages.len()).filter(|&i| !plan.is_transient(i));
        let sample = tapes.chain(kept.map(|i| plan.boundary(i))).sum();
        words(sample, capacity)
    }

    /// Lends it room for a group's transient values, or takes it back: swaps the buffers.
    pub(super) fn swap(&mut self, plan: &Plan, transient: &mut Transient) {
        let values = self.values.iter_mut().enumerate().filter(|(i, _)| plan.is_transient(*i));
        values.zip(&mut transient.0).for_each(|((_, values), room)| std::mem::swap(values, room));
    }

    /// Where the samples in `slots` are at boundary `i`.
    fn cut(plan: &Plan, i: usize, slots: &Range<usize>) -> Range<usize> {
        let (width, first) = (plan.boundary(i), if plan.is_transient(i) { 0 } else { slots.start });
        first * width..(first + slots.len()) * width
    }

    /// The values at boundary `i` of all samples.
    pub(super) fn all(&self, i: usize) -> &[f32] {
        &self.values[i]
    }

    /// The values at boundary `i` of the samples in `slots`.
    pub(super) fn at(&self, plan: &Plan, i: usize, slots: &Range<usize>) -> &[f32] {
        &self.values[i][Activations::cut(plan, i, slots)]
    }

    pub(super) fn at_mut(&mut self, plan: &Plan, i: usize, slots: &Range<usize>) -> &mut [f32] {
        &mut self.values[i][Activations::cut(plan, i, slots)]
    }

    /// Everything that stage `i` touches: input, output, tape.
    pub(super) fn stage(&mut self, plan: &Plan, i: usize, slots: &Range<usize>) -> (&[f32], &mut [f32], Tape<'_>) {
        let needs = plan.stages[i].op.needs();
        let taped = |width: usize| slots.start * width..slots.end * width;
        let (before, after) = self.values.split_at_mut(i + 1);
        let floats = &mut self.floats[i][taped(needs.floats)];
        let tape = Tape { floats, indices: &mut self.indices[i][taped(needs.indices)] };
        let (x, y) = (Activations::cut(plan, i, slots), Activations::cut(plan, i + 1, slots));
        (&before[i][x], &mut after[0][y], tape)
    }
}

/// Room for one group's values at every transient boundary, in their order.
pub(super) struct Transient(Vec<Buffer>);

impl Transient {
    /// For groups of `most` samples at most.
    pub(super) fn new(plan: &Plan, most: usize) -> Transient {
        Transient(Transient::sizes(plan, most).map(Buffer::new).collect())
    }

    /// Values that [`Transient::new`] makes room for.
    pub(super) fn words(plan: &Plan, most: usize) -> u64 {
        Transient::sizes(plan, most).map(|size| size as u64).fold(0, u64::saturating_add)
    }

    fn sizes(plan: &Plan, most: usize) -> impl Iterator<Item = usize> {
        // A coupled stage goes back in groups of the segment before its own.
        let pairs = plan.segments.windows(2).filter(|pair| plan.is_transient(pair[1].start + 1));
        pairs.map(move |pair| {
            let group = plan.group(&pair[0]).max(plan.group(&pair[1])).min(most);
            plan.boundary(pair[1].start + 1) * group
        })
    }
}
