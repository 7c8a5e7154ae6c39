//! What every layer must answer. A new layer is one file in `layers/` that implements these traits; the match in
//! [`LayerSpec::layer`] and the compiler point at the rest.

use std::ops::Range;

use glyphnet_kernels::{Isa, Moments};

use super::{LayerError, LayerSpec, Shape};

/// The static side of a layer: shapes, parameters, cost, and how to run it.
pub(crate) trait Layer {
    /// Shape of the output for an input of shape `input`, or why there is none.
    fn output(&self, input: Shape) -> Result<Shape, LayerError>;

    /// Tensors that the layer owns, trained ones first.
    fn parameters(&self, _input: Shape) -> Vec<Parameter> {
        Vec::new()
    }

    /// Multiply-accumulates of one forward pass of one sample.
    fn macs(&self, _input: Shape) -> u64 {
        0
    }

    /// The layer at work, or `None` where it moves no data. `input` has passed [`Layer::output`].
    fn op(&self, context: &OpContext) -> Option<Box<dyn Op>>;
}

/// What a layer needs to build its [`Op`].
pub(crate) struct OpContext {
    pub(crate) isa: Isa,
    pub(crate) input: Shape,
    pub(crate) output: Shape,
    /// Position in the network, from 0: part of a dropout mask's coordinates.
    pub(crate) index: usize,
    /// Where the layer's tensors lie, in the order of [`Layer::parameters`].
    pub(crate) tensors: Vec<Range<usize>>,
    /// Whether the op will be trained, and must keep what its backward pass needs.
    pub(crate) training: bool,
    /// Whether its backward pass is asked for the gradient of the input.
    pub(crate) input_gradient: bool,
    /// Whether its weights stay as they are, so that there is no gradient of them.
    pub(crate) frozen: bool,
    /// Samples of a full batch in training.
    pub(crate) batch_size: usize,
    /// Which kernels it may use.
    pub(crate) kernels: Kernels,
}

impl OpContext {
    /// Whether a layer may take over the work of those that follow it.
    pub(crate) fn folds(&self) -> bool {
        !self.training && self.kernels == Kernels::Fast
    }
}

/// Which kernels a plan uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kernels {
    /// The fastest for the sizes at hand. Winograd's convolution rounds some ten times more than a direct sum.
    #[default]
    Fast,
    /// Direct sums alone, and in inference every layer by itself: to compare with other programs to the last digits, or
    /// with the fast kernels.
    Direct,
}

/// One tensor of a layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) shape: Vec<usize>,
    pub(crate) start: Start,
    /// Trained by the optimizer; otherwise state, such as running averages.
    pub(crate) trained: bool,
}

impl Parameter {
    pub(crate) fn trained(name: &'static str, shape: Vec<usize>, start: Start) -> Parameter {
        Parameter { name, shape, start, trained: true }
    }

    /// Values in it; `usize::MAX` where there are more.
    pub(crate) fn len(&self) -> usize {
        self.shape.iter().fold(1, |product: usize, &n| product.saturating_mul(n))
    }
}

/// How a tensor starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Start {
    Zeros,
    Ones,
    /// By an initializer, with these fans.
    Random(super::Initializer, usize, usize),
}

/// The tensors of a network as flat arrays; a layer finds its own by the ranges it was given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values<'a> {
    pub(crate) weights: &'a [f32],
    pub(crate) state: &'a [f32],
}

/// The coordinates of a pass over a few samples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pass<'a> {
    pub(crate) weights: &'a [f32],
    pub(crate) seed: u64,
    /// Steps since training began.
    pub(crate) step: u64,
    /// Position in the batch of the first sample.
    pub(crate) first: usize,
}

/// What an op keeps from its forward pass for its backward pass, for the samples at hand.
#[derive(Debug)]
pub(crate) struct Tape<'a> {
    pub(crate) floats: &'a mut [f32],
    pub(crate) indices: &'a mut [u32],
}

/// How much an op keeps and needs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Needs {
    /// Floats on the tape, per sample.
    pub(crate) floats: usize,
    /// Indices on the tape, per sample.
    pub(crate) indices: usize,
    /// Floats to scribble on, per thread.
    pub(crate) scratch: usize,
    /// Indices to scribble on, per thread.
    pub(crate) scratch_indices: usize,
    /// Gradients that a chunk's way back through a segment gathers in an order of the op's own until [`Op::flush`].
    pub(crate) gathered: usize,
}

/// A layer at work on a few samples. `&self` is shared by all threads; `prepare` and `settle` run between passes.
///
/// Arrays are sample-major: `x` is `n x input`, `y` and `dy` are `n x output`.
pub(crate) trait Op: Send + Sync {
    /// What it does and by which kernel, in a few words.
    fn describe(&self) -> String;

    /// Floats of packed weights that it holds.
    fn packed(&self) -> usize {
        0
    }

    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Takes over the work of the layer that follows, if it can: then the op's output is that layer's. Asked only where
    /// [`OpContext::folds`]; `context` is the next layer's.
    fn absorb(&mut self, _next: &LayerSpec, _context: &OpContext) -> bool {
        false
    }

