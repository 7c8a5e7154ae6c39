//! What a plan looks like from outside: its segments and stages, and the memory that running it takes. All of it comes
//! from sizes; nothing is allocated for a batch.

use std::ops::Range;

use glyphnet_kernels::Isa;

use super::chunk::{Chunk, Worker};
use super::optimizer::Optimizer;
use super::plan::{Activations, Plan};
use super::predictor::{self, Workspace};
use super::trainer::{Cut, TrainerOptions};
use super::{Kernels, Network};

/// Bytes that training may take: beyond this a setting is a slip of the pen.
pub(super) const MOST_MEMORY: u64 = 256 << 30;

/// Bytes that each thread may take to predict. Layers without weights can ask for any amount, so a model file's size says
/// nothing about it.
pub(crate) const MOST_TO_PREDICT: u64 = 1 << 30;

/// How a network will be run.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanReport {
    /// Instruction set of the kernels.
    pub isa: Isa,
    /// Threads that share the work.
    pub threads: usize,
    /// How a batch is cut; `None` for inference.
    pub batch: Option<BatchReport>,
    /// The segments, first to last.
    pub segments: Vec<SegmentReport>,
    /// Memory that it takes.
    pub memory: MemoryReport,
}

/// How a batch is cut in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchReport {
    /// Samples of a full batch.
    pub samples: usize,
    /// Chunks of it, each with a gradient of its own.
    pub chunks: usize,
}

/// Stages that samples run through depth-first, group by group.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentReport {
    /// What must be over before the segment can begin.
    pub start: SegmentStart,
    /// Samples that run through it together, so that their activations stay in the cache.
    pub group: usize,
    /// The stages, first to last.
    pub stages: Vec<StageReport>,
}

/// What must be over before a segment can begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentStart {
    /// Nothing: it takes the input.
    Input,
    /// Its first stage needs sums over the whole batch, forward and backward.
    BatchSums,
    /// Its first stage runs on the whole batch at once, by blocks of weights.
    WholeBatch,
}

/// One step of a pass.
#[derive(Debug, Clone, PartialEq)]
pub struct StageReport {
    /// Names of the layers that it runs at once. Layers that move no data are in no stage, but may be between two of one.
    pub layers: Vec<String>,
    /// What it does and by which kernel, in words.
    pub kernel: String,
    /// What the way back through it computes.
    pub backward: BackwardReport,
    /// Multiply-accumulates of one forward pass of one sample, as a direct sum counts them.
    pub macs: u64,
    /// Values of one input sample.
    pub input: usize,
    /// Values of one output sample.
    pub output: usize,
}

/// What the way back through a stage computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackwardReport {
    /// There is none in inference.
    Inference,
    /// Nothing: no layer up to here has weights to be trained.
    Nothing,
    /// The gradient of the input alone, as the layer is frozen.
    Input,
    /// All gradients that anything needs.
    Whole,
}

/// Memory that a network takes at work, in bytes, besides the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryReport {
    /// Weights and batch norm's running averages, and the average of both over steps where there is one.
    pub weights: u64,
    /// Weights once more, as the kernels read them.
    pub packed: u64,
    /// The optimizer's state.
    pub optimizer: u64,
    /// Gradients of the weights, of each chunk and of the batch, and at the borders of segments.
    pub gradients: u64,
    /// Values between stages that are kept for the backward pass, and what large dense layers keep of a batch.
    pub activations: u64,
    /// What threads scribble on.
    pub scratch: u64,
}

impl PlanReport {
    /// How a [`Trainer`](super::Trainer) with these options runs `network`.
    pub fn training(network: &Network, threads: usize, options: &TrainerOptions) -> PlanReport {
        let plan = Plan::new(network, options.isa, Some(options.batch_size), options.kernels);
        let cut = Cut::new(&plan, options.batch_size);
        PlanReport {
            isa: options.isa,
            threads,
            batch: Some(BatchReport { samples: options.batch_size, chunks: cut.chunks }),
            segments: segments(network, &plan, |stages| plan.group(stages).min(cut.longest)),
            memory: MemoryReport::training(network, &plan, options, threads),
        }
    }

