//! A thread at work on one chunk of a batch: depth-first through the segments of the plan, group by group.

use std::ops::Range;

use glyphnet_kernels::{Buffer, LossOptions, LossSum, Moments, softmax_cross_entropy, softmax_cross_entropy_targets};

use super::layer::{Backward, Pass};
use super::plan::{Activations, Plan, Transient, words};
use super::trainer::{Batch, TrainerOptions};

/// Single-precision values that the moments of one channel take.
const MOMENTS: usize = (2 * size_of::<f64>() + size_of::<f32>()) / size_of::<f32>();

/// What belongs to one part of the batch.
pub(super) struct Chunk {
    /// Gradient of the chunk's share of the mean loss, for all weights.
    pub(super) gradient: Buffer,
    pub(super) loss: LossSum,
    /// One for each segment but the first: for the stage that starts it.
    pub(super) coupled: Vec<ChunkCoupling>,
    /// The whole chunk's activations, where the plan has more than one segment.
    activations: Option<Activations>,
}

/// What one chunk contributes to a coupled or a whole-batch stage; the latter has no moments and no sums.
pub(super) struct ChunkCoupling {
    pub(super) moments: Moments,
    pub(super) sums: Vec<f32>,
    /// Gradient at the output of the stage.
    pub(super) border: Buffer,
}

/// What belongs to one thread.
pub(super) struct Worker {
    scratch: Buffer,
    indices: Vec<u32>,
    /// Gradients at the boundaries of the stage at hand, and of the group where a part of it goes back.
    gradients: [Buffer; 3],
    labels: Vec<u32>,
    targets: Vec<f32>,
    /// Gradients that stages gather in an order of their own while a chunk goes back through a segment, one array a stage.
    gathered: Vec<Buffer>,
    /// One group's activations, where the plan is a single segment.
    activations: Option<Activations>,
    /// One group's values that chunks do not keep.
    transient: Transient,
}

impl Chunk {
    /// Room for up to `samples`; `keep` holds on to the activations of all of them.
    pub(super) fn new(plan: &Plan, weights: usize, samples: usize, keep: bool) -> Chunk {
        let coupled = plan.segments[1..].iter().map(|segment| {
            let stage = &plan.stages[segment.start];
            let channels = stage.op.coupled().map_or(0, |c| c.channels());
            ChunkCoupling {
                moments: Moments::new(channels),
                sums: vec![0.0; 2 * channels],
                border: Buffer::new(stage.output * samples),
            }
        });
        Chunk {
            gradient: Buffer::new(weights),
            loss: LossSum::default(),
            coupled: coupled.collect(),
            activations: keep.then(|| Activations::new(plan, samples)),
        }
    }

    /// Values of gradients and sums that [`Chunk::new`] makes room for.
    pub(super) fn gradient_words(plan: &Plan, weights: usize, samples: usize) -> u64 {
        let borders = plan.segments[1..].iter().map(|segment| {
            let stage = &plan.stages[segment.start];
            let channels = stage.op.coupled().map_or(0, |c| c.channels());
            words(stage.output, samples).saturating_add(words(MOMENTS + 2, channels))
        });
        borders.fold(weights as u64, u64::saturating_add)
    }

    /// The chunk's values at the boundary before stage `i`, where it keeps them.
    pub(super) fn boundary(&self, i: usize) -> &[f32] {
        self.activations.as_ref().map_or(&[], |activations| activations.all(i))
    }
}

impl Worker {
    /// Room for groups of up to `most` samples; `keep` holds on to the activations of a group.
    pub(super) fn new(plan: &Plan, most: usize, keep: bool) -> Worker {
        let group = plan.last_group(most);
        Worker {
            scratch: Buffer::new(plan.scratch()),
            indices: vec![0; plan.scratch_indices()],
            gradients: std::array::from_fn(|_| Buffer::new(plan.widest_group(most))),
            labels: Vec::with_capacity(group),
            targets: vec![0.0; plan.output * group],
            gathered: plan.stages.iter().map(|stage| Buffer::new(stage.op.needs().gathered)).collect(),
            activations: keep.then(|| Activations::new(plan, group)),
            transient: Transient::new(plan, most),
        }
    }

