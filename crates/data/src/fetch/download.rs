//! Downloading: each file streams into a hidden file beside its place, is checked, and only then gets its name.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::write::GzDecoder;
use sha2::{Digest, Sha256};

use super::{Entry, FetchError, RemoteFile, cache_folder, entry};
use crate::atomic::{AtomicFile, write_atomic};
use crate::source::CLASS_FILE;

/// How long a server may keep us waiting for a connection or for its next bytes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Fetches the dataset `name` into the cache and returns its folder, which `open` accepts by the dataset's name.
///
/// Files that are there and whole are kept. `mirror` is the address of a folder to take the place of the mirrors in
/// the catalogue. `progress` is told the bytes that have come and the bytes that will, over all missing files; the
/// latter changes if a mirror has a file of another length than published.
///
/// # Errors
/// An unknown name, a mirror that fails (each one, if there are several), or a cache that cannot be written. No file
/// is ever left in the cache that is not whole and verified.
pub fn fetch(name: &str, mirror: Option<&str>, progress: &mut dyn FnMut(u64, u64)) -> Result<PathBuf, FetchError> {
    let entry = entry(name)?;
    fetch_into(&cache_folder().ok_or(FetchError::NoCache)?, entry, mirror, progress)
}

/// [`fetch`], into a cache at a place of its own.
///
/// # Errors
/// As [`fetch`].
pub fn fetch_into(
    cache: &Path,
    entry: &Entry,
    mirror: Option<&str>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<PathBuf, FetchError> {
    let mirrors = mirror.map_or_else(|| Ok(entry.mirrors.iter().map(|m| (*m).to_owned()).collect()), own_mirror)?;
    let folder = cache.join(entry.name);
    fs::create_dir_all(&folder).map_err(|source| FetchError::Write { path: folder.clone(), source })?;
    let missing: Vec<_> = entry.files.iter().filter(|file| !is_whole(&folder.join(file.name), file)).collect();
    let mut download = Download { done: 0, total: missing.iter().map(|file| file.bytes).sum(), progress };
    for file in missing {
        download.try_mirrors(&mirrors, file, &folder)?;
    }
    write_classes(entry, &folder)?;
    Ok(folder)
}

/// A mirror as given on the command line, checked and ending in `/`.
fn own_mirror(mirror: &str) -> Result<Vec<String>, FetchError> {
    let scheme = mirror.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !matches!(scheme.as_deref(), Some("http" | "https")) {
        return Err(FetchError::Mirror { mirror: mirror.to_owned() });
    }
    Ok(vec![format!("{}/", mirror.trim_end_matches('/'))])
}

/// Class names that are not the labels themselves go beside the data, where `open` looks for them.
fn write_classes(entry: &Entry, folder: &Path) -> Result<(), FetchError> {
    let path = folder.join(CLASS_FILE);
    if entry.classes.is_empty() || path.exists() {
        return Ok(());
    }
    let text: String = entry.classes.iter().flat_map(|name| [*name, "\n"]).collect();
    write_atomic(&path, text.as_bytes()).map_err(|source| FetchError::Write { path, source })
}

/// Whether the cached file is there and what it should be.
fn is_whole(path: &Path, file: &RemoteFile) -> bool {
    let Ok(mut cached) = File::open(path) else { return false };
    let mut check = Check::new(file);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match cached.read(&mut buffer) {
            Ok(0) => return check.finish().is_ok(),
            Ok(count) => check.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
}

/// A download under way, over all missing files.
struct Download<'a> {
    done: u64,
    total: u64,
    progress: &'a mut dyn FnMut(u64, u64),
}

impl Download<'_> {
    /// Downloads `file` from the first mirror that has it.
    fn try_mirrors(&mut self, mirrors: &[String], file: &RemoteFile, folder: &Path) -> Result<(), FetchError> {
        let mut attempts = Vec::new();
        for mirror in mirrors {
            let (done, total) = (self.done, self.total);
            match self.one(&format!("{mirror}{}", file.name), file, &folder.join(file.name)) {
                Ok(()) => return Ok(()),
                // Another mirror does not help against a full disk.
                Err(error @ FetchError::Write { .. }) => return Err(error),
                Err(error) => attempts.push(error),
            }
            (self.done, self.total) = (done, total);
        }
        match attempts.pop() {
            Some(error) if attempts.is_empty() => Err(error),
            last => {
                attempts.extend(last);
                Err(FetchError::AllMirrors { file: file.name, attempts })
            }
        }
    }

    /// Downloads `url` to `path`, all or nothing.
    fn one(&mut self, url: &str, file: &RemoteFile, path: &Path) -> Result<(), FetchError> {
        let limit = longest(file);
        let too_long = || FetchError::TooLong { url: url.to_owned(), limit };
        let mut response = agent(url).get(url).call().map_err(|error| refused(url, 0, error))?;
        let announced = response.body().content_length();
        if announced.is_some_and(|bytes| bytes > limit) {
            return Err(too_long());
        }
        self.total = self.total - file.bytes + announced.unwrap_or(file.bytes);
        let start = self.done;
        let mut body = response.body_mut().as_reader();
        let write = |source| FetchError::Write { path: path.to_path_buf(), source };
        let mut target = AtomicFile::create(path).map_err(write)?;
        let (mut check, mut buffer) = (Check::new(file), vec![0; 1 << 16]);
        loop {
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(broken(url, check.bytes, &error)),
            };
            check.update(&buffer[..count]);
            if check.bytes > limit {
                return Err(too_long());
            }
            target.write_all(&buffer[..count]).map_err(write)?;
            self.done = start + check.bytes;
            (self.progress)(self.done, self.total.max(self.done));
        }
        let bytes = check.bytes;
        check.finish().map_err(|found| FetchError::Checksum {
            url: url.to_owned(),
            bytes,
            found,
            expected_bytes: file.bytes,
            expected: file.sha256,
        })?;
        self.total = self.total - announced.unwrap_or(file.bytes) + bytes;
        target.commit().map_err(write)
    }
}

