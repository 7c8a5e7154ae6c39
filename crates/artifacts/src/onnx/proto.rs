//! The messages of ONNX, as far as they are used here (`onnx.proto`: <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>).

use crate::protobuf::Message;

/// `TensorProto.DataType`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Element {
    F32 = 1,
    U8 = 2,
}

/// `TensorShapeProto.Dimension`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Dimension {
    Fixed(usize),
    /// Of any size; the same name is the same size.
    Free(&'static str),
}

impl From<usize> for Dimension {
    fn from(size: usize) -> Dimension {
        Dimension::Fixed(size)
    }
}

/// The value of an `AttributeProto`.
#[derive(Debug, Clone)]
pub(super) enum Attribute {
    Float(f32),
    Integer(usize),
    Integers(Vec<usize>),
}

/// What a node computes: 32-bit numbers.
#[derive(Debug, Clone)]
pub(super) struct Output {
    pub(super) name: String,
    /// Without the batch.
    pub(super) dims: Vec<usize>,
}

/// `NodeProto`.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) operator: &'static str,
    pub(super) name: String,
    pub(super) inputs: Vec<String>,
    pub(super) attributes: Vec<(&'static str, Attribute)>,
    pub(super) output: Output,
}

impl Node {
    pub(super) fn message(&self) -> Message {
        let node = self.inputs.iter().fold(Message::new(), |node, input| node.text(1, input));
        let node = node.text(2, &self.output.name).text(3, &self.name).text(4, self.operator);
        let attributes: Vec<Message> = self.attributes.iter().map(|(name, value)| value.message(name)).collect();
        node.messages(5, &attributes)
    }
}

impl Attribute {
    /// `AttributeProto`; its `type` is field 20.
    fn message(&self, name: &str) -> Message {
        let attribute = Message::new().text(1, name);
        match self {
            Attribute::Float(value) => attribute.float(2, *value).number(20, 1),
            Attribute::Integer(value) => attribute.number(3, *value as u64).number(20, 2),
            Attribute::Integers(values) => {
                values.iter().fold(attribute, |attribute, &value| attribute.number(8, value as u64)).number(20, 7)
            }
        }
    }
}

impl Output {
    /// `ValueInfoProto`.
    pub(super) fn message(&self, batch: Dimension) -> Message {
        let dims: Vec<Dimension> = [batch].into_iter().chain(self.dims.iter().map(|&size| size.into())).collect();
        value(&self.name, Element::F32, &dims)
    }
}

/// `ValueInfoProto`: a value's type and shape.
pub(super) fn value(name: &str, element: Element, dims: &[Dimension]) -> Message {
    let dims: Vec<Message> = dims.iter().map(Dimension::message).collect();
    let tensor = Message::new().number(1, element as u64).message(2, &Message::new().messages(1, &dims));
    Message::new().text(1, name).message(2, &Message::new().message(1, &tensor))
}

impl Dimension {
    fn message(&self) -> Message {
        match self {
            Dimension::Fixed(size) => Message::new().number(1, *size as u64),
            Dimension::Free(name) => Message::new().text(2, name),
        }
    }
}

/// `TensorProto`: 32-bit numbers, row-major.
pub(super) fn tensor(name: &str, dims: &[usize], values: impl Iterator<Item = f32>) -> Message {
    let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
    let shape = dims.iter().fold(Message::new(), |tensor, &size| tensor.number(1, size as u64));
    shape.number(2, Element::F32 as u64).text(8, name).block(9, &bytes)
}
