//! `--format onnx`: the file is run by another runtime before it gets its name.

use std::io::Write as _;
use std::path::Path;

use glyphnet::Model;
use glyphnet::nn::Threads;
use glyphnet_artifacts::onnx::{Agreement, INPUT, OPSET, OUTPUT, Runtime, compare, to_bytes};
use glyphnet_data::write_atomic;

use super::held_out::{self, HeldOut};
use crate::args::ExportArgs;
use crate::commands::text::grouped;
use crate::error::CliError;
use crate::output::Out;
use crate::progress::{self, Unit};

pub(super) fn write(model: &Model, args: &ExportArgs, place: &Path, out: &mut Out) -> Result<(), CliError> {
    let bytes = to_bytes(model.parts())?;
    let threads = Threads::new(args.threads.map_or(0, usize::from))?;
    let held_out = threads.run(|| held_out::find(model, args))?;
    let runtime = Runtime::load(bytes.clone(), threads.count())?;
    let bar = progress::bar("comparing", held_out.images.len() as u64, Unit::Images);
    let agreement = compare(model, &runtime, &held_out.images, &mut |done| bar.set_position(done as u64));
    bar.finish_and_clear();
    let agreement = agreement?;
    if !agreement.holds() {
        return Err(CliError::failed(refusal(place, &held_out, &agreement)));
    }
    let cannot = |error| CliError::failed(format!("cannot write {}: {error}", place.display()));
    write_atomic(place, &bytes).map_err(cannot)?;
    let (size, [input, output]) = (grouped(bytes.len() as u64), signature(model));
    writeln!(out, "{}: {size} bytes, opset {OPSET}, {input} -> {output}", place.display())?;
    let Agreement { difference, largest, .. } = agreement;
    let bound = agreement.bound();
    Ok(writeln!(
        out,
        "run by rten on {}: logits differ from the model's by at most {difference:.1e} (allowed {bound:.1e}, largest logit {largest:.1})",
        held_out.what
    )?)
}

fn refusal(place: &Path, held_out: &HeldOut, agreement: &Agreement) -> String {
    let Agreement { difference, probabilities, largest, .. } = agreement;
    format!(
        "{} was not written: run by rten on {}, the ONNX file does not say what the model says: logits differ by up to \
         {difference:.1e}, probabilities by up to {probabilities:.1e}, and rounding explains {:.1e} (largest logit {largest:.1})",
        place.display(),
        held_out.what,
        agreement.bound()
    )
}

/// What goes in and what comes out.
fn signature(model: &Model) -> [String; 2] {
    let shape = model.input();
    [
        format!("{INPUT} uint8 [batch, {}, {}, {}]", shape.height, shape.width, shape.channels),
        format!("{OUTPUT} float32 [batch, {}]", model.classes().len()),
    ]
}
