//! Files that may or may not be gzipped: told apart by their first bytes, not by their names.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::error::DataError;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Reads a file, decompressing it on the way if it is gzipped, and knows how far it has come.
pub(crate) struct MaybeGz {
    path: PathBuf,
    reader: Box<dyn Read>,
    compressed: bool,
    length: u64,
    position: u64,
}

impl MaybeGz {
    /// Opens `path`; an empty file is an error.
    pub(crate) fn open(path: &Path) -> Result<MaybeGz, DataError> {
        let mut file = File::open(path).map_err(DataError::read(path))?;
        let meta = file.metadata().map_err(DataError::read(path))?;
        if meta.is_dir() {
            return Err(DataError::folder(path, "is a folder where a file is needed"));
        }
        let mut start = [0; 2];
        let got = read_full(&mut file, &mut start).map_err(DataError::read(path))?;
        if got == 0 {
            return Err(DataError::Empty { path: path.to_path_buf() });
        }
        file.seek(SeekFrom::Start(0)).map_err(DataError::read(path))?;
        let compressed = start == GZIP_MAGIC;
        let reader: Box<dyn Read> = if compressed {
            Box::new(MultiGzDecoder::new(BufReader::with_capacity(1 << 16, file)))
        } else {
            Box::new(file)
        };
        Ok(MaybeGz { path: path.to_path_buf(), reader, compressed, length: meta.len(), position: 0 })
    }

    /// Bytes read so far, decompressed.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Reads up to `limit` bytes, fewer only at the end. Memory grows with what is there, not with `limit`.
    ///
    /// Reading past the end of a gzipped file verifies its checksum.
    pub(crate) fn read_up_to(&mut self, limit: u64) -> Result<Vec<u8>, DataError> {
        // One byte more than there is, so that the end is found without growing.
        let there = self.length.saturating_sub(self.position) + 1;
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(usize::try_from(limit.min(there)).unwrap_or(usize::MAX))
            .map_err(|e| DataError::read(&self.path)(io::Error::new(io::ErrorKind::OutOfMemory, e)))?;
        let result = self.reader.by_ref().take(limit).read_to_end(&mut bytes);
        self.position += bytes.len() as u64;
        match result {
            Ok(_) => Ok(bytes),
            Err(source) if self.compressed => {
                Err(DataError::Gzip { path: self.path.clone(), byte: self.position, source })
            }
            Err(source) => Err(DataError::Read { path: self.path.clone(), source }),
        }
    }
}

/// Fills `buffer` as far as the reader goes; returns how far.
fn read_full(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}
