//! `--format html`: one page with the network inside.

use std::io::Write as _;
use std::path::Path;

use glyphnet::Model;
use glyphnet_artifacts::page::{can_draw, to_html};
use glyphnet_data::write_atomic;

use crate::args::ExportArgs;
use crate::commands::text::grouped;
use crate::error::CliError;
use crate::output::Out;

pub(super) fn write(model: &Model, args: &ExportArgs, place: &Path, out: &mut Out) -> Result<(), CliError> {
    if args.data.is_some() {
        return Err(CliError::Usage("--data is for --format onnx: a page is not run before it is written".to_owned()));
    }
    let page = to_html(model.parts())?;
    let cannot = |error| CliError::failed(format!("cannot write {}: {error}", place.display()));
    write_atomic(place, page.as_bytes()).map_err(cannot)?;
    writeln!(out, "{}: {} bytes, a page that needs nothing else", place.display(), grouped(page.len() as u64))?;
    Ok(writeln!(
        out,
        "open it in a browser {}",
        if can_draw(model.parts()) {
            "to draw, or to show it images"
        } else {
            "to show it images (the training images are no drawings, so there is no board to draw on)"
        }
    )?)
}
