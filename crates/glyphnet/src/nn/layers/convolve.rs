//! The forward pass of a convolution by whichever kernel suits its sizes.

use glyphnet_kernels::{
    ConvShape, ForwardWeights, Isa, WinogradWeights, conv_forward, winograd_fits, winograd_forward,
    winograd_scratch_len,
};

use crate::nn::Kernels;

/// Channels, in and out, from which on Winograd's transforms cost less than they save.
const WINOGRAD_CHANNELS: usize = 16;

/// A convolution with its packed kernel.
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
        let winograd =
            kernels == Kernels::Fast && winograd_fits(shape) && shape.channels.min(shape.filters) >= WINOGRAD_CHANNELS;
        let weights = if winograd {
            Weights::Winograd(WinogradWeights::new(isa, shape))
        } else {
            Weights::Direct(ForwardWeights::new(isa, shape))
        };
        Convolution { isa, shape: *shape, weights }
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
            Weights::Winograd(weights) => weights.pack(self.isa, kernel),
        }
    }

    /// `y = conv(x) + bias`, then relu if asked for; arguments as in [`conv_forward`].
    pub(super) fn forward(&self, x: &[f32], bias: &[f32], relu: bool, y: &mut [f32], scratch: &mut [f32]) {
        match &self.weights {
            Weights::Direct(weights) => conv_forward(self.isa, &self.shape, x, weights, bias, relu, y, scratch),
            Weights::Winograd(weights) => winograd_forward(self.isa, &self.shape, x, weights, bias, relu, y, scratch),
        }
    }
}