    /// How a [`Predictor`](super::Predictor) runs `network` by the fast kernels.
    pub fn inference(network: &Network, threads: usize, isa: Isa) -> PlanReport {
        let plan = Plan::new(network, isa, None, Kernels::Fast);
        PlanReport {
            isa,
            threads,
            batch: None,
            segments: segments(network, &plan, |_| predictor::group(&plan)),
            memory: MemoryReport::inference(network, &plan, threads),
        }
    }

    /// Whether a thread can predict with `network` in as much memory as it may take.
    pub(crate) fn can_predict(network: &Network, isa: Isa) -> bool {
        let plan = Plan::new(network, isa, None, Kernels::Fast);
        MemoryReport::inference(network, &plan, 1).scratch <= MOST_TO_PREDICT
    }
}

fn segments(network: &Network, plan: &Plan, group: impl Fn(&Range<usize>) -> usize) -> Vec<SegmentReport> {
    let report = |range: &Range<usize>| {
        let (stages, group) = (&plan.stages[range.clone()], group(range));
        let op = &stages.first()?.op;
        let start = match (op.coupled(), op.whole()) {
            (Some(_), _) => SegmentStart::BatchSums,
            (_, Some(_)) => SegmentStart::WholeBatch,
            (None, None) => SegmentStart::Input,
        };
        let stages = range.clone().map(|i| of_stage(network, plan, i)).collect();
        Some(SegmentReport { start, group, stages })
    };
    plan.segments.iter().filter_map(report).collect()
}

fn of_stage(network: &Network, plan: &Plan, i: usize) -> StageReport {
    let stage = &plan.stages[i];
    let layers = &network.layers()[stage.layers.clone()];
    let frozen = layers.iter().any(|layer| layer.spec.frozen());
    StageReport {
        layers: layers.iter().map(|layer| layer.name.clone()).collect(),
        kernel: stage.op.describe(),
        backward: match () {
            () if !plan.training => BackwardReport::Inference,
            () if i < plan.first_trained => BackwardReport::Nothing,
            () if frozen => BackwardReport::Input,
            () => BackwardReport::Whole,
        },
        macs: layers.iter().map(|layer| layer.macs).sum(),
        input: stage.input,
        output: stage.output,
    }
}

impl MemoryReport {
    /// All of it; `u64::MAX` where there is more.
    pub fn total(&self) -> u64 {
        let MemoryReport { weights, packed, optimizer, gradients, activations, scratch } = *self;
        [weights, packed, optimizer, gradients, activations, scratch].into_iter().fold(0, u64::saturating_add)
    }

    pub(super) fn training(network: &Network, plan: &Plan, options: &TrainerOptions, threads: usize) -> MemoryReport {
        let Cut { chunks, longest, keep } = Cut::new(plan, options.batch_size);
        let weights = network.trained_parameters();
        let (copies, samples) = if keep { (chunks, longest) } else { (threads, plan.last_group(longest)) };
        let rooms = plan.stages.iter().filter_map(|stage| stage.op.whole()).map(|whole| whole.room() as u64);
        let kept = bytes(copies, Activations::words(plan, samples));
        MemoryReport {
            weights: bytes(1 + usize::from(options.averaging.is_some()), network.parameters() as u64),
            packed: packed(plan),
            optimizer: bytes(1, Optimizer::words(&options.optimizer, network)),
            gradients: bytes(chunks, Chunk::gradient_words(plan, weights, longest))
                .saturating_add(bytes(1, weights as u64)),
            activations: rooms.map(|words| bytes(1, words)).fold(kept, u64::saturating_add),
            scratch: bytes(threads, Worker::scratch_words(plan, longest)),
        }
    }