    /// Takes in changed weights (for example packs them).
    fn prepare(&mut self, _values: Values<'_>) {}

    fn forward(&self, pass: &Pass<'_>, x: &[f32], y: &mut [f32], tape: Tape<'_>, scratch: &mut [f32]);

    /// Adds to `gradient` (of all weights) and overwrites `dx`, where one is wanted. May destroy `dy`.
    fn backward(&self, pass: &Pass<'_>, io: Backward<'_>, tape: Tape<'_>, scratch: &mut [f32], gradient: &mut [f32]);

    /// Adds what was gathered over a chunk to the chunk's gradient.
    fn flush(&self, _gathered: &[f32], _gradient: &mut [f32]) {}

    /// The batch-coupled side of the op, if its training pass depends on the whole batch.
    fn coupled(&self) -> Option<&dyn Coupled> {
        None
    }

    /// The same, for the turns between passes.
    fn coupled_mut(&mut self) -> Option<&mut dyn Coupled> {
        None
    }

    /// The side of the op that runs on the whole batch, if it has one.
    fn whole(&self) -> Option<&dyn Whole> {
        None
    }

    /// The same, for the turns between passes.
    fn whole_mut(&mut self) -> Option<&mut dyn Whole> {
        None
    }
}

/// The arrays of a backward pass.
#[derive(Debug)]
pub(crate) struct Backward<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) y: &'a [f32],
    pub(crate) dy: &'a mut [f32],
    pub(crate) dx: Option<&'a mut [f32]>,
    /// [`Needs::gathered`] floats, zero when the chunk's way back through the segment began.
    pub(crate) gathered: &'a mut [f32],
    /// [`Needs::scratch_indices`] indices.
    pub(crate) indices: &'a mut [u32],
}

/// An op whose training pass needs sums over the whole batch, in both directions. Each chunk collects its own, they
/// are merged in the order of the chunks, and the op settles on the result before the next pass.
pub(crate) trait Coupled: Send + Sync {
    fn channels(&self) -> usize;

    /// Forward: adds the moments of a group of samples.
    fn collect(&self, x: &[f32], moments: &mut Moments);

    /// How much of the running state stays at each settling, in place of the layer's own share; `None` = that again.
    fn keep(&mut self, share: Option<f64>);

    /// Forward: takes the batch's moments and updates running state.
    fn settle(&mut self, moments: &Moments, weights: &[f32], state: &mut [f32]);

    /// Backward: adds the sums of a group of samples to `sums` (two values a channel).
    fn collect_backward(&self, x: &[f32], dy: &[f32], sums: &mut [f32]);

    /// Backward: takes the batch's sums; writes the layer's own gradient.
    fn settle_backward(&mut self, sums: &[f32], gradient: &mut [f32]);
}

/// An op bound by its weights: its products run on the whole batch between two passes, on all threads of the current
/// pool, cut into blocks of weights. In their passes [`Op::forward`] and [`Op::backward`] only take the results for the
/// samples at hand, which [`Pass::first`] tells apart. The op writes the gradient of its weights itself.
pub(crate) trait Whole: Send + Sync {
    /// Where its weights lie.
    fn weights(&self) -> Range<usize>;

    /// Floats that it holds for the whole batch from its first [`Op::prepare`] on.
    fn room(&self) -> usize;

    /// Where the batch's inputs are put before [`Whole::forward`]: room for `batch size x input`.
    fn inputs(&mut self) -> &mut [f32];

    /// The product of so many samples with the weights.
    fn forward(&mut self, weights: &[f32], samples: usize);

    /// Turns the gradient at the op's output, of a few samples, into that at the product's.
    fn finish(&self, y: &[f32], tape: Tape<'_>, dy: &mut [f32]);

    /// Where the batch's finished gradients are put before [`Whole::backward`]: room for `batch size x output`.
    fn gradients(&mut self) -> &mut [f32];

    /// Overwrites the op's part of `gradient` (of all weights), and finds the gradient at the inputs if asked to.
    fn backward(&mut self, weights: &[f32], samples: usize, input_gradient: bool, gradient: &mut [f32]);
}

impl LayerSpec {
    /// The one place that knows every layer.
    pub(crate) fn layer(&self) -> Box<dyn Layer + '_> {
        match self {
            LayerSpec::Conv2d(layer) => Box::new(layer),
            LayerSpec::MaxPool2d(layer) => Box::new(super::layers::MaxPool(layer)),
            LayerSpec::AvgPool2d(layer) => Box::new(super::layers::AvgPool(layer)),
            LayerSpec::GlobalAvgPool2d(layer) => Box::new(layer),
            LayerSpec::BatchNorm(layer) => Box::new(layer),
            LayerSpec::Dropout(layer) => Box::new(layer),
            LayerSpec::Flatten(layer) => Box::new(layer),
            LayerSpec::Dense(layer) => Box::new(layer),
            LayerSpec::Activation(layer) => Box::new(layer),
        }
    }

    /// The layer's kind, as recipes name it.
    pub fn kind(&self) -> &'static str {
        match self {
            LayerSpec::Conv2d(_) => "conv2d",
            LayerSpec::MaxPool2d(_) => "max_pool2d",
            LayerSpec::AvgPool2d(_) => "avg_pool2d",
            LayerSpec::GlobalAvgPool2d(_) => "global_avg_pool2d",
            LayerSpec::BatchNorm(_) => "batch_norm",
            LayerSpec::Dropout(_) => "dropout",
            LayerSpec::Flatten(_) => "flatten",
            LayerSpec::Dense(_) => "dense",
            LayerSpec::Activation(_) => "activation",
        }
    }
}
