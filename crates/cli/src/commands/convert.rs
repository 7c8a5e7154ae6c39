//! `convert`: data from any format into another.

use std::io::Write as _;

use glyphnet_data::convert::{self, Format, Resplit};

use super::source;
use super::text::count;
use crate::args::{ConvertArgs, FormatName};
use crate::error::CliError;
use crate::output::{Out, say};
use crate::progress::{self, Unit};

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Format {
        match name {
            FormatName::Idx => Format::Idx,
            FormatName::Kaggle => Format::Kaggle,
            FormatName::Npz => Format::Npz,
            FormatName::Folder => Format::Folder,
        }
    }
}

pub(crate) fn run(args: ConvertArgs, out: &mut Out) -> Result<(), CliError> {
    let source = source::open(&args.source, &args.image.options())?;
    let resplit = (!args.sizes.is_empty()).then_some(Resplit { sizes: args.sizes, seed: args.seed });
    let bar = progress::bar("writing", 0, Unit::Images);
    let summary = convert::convert(&source, &args.dest, args.to.into(), resplit.as_ref(), &mut |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let summary = summary?;
    for note in &summary.notes {
        say!("note: {note}");
    }
    let splits: Vec<String> = summary.images.iter().map(|(part, n)| format!("{part} {}", count(*n, "image"))).collect();
    Ok(writeln!(out, "{}: {}", summary.place.display(), splits.join(", "))?)
}
