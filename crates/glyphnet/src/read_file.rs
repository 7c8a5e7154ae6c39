//! Files that are read whole, up to a size that a sound one never has.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::Error;

/// Why a file was not read.
pub(crate) enum Unread {
    /// The system refused.
    Io(io::Error),
    /// It is nothing to read whole.
    Refused(&'static str),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Unread {
        Unread::Io(error)
    }
}

/// The bytes of a regular file of at most `largest` bytes.
pub(crate) fn read_file(path: &Path, largest: u64) -> Result<Vec<u8>, Unread> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(Unread::Refused("it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(largest + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > largest {
        return Err(Unread::Refused("it is too large"));
    }
    Ok(bytes)
}

/// The same of a file of a run.
///
/// # Errors
/// [`Error::Io`] and [`Error::Damaged`], which name it.
pub(crate) fn read_run_file(path: &Path, largest: u64) -> Result<Vec<u8>, Error> {
    read_file(path, largest).map_err(|unread| match unread {
        Unread::Io(source) => Error::Io { path: path.to_owned(), source },
        Unread::Refused(reason) => Error::Damaged { path: path.to_owned(), reason: reason.to_owned() },
    })
}
