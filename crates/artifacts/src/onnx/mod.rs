//! ONNX: a network with its preprocessing as a file that other programs run.
//!
//! The graph takes raw pixels and gives probabilities; what lies between them is in `docs/export.md`. It is what
//! prediction runs, layer by layer, written with operators of ONNX alone: images are NHWC where they come in and NCHW where
//! ONNX's convolutions and pools want them. A model of several networks has them side by side. [`to_bytes`] writes it; [`Runtime`] runs what was written by a program that
//! shares no code with ours, and [`compare`] says how far that is from our own prediction.

mod check;
mod graph;
mod layers;
mod proto;

use glyphnet::model_file::ModelParts;

use self::graph::Graph;
use self::proto::{Dimension, Element};
use crate::protobuf::Message;

pub use self::check::{Agreement, Answers, Runtime, compare};

/// The version of ONNX's operators that a file asks for. Of those used here Gelu is the youngest, from version 20; later
/// versions of the others only add types of numbers. 23 is the newest that the runtimes of the last year all have
/// (onnxruntime from 1.23 on).
pub const OPSET: u64 = 23;
/// The version of the format that came with it (ONNX 1.18).
pub const IR_VERSION: u64 = 11;

/// The input: UINT8, `batch x height x width x channels`, raw pixels.
pub const INPUT: &str = "images";
/// What the network says before softmax, of several networks the logarithm of the mean of their probabilities: FP32,
/// `batch x classes`. An inner value, no output.
pub const LOGITS: &str = "logits";
/// The output: FP32, `batch x classes`.
pub const OUTPUT: &str = "probabilities";

/// The name of the dimension that is free.
const BATCH: &str = "batch";

/// A file that cannot be written or run.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// Class names or preprocessing cannot be written as JSON.
    #[error("cannot write the metadata")]
    Metadata(#[from] serde_json::Error),
    /// A graph cannot look again where it is unsure.
    #[error(
        "the model has test-time augmentation (preprocess.tta_below = {below}), which an ONNX file has not; `export \
         --without-tta` writes it as it sees each image once"
    )]
    TestTimeAugmentation {
        /// The largest probability below which the model looks again.
        below: f32,
    },
    /// The runtime refused the file.
    #[error("the runtime cannot {doing} the ONNX file")]
    Runtime {
        /// What it was asked to do.
        doing: &'static str,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The images are not such as the model takes.
    #[error(transparent)]
    Images(#[from] glyphnet::Error),
}

/// The ONNX file of a model.
///
/// # Errors
/// If class names or preprocessing cannot be written as JSON, or the model has test-time augmentation.
pub fn to_bytes(parts: &ModelParts) -> Result<Vec<u8>, OnnxError> {
    if let Some(below) = parts.preprocess.tta_below {
        return Err(OnnxError::TestTimeAugmentation { below });
    }
    let texts = [
        ("classes", serde_json::to_string(&parts.classes)?),
        ("preprocess", serde_json::to_string(&parts.preprocess)?),
    ];
    let texts = texts.map(|(key, value)| Message::new().text(1, key).text(2, &value));
    let opset = Message::new().text(1, "").number(2, OPSET);
    let model = Message::new()
        .number(1, IR_VERSION)
        .text(2, "glyphnet")
        .text(3, env!("CARGO_PKG_VERSION"))
        .text(6, &description(parts))
        .message(7, &graph(parts))
        .message(8, &opset)
        .messages(14, &texts);
    Ok(model.into_bytes())
}

/// `GraphProto`.
fn graph(parts: &ModelParts) -> Message {
    let (first, networks) = (parts.network(), parts.networks.iter().collect::<Vec<_>>());
    let input = first.input();
    let mut graph = Graph::new(input);
    graph.preprocess(&parts.preprocess);
    graph.networks(networks.len(), |graph, place| {
        let network = networks[place];
        for (layer, spec) in network.layers().iter().zip(network.runnable()) {
            graph.layer(network, layer, &spec);
        }
    });
    graph.finish();
    let batch = Dimension::Free(BATCH);
    let images = [batch, input.height.into(), input.width.into(), input.channels.into()];
    let images = proto::value(INPUT, Element::U8, &images).text(
        3,
        "Pixels of 0 to 255: rows from the top, columns from the left, channels last. The graph normalises them.",
    );
    let probabilities = proto::value(OUTPUT, Element::F32, &[batch, first.classes().into()])
        .text(3, "The probability of each class, in the order of the names in the metadata 'classes'.");
    // The last node's is the output.
    let inner = graph.nodes.len() - 1;
    let values: Vec<Message> = graph.nodes[..inner].iter().map(|node| node.output.message(batch)).collect();
    let nodes: Vec<Message> = graph.nodes.iter().map(proto::Node::message).collect();
    Message::new()
        .messages(1, &nodes)
        .text(2, "glyphnet")
        .messages(5, &graph.tensors)
        .text(10, "From raw pixels to the probabilities of the classes.")
        .message(11, &images)
        .message(12, &probabilities)
        .messages(13, &values)
}

fn description(parts: &ModelParts) -> String {
    let (input, classes) = (parts.network().input(), parts.classes.len());
    let what = match parts.networks.count() {
        1 => "A classifier".to_owned(),
        count => format!("A classifier by {count} networks, whose probabilities are averaged,"),
    };
    format!(
        "{what} of images of {input} (height x width x channels) into {classes} classes. '{INPUT}' are raw pixels, \
         '{OUTPUT}' those of the classes whose names the metadata 'classes' lists; how images were made that size, and \
         what is done to pixels, is in the metadata 'preprocess'."
    )
}

/// The Rust of `docs/export.md` is compiled with the other examples. There, rustdoc takes indented blocks for Rust as well.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/export.md")]
struct Documentation;
