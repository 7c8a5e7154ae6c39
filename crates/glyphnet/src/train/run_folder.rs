//! The folder of a run, and what is written there.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::evaluate::Score;

/// A run's folder. Every file in it is written beside its place and renamed.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFolder(PathBuf);

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
    /// Epochs trained.
    pub epochs_run: u32,
    /// The epoch whose network was kept, from 1; 0 for a run that was interrupted in its first epoch.
    pub best_epoch: u32,
    /// Seconds of training steps with their augmentation; no evaluation, reading or saving.
    pub train_seconds: f64,
    /// Images of the steps that were finished over `train_seconds`.
    pub images_per_second: f64,
    /// Seconds that the trainer waited for data.
    pub data_wait_seconds: f64,
    /// On the validation split, of an interrupted run as the best epoch found it; `null` where there is no such split,
    /// or the run was interrupted in its first epoch.
    pub validation: Option<Score>,
    /// On the test split; `null` where there is none, it has no labels, or the run was interrupted.
    pub test: Option<Score>,
}

impl RunFolder {
    /// Makes the folder, which must be new or empty.
    ///
    /// # Errors
    /// If it has files in it or cannot be made.
    pub fn create(path: &Path) -> Result<RunFolder, Error> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        match std::fs::read_dir(path) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    let folder = path.display();
                    return Err(Error::Mismatch(format!("{folder}: is not empty; name a new or empty folder")));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                std::fs::create_dir_all(path).map_err(io)?;
            }
            Err(error) => return Err(io(error)),
        }
        let folder = RunFolder(path.to_owned());
        // A folder that cannot be written is found out now rather than after the first epoch.
        let probe = folder.file(".probe");
        std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe)).map_err(io)?;
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
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io(error)),
            }
        }
        Err(Error::Mismatch(format!("{}: no number is free", parent.display())))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes one file of text.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.file(name);
        glyphnet_data::write_atomic(&path, text.as_bytes()).map_err(|source| Error::Io { path, source })
    }
}
