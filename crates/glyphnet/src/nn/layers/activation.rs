//! Activations: at the end of another layer, or as a layer of their own.

use glyphnet_kernels::{
    Activation, Isa, activate, activate_to, activation_backward, softmax_backward_rows, softmax_rows,
};

use crate::nn::layer::{Backward, Layer, Needs, Op, OpContext, Pass, Tape};
use crate::nn::{ActivationLayer, LayerError, Shape};

/// An activation applied in place to the result of a layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epilogue {
    isa: Isa,
    activation: Activation,
    /// Size of the last axis, over which softmax runs.
    channels: usize,
}

/// The activation's name in recipes.
pub(super) fn name(activation: Activation) -> &'static str {
    match activation {
        Activation::Linear => "linear",
        Activation::Relu => "relu",
        Activation::LeakyRelu => "leaky_relu",
        Activation::Elu => "elu",
        Activation::Gelu => "gelu",
        Activation::Silu => "silu",
        Activation::Sigmoid => "sigmoid",
        Activation::Tanh => "tanh",
        Activation::Softmax => "softmax",
    }
}

impl Epilogue {
    pub(super) fn new(isa: Isa, activation: Activation, channels: usize) -> Epilogue {
        Epilogue { isa, activation, channels }
    }

    /// What it adds to the description of a product: nothing, or `, relu`.
    pub(super) fn describe(&self) -> String {
        match self.activation {
            Activation::Linear => String::new(),
            activation => format!(", {}", name(activation)),
        }
    }

    /// Whether the product itself applies the activation as it stores.
    pub(super) fn is_relu(&self) -> bool {
        self.activation == Activation::Relu
    }

    /// How many floats the tape keeps for an output of `len`.
    pub(super) fn tape_len(&self, len: usize) -> usize {
        if self.activation.needs_input() { len } else { 0 }
    }

    /// `y` holds the result; where the backward pass needs it, the tape gets it before the activation. Inference has
    /// no tape.
    pub(super) fn forward(&self, y: &mut [f32], tape: &mut [f32]) {
        if self.activation.needs_input() && !tape.is_empty() {
            tape.copy_from_slice(y);
        }
        if !self.is_relu() {
            self.apply(y);
        }
    }

    /// The activation in place, relu included.
    pub(super) fn apply(&self, y: &mut [f32]) {
        match self.activation {
            Activation::Softmax => softmax_rows(self.isa, self.channels, y),
            activation => activate(self.isa, activation, y),
        }
    }

    /// Turns the gradient of the activation's output into that of its input.
    pub(super) fn backward(&self, tape: &[f32], y: &[f32], dy: &mut [f32]) {
        match self.activation {
            Activation::Linear => {}
            Activation::Softmax => softmax_backward_rows(self.isa, self.channels, y, dy),
            activation => activation_backward(self.isa, activation, tape, y, dy),
        }
    }
}

impl Layer for &ActivationLayer {
    fn output(&self, input: Shape) -> Result<Shape, LayerError> {
        Ok(input)
    }

    fn op(&self, context: &OpContext) -> Option<Box<dyn Op>> {
        if self.activation == Activation::Linear {
            return None;
        }
        Some(Box::new(ActivationOp(Epilogue::new(context.isa, self.activation, context.input.channels()))))
    }
}

struct ActivationOp(Epilogue);

impl Op for ActivationOp {
    fn describe(&self) -> String {
        name(self.0.activation).to_owned()
    }

    fn needs(&self) -> Needs {
        Needs::default()
    }

    fn forward(&self, _: &Pass<'_>, x: &[f32], y: &mut [f32], _: Tape<'_>, _: &mut [f32]) {
        match self.0.activation {
            Activation::Softmax => {
                y.copy_from_slice(x);
                softmax_rows(self.0.isa, self.0.channels, y);
            }
            activation => activate_to(self.0.isa, activation, x, y),
        }
    }

    fn backward(&self, _: &Pass<'_>, io: Backward<'_>, _: Tape<'_>, _: &mut [f32], _: &mut [f32]) {
        // The layer's input is at hand, so nothing needs to be kept on the tape.
        self.0.backward(io.x, io.y, io.dy);
        if let Some(dx) = io.dx {
            dx.copy_from_slice(io.dy);
        }
    }
}
