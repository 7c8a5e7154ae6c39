//! The folder of a run, and what is written there.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::checkpoint::Extended;
use crate::Error;
use crate::evaluate::Score;

/// A run's folder. Every file in it is written beside its place and renamed.
///
/// Whoever has one, with its clones, holds the lock of the folder: no other process can. It ends with the process,
/// however that ends.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
    _lock: Arc<File>,
}

/// The file that is locked. It stays, empty: removing it would let two processes hold two locks.
const LOCK: &str = ".lock";

/// `metrics.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// The recipe's name.
    pub recipe: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Threads used.
    pub threads: usize,
    /// Instruction set used.
    pub simd: String,
    /// Epochs trained, of an ensemble by all its networks together.
    pub epochs_run: u32,
    /// The epoch whose network was kept, from 1; 0 for a run that was interrupted in its first epoch, and for an ensemble.
    pub best_epoch: u32,
    /// Seconds of training steps with their augmentation; no evaluation, reading or saving.
    pub train_seconds: f64,
    /// Images of the steps that were finished over `train_seconds`.
    pub images_per_second: f64,
    /// Seconds that the trainer waited for data.
    pub data_wait_seconds: f64,
    /// Floating-point operations of the steps, as [`training_flops`](crate::nn::training_flops) counts them. Absent in
    /// runs of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flops: Option<u64>,
    /// On the validation split, of an interrupted run as the best epoch found it; `null` where there is no such split,
    /// or the run was interrupted in its first epoch.
    pub validation: Option<Score>,
    /// On the test split; `null` where there is none, it has no labels, was to be left alone, or the run was interrupted.
    pub test: Option<Score>,
    /// Whether the run was asked to stop before its end. Absent where it was not, and in runs of older versions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// Each time that the run was given another length: what it had come to. Absent where it never was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extended: Vec<Extension>,
    /// What the networks of an ensemble came to, each alone. Absent where there is but one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberMetrics>,
}

/// What one network of an ensemble came to, as its own `metrics.json` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberMetrics {
    /// Seed of everything random but the split.
    pub seed: u64,
    /// Epochs trained.
    pub epochs_run: u32,
    /// The epoch whose network was kept, from 1.
    pub best_epoch: u32,
    /// Seconds of training steps with their augmentation.
    pub train_seconds: f64,
    /// On the validation split.
    pub validation: Option<Score>,
    /// On the test split.
    pub test: Option<Score>,
}

impl From<&Metrics> for MemberMetrics {
    fn from(metrics: &Metrics) -> MemberMetrics {
        let &Metrics { seed, epochs_run, best_epoch, train_seconds, validation, test, .. } = metrics;
        MemberMetrics { seed, epochs_run, best_epoch, train_seconds, validation, test }
    }
}

/// What a run had come to when it was given another length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Extension {
    /// Epochs that it was to have.
    pub epochs: u32,
    /// Epochs that were over.
    pub epochs_run: u32,
    /// The best of them, from 1; 0 = none.
    pub best_epoch: u32,
    /// On the validation split, if the run was finished.
    pub validation: Option<Score>,
    /// On the test split, if the run was finished.
    pub test: Option<Score>,
}

impl From<&Extended> for Extension {
    fn from(extended: &Extended) -> Extension {
        let &Extended { planned, epochs, best_epoch, ref result } = extended;
        let (validation, test) = result.map(|result| result.scores()).unwrap_or_default();
        Extension { epochs: planned, epochs_run: epochs, best_epoch, validation, test }
    }
}

impl RunFolder {
    /// Makes the folder, which must be new or empty.
    ///
    /// # Errors
    /// If it has files in it, cannot be made, or another process has just begun a run there.
    pub fn create(path: &Path) -> Result<RunFolder, Error> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        match std::fs::read_dir(path) {
            Ok(_) => empty(path)?,
            Err(error) if error.kind() == ErrorKind::NotFound => std::fs::create_dir_all(path).map_err(io)?,
            Err(error) => return Err(io(error)),
        }
        // A folder that cannot be written is found out now rather than after the first epoch.
        let folder = RunFolder { path: path.to_owned(), _lock: Arc::new(lock(path)?) };
        empty(path)?;
        Ok(folder)
    }

    /// Opens the folder of a run that is to go on, and clears away files that a dead process did not finish.
    ///
    /// # Errors
    /// If there is no such folder, it cannot be written, or another process is working in it.
    pub fn open(path: &Path) -> Result<RunFolder, Error> {
        let folder = RunFolder { path: path.to_owned(), _lock: Arc::new(lock(path)?) };
        for place in [path.to_owned(), folder.file("checkpoint")] {
            clear_unfinished(&place).map_err(|source| Error::Io { path: place, source })?;
        }
        Ok(folder)
    }

    /// Makes `<parent>/<recipe>-<n>` with the next free `n`, counted from 1.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn next(parent: &Path, recipe: &str) -> Result<RunFolder, Error> {
        let io = |source| Error::Io { path: parent.to_owned(), source };
        std::fs::create_dir_all(parent).map_err(io)?;
        for n in 1_u32.. {
            let path = parent.join(format!("{recipe}-{n}"));
            match std::fs::create_dir(&path) {
                Ok(()) => return RunFolder::create(&path),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io(error)),
            }
        }
        Err(Error::Mismatch(format!("{}: no number is free", parent.display())))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes one file of text.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.file(name);
        glyphnet_data::write_atomic(&path, text.as_bytes()).map_err(|source| Error::Io { path, source })
    }

    /// Whether the folder is still there.
    ///
    /// # Errors
    /// If it was deleted or cannot be reached.
    pub(super) fn look(&self) -> Result<(), Error> {
        let path = self.file(LOCK);
        std::fs::metadata(&path).map(drop).map_err(|source| Error::Io { path, source })
    }
}

/// Refuses a folder that has more in it than a lock.
fn empty(path: &Path) -> Result<(), Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    for entry in std::fs::read_dir(path).map_err(io)? {
        if entry.map_err(io)?.file_name() != LOCK {
            let folder = path.display();
            return Err(Error::Mismatch(format!("{folder}: is not empty; name a new or empty folder")));
        }
    }
    Ok(())
}

/// Locks a folder for this process.
fn lock(path: &Path) -> Result<File, Error> {
    let file = path.join(LOCK);
    let io = |source| Error::Io { path: file.clone(), source };
    let handle = OpenOptions::new().create(true).truncate(false).write(true).open(&file).map_err(io)?;
    match handle.try_lock() {
        Ok(()) => Ok(handle),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { path: path.to_owned() }),
        // Some network file systems have no locks; a run there is worth more than one that is refused.
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(handle),
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}

/// Removes what [`glyphnet_data::write_atomic`] leaves behind when the process dies in it.
fn clear_unfinished(folder: &Path) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(".partial")) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
