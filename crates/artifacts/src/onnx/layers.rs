//! The layers as nodes.

use glyphnet::nn::{Activation, LayerSpec, Network, NetworkLayer, Shape, Tensor, Window};
use glyphnet_kernels::{LEAKY_SLOPE, Pad};

use super::graph::{Attributes, Graph, Layout};
use super::proto::Attribute;

impl Graph {
    /// Adds a layer as it is run; `spec` is what it comes to in prediction ([`Network::runnable`]).
    pub(super) fn layer(&mut self, network: &Network, layer: &NetworkLayer, spec: &LayerSpec) {
        let name = &layer.name;
        match spec {
            LayerSpec::Conv2d(conv) => {
                self.window(network, layer, "Conv", Vec::new());
                self.activation(name, conv.activation);
            }
            LayerSpec::MaxPool2d(_) => self.window(network, layer, "MaxPool", Vec::new()),
            // That padding does not count is the operator's default too; it is written down because programs differ in it.
            LayerSpec::AvgPool2d(_) => {
                self.window(network, layer, "AveragePool", vec![("count_include_pad", Attribute::Integer(0))]);
            }
            LayerSpec::GlobalAvgPool2d(_) => {
                self.lay_out(name, Layout::Nchw);
                let pixel = Shape::Image { height: 1, width: 1, channels: layer.output.len() };
                self.node(name, "GlobalAveragePool", Vec::new(), Vec::new(), (pixel, Layout::Nchw));
                self.flatten(name);
            }
            LayerSpec::BatchNorm(norm) => {
                self.lay_out(name, Layout::Nchw);
                let tensors = self.tensors_of(network, layer);
                self.same(name, "BatchNormalization", tensors, vec![("epsilon", Attribute::Float(norm.epsilon))]);
            }
            LayerSpec::Dropout(_) => {}
            LayerSpec::Flatten(_) => self.flatten(name),
            LayerSpec::Dense(dense) => {
                let tensors = self.tensors_of(network, layer);
                self.node(name, "Gemm", tensors, Vec::new(), (layer.output, Layout::Vector));
                self.activation(name, dense.activation);
            }
            LayerSpec::Activation(own) => self.activation(name, own.activation),
        }
    }

    /// Adds what slides a window over an image.
    fn window(&mut self, network: &Network, layer: &NetworkLayer, operator: &'static str, further: Attributes) {
        let Some(window) = layer.window() else { return };
        self.lay_out(&layer.name, Layout::Nchw);
        let tensors = self.tensors_of(network, layer);
        let mut attributes = geometry(&window);
        attributes.extend(further);
        self.node(&layer.name, operator, tensors, attributes, (layer.output, Layout::Nchw));
    }

    fn activation(&mut self, layer: &str, activation: Activation) {
        let mut plain = |operator, attributes| self.same(layer, operator, Vec::new(), attributes);
        match activation {
            Activation::Linear => {}
            Activation::Relu => plain("Relu", Vec::new()),
            Activation::LeakyRelu => plain("LeakyRelu", vec![("alpha", Attribute::Float(LEAKY_SLOPE))]),
            Activation::Elu => plain("Elu", vec![("alpha", Attribute::Float(1.0))]),
            // By erf, the operator's default.
            Activation::Gelu => plain("Gelu", Vec::new()),
            Activation::Sigmoid => plain("Sigmoid", Vec::new()),
            Activation::Tanh => plain("Tanh", Vec::new()),
            // An operator of its own, Swish, has come only with version 24.
            Activation::Silu => {
                let x = self.value();
                self.same(layer, "Sigmoid", Vec::new(), Vec::new());
                self.same(layer, "Mul", vec![x], Vec::new());
            }
            Activation::Softmax => {
                let axis = self.layout().channels();
                self.same(layer, "Softmax", Vec::new(), vec![("axis", Attribute::Integer(axis))]);
            }
        }
    }

    /// Adds the tensors of a layer under their names, in their order, which is that of ONNX's inputs.
    fn tensors_of(&mut self, network: &Network, layer: &NetworkLayer) -> Vec<String> {
        layer.tensors.iter().map(|tensor| self.tensor_of(network, tensor)).collect()
    }

    fn tensor_of(&mut self, network: &Network, tensor: &Tensor) -> String {
        let values = network.tensor(tensor);
        let &[height, width, inputs, filters] = tensor.shape.as_slice() else {
            return self.tensor(&tensor.name, &tensor.shape, values.iter().copied());
        };
        // A kernel is stored as rows x columns x inputs x filters, and wanted as filters x inputs x rows x columns.
        let stride = inputs * filters;
        let reordered = (0..filters).flat_map(|filter| {
            (0..inputs)
                .flat_map(move |input| (0..height * width).map(move |p| values[p * stride + input * filters + filter]))
        });
        self.tensor(&tensor.name, &[filters, inputs, height, width], reordered)
    }
}

/// Size, step and padding of a window. All are written, though some are the defaults: rten does not know those of pools.
fn geometry(window: &Window) -> Attributes {
    let pair = |(vertical, horizontal)| Attribute::Integers(vec![vertical, horizontal]);
    let Pad { top, bottom, left, right } = window.pad;
    vec![
        ("kernel_shape", pair(window.size)),
        ("strides", pair(window.stride)),
        ("pads", Attribute::Integers(vec![top, left, bottom, right])),
    ]
}
