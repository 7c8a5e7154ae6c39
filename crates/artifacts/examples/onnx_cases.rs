//! Writes the models of `tests/cases` as ONNX files, each with images and what our own prediction says to them, for other
//! programs to agree with. Beside `NAME.onnx` lie `NAME.images` (raw bytes, images x height x width x channels), and
//! `NAME.logits` and `NAME.probabilities` (raw 32-bit floats, little-endian, images x classes).
//!
//! ```text
//! cargo run --package glyphnet-artifacts --example onnx_cases -- DIR
//! ```

#![allow(clippy::unwrap_used, reason = "what cannot be written ends it")]

#[path = "../tests/cases/mod.rs"]
mod cases;

use std::path::PathBuf;

use glyphnet::Model;
use glyphnet_artifacts::onnx::to_bytes;

/// Images for each model.
const IMAGES: usize = 19;

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("the folder to write to"));
    for case in cases::all() {
        let model = Model::new(case.parts);
        let images = cases::images(model.input(), IMAGES);
        let write = |ending: &str, bytes: &[u8]| std::fs::write(folder.join(format!("{}.{ending}", case.name)), bytes);
        let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        write("onnx", &to_bytes(model.parts()).unwrap()).unwrap();
        write("images", images.pixels()).unwrap();
        write("logits", &floats(&model.logits(&images).unwrap())).unwrap();
        write("probabilities", &floats(model.predict(&images).unwrap().probabilities())).unwrap();
    }
}