    /// Values that [`Worker::new`] makes room for, without activations.
    pub(super) fn scratch_words(plan: &Plan, most: usize) -> u64 {
        let gathered = plan.stages.iter().map(|stage| stage.op.needs().gathered as u64).fold(0, u64::saturating_add);
        let kept = gathered.saturating_add(Transient::words(plan, most));
        let scratch = kept.saturating_add((plan.scratch() + plan.scratch_indices()) as u64);
        // Three gradients at a boundary; targets and labels of a group.
        scratch
            .saturating_add(words(plan.widest_group(most), 3))
            .saturating_add(words(plan.output + 1, plan.last_group(most)))
    }
}

/// What all chunks of a step share.
#[derive(Clone, Copy)]
pub(super) struct StepContext<'a> {
    pub(super) plan: &'a Plan,
    pub(super) options: &'a TrainerOptions,
    pub(super) weights: &'a [f32],
    pub(super) step: u64,
    /// Samples of the whole batch.
    pub(super) batch: usize,
}

/// One thread at work on one chunk.
pub(super) struct Work<'a> {
    context: StepContext<'a>,
    /// Positions in the batch.
    samples: Range<usize>,
    /// Whether the activations hold the whole chunk rather than one group.
    whole: bool,
    activations: &'a mut Activations,
    transient: &'a mut Transient,
    gradient: &'a mut [f32],
    loss: &'a mut LossSum,
    coupled: &'a mut [ChunkCoupling],
    gathered: &'a mut [Buffer],
    scratch: &'a mut [f32],
    indices: &'a mut [u32],
    gradients: &'a mut [Buffer; 3],
    labels: &'a mut Vec<u32>,
    targets: &'a mut [f32],
}

/// Samples that run through a segment together.
struct Group {
    /// Position in the batch of the first.
    first: usize,
    /// Places in the activations.
    slots: Range<usize>,
}

impl Group {
    /// Cuts it into parts of so many samples.
    fn parts(&self, size: usize) -> impl Iterator<Item = Group> + use<> {
        let (first, slots) = (self.first, self.slots.clone());
        slots
            .clone()
            .step_by(size)
            .map(move |start| Group { first: first + start - slots.start, slots: start..slots.end.min(start + size) })
    }
}

