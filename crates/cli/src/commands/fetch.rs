//! `fetch`: downloads a dataset into the cache, where `--data` finds it by name.

use std::io::Write as _;

use glyphnet_data::fetch::{self, FetchError};

use crate::args::FetchArgs;
use crate::error::CliError;
use crate::output::Out;
use crate::progress::{self, Unit};

pub(crate) fn run(args: FetchArgs, out: &mut Out) -> Result<(), CliError> {
    let bar = progress::bar(args.name.clone(), 0, Unit::Bytes);
    let fetched = fetch::fetch(&args.name, args.mirror.as_deref(), &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let folder = fetched.map_err(|error| match error {
        FetchError::Unknown { .. } | FetchError::Mirror { .. } => CliError::Usage(error.to_string()),
        error => error.into(),
    })?;
    writeln!(out, "{} is in {}", args.name, folder.display())?;
    if let Ok(entry) = fetch::entry(&args.name) {
        writeln!(out, "{}; {}", entry.title, entry.licence)?;
    }
    writeln!(out, "\nnext:\n  glyphnet inspect --data {0}\n  glyphnet train --data {0}", args.name)?;
    Ok(())
}
