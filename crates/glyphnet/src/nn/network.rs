//! A network: layers whose shapes are known, with their parameters.

use std::ops::Range;

use glyphnet_data::ImageShape;
use glyphnet_kernels::Activation;

use super::{LayerSpec, NetworkError, Shape, Units, init};

/// The most values that one sample may have between two layers, and the most parameters: beyond this a recipe is a
/// slip of the pen, and allocating would take the machine down.
const LARGEST: usize = 1 << 28;

/// Layers with parameters. All trained weights lie in one flat array, all state (running averages) in another.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    input: ImageShape,
    classes: usize,
    layers: Vec<NetworkLayer>,
    weights: Vec<f32>,
    state: Vec<f32>,
}

/// One layer of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkLayer {
    /// Unique name, as Keras makes them: `conv2d`, `conv2d_1`, ...
    pub name: String,
    /// The layer's settings; `"classes"` has become a number.
    pub spec: LayerSpec,
    /// Shape of one input sample.
    pub input: Shape,
    /// Shape of one output sample.
    pub output: Shape,
    /// The layer's tensors.
    pub tensors: Vec<Tensor>,
    /// Multiply-accumulates of one forward pass of one sample.
    pub macs: u64,
}

/// Where a tensor lies in a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// `<layer>/<tensor>`, for example `conv2d/kernel`.
    pub name: String,
    /// Shape, row-major: kernels of convolutions are HWIO, of dense layers inputs x units.
    pub shape: Vec<usize>,
    /// Place in [`Network::weights`], or in [`Network::state`] where it is not trained.
    pub range: Range<usize>,
    /// Whether the optimizer changes it.
    pub trained: bool,
}

impl NetworkLayer {
    /// Values that the layer owns, trained or not.
    pub fn parameters(&self) -> usize {
        self.tensors.iter().map(|t| t.range.len()).sum()
    }
}

impl Network {
    pub(super) fn build(
        specs: &[LayerSpec],
        input: ImageShape,
        classes: usize,
        seed: u64,
    ) -> Result<Network, NetworkError> {
        if specs.is_empty() {
            return Err(NetworkError::Empty);
        }
        if classes < 2 {
            return Err(NetworkError::Classes(classes));
        }
        let mut network = Network { input, classes, layers: Vec::new(), weights: Vec::new(), state: Vec::new() };
        let mut tensors = 0;
        for (i, spec) in specs.iter().enumerate() {
            network.push(i + 1, spec, seed, &mut tensors)?;
        }
        network.check_output()?;
        Ok(network)
    }

    fn push(&mut self, number: usize, spec: &LayerSpec, seed: u64, tensors: &mut u32) -> Result<(), NetworkError> {
        let spec = self.resolve(spec);
        let kind = spec.kind();
        let input = self.layers.last().map_or(Shape::from(self.input), |layer| layer.output);
        let layer = spec.layer();
        let output = layer.output(input).map_err(|error| NetworkError::Layer { number, kind, error })?;
        if output.len() > LARGEST {
            return Err(NetworkError::TooLarge { number, kind, what: format!("its output is {output}") });
        }
        let parameters = layer.parameters(input);
        let needed: usize = parameters.iter().map(|p| p.shape.iter().fold(1, |a: usize, &b| a.saturating_mul(b))).sum();
        if needed.saturating_add(self.weights.len()) > LARGEST {
            return Err(NetworkError::TooLarge { number, kind, what: format!("it has {needed} parameters") });
        }
        let name = self.unique_name(kind);
        let macs = layer.macs(input);
        let mut placed = Vec::new();
        for parameter in parameters {
            let array = if parameter.trained { &mut self.weights } else { &mut self.state };
            let range = array.len()..array.len() + parameter.len();
            array.resize(range.end, 0.0);
            init::fill(parameter.start, seed, *tensors, &mut array[range.clone()]);
            *tensors += 1;
            let name = format!("{name}/{}", parameter.name);
            placed.push(Tensor { name, shape: parameter.shape, range, trained: parameter.trained });
        }
        drop(layer);
        self.layers.push(NetworkLayer { name, spec, input, output, tensors: placed, macs });
        Ok(())
    }

