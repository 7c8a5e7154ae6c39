//! `export`: a model as a file that runs without this program.

mod held_out;
mod html;
mod onnx;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use glyphnet::Model;

use super::{file_of, model};
use crate::args::{ExportArgs, ExportFormat};
use crate::error::CliError;
use crate::output::Out;

pub(crate) fn run(args: ExportArgs, out: &mut Out) -> Result<(), CliError> {
    let mut model = model::load(&args.model)?;
    if args.without_tta {
        let mut parts = model.parts().clone();
        parts.preprocess.tta_below = None;
        model = Model::new(parts);
    }
    let default = match args.format {
        ExportFormat::Onnx => "model.onnx",
        ExportFormat::Html => "model.html",
    };
    let place = args.output.clone().unwrap_or_else(|| PathBuf::from(default));
    check_place(&place, &args.model, Path::new(default).extension())?;
    match args.format {
        ExportFormat::Onnx => onnx::write(&model, &args, &place, out),
        ExportFormat::Html => html::write(&model, &args, &place, out),
    }
}

/// Refuses, before anything is worked out, a place where no file can be, where the model itself is, or where another file of
/// its run is; an older export, which has the usual `ending`, may be there.
fn check_place(place: &Path, model: &Path, ending: Option<&OsStr>) -> Result<(), CliError> {
    let problem = |what: String| Err(CliError::Usage(format!("--output {}: {what}", place.display())));
    if place.is_dir() {
        return problem("this is a folder; give the name of a file".to_owned());
    }
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return problem(format!("there is no folder {}", folder.display()));
    }
    let (place, model) = (fs::canonicalize(place), fs::canonicalize(file_of(model)));
    match (place, model) {
        (Ok(place), Ok(model)) if place == model => problem("this is the model itself".to_owned()),
        (Ok(place), Ok(model)) if place.parent() == model.parent() && place.extension() != ending => {
            problem("a file beside the model would be lost; give another name".to_owned())
        }
        _ => Ok(()),
    }
}
