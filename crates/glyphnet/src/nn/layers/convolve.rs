//! The three passes of a convolution, each by whichever kernel suits its sizes.

use glyphnet_kernels::{
    ConvPool, ConvShape, ForwardWeights, GradientWeights, Isa, WinogradWeights, add_winograd_gradient, conv_forward,
    conv_input_gradient, conv_weight_gradient, max_pool_forward, max_pool_inference, winograd_fits, winograd_forward,
    winograd_gathered_len, winograd_gradient_fits, winograd_input_gradient, winograd_pooled_fits,
    winograd_pooled_forward, winograd_scratch_len, winograd_weight_gradient, winograd_work,
};

use crate::nn::Kernels;

/// Channels, in and out, from which on Winograd's transforms cost less than they save.
const WINOGRAD_CHANNELS: usize = 16;

/// The largest share of the direct sum's multiplications at which Winograd's way is still the faster one.
const WINOGRAD_WORK: f64 = 0.5;

fn winograd_pays(shape: &ConvShape, kernels: Kernels) -> bool {
    kernels == Kernels::Fast
        && winograd_fits(shape)
        && shape.channels.min(shape.filters) >= WINOGRAD_CHANNELS
        && winograd_work(shape) <= WINOGRAD_WORK
}

/// Winograd's way, as descriptions call it: by the side of the squares that it computes.
const WINOGRAD: &str = "Winograd 4x4";

/// The direct sum, as descriptions call it.
const DIRECT: &str = "direct";

/// For example `conv 3x3` or `conv 5x5 by 2`, the stride last.
pub(super) fn describe_conv(shape: &ConvShape) -> String {
    let (kernel, (down, right)) = (format!("conv {}x{}", shape.kernel.0, shape.kernel.1), shape.stride);
    match (down, right) {
        (1, 1) => kernel,
        _ if down == right => format!("{kernel} by {down}"),
        _ => format!("{kernel} by {down}x{right}"),
    }
}

/// The forward pass with its packed kernel.
pub(super) struct Convolution {
    isa: Isa,
    shape: ConvShape,
    weights: Weights,
}

enum Weights {
    Direct(ForwardWeights),
    Winograd(WinogradWeights),
}

impl Convolution {
    pub(super) fn new(isa: Isa, shape: &ConvShape, kernels: Kernels) -> Convolution {
        let weights = if winograd_pays(shape, kernels) {
            Weights::Winograd(WinogradWeights::new(isa, shape))
        } else {
            Weights::Direct(ForwardWeights::new(isa, shape))
        };
        Convolution { isa, shape: *shape, weights }
    }

    /// The kernel at work.
    pub(super) fn name(&self) -> &'static str {
        match self.weights {
            Weights::Direct(_) => DIRECT,
            Weights::Winograd(_) => WINOGRAD,
        }
    }

    /// Floats of packed weights.
    pub(super) fn packed(&self) -> usize {
        match &self.weights {
            Weights::Direct(weights) => weights.floats(),
            Weights::Winograd(weights) => weights.floats(),
        }
    }

    /// Floats of scratch that [`Convolution::forward`] needs.
    pub(super) fn scratch_len(&self) -> usize {
        match self.weights {
            Weights::Direct(_) => self.shape.forward_scratch_len(),
            Weights::Winograd(_) => winograd_scratch_len(&self.shape),
        }
    }

    /// Takes in a changed kernel (HWIO).
    pub(super) fn pack(&mut self, kernel: &[f32]) {
        match &mut self.weights {
            Weights::Direct(weights) => weights.pack(kernel),
            Weights::Winograd(weights) => weights.pack(kernel),
        }
    }

    /// `y = conv(x) + bias`, then relu if asked for; arguments as in [`conv_forward`].
    pub(super) fn forward(&self, x: &[f32], bias: &[f32], relu: bool, y: &mut [f32], scratch: &mut [f32]) {
        match &self.weights {
            Weights::Direct(weights) => conv_forward(self.isa, &self.shape, x, weights, bias, relu, y, scratch),
            Weights::Winograd(weights) => winograd_forward(self.isa, &self.shape, x, weights, bias, relu, y, scratch),
        }
    }

    /// Floats of scratch that [`Convolution::forward_pooled`] needs.
    pub(super) fn pooled_scratch_len(&self, shape: &ConvPool) -> usize {
        match self.weights {
            Weights::Winograd(_) if winograd_pooled_fits(shape) => self.scratch_len(),
            _ => self.shape.output_len() + self.scratch_len(),
        }
    }

    /// `y = max_pool(conv(x) + bias)`, with the shape's relu between; `argmax` is as long as `y`, or empty where it is
    /// not wanted.
    pub(super) fn forward_pooled(
        &self,
        shape: &ConvPool,
        x: &[f32],
        bias: &[f32],
        y: &mut [f32],
        argmax: &mut [u32],
        scratch: &mut [f32],
    ) {
        match &self.weights {
            Weights::Winograd(weights) if winograd_pooled_fits(shape) => {
                winograd_pooled_forward(self.isa, shape, x, weights, bias, y, argmax, scratch);
            }
            _ => self.forward_then_pool(shape, x, bias, y, argmax, scratch),
        }
    }

    /// The same in two passes, sample by sample.
    fn forward_then_pool(
        &self,
        shape: &ConvPool,
        x: &[f32],
        bias: &[f32],
        y: &mut [f32],
        argmax: &mut [u32],
        scratch: &mut [f32],
    ) {
        let (z, scratch) = scratch.split_at_mut(self.shape.output_len());
        let pooled = shape.pool.output_len();
        for (s, (x, y)) in x.chunks_exact(self.shape.input_len()).zip(y.chunks_exact_mut(pooled)).enumerate() {
            self.forward(x, bias, shape.relu, z, scratch);
            match argmax {
                [] => max_pool_inference(self.isa, &shape.pool, z, y),
                _ => max_pool_forward(self.isa, &shape.pool, z, y, &mut argmax[s * pooled..(s + 1) * pooled]),
            }
        }
    }
}

