//! A network: layers whose shapes are known, with their parameters.

use std::ops::Range;

use glyphnet_data::ImageShape;
use glyphnet_kernels::Activation;

use super::{LayerSpec, NetworkError, Shape, Units, Window, init, whitening};

/// The most values that one sample may have between two layers, and the most parameters: beyond this a recipe is a
/// slip of the pen, and allocating would take the machine down.
const LARGEST: usize = 1 << 28;

/// The most layers.
const MOST_LAYERS: usize = 4096;

/// Layers with parameters. All weights lie in one flat array, frozen ones at its end; all state (running averages) in
/// another.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    input: ImageShape,
    classes: usize,
    layers: Vec<NetworkLayer>,
    weights: Vec<f32>,
    /// How many of the weights are trained: the first.
    trained: usize,
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
    /// Place in [`Network::weights`], or in [`Network::state`] where it is state.
    pub range: Range<usize>,
    /// Whether the optimizer changes it.
    pub trained: bool,
    /// Whether it is state, such as a running average, rather than a weight.
    pub state: bool,
}

/// How many values of each sort have a place.
#[derive(Default)]
struct Placed {
    trained: usize,
    frozen: usize,
    state: usize,
}

impl NetworkLayer {
    /// Values that the layer owns, trained or not.
    pub fn parameters(&self) -> usize {
        self.tensors.iter().map(|t| t.range.len()).sum()
    }

    /// The window of a convolution or a pooling layer; the others have none.
    pub fn window(&self) -> Option<Window> {
        match &self.spec {
            LayerSpec::Conv2d(conv) => conv.window(self.input).ok(),
            LayerSpec::MaxPool2d(pool) | LayerSpec::AvgPool2d(pool) => pool.window(self.input).ok(),
            _ => None,
        }
    }
}

impl Network {
    pub(super) fn build(
        specs: &[LayerSpec],
        input: ImageShape,
        classes: usize,
        seed: u64,
    ) -> Result<Network, NetworkError> {
        let mut network = Network::empty(specs, input, classes)?;
        let (weights, state) = (&mut network.weights, &mut network.state);
        let starts = network.layers.iter().flat_map(|layer| layer.spec.layer().parameters(layer.input));
        let tensors = network.layers.iter().flat_map(|layer| &layer.tensors);
        for (number, (tensor, parameter)) in tensors.zip(starts).enumerate() {
            let array = if tensor.state { &mut *state } else { &mut *weights };
            init::fill(parameter.start, seed, number as u32, &mut array[tensor.range.clone()]);
        }
        Ok(network)
    }

    /// The network of these layers with every value zero.
    pub(crate) fn empty(specs: &[LayerSpec], input: ImageShape, classes: usize) -> Result<Network, NetworkError> {
        Ok(Network::outline(specs, input, classes)?.allocated())
    }

    /// The network of these layers without values: shapes and tensors alone, so that they can be checked before
    /// anything is allocated for them.
    pub(crate) fn outline(specs: &[LayerSpec], input: ImageShape, classes: usize) -> Result<Network, NetworkError> {
        if specs.is_empty() {
            return Err(NetworkError::Empty);
        }
        if specs.len() > MOST_LAYERS {
            return Err(NetworkError::TooMany { layers: specs.len(), most: MOST_LAYERS });
        }
        if classes < 2 {
            return Err(NetworkError::Classes(classes));
        }
        let mut network =
            Network { input, classes, layers: Vec::new(), weights: Vec::new(), trained: 0, state: Vec::new() };
        let mut placed = Placed::default();
        for (i, spec) in specs.iter().enumerate() {
            network.push(i + 1, spec, &mut placed)?;
        }
        network.trained = placed.trained;
        // Frozen weights were counted by themselves.
        let tensors = network.layers.iter_mut().flat_map(|layer| &mut layer.tensors);
        for Tensor { range, .. } in tensors.filter(|tensor| !tensor.trained && !tensor.state) {
            *range = range.start + placed.trained..range.end + placed.trained;
        }
        network.check_output()?;
        Ok(network)
    }

    /// An outline with its values, all zero.
    pub(crate) fn allocated(mut self) -> Network {
        let count = |state| self.tensors().filter(|t| t.state == state).map(|t| t.range.len()).sum();
        (self.weights, self.state) = (vec![0.0; count(false)], vec![0.0; count(true)]);
        self
    }