    fn inference(network: &Network, plan: &Plan, threads: usize) -> MemoryReport {
        MemoryReport {
            weights: bytes(1, network.parameters() as u64),
            packed: packed(plan),
            optimizer: 0,
            gradients: 0,
            activations: 0,
            scratch: bytes(threads, Workspace::words(plan, predictor::group(plan))),
        }
    }
}

fn packed(plan: &Plan) -> u64 {
    bytes(1, plan.stages.iter().map(|stage| stage.op.packed() as u64).sum())
}

/// Bytes of `count` arrays of so many 4-byte values.
fn bytes(count: usize, words: u64) -> u64 {
    words.saturating_mul(size_of::<f32>() as u64).saturating_mul(count as u64)
}

#[cfg(test)]
mod tests {
    use glyphnet_data::ImageShape;

    use super::super::{Activation, BatchNorm, Conv2d, Dense, Dropout, Flatten, LayerSpec, Sequential};
    use super::*;
    use crate::recipe::OptimizerConfig;

    fn network() -> Network {
        let layers = Sequential::new()
            .add(Conv2d::new(16, 3).activation(Activation::Relu))
            .add(LayerSpec::max_pool2d(2))
            .add(BatchNorm::default())
            .add(Dropout { rate: 0.5 })
            .add(Flatten {})
            .add(Dense::new(100).activation(Activation::Gelu))
            .add(Dense::new(10));
        layers.build(ImageShape::new(28, 28, 1), 10, 1).unwrap()
    }

    fn kernels(segment: &SegmentReport) -> Vec<(String, &str)> {
        segment.stages.iter().map(|stage| (stage.layers.join(" "), stage.kernel.as_str())).collect()
    }

    fn pair<'a>(layers: &str, kernel: &'a str) -> (String, &'a str) {
        (layers.to_owned(), kernel)
    }

    #[test]
    fn segments_of_training_begin_where_the_whole_batch_is_needed() {
        let options = TrainerOptions {
            isa: Isa::detect(),
            kernels: Kernels::Fast,
            batch_size: 20,
            seed: 0,
            label_smoothing: 0.0,
            class_weights: None,
            optimizer: OptimizerConfig::default(),
            averaging: None,
        };
        let report = PlanReport::training(&network(), 2, &options);
        assert_eq!(report.batch, Some(BatchReport { samples: 20, chunks: 8 }));
        let starts: Vec<_> = report.segments.iter().map(|segment| segment.start).collect();
        assert_eq!(starts, [SegmentStart::Input, SegmentStart::BatchSums, SegmentStart::WholeBatch]);
        let [first, second, third] = &report.segments[..] else { panic!("three segments") };
        let fused = "conv 3x3, relu, max-pool 2x2: direct, sparse backward";
        assert_eq!(kernels(first), [pair("conv2d max_pool2d", fused)]);
        let norm = pair("batch_norm", "batch norm over the batch");
        assert_eq!(kernels(second), [norm, pair("dropout", "dropout 0.5")]);
        assert_eq!(kernels(third), [pair("dense", "dense, gelu: whole batch"), pair("dense_1", "dense")]);
    }

    #[test]
    fn inference_is_one_segment_with_all_multiplications() {
        let network = network();
        let report = PlanReport::inference(&network, 1, Isa::detect());
        let [segment] = &report.segments[..] else { panic!("one segment") };
        assert_eq!(segment.start, SegmentStart::Input);
        let folded = pair("conv2d max_pool2d batch_norm", "conv 3x3, relu, max-pool 2x2, batch norm: direct");
        assert_eq!(kernels(segment), [folded, pair("dense", "dense, gelu"), pair("dense_1", "dense")]);
        assert_eq!(segment.stages.iter().map(|stage| stage.macs).sum::<u64>(), network.macs());
        assert_eq!((segment.stages[0].input, segment.stages[0].output), (28 * 28, 13 * 13 * 16));
        let MemoryReport { optimizer, gradients, activations, .. } = report.memory;
        assert_eq!([optimizer, gradients, activations], [0; 3]);
    }
}