/// The most bytes that `file` can have: as published, or, where a mirror may have compressed it anew, its content
/// stored as it is with what gzip adds to that.
fn longest(file: &RemoteFile) -> u64 {
    file.content.map_or(0, |content| content.bytes + content.bytes / 1000 + 1024).max(file.bytes)
}

/// An HTTP client. Proxies come from the environment, but the machine itself is never asked through one.
fn agent(url: &str) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_connect(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE))
        .user_agent(concat!("glyphnet/", env!("CARGO_PKG_VERSION")));
    let host = url.split_once("://").map_or("", |(_, rest)| rest);
    let is_here = ["127.", "localhost", "[::1]"].iter().any(|start| host.starts_with(start));
    if is_here { config.proxy(None).build().into() } else { config.build().into() }
}

fn refused(url: &str, received: u64, error: ureq::Error) -> FetchError {
    match error {
        ureq::Error::StatusCode(status) => FetchError::Status { url: url.to_owned(), status },
        error => FetchError::Connection { url: url.to_owned(), received, problem: error.to_string() },
    }
}

fn broken(url: &str, received: u64, error: &io::Error) -> FetchError {
    FetchError::Connection { url: url.to_owned(), received, problem: error.to_string() }
}

/// Digests of a file and of what it holds, taken while it passes by.
struct Check {
    bytes: u64,
    expected: RemoteFile,
    digest: Sha256,
    /// `None` where the content is not known, or does not decompress to it.
    content: Option<GzDecoder<ContentDigest>>,
}

impl Check {
    fn new(file: &RemoteFile) -> Check {
        let content = file.content.map(|content| GzDecoder::new(ContentDigest::new(content.bytes)));
        Check { bytes: 0, expected: *file, digest: Sha256::new(), content }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.digest.update(bytes);
        if self.content.as_mut().is_some_and(|content| content.write_all(bytes).is_err()) {
            self.content = None;
        }
    }

    /// Accepts the published file, or another that holds the same; else gives the digest that was found.
    fn finish(self) -> Result<(), String> {
        let found = hexadecimal(self.digest);
        if found == self.expected.sha256 {
            return Ok(());
        }
        let content = self.content.and_then(|content| content.finish().ok()).map(|content| hexadecimal(content.digest));
        match (content, self.expected.content) {
            (Some(content), Some(expected)) if content == expected.sha256 => Ok(()),
            _ => Err(found),
        }
    }
}

/// Digests decompressed bytes, and refuses more of them than there should be, so that no small file keeps it busy.
struct ContentDigest {
    left: u64,
    digest: Sha256,
}

impl ContentDigest {
    fn new(bytes: u64) -> ContentDigest {
        ContentDigest { left: bytes, digest: Sha256::new() }
    }
}

impl Write for ContentDigest {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let longer = || io::Error::other("the content is longer than it should be");
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(longer)?;
        self.digest.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hexadecimal(digest: Sha256) -> String {
    digest.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
