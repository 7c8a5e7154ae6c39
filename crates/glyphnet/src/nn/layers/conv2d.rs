//! Convolution with its bias and activation.

use std::ops::Range;

use glyphnet_kernels::{Activation, ConvShape};

use super::activation::Epilogue;
use super::convolve::{Convolution, InputGradient, WeightGradient, describe_conv};
use super::folded::{FoldedOp, Product};
use super::window::Window;
use crate::nn::layer::{Backward, Layer, Needs, Op, OpContext, Parameter, Pass, Start, Tape, Values};
use crate::nn::{Conv2d, Dense, Initializer, LayerError, Padding, Pair, Shape};

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
            frozen: false,
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

    /// Keeps the weights that it starts with.
    pub fn frozen(mut self) -> Conv2d {
        self.frozen = true;
        self
    }

    pub(in crate::nn) fn window(&self, input: Shape) -> Result<Window, LayerError> {
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
        if shape.covers_input() {
            // One output pixel made of all of the input: a dense layer, whose weights serve many samples at a time.
            return (&Dense::new(self.filters).activation(self.activation)).op(context);
        }
        if context.folds() {
            let forward = Convolution::new(context.isa, &shape, context.kernels);
            let product = Product::Conv(shape, Box::new(forward));
            return Some(Box::new(FoldedOp::new(context, product, self.activation)));
        }
        let epilogue = Epilogue::new(context.isa, self.activation, self.filters);
        let input = || InputGradient::new(context.isa, &shape, context.kernels);
        let kernel = || WeightGradient::new(context.isa, &shape, context.kernels);
        let input = (context.training && context.input_gradient).then(input);
        let kernel = (context.training && !context.frozen).then(kernel);
        Some(Box::new(ConvOp {
            shape,
            kernel: context.tensors[0].clone(),
            bias: context.tensors.get(1).cloned(),
            forward: Convolution::new(context.isa, &shape, context.kernels),
            input,
            weights: kernel,
            epilogue,
        }))
    }
}

struct ConvOp {
    shape: ConvShape,
    kernel: Range<usize>,
    bias: Option<Range<usize>>,
    forward: Convolution,
    /// Only where training asks for the gradient of the input.
    input: Option<InputGradient>,
    /// Only where training asks for that of the weights.
    weights: Option<WeightGradient>,
    epilogue: Epilogue,
}

impl Op for ConvOp {
    fn describe(&self) -> String {
        let forward = self.forward.name();
        let mut text = format!("{}{}: {forward}", describe_conv(&self.shape), self.epilogue.describe());
        let gradients = [
            (self.input.as_ref().map(InputGradient::name), "input"),
            (self.weights.as_ref().map(WeightGradient::name), "weight"),
        ];
        for (name, what) in gradients {
            if let Some(name) = name.filter(|&name| name != forward) {
                text += &format!(", {what} gradient {name}");
            }
        }
        text
    }

    fn packed(&self) -> usize {
        self.forward.packed() + self.input.as_ref().map_or(0, InputGradient::packed)
    }

    fn needs(&self) -> Needs {
        let floats = self.epilogue.tape_len(self.shape.output_len());
        let input = self.input.as_ref().map_or(0, InputGradient::scratch_len);
        let weights = self.weights.as_ref().map_or(0, WeightGradient::scratch_len);
        Needs {
            floats,
            scratch: self.forward.scratch_len().max(input).max(weights),
            gathered: self.weights.as_ref().map_or(0, WeightGradient::gathered_len),
            ..Needs::default()
        }
    }

    fn prepare(&mut self, values: Values<'_>) {
        let kernel = &values.weights[self.kernel.clone()];
        self.forward.pack(kernel);
        if let Some(input) = &mut self.input {
            input.pack(kernel);
        }
    }

    fn forward(&self, pass: &Pass<'_>, x: &[f32], y: &mut [f32], tape: Tape<'_>, scratch: &mut [f32]) {
        let bias = self.bias.clone().map_or(&[][..], |range| &pass.weights[range]);
        self.forward.forward(x, bias, self.epilogue.is_relu(), y, scratch);
        self.epilogue.forward(y, tape.floats);
    }

    fn backward(&self, _: &Pass<'_>, io: Backward<'_>, tape: Tape<'_>, scratch: &mut [f32], gradient: &mut [f32]) {
        self.epilogue.backward(tape.floats, io.y, io.dy);
        if let Some(weights) = &self.weights {
            let (kernel, bias) = super::split_gradient(gradient, &self.kernel, self.bias.as_ref());
            weights.backward([io.x, io.dy], io.gathered, kernel, bias, scratch);
        }
        if let (Some(dx), Some(input)) = (io.dx, &self.input) {
            input.backward(io.dy, dx, scratch);
        }
    }

    fn flush(&self, gathered: &[f32], gradient: &mut [f32]) {
        if let Some(weights) = &self.weights {
            weights.flush(gathered, &mut gradient[self.kernel.clone()]);
        }
    }
}
