//! Files that are either whole or not there: written beside their place, synced, then renamed into it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Writes `bytes` to `path`, replacing what was there; after a crash the file is the old one or the new one.
///
/// # Errors
/// Whatever the system says; `path` is then untouched and nothing is left beside it.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes)?;
    file.commit()
}

/// A file that appears at its place, whole, on [`commit`](AtomicFile::commit); dropped before, it leaves nothing.
#[derive(Debug)]
pub struct AtomicFile {
    target: PathBuf,
    temporary: PathBuf,
    writer: Option<BufWriter<File>>,
}

impl AtomicFile {
    /// Starts writing what shall become `path`, in the same folder. Where `path` is a link, what it leads to is replaced.
    ///
    /// # Errors
    /// If the folder does not exist or cannot be written, or something else than a file is there.
    pub fn create(path: &Path) -> io::Result<AtomicFile> {
        let target = match fs::metadata(path) {
            Ok(there) if !there.is_file() => return Err(no_file(path)),
            Ok(_) => fs::canonicalize(path)?,
            Err(_) => path.to_path_buf(),
        };
        let temporary = beside(&target)?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&temporary)?;
        Ok(AtomicFile { target, temporary, writer: Some(BufWriter::new(file)) })
    }

    /// Syncs the file to disk and renames it into place, then syncs the folder.
    ///
    /// # Errors
    /// Whatever the system says; the place is then untouched.
    pub fn commit(mut self) -> io::Result<()> {
        let Some(writer) = self.writer.take() else { return Err(closed()) };
        let result = finish(writer).and_then(|()| fs::rename(&self.temporary, &self.target));
        if let Err(error) = result {
            remove(&self.temporary);
            return Err(error);
        }
        sync_folder(&self.target)
    }

    fn writer(&mut self) -> io::Result<&mut BufWriter<File>> {
        self.writer.as_mut().ok_or_else(closed)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer()?.flush()
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.writer()?.seek(position)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if self.writer.take().is_some() {
            remove(&self.temporary);
        }
    }
}

/// A rename would put a file in the place of a device, a pipe or a socket.
fn no_file(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("'{}' is there and is no file", path.display()))
}

fn closed() -> io::Error {
    io::Error::other("the file is already closed")
}

fn finish(writer: BufWriter<File>) -> io::Result<()> {
    let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()
}

/// Removes a temporary file. That it is left behind is no reason to hide the error that led here.
fn remove(path: &Path) {
    drop(fs::remove_file(path));
}

/// A name beside `path` that no other file, process or thread uses: hidden, and telling what it is.
pub(crate) fn beside(path: &Path) -> io::Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = path.file_name().ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("'{}' does not end in a name", path.display()))
    })?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}-{number}.partial", process::id()));
    Ok(path.with_file_name(temporary))
}

/// Makes a rename in the folder of `path` last, where the system lets folders be synced.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn what_is_not_committed_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_atomic(&path, b"old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"half of the n").unwrap();
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_and_what_is_no_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let [there, link] = ["there.txt", "link.txt"].map(|name| folder.path().join(name));
        write_atomic(&there, b"old").unwrap();
        std::os::unix::fs::symlink("there.txt", &link).unwrap();
        write_atomic(&link, b"new").unwrap();
        assert_eq!(fs::read(&there).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let socket = folder.path().join("socket");
        let _open = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(write_atomic(&socket, b"x").unwrap_err().to_string().contains("is there and is no file"));
        assert_eq!(names(folder.path()).len(), 3);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_an_error_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write_atomic(&folder.path().join("no/such/folder"), b"x").is_err());
        let occupied = folder.path().join("folder");
        fs::create_dir(&occupied).unwrap();
        assert!(write_atomic(&occupied, b"x").is_err());
        assert_eq!(names(folder.path()), ["folder"]);
        assert!(AtomicFile::create(Path::new("/")).is_err());
    }
}