    /// Appends a layer.
    fn push(&mut self, number: usize, spec: &LayerSpec, so_far: &mut Placed) -> Result<(), NetworkError> {
        let spec = self.resolve(spec);
        let kind = spec.kind();
        let too_large = |what| NetworkError::TooLarge { number, kind, what };
        let input = self.layers.last().map_or(Shape::from(self.input), |layer| layer.output);
        let layer = spec.layer();
        let refused = |error| NetworkError::Layer { number, kind, error };
        let output = layer.output(input).map_err(refused)?;
        whitening::check(number, &spec, input).map_err(refused)?;
        if output.len() > LARGEST {
            return Err(too_large(format!("its output is {output}")));
        }
        let parameters = layer.parameters(input);
        let needed = parameters.iter().fold(0_usize, |sum, parameter| sum.saturating_add(parameter.len()));
        if needed.saturating_add(so_far.trained + so_far.frozen + so_far.state) > LARGEST {
            return Err(too_large(format!("it has {needed} parameters")));
        }
        let name = self.unique_name(kind);
        let macs = layer.macs(input);
        let mut placed = Vec::new();
        for parameter in parameters {
            let (state, trained) = (!parameter.trained, parameter.trained && !spec.frozen());
            let end = match (state, trained) {
                (true, _) => &mut so_far.state,
                (false, true) => &mut so_far.trained,
                (false, false) => &mut so_far.frozen,
            };
            let range = *end..*end + parameter.len();
            *end = range.end;
            let name = format!("{name}/{}", parameter.name);
            placed.push(Tensor { name, shape: parameter.shape, range, trained, state });
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
        match self.last_activation() {
            None | Some((_, Activation::Linear)) => Ok(()),
            Some((i, Activation::Softmax)) if self.softmax_can_wait(i) => Ok(()),
            Some((_, other)) => Err(NetworkError::OutputActivation(format!("{other:?}").to_lowercase())),
        }
    }

    /// The last layer that changes values other than by moving or dropping them, and its activation. An activation
    /// layer of linear changes nothing.
    fn last_activation(&self) -> Option<(usize, Activation)> {
        let meaningful = |layer: &NetworkLayer| match &layer.spec {
            LayerSpec::Flatten(_) | LayerSpec::Dropout(_) => false,
            LayerSpec::Activation(layer) => layer.activation != Activation::Linear,
            _ => true,
        };
        let i = self.layers.iter().rposition(meaningful)?;
        activation_of(&self.layers[i].spec).map(|activation| (i, activation))
    }

    /// Whether a softmax at layer `i` can be left to the loss: no dropout may follow it, and its classes must be the
    /// last axis already.
    fn softmax_can_wait(&self, i: usize) -> bool {
        self.layers[i].output == Shape::Vector(self.classes)
            && !self.layers[i..].iter().any(|layer| matches!(layer.spec, LayerSpec::Dropout(_)))
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
        self.trained
    }

    /// Multiply-accumulates of one forward pass of one image.
    pub fn macs(&self) -> u64 {
        self.layers.iter().map(|layer| layer.macs).sum()
    }

    /// All weights: first those that the optimizer changes, then the frozen ones.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// All trained weights, to be changed.
    pub fn weights_mut(&mut self) -> &mut [f32] {
        &mut self.weights
    }

    /// The weights that the optimizer changes.
    pub(super) fn trained_mut(&mut self) -> &mut [f32] {
        &mut self.weights[..self.trained]
    }

    /// All state that is not trained: running averages.
    pub fn state(&self) -> &[f32] {
        &self.state
    }

    /// All state, to be changed.
    pub fn state_mut(&mut self) -> &mut [f32] {
        &mut self.state
    }

    /// Replaces all weights and all state.
    ///
    /// # Panics
    /// If the lengths differ.
    pub(crate) fn set(&mut self, weights: &[f32], state: &[f32]) {
        self.weights.copy_from_slice(weights);
        self.state.copy_from_slice(state);
    }

    /// The values of one tensor.
    pub fn tensor(&self, tensor: &Tensor) -> &[f32] {
        let array = if tensor.state { &self.state } else { &self.weights };
        &array[tensor.range.clone()]
    }

    /// The values of one tensor, to be changed.
    pub fn tensor_mut(&mut self, tensor: &Tensor) -> &mut [f32] {
        let array = if tensor.state { &mut self.state } else { &mut self.weights };
        &mut array[tensor.range.clone()]
    }

    /// Weights and state at once, the state to be changed.
    pub(super) fn split_mut(&mut self) -> (&mut [f32], &mut [f32]) {
        (&mut self.weights, &mut self.state)
    }

    /// The layers as they are run, as many as [`layers`](Network::layers): a final softmax is left to the loss and to
    /// prediction, which take logits.
    pub fn runnable(&self) -> Vec<LayerSpec> {
        let mut specs = self.specs();
        if let Some((i, Activation::Softmax)) = self.last_activation() {
            match &mut specs[i] {
                LayerSpec::Dense(dense) => dense.activation = Activation::Linear,
                LayerSpec::Activation(layer) => layer.activation = Activation::Linear,
                _ => {}
            }
        }
        specs
    }
}

fn activation_of(spec: &LayerSpec) -> Option<Activation> {
    match spec {
        LayerSpec::Dense(dense) => Some(dense.activation),
        LayerSpec::Conv2d(conv) => Some(conv.activation),
        LayerSpec::Activation(layer) => Some(layer.activation),
        _ => None,
    }
}
