//! A CSV file cut into blocks of whole lines, so that it is never in memory as a whole.

use std::path::Path;

use crate::error::DataError;
use crate::formats::gz::MaybeGz;

/// Bytes that are read at once: a fraction of a core's second cache level.
pub(super) const BLOCK: usize = 1 << 18;
/// A file that unpacks to more than this (16 GiB) is refused.
const MAX_BYTES: u64 = 1 << 34;

/// A line longer than this (16 MiB) is refused: the largest images that fit a line take a quarter of it.
const MAX_LINE: usize = 1 << 24;

/// A piece of text, at the front of a buffer that is used again and again.
#[derive(Default)]
pub(super) struct Block {
    buffer: Vec<u8>,
    filled: usize,
    text: usize,
}

impl Block {
    /// The lines, with their line feeds; the last line of a file comes without.
    pub(super) fn text(&self) -> &[u8] {
        &self.buffer[..self.text]
    }

    /// Reads until the buffer is full or the file ends; returns whether it has ended.
    fn fill(&mut self, file: &mut MaybeGz) -> Result<bool, DataError> {
        if self.filled == self.buffer.len() {
            self.buffer.resize((2 * self.buffer.len()).max(BLOCK), 0);
        }
        self.filled += file.fill(&mut self.buffer[self.filled..])?;
        Ok(self.filled < self.buffer.len())
    }
}

/// The rest of a file.
pub(super) struct Blocks {
    file: MaybeGz,
    /// What was read but belongs to the next block.
    carry: Vec<u8>,
    ended: bool,
}

impl Blocks {
    /// Opens a file, gzipped or not, and reads its first line: it comes without its line feed and byte order mark.
    pub(super) fn open(path: &Path) -> Result<(Blocks, Vec<u8>), DataError> {
        let mut blocks = Blocks { file: MaybeGz::open(path)?, carry: Vec::new(), ended: false };
        if blocks.file.plain_length().is_some_and(|length| length > MAX_BYTES) {
            return Err(too_large(path));
        }
        let mut block = Block::default();
        let end = loop {
            let from = block.filled;
            blocks.ended = block.fill(&mut blocks.file)?;
            blocks.check_size(path)?;
            match block.buffer[from..block.filled].iter().position(|&b| b == b'\n') {
                Some(at) => break from + at,
                None if blocks.ended => break block.filled,
                None if block.filled >= MAX_LINE => return Err(too_long(path, 1)),
                None => {}
            }
        };
        blocks.carry = block.buffer[..block.filled].get(end + 1..).unwrap_or_default().to_vec();
        let line = &block.buffer[..end];
        Ok((blocks, line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).to_vec()))
    }

    /// How many bytes are left, where that is known before they are read.
    pub(super) fn left(&self) -> Option<u64> {
        let unread = self.file.plain_length()?.saturating_sub(self.file.position());
        Some(self.carry.len() as u64 + if self.ended { 0 } else { unread })
    }

    /// Puts the next lines into `block`; `false` if there are none. `line` is the number of the first one.
    ///
    /// White space at the end of the file is left out. In the middle it starts a block, never ends one.
    pub(super) fn next(&mut self, path: &Path, line: usize, block: &mut Block) -> Result<bool, DataError> {
        if block.buffer.len() < BLOCK.max(self.carry.len()) {
            block.buffer.resize(BLOCK.max(self.carry.len()), 0);
        }
        block.filled = self.carry.len();
        block.buffer[..block.filled].copy_from_slice(&self.carry);
        loop {
            self.ended = self.ended || block.fill(&mut self.file)?;
            self.check_size(path)?;
            let filled = &block.buffer[..block.filled];
            let full = filled.trim_ascii_end().len();
            let end = filled[..full].iter().rposition(|&b| b == b'\n').map(|at| at + 1);
            if let Some(end) = if self.ended { Some(full) } else { end } {
                block.text = end;
                self.carry.clear();
                self.carry.extend_from_slice(if self.ended { &[] } else { &filled[end..] });
                return Ok(end > 0);
            }
            if block.filled >= MAX_LINE {
                return Err(too_long(path, line));
            }
        }
    }

    fn check_size(&self, path: &Path) -> Result<(), DataError> {
        if self.file.position() > MAX_BYTES { Err(too_large(path)) } else { Ok(()) }
    }
}

fn too_long(path: &Path, line: usize) -> DataError {
    let problem = "the line is longer than 16 MiB: this is no CSV of small images".to_string();
    DataError::Csv { path: path.to_path_buf(), line, column: None, problem }
}

fn too_large(path: &Path) -> DataError {
    let problem = "the file is larger than 16 GiB: split it up".to_string();
    DataError::Csv { path: path.to_path_buf(), line: 1, column: None, problem }
}