    /// Puts the number of classes where `"classes"` stands.
    fn resolve(&self, spec: &LayerSpec) -> LayerSpec {
        match spec {
            LayerSpec::Dense(dense) if dense.units == Units::CLASSES => {
                LayerSpec::Dense(super::Dense { units: Units::Count(self.classes), ..dense.clone() })
            }
            spec => spec.clone(),
        }
    }

    fn unique_name(&self, kind: &str) -> String {
        match self.layers.iter().filter(|layer| layer.spec.kind() == kind).count() {
            0 => kind.to_owned(),
            n => format!("{kind}_{n}"),
        }
    }

    fn check_output(&self) -> Result<(), NetworkError> {
        let Some(last) = self.layers.last() else { return Err(NetworkError::Empty) };
        if last.output != Shape::Vector(self.classes) {
            return Err(NetworkError::Output { got: last.output, classes: self.classes });
        }
        match last_activation(&last.spec) {
            Some(Activation::Softmax | Activation::Linear) | None => Ok(()),
            Some(other) => Err(NetworkError::OutputActivation(format!("{other:?}").to_lowercase())),
        }
    }

    /// Shape of the images it takes.
    pub fn input(&self) -> ImageShape {
        self.input
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The layers, first to last.
    pub fn layers(&self) -> &[NetworkLayer] {
        &self.layers
    }

    /// The layers as data, ready to build the same network again.
    pub fn specs(&self) -> Vec<LayerSpec> {
        self.layers.iter().map(|layer| layer.spec.clone()).collect()
    }

    /// Every tensor, in the order of the layers.
    pub fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        self.layers.iter().flat_map(|layer| &layer.tensors)
    }

    /// Values that the network owns, trained or not (as Keras counts "total params").
    pub fn parameters(&self) -> usize {
        self.weights.len() + self.state.len()
    }

    /// Values that the optimizer changes.
    pub fn trained_parameters(&self) -> usize {
        self.weights.len()
    }

    /// Multiply-accumulates of one forward pass of one image.
    pub fn macs(&self) -> u64 {
        self.layers.iter().map(|layer| layer.macs).sum()
    }

    /// All trained weights.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// All trained weights, to be changed.
    pub fn weights_mut(&mut self) -> &mut [f32] {
        &mut self.weights
    }

    /// All state that is not trained: running averages.
    pub fn state(&self) -> &[f32] {
        &self.state
    }

    /// All state, to be changed.
    pub fn state_mut(&mut self) -> &mut [f32] {
        &mut self.state
    }

    /// The values of one tensor.
    pub fn tensor(&self, tensor: &Tensor) -> &[f32] {
        let array = if tensor.trained { &self.weights } else { &self.state };
        &array[tensor.range.clone()]
    }

    /// The values of one tensor, to be changed.
    pub fn tensor_mut(&mut self, tensor: &Tensor) -> &mut [f32] {
        let array = if tensor.trained { &mut self.weights } else { &mut self.state };
        &mut array[tensor.range.clone()]
    }

    /// Weights and state at once, the state to be changed.
    pub(super) fn split_mut(&mut self) -> (&mut [f32], &mut [f32]) {
        (&mut self.weights, &mut self.state)
    }

    /// The layers as they are run: a final softmax is left to the loss and to prediction, which take logits.
    pub(super) fn runnable(&self) -> Vec<LayerSpec> {
        let mut specs = self.specs();
        match specs.last_mut() {
            Some(LayerSpec::Dense(dense)) if dense.activation == Activation::Softmax => {
                dense.activation = Activation::Linear;
            }
            Some(LayerSpec::Activation(layer)) if layer.activation == Activation::Softmax => {
                layer.activation = Activation::Linear;
            }
            _ => {}
        }
        specs
    }
}

fn last_activation(spec: &LayerSpec) -> Option<Activation> {
    match spec {
        LayerSpec::Dense(dense) => Some(dense.activation),
        LayerSpec::Conv2d(conv) => Some(conv.activation),
        LayerSpec::Activation(layer) => Some(layer.activation),
        _ => None,
    }
}
