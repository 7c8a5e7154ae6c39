//! ONNX files of every kind of network, run by rten and compared with our own prediction.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod cases;

use glyphnet::model_file::ModelParts;
use glyphnet::nn::Network;
use glyphnet::{Model, Networks};
use glyphnet_artifacts::onnx::{Agreement, OnnxError, Runtime, compare, to_bytes};

/// Images for each: three batches, of 1, 7 and 11.
const IMAGES: usize = 19;

fn agreement(written: &ModelParts, model: &Model) -> Result<Agreement, OnnxError> {
    let runtime = Runtime::load(to_bytes(written)?, 1)?;
    compare(model, &runtime, &cases::images(model.input(), IMAGES), &mut |_| {})
}

#[test]
fn every_network_says_the_same_in_another_runtime() {
    let mut wrong = Vec::new();
    for case in cases::all() {
        match agreement(&case.parts, &Model::new(case.parts.clone())) {
            Ok(found) if found.holds() && found.images == IMAGES && found.largest > 0.0 => {}
            other => wrong.push(format!("{}: {other:?} {:?}", case.name, case.parts.network().specs())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// In each tensor of each network one value that is not what it was.
#[test]
fn a_changed_weight_is_seen() {
    let (mut changed, mut seen) = (0, 0);
    for case in cases::all() {
        let model = Model::new(case.parts.clone());
        let networks: Vec<Network> = case.parts.networks.iter().cloned().collect();
        let places = (0..networks.len()).flat_map(|place| networks[0].tensors().map(move |tensor| (place, tensor)));
        for (place, tensor) in places {
            let mut networks = networks.clone();
            let values = networks[place].tensor_mut(tensor);
            let middle = values.len() / 2;
            values[middle] += 0.5;
            let parts = ModelParts { networks: Networks::new(networks).unwrap(), ..case.parts.clone() };
            changed += 1;
            seen += usize::from(!agreement(&parts, &model).unwrap().holds());
        }
    }
    assert!(changed > 100 && seen * 20 >= changed * 19, "{seen} of {changed}");
}
