//! The one error type of this crate: what was wrong, where (file, line, column, byte), and what to do.

use std::io;
use std::path::{Path, PathBuf};

use crate::types::ImageShape;

/// Anything that can go wrong while data is found, read, decoded or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Nothing that could be a data source was found under this name.
    #[error("no data found at '{wanted}': looked for {looked_for}; found {found}")]
    NotFound {
        /// What was asked for.
        wanted: String,
        /// What would have been accepted.
        looked_for: String,
        /// What is there instead.
        found: String,
    },
    /// A dataset of the catalogue that is not on this machine yet.
    #[error("'{name}' is not fetched yet: run `glyphnet fetch {name}`")]
    NotFetched {
        /// Its name in the catalogue.
        name: &'static str,
    },
    /// A file or folder could not be read.
    #[error("cannot read '{}': {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file or folder could not be written.
    #[error("cannot write '{}': {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file without a single byte.
    #[error("'{}' is empty (0 bytes): copy or download it again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A gzip file that does not decompress.
    #[error(
        "'{}' is damaged: gzip decompression fails after {byte} decompressed bytes ({source}): copy or download it again",
        path.display()
    )]
    Gzip {
        /// The compressed file.
        path: PathBuf,
        /// How many bytes came out before the damage.
        byte: u64,
        /// What the decompressor said.
        source: io::Error,
    },
    /// An IDX file that breaks the format.
    #[error("'{}', byte {byte}: {problem}", path.display())]
    Idx {
        /// The IDX file.
        path: PathBuf,
        /// Zero-based position in the decompressed file.
        byte: u64,
        /// What is wrong there, and what to do.
        problem: String,
    },
    /// Images and labels that do not belong together.
    #[error(
        "'{}' holds {image_count} images but '{}' holds {label_count} labels: the two files do not belong together",
        images.display(), labels.display()
    )]
    CountMismatch {
        /// Where the images are.
        images: PathBuf,
        /// How many there are.
        image_count: usize,
        /// Where the labels are.
        labels: PathBuf,
        /// How many there are.
        label_count: usize,
    },
    /// A CSV file that breaks the format.
    #[error("'{}', line {line}{}: {problem}", path.display(), column.as_ref().map(|c| format!(", column '{c}'")).unwrap_or_default())]
    Csv {
        /// The CSV file.
        path: PathBuf,
        /// One-based line.
        line: usize,
        /// Name of the column, where one is to blame.
        column: Option<String>,
        /// What is wrong there, and what to do.
        problem: String,
    },
    /// An NPZ archive, or an array in it, that breaks the format.
    #[error("'{}'{}: {problem}", path.display(), member.as_ref().map(|m| format!(", array '{m}'")).unwrap_or_default())]
    Npz {
        /// The archive.
        path: PathBuf,
        /// The array in it, where one is to blame.
        member: Option<String>,
        /// What is wrong there, and what to do.
        problem: String,
    },
    /// An image that cannot be decoded.
    #[error("'{}' is not a readable image: {problem}", path.display())]
    Image {
        /// The image file.
        path: PathBuf,
        /// What the decoder said.
        problem: String,
    },
    /// An image that is larger than what is decoded.
    #[error("'{}' is too large an image: {problem}", path.display())]
    ImageTooLarge {
        /// The image file.
        path: PathBuf,
        /// How large it may be.
        problem: String,
    },
    /// A folder whose layout is not that of a data source.
    #[error("folder '{}': {problem}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// A `classes.txt` that does not fit the labels beside it.
    #[error("'{}': {problem}", path.display())]
    ClassNames {
        /// The file of class names.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// Splits of one source whose images differ in shape.
    #[error("'{}' holds images of {other} but '{}' of {first}: all splits of a source need one shape", other_place.display(), first_place.display())]
    ShapeMismatch {
        /// Where the first images are.
        first_place: PathBuf,
        /// Their shape.
        first: ImageShape,
        /// Where the others are.
        other_place: PathBuf,
        /// Their shape.
        other: ImageShape,
    },
    /// Pixels that do not fill a whole number of images.
    #[error("{pixels} pixels do not divide into images of {shape}")]
    PixelCount {
        /// The shape of one image.
        shape: ImageShape,
        /// How many bytes were given.
        pixels: usize,
    },
    /// A setting that is impossible whatever the data.
    #[error("{0}")]
    Setting(String),
    /// A destination that must not be overwritten.
    #[error("'{}' {problem}: name a new place or an empty folder", path.display())]
    Destination {
        /// The destination.
        path: PathBuf,
        /// Why it cannot be used.
        problem: String,
    },
    /// A conversion that would lose something the target format cannot hold.
    #[error("cannot convert '{name}' to {format}: {problem}")]
    Convert {
        /// The source's name.
        name: String,
        /// The target format.
        format: &'static str,
        /// What the format cannot hold, and what to do.
        problem: String,
    },
}

impl DataError {
    /// Wraps an error met while reading `path`.
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> DataError + '_ {
        move |source| DataError::Read { path: path.to_path_buf(), source }
    }

    /// Wraps an error met while writing `path`.
    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> DataError + '_ {
        move |source| DataError::Write { path: path.to_path_buf(), source }
    }

    /// An IDX file that is wrong at `byte`.
    pub(crate) fn idx(path: &Path, byte: u64, problem: impl Into<String>) -> DataError {
        DataError::Idx { path: path.to_path_buf(), byte, problem: problem.into() }
    }

    /// A folder that is wrong as a whole.
    pub(crate) fn folder(path: &Path, problem: impl Into<String>) -> DataError {
        DataError::Folder { path: path.to_path_buf(), problem: problem.into() }
    }
}
