//! What the page's scripts need to know, as one JSON.

use std::collections::BTreeMap;

use glyphnet::model_file::ModelParts;
use glyphnet::nn::{Activation, LayerSpec, Network, NetworkLayer, Shape, Window};
use glyphnet_data::Preprocess;
use glyphnet_kernels::LEAKY_SLOPE;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct PageData<'a> {
    classes: &'a [String],
    /// Height, width, channels.
    input: Vec<usize>,
    preprocess: &'a Preprocess,
    /// How many networks of these layers there are: their probabilities are averaged, their weights follow each other.
    networks: usize,
    layers: Vec<LayerData>,
}

/// A layer with every setting spelled out, so that the engine resolves nothing.
#[derive(Serialize, Default)]
struct LayerData {
    kind: &'static str,
    /// Height, width and channels, or a length.
    input: Vec<usize>,
    output: Vec<usize>,
    /// Beginning and end of each tensor in the weights of a network.
    tensors: BTreeMap<String, [usize; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    activation: Option<Activation>,
    /// Below zero, of a leaky activation.
    #[serde(skip_serializing_if = "Option::is_none")]
    slope: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epsilon: Option<f64>,
    #[serde(flatten)]
    window: Option<WindowData>,
}

/// A window that slides over an image; pairs are vertical, horizontal.
#[derive(Serialize)]
struct WindowData {
    window: [usize; 2],
    stride: [usize; 2],
    /// Above, below, left, right.
    pad: [usize; 4],
}

impl PageData<'_> {
    pub(super) fn new(parts: &ModelParts) -> PageData<'_> {
        let network = parts.network();
        // As the network is run: a final softmax is left to who asks for probabilities.
        let run = network.runnable();
        let layers =
            network.layers().iter().zip(&run).map(|(layer, spec)| LayerData::new(network, layer, spec)).collect();
        PageData {
            classes: &parts.classes,
            input: sides(network.input().into()),
            preprocess: &parts.preprocess,
            networks: parts.networks.count(),
            layers,
        }
    }
}

impl LayerData {
    fn new(network: &Network, layer: &NetworkLayer, spec: &LayerSpec) -> LayerData {
        let mut data = LayerData {
            kind: spec.kind(),
            input: sides(layer.input),
            output: sides(layer.output),
            tensors: places(network, layer),
            window: layer.window().map(WindowData::from),
            ..LayerData::default()
        };
        match spec {
            LayerSpec::Conv2d(conv) => data.activation = Some(conv.activation),
            LayerSpec::BatchNorm(norm) => data.epsilon = Some(norm.epsilon.into()),
            LayerSpec::Dense(dense) => data.activation = Some(dense.activation),
            LayerSpec::Activation(layer) => data.activation = Some(layer.activation),
            LayerSpec::MaxPool2d(_)
            | LayerSpec::AvgPool2d(_)
            | LayerSpec::GlobalAvgPool2d(_)
            | LayerSpec::Dropout(_)
            | LayerSpec::Flatten(_) => {}
        }
        data.slope = (data.activation == Some(Activation::LeakyRelu)).then(|| LEAKY_SLOPE.into());
        data
    }
}

impl From<Window> for WindowData {
    fn from(Window { size, stride, pad, .. }: Window) -> WindowData {
        WindowData { window: size.into(), stride: stride.into(), pad: [pad.top, pad.bottom, pad.left, pad.right] }
    }
}

/// Tensors by their names in the layer.
fn places(network: &Network, layer: &NetworkLayer) -> BTreeMap<String, [usize; 2]> {
    let place = |tensor: &glyphnet::nn::Tensor| {
        let first = if tensor.state { network.weights().len() } else { 0 };
        let name = tensor.name.rsplit('/').next().unwrap_or_default().to_owned();
        (name, [first + tensor.range.start, first + tensor.range.end])
    };
    layer.tensors.iter().map(place).collect()
}

fn sides(shape: Shape) -> Vec<usize> {
    match shape {
        Shape::Image { height, width, channels } => vec![height, width, channels],
        Shape::Vector(length) => vec![length],
    }
}
