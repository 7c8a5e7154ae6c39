//! The folder `checkpoint/` of a run: numbered files, of which the last two are kept.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{Checkpoint, LARGEST};
use crate::train::RunFolder;

/// A checkpoint that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No checkpoint, or a damaged one.
    #[error("{}: not a checkpoint: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There are some, but none is intact.
    #[error("{}: no checkpoint is intact: {}", path.display(), reasons.join("; "))]
    AllDamaged {
        /// The folder.
        path: PathBuf,
        /// What is wrong with each, the newest first.
        reasons: Vec<String>,
    },
}

/// What was found in a run's folder.
#[derive(Debug)]
pub struct Latest {
    /// The newest intact checkpoint; `None` if there is no file at all, as when a run ended before it wrote one.
    pub checkpoint: Option<Checkpoint>,
    /// What to say aloud: the newer ones that are damaged.
    pub notes: Vec<String>,
    /// The number of its file.
    number: Option<u64>,
}

impl Checkpoint {
    /// The newest intact checkpoint of a run. One that is damaged is named in the notes and the one before it taken.
    ///
    /// # Errors
    /// If the folder cannot be read, or there are files of which none is intact.
    pub fn latest(folder: &RunFolder) -> Result<Latest, CheckpointError> {
        let path = place(folder);
        let mut reasons = Vec::new();
        for number in numbers(&path)?.into_iter().rev() {
            match read(&path.join(name(number))) {
                Ok(checkpoint) => {
                    let notes = reasons.into_iter().map(|reason| format!("{reason}; the one before it is taken"));
                    let notes = notes.collect();
                    return Ok(Latest { checkpoint: Some(checkpoint), notes, number: Some(number) });
                }
                Err(error) => reasons.push(error.to_string()),
            }
        }
        match reasons.is_empty() {
            true => Ok(Latest { checkpoint: None, notes: Vec::new(), number: None }),
            false => Err(CheckpointError::AllDamaged { path, reasons }),
        }
    }
}

/// Reads one file.
fn read(path: &Path) -> Result<Checkpoint, CheckpointError> {
    let io = |source| CheckpointError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(io)?;
    if bytes.len() as u64 > LARGEST {
        let reason = "it is larger than any checkpoint".to_owned();
        return Err(CheckpointError::Malformed { path: path.to_owned(), reason });
    }
    Checkpoint::from_bytes(&bytes, path)
}

fn place(folder: &RunFolder) -> PathBuf {
    folder.file("checkpoint")
}

fn name(number: u64) -> String {
    format!("{number:08}.safetensors")
}

/// The numbers of the files in the folder, in order; none where there is no folder.
fn numbers(path: &Path) -> Result<Vec<u64>, CheckpointError> {
    let io = |source| CheckpointError::Io { path: path.to_owned(), source };
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let file = entry.map_err(io)?.file_name();
        let number = file.to_str().and_then(|file| file.strip_suffix(".safetensors")?.parse().ok());
        numbers.extend(number.filter(|&number| file.to_str() == Some(&name(number))));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Where a run writes its checkpoints.
#[derive(Debug)]
pub(in crate::train) struct Store {
    path: PathBuf,
    /// The files that hold the last checkpoints, oldest first: two at most.
    kept: Vec<u64>,
    next: u64,
}

impl Store {
    /// Makes the folder, if there is none. `latest` is what the run goes on from.
    pub(in crate::train) fn new(folder: &RunFolder, latest: Option<u64>) -> Result<Store, CheckpointError> {
        let path = place(folder);
        std::fs::create_dir_all(&path).map_err(|source| CheckpointError::Io { path: path.clone(), source })?;
        let next = numbers(&path)?.last().map_or(1, |last| last.saturating_add(1));
        Ok(Store { path, kept: latest.into_iter().collect(), next })
    }

    /// Writes the next one whole, then removes all but the last two.
    pub(in crate::train) fn write(&mut self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        let path = self.path.join(name(self.next));
        let malformed = |reason| CheckpointError::Malformed { path: path.clone(), reason };
        let bytes = checkpoint.to_bytes().map_err(malformed)?;
        let io = |source| CheckpointError::Io { path: path.clone(), source };
        glyphnet_data::write_atomic(&path, &bytes).map_err(io)?;
        self.kept.push(self.next);
        self.next += 1;
        if self.kept.len() > 2 {
            self.kept.remove(0);
        }
        for number in numbers(&self.path)?.into_iter().filter(|number| !self.kept.contains(number)) {
            let old = self.path.join(name(number));
            std::fs::remove_file(&old).map_err(|source| CheckpointError::Io { path: old, source })?;
        }
        Ok(())
    }
}

impl Latest {
    /// The number of the file that the checkpoint was read from.
    pub(in crate::train) fn number(&self) -> Option<u64> {
        self.number
    }
}
