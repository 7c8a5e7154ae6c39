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
        let training = context.training.then(|| Gradients {
            input: InputGradient::new(context.isa, &shape, context.kernels),
            kernel: WeightGradient::new(context.isa, &shape, context.kernels),
        });
        Some(Box::new(ConvOp {
            shape,
            kernel: context.tensors[0].clone(),
            bias: context.tensors.get(1).cloned(),
            forward: Convolution::new(context.isa, &shape, context.kernels),
            gradients: training,
            epilogue,
        }))
    }
}

struct ConvOp {
    shape: ConvShape,
    kernel: Range<usize>,
    bias: Option<Range<usize>>,
    forward: Convolution,
    /// Only in training.
    gradients: Option<Gradients>,
    epilogue: Epilogue,
}

struct Gradients {
    input: InputGradient,
    kernel: WeightGradient,
}

impl Op for ConvOp {
    fn describe(&self) -> String {
        let forward = self.forward.name();
        let mut text = format!("{}{}: {forward}", describe_conv(&self.shape), self.epilogue.describe());
        if let Some(Gradients { input, kernel }) = &self.gradients {
            for (name, what) in [(input.name(), "input"), (kernel.name(), "weight")] {
                if name != forward {
                    text += &format!(", {what} gradient {name}");
                }
            }
        }
        text
    }

    fn packed(&self) -> usize {
        self.forward.packed() + self.gradients.as_ref().map_or(0, |gradients| gradients.input.packed())
    }

    fn needs(&self) -> Needs {
        let floats = self.epilogue.tape_len(self.shape.output_len());
        let forward = Needs { floats, scratch: self.forward.scratch_len(), ..Needs::default() };
        match &self.gradients {
            None => forward,
            Some(Gradients { input, kernel }) => Needs {
                scratch: forward.scratch.max(input.scratch_len()).max(kernel.scratch_len()),
                gathered: kernel.gathered_len(),
                ..forward
            },
        }
    }

    fn prepare(&mut self, values: Values<'_>) {
        let kernel = &values.weights[self.kernel.clone()];
        self.forward.pack(kernel);
        if let Some(gradients) = &mut self.gradients {
            gradients.input.pack(kernel);
        }
    }

    fn forward(&self, pass: &Pass<'_>, x: &[f32], y: &mut [f32], tape: Tape<'_>, scratch: &mut [f32]) {
        let bias = self.bias.clone().map_or(&[][..], |range| &pass.weights[range]);
        self.forward.forward(x, bias, self.epilogue.is_relu(), y, scratch);
        self.epilogue.forward(y, tape.floats);
    }

    fn backward(&self, _: &Pass<'_>, io: Backward<'_>, tape: Tape<'_>, scratch: &mut [f32], gradient: &mut [f32]) {
        self.epilogue.backward(tape.floats, io.y, io.dy);
        let Some(gradients) = &self.gradients else { return };
        let (kernel, bias) = super::split_gradient(gradient, &self.kernel, self.bias.as_ref());
        gradients.kernel.backward([io.x, io.dy], io.gathered, kernel, bias, scratch);
        if let Some(dx) = io.dx {
            gradients.input.backward(io.dy, dx, scratch);
        }
    }

    fn flush(&self, gathered: &[f32], gradient: &mut [f32]) {
        if let Some(gradients) = &self.gradients {
            gradients.kernel.flush(gathered, &mut gradient[self.kernel.clone()]);
        }
    }
}
