//! What to say about a `--model` that is no model: what it looks like, and what to name instead.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use glyphnet::model_file::ModelFileError;

use crate::error::CliError;

/// The model in a run's folder.
const MODEL: &str = "model.safetensors";

/// The model file that `--model` names: `path`, or the one in the run folder there.
pub(crate) fn file_of(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(MODEL) } else { path.to_owned() }
}

/// Why `path` could not be read as a model, in terms of what somebody may have meant.
pub(crate) fn explain(path: &Path, error: ModelFileError) -> CliError {
    let place = path.display();
    match &error {
        ModelFileError::Io { source, .. } if source.kind() == ErrorKind::NotFound => {
            let missing = match path.is_dir() {
                true => format!("there is no {MODEL} in this folder"),
                false => "there is no such file or folder".to_owned(),
            };
            CliError::failed(format!("{place}: {missing}; name a model file or a run folder"))
        }
        ModelFileError::Malformed { .. } => match looks_like(path) {
            Some(what) => {
                CliError::failed(format!("{place}: this looks like {what}, not a model file; name {}", instead(path)))
            }
            None => error.into(),
        },
        ModelFileError::Io { .. } => error.into(),
    }
}

/// What to name instead: the run that the file belongs to, if it lies in one.
fn instead(path: &Path) -> String {
    let folder = path.parent().filter(|folder| folder.join(MODEL).is_file());
    match folder {
        Some(folder) if folder.as_os_str().is_empty() => format!("the run folder . or its {MODEL}"),
        Some(folder) => format!("the run folder {} or its {MODEL}", folder.display()),
        None => format!("a model file ({MODEL}) or a run folder"),
    }
}

/// First bytes of files that get mixed up with models, and what they are.
const BEGINNINGS: [(&[u8], &str); 9] = [
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"BM", "a picture (BMP)"),
    (b"RIFF", "a picture (WebP)"),
    (b"\x1f\x8b", "a gzip file"),
    (b"PK\x03\x04", "a ZIP archive, such as .npz or .keras"),
    (b"\x89HDF", "an HDF5 file, such as Keras's .h5"),
    (b"\0\0\x08", "an IDX file of images or labels"),
];

/// What a file is, by its beginning and its name; nothing where that does not tell.
fn looks_like(path: &Path) -> Option<&'static str> {
    let mut start = Vec::new();
    File::open(path).ok()?.take(1024).read_to_end(&mut start).ok()?;
    // The header of a safetensors file: damaged, or somebody else's, which the reader says better.
    if start.get(8) == Some(&b'{') {
        let name = path.file_name()?;
        return match name.to_str() {
            Some("predictions.safetensors") => Some("the predictions of a run"),
            Some("thumbnails.safetensors") => Some("images of a run"),
            _ => None,
        };
    }
    if start.is_empty() {
        return Some("an empty file");
    }
    if let Some((_, what)) = BEGINNINGS.iter().find(|(beginning, _)| start.starts_with(beginning)) {
        return Some(what);
    }
    // A character may be cut off at the end.
    let text = match std::str::from_utf8(&start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&start[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    if text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return None;
    }
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    Some(match ending.as_deref() {
        Some("toml") => "a recipe (TOML)",
        Some("csv") => "a CSV file",
        Some("json") => "a JSON file",
        _ => "a text file",
    })
}