impl<'a> Work<'a> {
    pub(super) fn new(
        context: StepContext<'a>,
        chunk: &'a mut Chunk,
        worker: &'a mut Worker,
        samples: Range<usize>,
    ) -> Work<'a> {
        let whole = chunk.activations.is_some();
        let activations = chunk.activations.as_mut().or(worker.activations.as_mut());
        let activations = activations.expect("the chunk or the worker keeps activations");
        activations.swap(context.plan, &mut worker.transient);
        Work {
            context,
            samples,
            whole,
            activations,
            transient: &mut worker.transient,
            gradient: &mut chunk.gradient,
            loss: &mut chunk.loss,
            coupled: &mut chunk.coupled,
            gathered: &mut worker.gathered,
            scratch: &mut worker.scratch,
            indices: &mut worker.indices,
            gradients: &mut worker.gradients,
            labels: &mut worker.labels,
            targets: &mut worker.targets,
        }
    }

    /// Hands back what the thread lent.
    pub(super) fn end(self) {
        self.activations.swap(self.context.plan, self.transient);
    }

    fn groups(&self, segment: usize) -> impl Iterator<Item = Group> + use<> {
        let plan = self.context.plan;
        let (samples, whole) = (self.samples.clone(), self.whole);
        // As equal as they can be: a last one of few samples would work at a loss.
        let groups = samples.len().div_ceil(plan.group(&plan.segments[segment])).max(1);
        let size = samples.len().div_ceil(groups).max(1);
        samples.clone().step_by(size).map(move |first| {
            let slot = if whole { first - samples.start } else { 0 };
            Group { first, slots: slot..slot + size.min(samples.end - first) }
        })
    }

    fn pass(&self, first: usize) -> Pass<'a> {
        let StepContext { weights, options, step, .. } = self.context;
        Pass { weights, seed: options.seed, step, first }
    }

    /// Forward through `segment`, and what the next segment's coupled stage needs from this chunk: collected from each
    /// group while it is in the cache.
    pub(super) fn forward_only(&mut self, segment: usize, batch: &dyn Batch) {
        let plan = self.context.plan;
        let start = plan.segments[segment + 1].start;
        self.coupled[segment].moments.reset();
        for group in self.groups(segment) {
            self.forward(segment, &group, batch);
            if let Some(coupled) = plan.stages[start].op.coupled() {
                coupled.collect(self.activations.at(plan, start, &group.slots), &mut self.coupled[segment].moments);
            }
        }
    }

    /// Forward through the last segment, the loss, and back through it.
    pub(super) fn forward_and_back(&mut self, segment: usize, batch: &dyn Batch) {
        for range in &self.context.plan.summed {
            self.gradient[range.clone()].fill(0.0);
        }
        *self.loss = LossSum::default();
        self.clear_sums(segment);
        for group in self.groups(segment) {
            self.forward(segment, &group, batch);
            self.loss(&group, batch);
            self.backward(segment, &group);
        }
        self.flush(segment);
    }

    /// Back through a segment that is not the last, from the gradient kept at the next segment's border.
    pub(super) fn back_only(&mut self, segment: usize) {
        let plan = self.context.plan;
        let start = plan.segments[segment + 1].start;
        if start <= plan.first_trained {
            return;
        }
        self.clear_sums(segment);
        for group in self.groups(segment) {
            let width = plan.stages[start].output;
            let border = &mut self.coupled[segment].border[group.slots.start * width..group.slots.end * width];
            let pass = Pass { weights: self.context.weights, seed: 0, step: self.context.step, first: group.first };
            let size = group.slots.len() * plan.boundary(start);
            let (x, y, tape) = self.activations.stage(plan, start, &group.slots);
            let io = Backward {
                x,
                y,
                dy: border,
                dx: Some(&mut self.gradients[0][..size]),
                gathered: &mut self.gathered[start],
                indices: self.indices,
            };
            plan.stages[start].op.backward(&pass, io, tape, self.scratch, self.gradient);
            self.remake(segment, &group);
            self.backward(segment, &group);
        }
        self.flush(segment);
    }

    /// Makes a group's transient values of a segment once more.
    fn remake(&mut self, segment: usize, group: &Group) {
        let plan = self.context.plan;
        let range = &plan.segments[segment];
        if !range.is_empty() && plan.is_transient(range.start + 1) {
            self.forward_stages(range.start..range.start + 1, group);
        }
    }

    fn forward(&mut self, segment: usize, group: &Group, batch: &dyn Batch) {
        let plan = self.context.plan;
        if segment == 0 {
            let input = self.activations.at_mut(plan, 0, &group.slots);
            for (i, input) in input.chunks_exact_mut(plan.input).enumerate() {
                batch.fill(group.first + i, input);
            }
        }
        let (wide, size) = plan.parts(segment);
        for part in group.parts(size) {
            self.forward_stages(wide.clone(), &part);
        }
        self.forward_stages(wide.end..plan.segments[segment].end, group);
    }

    fn forward_stages(&mut self, stages: Range<usize>, group: &Group) {
        let (plan, pass) = (self.context.plan, self.pass(group.first));
        for i in stages {
            let (x, y, tape) = self.activations.stage(plan, i, &group.slots);
            plan.stages[i].op.forward(&pass, x, y, tape, self.scratch);
        }
    }

    /// The loss of a group, and its gradient at the last boundary.
    fn loss(&mut self, group: &Group, batch: &dyn Batch) {
        let StepContext { plan, options, batch: size, .. } = self.context;
        let logits = self.activations.at(plan, plan.stages.len(), &group.slots);
        let loss_options =
            LossOptions { smoothing: options.label_smoothing, class_weights: options.class_weights.as_deref() };
        let (isa, classes, scale) = (options.isa, plan.output, 1.0 / size as f32);
        let dlogits = &mut self.gradients[0][..logits.len()];
        let loss = if batch.has_targets() {
            let targets = &mut self.targets[..logits.len()];
            for (i, target) in targets.chunks_exact_mut(classes).enumerate() {
                batch.target(group.first + i, target);
            }
            softmax_cross_entropy_targets(isa, classes, logits, targets, &loss_options, scale, Some(dlogits), None)
        } else {
            self.labels.clear();
            self.labels.extend((0..group.slots.len()).map(|i| batch.label(group.first + i)));
            softmax_cross_entropy(isa, classes, logits, self.labels, &loss_options, scale, dlogits, None)
        };
        self.loss.loss += loss.loss;
        self.loss.correct += loss.correct;
    }

    /// Back through the stages of a segment, from the gradient in `gradients[0]`. Stops above the stage that starts
    /// the segment if it needs the whole batch: the gradient is kept there, with what the stage needs from this group.
    fn backward(&mut self, segment: usize, group: &Group) {
        let (plan, n) = (self.context.plan, group.slots.len());
        let pass = self.pass(group.first);
        let range = plan.segments[segment].clone();
        let mut border = segment.checked_sub(1).map(|i| &mut self.coupled[i]);
        let (wide, part) = plan.parts(segment);
        let lowest = (range.start + usize::from(border.is_some())).max(plan.first_trained);
        for i in (lowest.max(wide.end)..range.end).rev() {
            let (x, y, tape) = self.activations.stage(plan, i, &group.slots);
            let [upper, lower, _] = self.gradients.each_mut();
            let dx = match &mut border {
                Some(border) if i == lowest => Some(border.of(plan.boundary(i), group)),
                _ => (i > plan.first_trained).then(|| &mut lower[..n * plan.boundary(i)]),
            };
            let (gathered, indices) = (&mut self.gathered[i][..], &mut *self.indices);
            let io = Backward { x, y, dy: &mut upper[..n * plan.boundary(i + 1)], dx, gathered, indices };
            plan.stages[i].op.backward(&pass, io, tape, self.scratch, self.gradient);
            self.gradients.swap(0, 1);
        }
        let Some(border) = border else {
            group.parts(part).for_each(|part| self.backward_part(lowest..wide.end, group, &part));
            return;
        };
        let (start, width) = (range.start, plan.stages[range.start].output);
        if lowest == range.end {
            border.of(width, group).copy_from_slice(&self.gradients[0][..n * width]);
        }
        let (x, y, tape) = self.activations.stage(plan, start, &group.slots);
        let op = &plan.stages[start].op;
        if let Some(coupled) = op.coupled() {
            let ChunkCoupling { sums, border, .. } = border;
            coupled.collect_backward(x, &border[group.slots.start * width..group.slots.end * width], sums);
        } else if let Some(whole) = op.whole() {
            whole.finish(y, tape, border.of(width, group));
        }
    }

    /// Back through wide stages with a part of a group, from the group's gradient in `gradients[0]`.
    fn backward_part(&mut self, stages: Range<usize>, group: &Group, part: &Group) {
        let (plan, pass, n) = (self.context.plan, self.pass(part.first), part.slots.len());
        let offset = part.slots.start - group.slots.start;
        for i in stages.clone().rev() {
            let (x, y, tape) = self.activations.stage(plan, i, &part.slots);
            let [first, upper, lower] = self.gradients.each_mut();
            let width = plan.boundary(i + 1);
            let (dy, lower) = match i + 1 == stages.end {
                true => (&mut first[offset * width..][..n * width], upper),
                false => (&mut upper[..n * width], lower),
            };
            let dx = (i > plan.first_trained).then(|| &mut lower[..n * plan.boundary(i)]);
            let io = Backward { x, y, dy, dx, gathered: &mut self.gathered[i], indices: self.indices };
            plan.stages[i].op.backward(&pass, io, tape, self.scratch, self.gradient);
            if i + 1 < stages.end {
                self.gradients.swap(1, 2);
            }
        }
    }

    /// Forgets the sums that the stage at the start of `segment` collected in the last step, and what the stages of
    /// `segment` gathered for another chunk.
    fn clear_sums(&mut self, segment: usize) {
        if let Some(i) = segment.checked_sub(1) {
            self.coupled[i].sums.fill(0.0);
        }
        for i in self.context.plan.segments[segment].clone() {
            self.gathered[i].fill(0.0);
        }
    }

    /// Ends the chunk's way back through `segment`: flushes what its stages gathered.
    fn flush(&mut self, segment: usize) {
        for i in self.context.plan.segments[segment].clone() {
            self.context.plan.stages[i].op.flush(&self.gathered[i], self.gradient);
        }
    }
}

impl ChunkCoupling {
    /// The gradient of a group at the output of the stage, `width` values a sample.
    fn of(&mut self, width: usize, group: &Group) -> &mut [f32] {
        &mut self.border[group.slots.start * width..group.slots.end * width]
    }
}
