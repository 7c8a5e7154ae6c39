//! A graph as it grows: one value after another, each made of the one before. Several networks take the same pixels, and
//! their probabilities are averaged.

use glyphnet::nn::Shape;
use glyphnet::{ImageShape, Preprocess};

use super::proto::{Attribute, Element, Node, Output, tensor};
use super::{INPUT, LOGITS, OUTPUT};
use crate::protobuf::Message;

/// Attributes of a node, by name.
pub(super) type Attributes = Vec<(&'static str, Attribute)>;

/// In which order the values of a sample lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Images with their channels last, as they come in and as they are flattened.
    Nhwc,
    /// Images with their channels first, as ONNX convolves and pools them.
    Nchw,
    /// No image.
    Vector,
}

impl Layout {
    /// The axis of the channels, the batch being axis 0.
    pub(super) fn channels(self) -> usize {
        match self {
            Layout::Nhwc => 3,
            Layout::Nchw | Layout::Vector => 1,
        }
    }
}

/// A value that a node can take.
#[derive(Debug, Clone)]
pub(super) struct Value {
    name: String,
    shape: Shape,
    layout: Layout,
}

/// Nodes in a row, and the tensors that they take besides the values.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) tensors: Vec<Message>,
    /// The value that the next node will take.
    value: Value,
    /// What the names of nodes and tensors begin with.
    prefix: String,
}

impl Graph {
    /// Nothing but the input.
    pub(super) fn new(input: ImageShape) -> Graph {
        let value = Value { name: INPUT.to_owned(), shape: input.into(), layout: Layout::Nhwc };
        Graph { nodes: Vec::new(), tensors: Vec::new(), value, prefix: String::new() }
    }

    pub(super) fn layout(&self) -> Layout {
        self.value.layout
    }

    /// Adds a tensor of 32-bit numbers, row-major, and gives its name back.
    pub(super) fn tensor(&mut self, name: &str, dims: &[usize], values: impl Iterator<Item = f32>) -> String {
        let name = format!("{}{name}", self.prefix);
        self.tensors.push(tensor(&name, dims, values));
        name
    }

    /// Adds a node that belongs to a layer and makes a value of this shape and layout. It takes the value before, and then
    /// `inputs`. Node and value have names of their own, because some programs look both up in one table.
    pub(super) fn node(
        &mut self,
        layer: &str,
        operator: &'static str,
        inputs: Vec<String>,
        attributes: Attributes,
        (shape, layout): (Shape, Layout),
    ) {
        let name = format!("{}{layer}/{operator}", self.prefix);
        let output = Output { name: format!("{name}_output"), dims: dims(shape, layout) };
        let before = std::mem::replace(&mut self.value, Value { name: output.name.clone(), shape, layout });
        let inputs = [before.name].into_iter().chain(inputs).collect();
        self.nodes.push(Node { operator, name, inputs, attributes, output });
    }

    /// Adds a node whose value has the shape of the one before.
    pub(super) fn same(&mut self, layer: &str, operator: &'static str, inputs: Vec<String>, attributes: Attributes) {
        self.node(layer, operator, inputs, attributes, (self.value.shape, self.value.layout));
    }

    /// The name of the value at hand.
    pub(super) fn value(&self) -> String {
        self.value.name.clone()
    }

    /// Adds what `network` adds for each of `count` networks, all of which begin with the value at hand. Of several the
    /// names begin with `member.K/`, counted from 1, and the value is the logarithm of the mean of their probabilities.
    pub(super) fn networks(&mut self, count: usize, mut network: impl FnMut(&mut Graph, usize)) {
        if count == 1 {
            return network(self, 0);
        }
        let input = self.value.clone();
        let mut outputs = Vec::new();
        for place in 0..count {
            self.value = input.clone();
            self.prefix = format!("member.{}/", place + 1);
            network(self, place);
            self.softmax();
            outputs.push(self.value.clone());
        }
        self.prefix.clear();
        self.mean(outputs);
    }

    /// From probabilities to the logarithm of their mean, in the order and with the least value of our own prediction.
    fn mean(&mut self, probabilities: Vec<Value>) {
        let count = probabilities.len();
        for (place, value) in probabilities.into_iter().enumerate() {
            match place {
                0 => self.value = value,
                _ => self.same(&format!("mean.{}", place + 1), "Add", vec![value.name], Vec::new()),
            }
        }
        for (operator, name, value) in [("Div", "mean/count", count as f32), ("Max", "mean/least", f32::MIN_POSITIVE)] {
            let tensor = self.tensor(name, &[1], [value].into_iter());
            self.same("mean", operator, vec![tensor], Vec::new());
        }
        self.same("mean", "Log", Vec::new(), Vec::new());
    }

    fn softmax(&mut self) {
        self.same("output", "Softmax", Vec::new(), vec![("axis", Attribute::Integer(1))]);
    }

    /// Brings an image into this layout.
    pub(super) fn lay_out(&mut self, layer: &str, layout: Layout) {
        let order = match (self.value.layout, layout) {
            (Layout::Nhwc, Layout::Nchw) => vec![0, 3, 1, 2],
            (Layout::Nchw, Layout::Nhwc) => vec![0, 2, 3, 1],
            _ => return,
        };
        let attributes = vec![("perm", Attribute::Integers(order))];
        self.node(layer, "Transpose", Vec::new(), attributes, (self.value.shape, layout));
    }

    /// Makes a vector of an image, in the order rows, columns, channels.
    pub(super) fn flatten(&mut self, layer: &str) {
        let shape = self.value.shape;
        let Shape::Image { height, width, channels } = shape else { return };
        // With one channel or one pixel both orders are the same.
        if channels > 1 && height * width > 1 {
            self.lay_out(layer, Layout::Nhwc);
        }
        self.node(layer, "Flatten", Vec::new(), Vec::new(), (Shape::Vector(shape.len()), Layout::Vector));
    }

    /// From raw pixels to the numbers that the network takes: `(v * scale - mean) / std`. What would change nothing is left
    /// out.
    pub(super) fn preprocess(&mut self, preprocess: &Preprocess) {
        const STAGE: &str = "preprocess";
        self.same(STAGE, "Cast", Vec::new(), vec![("to", Attribute::Integer(Element::F32 as usize))]);
        let steps = [
            ("Mul", "scale", std::slice::from_ref(&preprocess.scale), 1.0),
            ("Sub", "mean", preprocess.mean.as_slice(), 0.0),
            ("Div", "std", preprocess.std.as_slice(), 1.0),
        ];
        for (operator, name, values, neutral) in steps {
            if values.iter().any(|&value| value != neutral) {
                let name = self.tensor(&format!("{STAGE}/{name}"), &[values.len()], values.iter().copied());
                self.same(STAGE, operator, vec![name], Vec::new());
            }
        }
    }

    /// Calls the value at hand the logits, and makes the output of them.
    pub(super) fn finish(&mut self) {
        self.rename(LOGITS);
        self.softmax();
        self.rename(OUTPUT);
    }

    /// Gives the value at hand another name.
    fn rename(&mut self, name: &str) {
        if let Some(last) = self.nodes.last_mut() {
            last.output.name = name.to_owned();
            self.value.name = name.to_owned();
        }
    }
}

/// The sizes of a sample in this layout.
fn dims(shape: Shape, layout: Layout) -> Vec<usize> {
    match (shape, layout) {
        (Shape::Image { height, width, channels }, Layout::Nchw) => vec![channels, height, width],
        (Shape::Image { height, width, channels }, _) => vec![height, width, channels],
        (Shape::Vector(length), _) => vec![length],
    }
}