/// The gradient of the input with its packed kernel.
pub(super) struct InputGradient {
    isa: Isa,
    shape: ConvShape,
    weights: TurnedWeights,
}

enum TurnedWeights {
    Direct(GradientWeights),
    Winograd(WinogradWeights),
}

impl InputGradient {
    pub(super) fn new(isa: Isa, shape: &ConvShape, kernels: Kernels) -> InputGradient {
        let weights = if winograd_pays(shape, kernels) && winograd_gradient_fits(shape) {
            TurnedWeights::Winograd(WinogradWeights::for_input_gradient(isa, shape))
        } else {
            TurnedWeights::Direct(GradientWeights::new(isa, shape))
        };
        InputGradient { isa, shape: *shape, weights }
    }

    /// The kernel at work.
    pub(super) fn name(&self) -> &'static str {
        match self.weights {
            TurnedWeights::Direct(_) => DIRECT,
            TurnedWeights::Winograd(_) => WINOGRAD,
        }
    }

    /// Floats of packed weights.
    pub(super) fn packed(&self) -> usize {
        match &self.weights {
            TurnedWeights::Direct(weights) => weights.floats(),
            TurnedWeights::Winograd(weights) => weights.floats(),
        }
    }

    /// Floats of scratch that [`InputGradient::backward`] needs.
    pub(super) fn scratch_len(&self) -> usize {
        match self.weights {
            TurnedWeights::Direct(_) => self.shape.gradient_scratch_len(),
            TurnedWeights::Winograd(_) => winograd_scratch_len(&self.shape),
        }
    }

    /// Takes in a changed kernel (HWIO).
    pub(super) fn pack(&mut self, kernel: &[f32]) {
        match &mut self.weights {
            TurnedWeights::Direct(weights) => weights.pack(kernel),
            TurnedWeights::Winograd(weights) => weights.pack(kernel),
        }
    }

    /// `dx` from `dy`; arguments as in [`conv_input_gradient`].
    pub(super) fn backward(&self, dy: &[f32], dx: &mut [f32], scratch: &mut [f32]) {
        match &self.weights {
            TurnedWeights::Direct(weights) => conv_input_gradient(self.isa, &self.shape, dy, weights, dx, scratch),
            TurnedWeights::Winograd(weights) => {
                winograd_input_gradient(self.isa, &self.shape, dy, weights, dx, scratch)
            }
        }
    }
}

/// The gradient of the kernel.
pub(super) struct WeightGradient {
    isa: Isa,
    shape: ConvShape,
    winograd: bool,
}

impl WeightGradient {
    pub(super) fn new(isa: Isa, shape: &ConvShape, kernels: Kernels) -> WeightGradient {
        WeightGradient { isa, shape: *shape, winograd: winograd_pays(shape, kernels) }
    }

    /// The kernel at work.
    pub(super) fn name(&self) -> &'static str {
        if self.winograd { WINOGRAD } else { DIRECT }
    }

    /// Floats that are gathered over a chunk.
    pub(super) fn gathered_len(&self) -> usize {
        if self.winograd { winograd_gathered_len(&self.shape) } else { 0 }
    }

    /// Floats of scratch that [`WeightGradient::backward`] needs.
    pub(super) fn scratch_len(&self) -> usize {
        if self.winograd { winograd_scratch_len(&self.shape) } else { self.shape.forward_scratch_len() }
    }

    /// Adds to `dw` or `gathered`, and to `db`; arguments as in [`conv_weight_gradient`].
    pub(super) fn backward(
        &self,
        [x, dy]: [&[f32]; 2],
        gathered: &mut [f32],
        dw: &mut [f32],
        db: &mut [f32],
        scratch: &mut [f32],
    ) {
        if self.winograd {
            winograd_weight_gradient(self.isa, &self.shape, x, dy, gathered, db, scratch);
        } else {
            conv_weight_gradient(self.isa, &self.shape, x, dy, dw, db, scratch);
        }
    }

    /// Adds what was gathered to `dw`.
    pub(super) fn flush(&self, gathered: &[f32], dw: &mut [f32]) {
        if self.winograd {
            add_winograd_gradient(self.isa, &self.shape, gathered, dw);
        }
    }
}
