//! From any format to any other, lossless where the target allows: a folder or archive appears whole or not at all.

mod resplit;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::atomic::{AtomicFile, beside, sync_folder};
use crate::error::DataError;
use crate::formats::{folder, idx, kaggle, npz};
use crate::source::{Part, Source};

pub use resplit::Resplit;

/// A format to convert to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A folder of IDX files.
    Idx,
    /// A folder with `train.csv` and, without its labels, `test.csv`.
    Kaggle,
    /// One `.npz` archive, as Keras ships it.
    Npz,
    /// A folder of PNG files, `train/<class>/*.png`.
    Folder,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Idx => "idx",
            Format::Kaggle => "kaggle",
            Format::Npz => "npz",
            Format::Folder => "folder",
        })
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The folder or archive.
    pub place: PathBuf,
    /// How many images each split got.
    pub images: Vec<(Part, usize)>,
    /// What a person should be told: what was left out.
    pub notes: Vec<String>,
}

/// Writes `source` to `dest` in another format, split anew if asked.
///
/// `dest` is an archive that does not exist yet (NPZ) or a folder that is new or empty (all others). It is written
/// under another name beside its place and renamed when it is whole. `progress` is told how many images of how many
/// are written.
///
/// Kaggle's test file gets no labels. Class names that are not `0`, `1`, ... go into `classes.txt` (IDX, Kaggle), an
/// array `classes` (NPZ) or the folders' names, whose sorting then numbers the classes.
///
/// # Errors
/// A destination that is in use or cannot be written; sizes that do not fit the data; what the format cannot hold:
/// colour, images that are not square and a validation split (Kaggle), class names that cannot be folders.
pub fn convert(
    source: &Source,
    dest: &Path,
    to: Format,
    resplit: Option<&Resplit>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Summary, DataError> {
    check_destination(dest, to)?;
    let mut notes = Vec::new();
    let again;
    let source = match resplit {
        Some(resplit) => {
            again = resplit.apply(source, &mut notes)?;
            &again
        }
        None => source,
    };
    if to == Format::Kaggle && source.test.as_ref().is_some_and(|t| t.labels.is_some()) {
        notes.push("test.csv has no labels, as Kaggle's has none".to_string());
    }
    let total = source.parts().map(|(_, data)| data.len()).sum();
    let mut done = 0;
    let mut count = |images: usize| {
        done += images;
        progress(done, total);
    };
    let parent = dest.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(DataError::write(parent))?;
    match to {
        Format::Npz => {
            let file = AtomicFile::create(dest).map_err(DataError::write(dest))?;
            let file = npz::write(source, dest, file, &mut count)?;
            file.commit().map_err(DataError::write(dest))?;
        }
        Format::Idx => in_folder(dest, |folder| idx::write(source, folder, &mut count))?,
        Format::Kaggle => in_folder(dest, |folder| kaggle::write(source, folder, &mut count))?,
        Format::Folder => in_folder(dest, |folder| folder::write(source, folder, &mut count))?,
    }
    let images = source.parts().map(|(part, data)| (part, data.len())).collect();
    Ok(Summary { place: dest.to_path_buf(), images, notes })
}

fn check_destination(dest: &Path, to: Format) -> Result<(), DataError> {
    let refuse = |problem: &str| Err(DataError::Destination { path: dest.to_path_buf(), problem: problem.to_string() });
    if to == Format::Npz && !dest.extension().is_some_and(|e| e.eq_ignore_ascii_case("npz")) {
        return refuse("does not end in '.npz', as an archive of arrays must");
    }
    match fs::metadata(dest) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(DataError::write(dest)(e)),
        Ok(_) if to == Format::Npz => refuse("exists already"),
        Ok(meta) if !meta.is_dir() => refuse("exists and is no folder"),
        Ok(_) => match fs::read_dir(dest).map_err(DataError::read(dest))?.next() {
            None => Ok(()),
            Some(_) => refuse("is not empty"),
        },
    }
}

/// Lets `write` fill a folder beside `dest`, then renames it to `dest`; if that fails, nothing is left.
fn in_folder(dest: &Path, write: impl FnOnce(&Path) -> Result<(), DataError>) -> Result<(), DataError> {
    let temporary = Temporary(beside(dest).map_err(DataError::write(dest))?);
    fs::create_dir(&temporary.0).map_err(DataError::write(dest))?;
    write(&temporary.0)?;
    if dest.exists() {
        // Empty, as was checked; not every system renames onto a folder.
        fs::remove_dir(dest).map_err(DataError::write(dest))?;
    }
    fs::rename(&temporary.0, dest).map_err(DataError::write(dest))?;
    sync_folder(dest).map_err(DataError::write(dest))
}

/// A folder that is removed with all it holds unless it was renamed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.0.exists() {
            drop(fs::remove_dir_all(&self.0));
        }
    }
}
