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
    reader: Box<dyn Read + Send>,
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
        let mut got = 0;
        read_full(&mut file, &mut start, &mut got).map_err(DataError::read(path))?;
        if got == 0 {
            return Err(DataError::Empty { path: path.to_path_buf() });
        }
        file.seek(SeekFrom::Start(0)).map_err(DataError::read(path))?;
        let compressed = start == GZIP_MAGIC;
        let reader: Box<dyn Read + Send> = if compressed {
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

    /// How long the file is, if it is not gzipped and so this is known.
    pub(crate) fn plain_length(&self) -> Option<u64> {
        (!self.compressed).then_some(self.length)
    }

    /// Fills `buffer`; returns how far, which is short of its end only at the end of the file.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, DataError> {
        let mut filled = 0;
        let result = read_full(&mut self.reader, buffer, &mut filled);
        self.position += filled as u64;
        result.map_err(|source| self.error(source))?;
        Ok(filled)
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
        result.map_err(|source| self.error(source))?;
        Ok(bytes)
    }

    /// What went wrong at the present position.
    fn error(&self, source: io::Error) -> DataError {
        let path = self.path.clone();
        if self.compressed {
            DataError::Gzip { path, byte: self.position, source }
        } else {
            DataError::Read { path, source }
        }
    }
}

/// Fills `buffer` as far as the reader goes, and counts in `filled` how far, errors or not.
fn read_full(reader: &mut impl Read, buffer: &mut [u8], filled: &mut usize) -> io::Result<()> {
    while *filled < buffer.len() {
        match reader.read(&mut buffer[*filled..]) {
            Ok(0) => break,
            Ok(n) => *filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
