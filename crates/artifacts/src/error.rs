//! What can go wrong while a result is written.

use std::io;
use std::path::{Path, PathBuf};

/// Why a result could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The file system refused.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file that was to be written.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The picture could not be encoded.
    #[error("cannot encode {} as PNG", path.display())]
    Encode {
        /// The file that was to be written.
        path: PathBuf,
        /// The reason.
        #[source]
        source: image::ImageError,
    },
    /// A picture is to be a PNG and is none.
    #[error("{name}: not a PNG picture")]
    NotPng {
        /// What the picture is called.
        name: String,
        /// What is wrong with its bytes.
        #[source]
        source: image::ImageError,
    },
    /// The report could not be made.
    #[error("cannot make the report: {problem}")]
    Report {
        /// The reason.
        problem: String,
    },
    /// The picture could not be drawn.
    #[error("cannot draw the picture: {problem}")]
    Draw {
        /// The reason.
        problem: String,
    },
}

impl ArtifactError {
    /// The constructor for a refused write to `path`, for `map_err`.
    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> ArtifactError {
        let path = path.to_owned();
        move |source| ArtifactError::Write { path, source }
    }

    /// A report that could not be made, for `map_err`.
    pub(crate) fn report(reason: &dyn std::fmt::Display) -> ArtifactError {
        ArtifactError::Report { problem: reason.to_string() }
    }

    /// A picture that could not be drawn, for `map_err`.
    pub(crate) fn draw(reason: &dyn std::fmt::Display) -> ArtifactError {
        ArtifactError::Draw { problem: reason.to_string() }
    }
}
