//! Files that earlier versions wrote are read for ever, and today's writer still writes them: see `docs/formats.md`.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::Path;

use glyphnet::train::Checkpoint;
use glyphnet::{Images, Isa, Model, model_file};
use safetensors::SafeTensors;
use sha2::{Digest as _, Sha256};

#[path = "common/golden_model.rs"]
mod golden_model;

use golden_model::{golden_ensemble, golden_model};

const MODEL_1: &[u8] = include_bytes!("golden/model-1.safetensors");
const MODEL_2: &[u8] = include_bytes!("golden/model-2.safetensors");
const MODEL_3: &[u8] = include_bytes!("golden/model-3.safetensors");
const CHECKPOINT_1: &[u8] = include_bytes!("golden/checkpoint-1.safetensors");

/// What the golden models predict for two images, as `parity/read_formats.py` computes it from the files.
const PROBABILITIES: [f32; 4] = [0.490_749_9, 0.509_250_1, 0.497_416_87, 0.502_583_15];

/// What the golden model of three networks predicts for them, computed likewise.
const MEANS: [f32; 4] = [0.559_291_95, 0.440_708_05, 0.565_964_1, 0.434_035_9];

/// Header and data of a file.
fn split(file: &[u8]) -> (String, &[u8]) {
    let (length, rest) = file.split_first_chunk::<8>().unwrap();
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    (String::from_utf8(header.to_vec()).unwrap().trim_end().to_owned(), data)
}

/// A file of this header and data with the digest that belongs to it, made as the document says.
fn sealed(header: &str, data: &[u8]) -> Vec<u8> {
    let digits = "{\"__metadata__\":{\"digest\":\"".len();
    let mut header = header.to_owned();
    header.replace_range(digits..digits + 64, &"0".repeat(64));
    header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
    let mut file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat();
    let digest: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    file[8 + digits..8 + digits + 64].copy_from_slice(digest.as_bytes());
    file
}

/// The file with one text of its header replaced, sealed again.
fn edited(file: &[u8], from: &str, to: &str) -> Vec<u8> {
    let (header, data) = split(file);
    assert_eq!(header.matches(from).count(), 1, "{from}");
    sealed(&header.replace(from, to), data)
}

/// The file with a section and a text that nobody knows, sealed again.
fn with_additions(file: &[u8]) -> Vec<u8> {
    let (header, data) = split(file);
    let section = ",\"average.new\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[START,END]}}";
    let section = section.replace("START", &data.len().to_string()).replace("END", &(data.len() + 16).to_string());
    let header = header.strip_suffix('}').unwrap().to_owned() + &section;
    let header = header.replacen("\",\"", "\",\"a_later_text\":\"anything\",\"", 1);
    sealed(&header, &[data, &[7; 16]].concat())
}

/// Two images of rising and falling pixels.
fn images() -> Images {
    let pixels = (0..18_u8).map(|i| if i < 9 { i * 28 } else { 255 - i * 13 }).collect();
    Images::new(golden_model().network().input(), pixels).unwrap()
}

fn refusal(file: &[u8]) -> String {
    model_file::from_bytes(file, "file").unwrap_err().to_string()
}

fn checkpoint(file: &[u8]) -> Result<Checkpoint, String> {
    Checkpoint::from_bytes(file, Path::new("file")).map_err(|error| error.to_string())
}

#[test]
fn models_of_every_version_are_read_to_the_same_weights_and_predictions() {
    let parts = golden_model();
    let predict = |parts| Model::with_isa(parts, Isa::SCALAR).predict(&images()).unwrap();
    let expected = predict(parts.clone());
    for file in [MODEL_1, MODEL_2] {
        let read = model_file::from_bytes(file, "golden").unwrap();
        assert_eq!(read, parts);
        assert_eq!(predict(read), expected);
    }
    for (ours, right) in expected.probabilities().iter().zip(PROBABILITIES) {
        assert!((ours - right).abs() < 1e-6, "{:?}", expected.probabilities());
    }
}

#[test]
fn the_writer_writes_versions_2_and_3_byte_for_byte() {
    for (parts, file) in [(golden_model(), MODEL_2), (golden_ensemble(), MODEL_3)] {
        assert!(model_file::to_bytes(&parts).unwrap() == file);
        let (header, data) = split(file);
        assert!(sealed(&header, data) == file, "the document's digest is the writer's");
    }
}

#[test]
fn a_model_of_several_networks_is_read_to_the_same_weights_and_predictions() {
    let read = model_file::from_bytes(MODEL_3, "golden").unwrap();
    assert_eq!(read, golden_ensemble());
    let means = Model::with_isa(read, Isa::SCALAR).predict(&images()).unwrap();
    for (ours, right) in means.probabilities().iter().zip(MEANS) {
        assert!((ours - right).abs() < 1e-6, "{:?}", means.probabilities());
    }
}

#[test]
fn a_checkpoint_of_version_1_is_read_whole() {
    let read = checkpoint(CHECKPOINT_1).unwrap();
    assert_eq!((read.epochs(), read.planned_epochs(), read.rollbacks(), read.is_over()), (1, 3, 0, false));
    assert_eq!((read.simd(), read.result()), ("scalar", None));
    // What is written again has every section and position that was there: later versions may only add.
    let again = read.to_bytes().unwrap();
    let (old, new) = (SafeTensors::deserialize(CHECKPOINT_1).unwrap(), SafeTensors::deserialize(&again).unwrap());
    for prefix in ["network.", "optimizer.velocity.", "best.", "rollback.network.", "rollback.optimizer.", "history"] {
        assert!(old.names().iter().any(|name| name.starts_with(prefix)), "{prefix}");
    }
    for (name, section) in old.tensors() {
        assert_eq!(new.tensor(&name).unwrap(), section, "{name}");
    }
    let progress = |file: &[u8]| -> serde_json::Map<String, serde_json::Value> {
        let header: serde_json::Value = serde_json::from_str(&split(file).0).unwrap();
        serde_json::from_str(header["__metadata__"]["progress"].as_str().unwrap()).unwrap()
    };
    let (old, new) = (progress(CHECKPOINT_1), progress(&again));
    assert_eq!(old["steps"], 10);
    old.iter().for_each(|(key, value)| assert_eq!(new.get(key), Some(value), "{key}"));
}

#[test]
fn a_newer_version_is_refused_by_name() {
    let model = edited(MODEL_2, "\"version\":\"2\"", "\"version\":\"4\"");
    assert!(refusal(&model).contains("its version is 4; this program reads 1, 2 and 3"), "{}", refusal(&model));
    let newer = checkpoint(&edited(CHECKPOINT_1, "\"version\":\"1\"", "\"version\":\"2\"")).unwrap_err();
    assert!(newer.contains("its version is 2; this program reads 1"), "{newer}");
}

#[test]
fn sections_and_texts_that_nobody_knows_are_passed_over() {
    assert_eq!(model_file::from_bytes(&with_additions(MODEL_2), "file").unwrap(), golden_model());
    assert!(checkpoint(&with_additions(CHECKPOINT_1)).unwrap() == checkpoint(CHECKPOINT_1).unwrap());
    let mut damaged = with_additions(MODEL_2);
    *damaged.last_mut().unwrap() ^= 1;
    assert!(refusal(&damaged).contains("damaged"), "the digest covers them");
}
