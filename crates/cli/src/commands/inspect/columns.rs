//! The column names of a CSV source.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::PathBuf;

use flate2::bufread::MultiGzDecoder;
use glyphnet_data::{Source, SourceKind};

/// No header is longer, in bytes.
const LONGEST: u64 = 64 << 20;

/// The names in the first line of the training file, which was read already; nothing for other formats.
pub(crate) fn names(source: &Source) -> Option<Vec<String>> {
    if source.kind != SourceKind::Kaggle {
        return None;
    }
    let place = PathBuf::from(&source.name);
    let candidates = [place.clone(), place.join("train.csv"), place.join("train.csv.gz")];
    let file = candidates.iter().find(|path| path.is_file())?;
    let reader = BufReader::new(File::open(file).ok()?);
    let zipped = file.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz"));
    let reader: Box<dyn Read> = if zipped { Box::new(MultiGzDecoder::new(reader)) } else { Box::new(reader) };
    let mut line = String::new();
    BufReader::new(reader.take(LONGEST)).read_line(&mut line).ok()?;
    let line = line.trim_start_matches('\u{feff}').trim_end();
    Some(line.split(',').map(|name| name.trim().trim_matches('"').to_owned()).collect())
}
