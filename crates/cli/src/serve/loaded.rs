//! The model that is served, with all that is made of it once.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use axum::body::Bytes;
use glyphnet::Model;

use super::openapi;
use super::page::Page;
use super::protocol;
use crate::commands::{file_of, load_model};
use crate::error::CliError;

/// A model as it was read. Whatever a request does, it does with one of these from its beginning to its end.
#[derive(Debug)]
pub(crate) struct Loaded {
    model: Model,
    page: Page,
    metadata: Bytes,
    openapi: Bytes,
    /// 0 for the model that the server began with, one more with each reload.
    generation: u64,
    stamp: Option<Stamp>,
    brief: usize,
}

/// How long a thread that serves connections may be kept from them by predicting. About what waking another thread and
/// being woken by it can take on a busy machine.
const BRIEF: Duration = Duration::from_micros(500);

/// What changes with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    length: u64,
    modified: SystemTime,
    /// Also changes where length and time of a file are kept, or only its permissions change: device, inode, and when the
    /// inode was changed.
    #[cfg(unix)]
    inode: (u64, u64, i64, i64),
}

impl Stamp {
    /// Of the file as it is now; nothing where there is none.
    pub(crate) fn of(file: &Path) -> Option<Stamp> {
        let meta = fs::metadata(file).ok()?;
        #[cfg(unix)]
        let inode = {
            use std::os::unix::fs::MetadataExt as _;
            (meta.dev(), meta.ino(), meta.ctime(), meta.ctime_nsec())
        };
        Some(Stamp {
            length: meta.len(),
            modified: meta.modified().ok()?,
            #[cfg(unix)]
            inode,
        })
    }
}

impl Loaded {
    /// A model that is said to predict `brief` images in no time.
    #[cfg(test)]
    pub(crate) fn of(model: Model, brief: usize) -> Loaded {
        let page = Page::of(&model);
        let (metadata, openapi) = (protocol::metadata("model", &model), openapi::document("model", &model));
        Loaded { model, page, metadata, openapi, generation: 0, stamp: None, brief }
    }

    /// Reads the model of a file or a run folder.
    fn read(path: &Path, name: &str, generation: u64) -> Result<Loaded, CliError> {
        // Looked at first: what changes while it is read is read again.
        let file = file_of(path);
        let stamp = Stamp::of(&file);
        // Opening a pipe would wait for somebody who writes.
        if fs::metadata(&file).is_ok_and(|meta| !meta.is_file()) {
            return Err(CliError::failed(format!("{} is not a regular file", file.display())));
        }
        let model = load_model(path)?;
        let page = Page::of(&model);
        let (metadata, openapi) = (protocol::metadata(name, &model), openapi::document(name, &model));
        let brief = brief(&model);
        Ok(Loaded { model, page, metadata, openapi, generation, stamp, brief })
    }

    pub(crate) fn model(&self) -> &Model {
        &self.model
    }

    /// Images that are predicted so fast that no other thread need be asked; 0 where even one takes longer.
    pub(crate) fn brief(&self) -> usize {
        self.brief
    }

    pub(crate) fn page(&self) -> &Page {
        &self.page
    }

    /// What `/v2/models/NAME` says.
    pub(crate) fn metadata(&self) -> Bytes {
        self.metadata.clone()
    }

    pub(crate) fn openapi(&self) -> Bytes {
        self.openapi.clone()
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }
}

/// How many images `model` predicts within [`BRIEF`] on one thread. The first prediction also makes its buffers.
fn brief(model: &Model) -> usize {
    let image = vec![0; model.input().len()];
    let mut fastest = Duration::MAX;
    for _ in 0..4 {
        let start = Instant::now();
        model.predict_scattered(1, |_| &image);
        fastest = fastest.min(start.elapsed());
        if fastest > 10 * BRIEF {
            break;
        }
    }
    (BRIEF.as_nanos() / fastest.as_nanos().max(1)) as usize
}

/// The model in use, which can be swapped for another while requests go on with theirs.
#[derive(Debug)]
pub(crate) struct Current {
    path: PathBuf,
    name: String,
    loaded: RwLock<Arc<Loaded>>,
}

impl Current {
    /// Reads the model of a file or a run folder, to be served as `name`.
    ///
    /// # Errors
    /// If there is none, or it is damaged.
    pub(crate) fn open(path: &Path, name: &str) -> Result<Current, CliError> {
        let loaded = RwLock::new(Arc::new(Loaded::read(path, name, 0)?));
        Ok(Current { path: path.to_owned(), name: name.to_owned(), loaded })
    }

    /// What it is called in URLs.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The model for a request that begins now.
    pub(crate) fn get(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The file as it is now, if it is another than the one that was read.
    pub(crate) fn changed(&self) -> Option<Stamp> {
        Stamp::of(&file_of(&self.path)).filter(|now| self.get().stamp != Some(*now))
    }

    /// Reads the file again and swaps the model, if it is intact; else keeps the old one.
    ///
    /// # Errors
    /// If the file is gone or damaged.
    pub(crate) fn reload(&self) -> Result<Arc<Loaded>, CliError> {
        let new = Arc::new(Loaded::read(&self.path, &self.name, self.get().generation + 1)?);
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&new);
        Ok(new)
    }
}
