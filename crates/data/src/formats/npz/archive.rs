//! The zip archive around the arrays. Sizes are checked against what is there before memory is asked for, and
//! checksums are verified.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::bufread::DeflateDecoder;
use flate2::write::DeflateEncoder;
use rawzip::{CompressionMethod, ZipArchive, ZipArchiveEntryWayfinder, ZipArchiveWriter, ZipSliceArchive};

use super::npy::{Element, Header};
use crate::error::DataError;

/// One array: its header and its elements.
pub(super) struct Array {
    pub(super) header: Header,
    pub(super) data: Vec<u8>,
}

/// An open archive and what it holds.
pub(super) struct Archive {
    path: PathBuf,
    zip: ZipSliceArchive<Vec<u8>>,
    members: BTreeMap<String, Member>,
}

#[derive(Clone, Copy)]
struct Member {
    place: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    size: u64,
}

impl Archive {
    /// Reads an archive's directory.
    pub(super) fn open(path: &Path) -> Result<Archive, DataError> {
        let bytes = fs::read(path).map_err(DataError::read(path))?;
        if bytes.is_empty() {
            return Err(DataError::Empty { path: path.to_path_buf() });
        }
        let bad = |e: String| DataError::Npz {
            path: path.to_path_buf(),
            member: None,
            problem: format!("this is no whole zip archive ({e}): copy or download it again"),
        };
        let zip = ZipArchive::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
        let mut members = BTreeMap::new();
        let mut entries = zip.entries();
        while let Some(entry) = entries.next_entry().map_err(|e| bad(e.to_string()))? {
            let name = String::from_utf8_lossy(entry.file_path().as_bytes()).into_owned();
            let member = Member {
                place: entry.wayfinder(),
                method: entry.compression_method(),
                size: entry.uncompressed_size_hint(),
            };
            if let Some(name) = name.strip_suffix(".npy") {
                members.entry(name.to_string()).or_insert(member);
            }
        }
        Ok(Archive { path: path.to_path_buf(), zip, members })
    }

    /// The names of all arrays, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        self.members.keys().cloned().collect()
    }

    /// The first of these arrays that is there.
    pub(super) fn first(&self, names: &[&'static str]) -> Option<&'static str> {
        names.iter().find(|n| self.members.contains_key(**n)).copied()
    }

    /// An error about one array, or about the archive.
    pub(super) fn error(&self, member: Option<&str>, problem: impl Into<String>) -> DataError {
        DataError::Npz { path: self.path.clone(), member: member.map(str::to_string), problem: problem.into() }
    }

    /// Reads one array, decompressed and verified.
    pub(super) fn array(&self, name: &str) -> Result<Array, DataError> {
        let bad = |problem: String| self.error(Some(name), problem);
        let damaged = |e: &dyn std::fmt::Display| bad(format!("it is damaged ({e}): copy or download it again"));
        let Some(&member) = self.members.get(name) else {
            let problem = format!("it is missing; the archive holds {}", crate::formats::some_of(&self.names()));
            return Err(bad(problem));
        };
        let entry = self.zip.get_entry(member.place).map_err(|e| damaged(&e))?;
        let plain: Box<dyn Read + '_> = match member.method {
            CompressionMethod::STORE => Box::new(entry.data()),
            CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(entry.data())),
            method => return Err(bad(format!("compression method {method:?} is unknown: save it with NumPy"))),
        };
        let mut reader = entry.verifying_reader(plain);
        let (header, header_len) = Header::read(&mut reader).map_err(&bad)?;
        let promised = header.bytes().and_then(|b| b.checked_add(header_len as u64));
        if promised != Some(member.size) {
            let problem = format!(
                "its header promises an array of shape {:?}, but the archive holds {} bytes of it: it is damaged",
                header.shape, member.size
            );
            return Err(bad(problem));
        }
        let size = member.size - header_len as u64;
        // Deflate cannot shrink by more than 1032 to 1, so a small archive cannot ask for much memory.
        let credible = (entry.data().len() as u64).saturating_mul(1032).min(size);
        let mut data = Vec::with_capacity(credible as usize);
        reader.by_ref().take(size + 1).read_to_end(&mut data).map_err(|e| damaged(&e))?;
        if data.len() as u64 != size {
            return Err(damaged(&format_args!("{} bytes instead of {size}", data.len())));
        }
        Ok(Array { header, data })
    }
}

/// Writes arrays into a new archive, compressed.
pub(super) struct ArchiveWriter<W: Write> {
    path: PathBuf,
    zip: ZipArchiveWriter<W>,
}

impl<W: Write + Seek> ArchiveWriter<W> {
    /// Starts an archive; `path` names it in errors.
    pub(super) fn new(path: &Path, writer: W) -> ArchiveWriter<W> {
        ArchiveWriter { path: path.to_path_buf(), zip: ZipArchiveWriter::new(writer) }
    }

    /// Adds one array of `shape`, its elements little-endian in `data`.
    pub(super) fn add(
        &mut self,
        name: &str,
        element: Element,
        shape: Vec<usize>,
        data: &[u8],
    ) -> Result<(), DataError> {
        let header = Header { element, big_endian: false, shape };
        let result = self.add_member(&format!("{name}.npy"), &header.to_bytes(), data);
        result.map_err(DataError::write(&self.path))
    }

    fn add_member(&mut self, name: &str, header: &[u8], data: &[u8]) -> std::io::Result<()> {
        let other = std::io::Error::other::<rawzip::Error>;
        let builder = self.zip.new_file(name).compression_method(CompressionMethod::DEFLATE);
        let (mut entry, config) = builder.start().map_err(other)?;
        let mut writer = config.wrap(DeflateEncoder::new(&mut entry, Compression::default()));
        writer.write_all(header)?;
        writer.write_all(data)?;
        let (encoder, descriptor) = writer.finish().map_err(other)?;
        encoder.finish()?;
        entry.finish(descriptor).map_err(other)?;
        Ok(())
    }

    /// Writes the directory and gives back the writer.
    pub(super) fn finish(self) -> Result<W, DataError> {
        let path = self.path;
        self.zip.finish().map_err(std::io::Error::other).map_err(DataError::write(&path))
    }
}
