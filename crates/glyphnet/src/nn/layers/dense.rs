//! Fully connected layer with its bias and activation.

use std::ops::Range;

use glyphnet_kernels::{
    Activation, DenseShape, DenseWeights, Isa, dense_forward, dense_input_gradient, dense_weight_gradient,
};

use super::activation::Epilogue;
use super::folded::{FoldedOp, Product};
use super::whole_dense::{WholeDense, is_large};
use crate::nn::layer::{Backward, Layer, Needs, Op, OpContext, Parameter, Pass, Start, Tape, Values};
use crate::nn::{Dense, Initializer, LayerError, Shape, Units};

impl Dense {
    /// So many units; no activation, with bias.
    pub fn new(units: impl Into<Units>) -> Dense {
        Dense {
            units: units.into(),
            activation: Activation::Linear,
            use_bias: true,
            initializer: Initializer::default(),
            frozen: false,
        }
    }

    /// With this activation.
    pub fn activation(mut self, activation: Activation) -> Dense {
        self.activation = activation;
        self
    }

    /// Without a bias.
    pub fn without_bias(mut self) -> Dense {
        self.use_bias = false;
        self
    }

    /// With this initializer.
    pub fn initializer(mut self, initializer: Initializer) -> Dense {
        self.initializer = initializer;
        self
    }

    /// Keeps the weights that it starts with.
    pub fn frozen(mut self) -> Dense {
        self.frozen = true;
        self
    }

    /// The number of units; `"classes"` has been replaced by a number when a network is built.
    fn count(&self) -> usize {
        match self.units {
            Units::Count(n) => n,
            Units::Classes(_) => 0,
        }
    }
}

impl Layer for &Dense {
    fn output(&self, input: Shape) -> Result<Shape, LayerError> {
        super::count("units", self.count())?;
        match input {
            Shape::Vector(_) => Ok(Shape::Vector(self.count())),
            Shape::Image { .. } => {
                Err(LayerError::Input { needs: "a vector (add a flatten layer before it)".to_owned(), got: input })
            }
        }
    }

    fn parameters(&self, input: Shape) -> Vec<Parameter> {
        let (inputs, units) = (input.len(), self.count());
        let start = Start::Random(self.initializer, inputs, units);
        let mut tensors = vec![Parameter::trained("kernel", vec![inputs, units], start)];
        if self.use_bias {
            tensors.push(Parameter::trained("bias", vec![units], Start::Zeros));
        }
        tensors
    }

    fn macs(&self, input: Shape) -> u64 {
        (input.len() * self.count()) as u64
    }

    fn op(&self, context: &OpContext) -> Option<Box<dyn Op>> {
        let shape = DenseShape { inputs: context.input.len(), units: context.output.len() };
        if context.folds() {
            let product = Product::Dense(shape, DenseWeights::forward(context.isa, &shape));
            return Some(Box::new(FoldedOp::new(context, product, self.activation)));
        }
        let epilogue = Epilogue::new(context.isa, self.activation, shape.units);
        // A frozen one has no gradient as large as its weights.
        if context.training && !context.frozen && is_large(&shape) {
            return Some(Box::new(WholeDense::new(context, shape, epilogue)));
        }
        Some(Box::new(DenseOp {
            isa: context.isa,
            shape,
            kernel: context.tensors[0].clone(),
            bias: context.tensors.get(1).cloned(),
            forward: DenseWeights::forward(context.isa, &shape),
            input: (context.training && context.input_gradient).then(|| DenseWeights::gradient(context.isa, &shape)),
            frozen: context.frozen,
            epilogue,
        }))
    }
}

struct DenseOp {
    isa: Isa,
    shape: DenseShape,
    kernel: Range<usize>,
    bias: Option<Range<usize>>,
    forward: DenseWeights,
    /// The kernel for the gradient of the input, where training asks for that.
    input: Option<DenseWeights>,
    frozen: bool,
    epilogue: Epilogue,
}

impl Op for DenseOp {
    fn describe(&self) -> String {
        format!("dense{}", self.epilogue.describe())
    }

    fn packed(&self) -> usize {
        self.forward.floats() + self.input.as_ref().map_or(0, DenseWeights::floats)
    }

    fn needs(&self) -> Needs {
        Needs { floats: self.epilogue.tape_len(self.shape.units), ..Needs::default() }
    }

    fn prepare(&mut self, values: Values<'_>) {
        let kernel = &values.weights[self.kernel.clone()];
        self.forward.pack_forward(kernel);
        if let Some(input) = &mut self.input {
            input.pack_gradient(kernel);
        }
    }

    fn forward(&self, pass: &Pass<'_>, x: &[f32], y: &mut [f32], tape: Tape<'_>, _: &mut [f32]) {
        let bias = self.bias.clone().map_or(&[][..], |range| &pass.weights[range]);
        dense_forward(self.isa, &self.shape, x, &self.forward, bias, self.epilogue.is_relu(), y);
        self.epilogue.forward(y, tape.floats);
    }

    fn backward(&self, _: &Pass<'_>, io: Backward<'_>, tape: Tape<'_>, _: &mut [f32], gradient: &mut [f32]) {
        self.epilogue.backward(tape.floats, io.y, io.dy);
        if !self.frozen {
            let (kernel, bias) = super::split_gradient(gradient, &self.kernel, self.bias.as_ref());
            dense_weight_gradient(self.isa, &self.shape, io.x, io.dy, kernel, bias);
        }
        if let (Some(dx), Some(weights)) = (io.dx, &self.input) {
            dense_input_gradient(self.isa, &self.shape, io.dy, weights, dx);
        }
    }
}
