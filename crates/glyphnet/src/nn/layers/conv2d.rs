//! Convolution with its bias and activation.

use std::ops::Range;

use glyphnet_kernels::{Activation, ConvShape, GradientWeights, Isa, conv_input_gradient, conv_weight_gradient};

use super::activation::Epilogue;
use super::convolve::Convolution;
use super::window::Window;
use crate::nn::layer::{Backward, Layer, Needs, Op, OpContext, Parameter, Pass, Start, Tape, Values};
use crate::nn::{Conv2d, Initializer, LayerError, Padding, Pair, Shape};

impl Conv2d {
    /// So many filters of this kernel size; stride 1, no padding, no activation, with bias.
    pub fn new(filters: usize, kernel: impl Into<Pair>) -> Conv2d {
        Conv2d {
            filters,
            kernel: kernel.into(),
            stride: Pair::Both(1),
            padding: Padding::VALID,
            activation: Activation::Linear,
            use_bias: true,
            initializer: Initializer::default(),
        }
    }

    /// With this activation.
    pub fn activation(mut self, activation: Activation) -> Conv2d {
        self.activation = activation;
        self
    }

    /// With this stride.
    pub fn stride(mut self, stride: impl Into<Pair>) -> Conv2d {
        self.stride = stride.into();
        self
    }

    /// With this padding.
    pub fn padding(mut self, padding: Padding) -> Conv2d {
        self.padding = padding;
        self
    }

    /// Without a bias.
    pub fn without_bias(mut self) -> Conv2d {
        self.use_bias = false;
        self
    }

    /// With this initializer.
    pub fn initializer(mut self, initializer: Initializer) -> Conv2d {
        self.initializer = initializer;
        self
    }

    fn window(&self, input: Shape) -> Result<Window, LayerError> {
        Window::new(input, ("kernel", self.kernel), self.stride, self.padding)
    }

    pub(super) fn shape(&self, input: Shape) -> Option<ConvShape> {
        let w = self.window(input).ok()?;
        Some(ConvShape {
            height: w.height,
            width: w.width,
            channels: w.channels,
            filters: self.filters,
            kernel: w.size,
            stride: w.stride,
            pad: w.pad,
        })
    }
}

impl Layer for &Conv2d {
    fn output(&self, input: Shape) -> Result<Shape, LayerError> {
        super::count("filters", self.filters)?;
        Ok(self.window(input)?.output(self.filters))
    }

    fn parameters(&self, input: Shape) -> Vec<Parameter> {
        let (kh, kw) = self.kernel.get();
        let (channels, area) = (input.channels(), kh * kw);
        let start = Start::Random(self.initializer, area * channels, area * self.filters);
        let mut tensors = vec![Parameter::trained("kernel", vec![kh, kw, channels, self.filters], start)];
        if self.use_bias {
            tensors.push(Parameter::trained("bias", vec![self.filters], Start::Zeros));
        }
        tensors
    }

    fn macs(&self, input: Shape) -> u64 {
        self.shape(input).map_or(0, |shape| shape.macs())
    }

    fn op(&self, context: &OpContext) -> Option<Box<dyn Op>> {
        let shape = self.shape(context.input)?;
        let epilogue = Epilogue::new(context.isa, self.activation, self.filters);
        Some(Box::new(ConvOp {
            isa: context.isa,
            shape,
            kernel: context.tensors[0].clone(),
            bias: context.tensors.get(1).cloned(),
            forward: Convolution::new(context.isa, &shape, context.kernels),
            gradient: context.training.then(|| GradientWeights::new(context.isa, &shape)),
            epilogue,
        }))
    }
}

struct ConvOp {
    isa: Isa,
    shape: ConvShape,
    kernel: Range<usize>,
    bias: Option<Range<usize>>,
    forward: Convolution,
    gradient: Option<GradientWeights>,
    epilogue: Epilogue,
}

impl Op for ConvOp {
    fn needs(&self) -> Needs {
        let gradient = self.gradient.as_ref().map_or(0, |_| self.shape.gradient_scratch_len());
        let scratch = self.forward.scratch_len().max(self.shape.forward_scratch_len()).max(gradient);
        Needs { floats: self.epilogue.tape_len(self.shape.output_len()), scratch, ..Needs::default() }
    }

    fn prepare(&mut self, values: Values<'_>) {
        let kernel = &values.weights[self.kernel.clone()];
        self.forward.pack(kernel);
        if let Some(gradient) = &mut self.gradient {
            gradient.pack(kernel);
        }
    }

    fn forward(&self, pass: &Pass<'_>, x: &[f32], y: &mut [f32], tape: Tape<'_>, scratch: &mut [f32]) {
        let bias = self.bias.clone().map_or(&[][..], |range| &pass.weights[range]);
        self.forward.forward(x, bias, self.epilogue.is_relu(), y, scratch);
        self.epilogue.forward(y, tape.floats);
    }

    fn backward(&self, _: &Pass<'_>, io: Backward<'_>, tape: Tape<'_>, scratch: &mut [f32], gradient: &mut [f32]) {
        self.epilogue.backward(tape.floats, io.y, io.dy);
        let (kernel, bias) = super::split_gradient(gradient, &self.kernel, self.bias.as_ref());
        conv_weight_gradient(self.isa, &self.shape, io.x, io.dy, kernel, bias, scratch);
        if let (Some(dx), Some(weights)) = (io.dx, &self.gradient) {
            conv_input_gradient(self.isa, &self.shape, io.dy, weights, dx, scratch);
        }
    }
}
