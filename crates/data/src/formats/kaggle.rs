//! Kaggle's CSV: a header `label,pixel0,...`, then one image a line, its pixels row by row.
//!
//! The label column may stand anywhere; without it the file is an unlabelled test file. Pixels may be numbered from
//! 0 or 1, or named `1x1`, `1x2`, ... (row x column). Lines may end in LF or CRLF, and a byte order mark is skipped.

mod blocks;
mod careful;
mod header;
mod plain;
mod rows;
#[cfg(test)]
mod tests;
mod write;

use std::fs;
use std::path::{Path, PathBuf};

use glyphnet_kernels::Isa;

use crate::error::DataError;
use crate::source::{OpenOptions, Source, SourceKind, class_names};
use crate::types::{Dataset, Images};

use blocks::Blocks;
use header::Header;
use rows::Rows;
pub(crate) use write::write;

/// Reads one CSV file of images, with labels if it has a `label` column.
///
/// `size` gives the height and width of images that are not square; without it the number of pixels must be a square.
/// `isa` decides how fast it is read, not what comes out.
///
/// # Errors
/// An empty file, a header that names a column twice, out of order or not at all, pixels that make no image, a ragged
/// line, a value that is no whole number of 0..=255 (65,535 for labels), no lines: each with line and column.
pub fn read_csv(path: &Path, size: Option<(usize, usize)>, isa: Isa) -> Result<Dataset, DataError> {
    let (blocks, first_line) = Blocks::open(path)?;
    let header = Header::parse(path, &first_line)?;
    let shape = header.shape(path, size)?;
    let Rows { pixels, labels } = rows::parse(isa, path, &header, blocks)?;
    if pixels.is_empty() {
        let problem = "the file ends after its header: there are no images".to_string();
        return Err(DataError::Csv { path: path.to_path_buf(), line: 1, column: None, problem });
    }
    Ok(Dataset { images: Images::new(shape, pixels)?, labels: header.label.map(|_| labels) })
}

/// Whether a file of this name would be taken for CSV.
pub(crate) fn is_csv_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(".csv") || name.ends_with(".csv.gz")
}

/// Reads `train.csv`, and the `test.csv` beside it if there is one.
pub(crate) fn read_source(name: &str, path: &Path, options: &OpenOptions) -> Result<Source, DataError> {
    let test_path = sibling(path);
    let read = |path: &Path| read_csv(path, options.size, options.isa);
    let train = read(path)?;
    if train.labels.is_none() {
        let problem = "there is no 'label' column: this is a file to predict, not one to learn from".to_string();
        return Err(DataError::Csv { path: path.to_path_buf(), line: 1, column: Some("label".into()), problem });
    }
    let test = test_path.as_deref().map(read).transpose()?;
    if let (Some(test), Some(place)) = (&test, &test_path)
        && test.images.shape() != train.images.shape()
    {
        return Err(DataError::ShapeMismatch {
            first_place: path.to_path_buf(),
            first: train.images.shape(),
            other_place: place.clone(),
            other: test.images.shape(),
        });
    }
    let places = [(path.to_path_buf(), Some(&train)), (test_path.unwrap_or_else(|| path.to_path_buf()), test.as_ref())];
    let classes = class_names(path.parent(), &places)?;
    Ok(Source {
        name: name.to_string(),
        kind: SourceKind::Kaggle,
        classes,
        train,
        validation: None,
        test,
        notes: vec![],
    })
}

/// The test file that belongs to a train file: `test.csv` or `test.csv.gz` beside `train.csv`.
fn sibling(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let at = name.rfind("train")?;
    let test = format!("{}test{}", &name[..at], &name[at + "train".len()..]);
    let candidates = [path.with_file_name(&test), path.with_file_name(format!("{test}.gz"))];
    candidates.into_iter().find(|p| fs::metadata(p).is_ok_and(|m| m.is_file()))
}
