//! The lines after the header, to pixels and labels: block by block, by as many threads as there are.

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use glyphnet_kernels::{Isa, Vectorize};

use super::blocks::{BLOCK, Block, Blocks};
use super::careful::{self, Fault, MAX_LABEL};
use super::header::Header;
use super::plain::Plain;
use crate::error::DataError;

/// Pixels (`N x pixels`) and labels (`N`, or none without a label column).
#[derive(Default)]
pub(super) struct Rows {
    pub(super) pixels: Vec<u8>,
    pub(super) labels: Vec<u32>,
}

/// Parses all lines after the header.
///
/// # Errors
/// The first one in the file, whatever the number of threads.
pub(super) fn parse(isa: Isa, path: &Path, header: &Header, blocks: Blocks) -> Result<Rows, DataError> {
    let mut rows = match blocks.left() {
        // A file of known size holds at most so many lines: there is memory for them before they are read.
        Some(left) if left > BLOCK as u64 => in_parallel(isa, path, header, blocks, left)?,
        _ => in_turn(isa, path, header, blocks)?,
    };
    rows.pixels.shrink_to_fit();
    rows.labels.shrink_to_fit();
    Ok(rows)
}

/// One block after another, with memory that grows.
fn in_turn(isa: Isa, path: &Path, header: &Header, mut blocks: Blocks) -> Result<Rows, DataError> {
    let (mut rows, mut count) = (Rows::default(), 0);
    let (mut block, mut plain) = (Block::default(), Plain::new(header.pixels()));
    while blocks.next(path, line_of(count), &mut block)? {
        let first = count;
        // Blank lines cost one byte each, and must not ask for the memory of an image.
        count += lines(block.text()).min(most_rows(header, block.text().len()));
        rows.resize(header, count);
        let labels = if header.label.is_some() { &mut rows.labels[first..] } else { &mut [] };
        let target = Target { first, pixels: &mut rows.pixels[first * header.pixels()..], labels };
        isa.vectorize(ParseBlock { header, plain: &mut plain, text: block.text(), target })
            .map_err(|(row, fault)| error(path, header, row, fault))?;
    }
    Ok(rows)
}

/// What all threads share: the file, and the memory for the lines that are still in it.
struct Shared<'a> {
    blocks: Blocks,
    rest: Target<'a>,
    /// The row where reading went wrong, and how; rows before it may still go wrong.
    failure: Option<(usize, DataError)>,
}

/// Where the rows from `first` on go. It may be too short if a row goes wrong.
struct Target<'a> {
    first: usize,
    pixels: &'a mut [u8],
    labels: &'a mut [u32],
}

impl<'a> Target<'a> {
    /// Takes the next `count` rows.
    fn split_off(&mut self, header: &Header, count: usize) -> Target<'a> {
        let pixels = (count * header.pixels()).min(self.pixels.len());
        let labels = count.min(self.labels.len());
        let own = Target {
            first: self.first,
            pixels: self.pixels.split_off_mut(..pixels).unwrap_or_default(),
            labels: self.labels.split_off_mut(..labels).unwrap_or_default(),
        };
        self.first += count;
        own
    }
}

fn in_parallel(isa: Isa, path: &Path, header: &Header, blocks: Blocks, left: u64) -> Result<Rows, DataError> {
    // What is never written to costs no memory.
    let most = most_rows(header, usize::try_from(left).unwrap_or(usize::MAX));
    let mut rows = Rows::default();
    rows.resize(header, most);
    let rest = Target { first: 0, pixels: &mut rows.pixels, labels: &mut rows.labels };
    let shared = Mutex::new(Shared { blocks, rest, failure: None });
    rayon::scope(|scope| {
        for _ in 0..rayon::current_num_threads() {
            scope.spawn(|_| work(isa, path, header, &shared));
        }
    });
    let shared = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    let count = shared.rest.first;
    match shared.failure {
        Some((_, error)) => Err(error),
        None if count > most => Err(DataError::read(path)(io::Error::other("it grew while it was being read"))),
        None => {
            rows.resize(header, count);
            Ok(rows)
        }
    }
}

/// What each thread does until the file ends or something goes wrong.
fn work(isa: Isa, path: &Path, header: &Header, shared: &Mutex<Shared<'_>>) {
    let lock = || shared.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut block, mut plain) = (Block::default(), Plain::new(header.pixels()));
    loop {
        let target = {
            let mut shared = lock();
            if shared.failure.is_some() {
                return;
            }
            let line = line_of(shared.rest.first);
            match shared.blocks.next(path, line, &mut block) {
                Ok(true) => shared.rest.split_off(header, lines(block.text())),
                Ok(false) => return,
                Err(error) => return shared.failure = Some((shared.rest.first, error)),
            }
        };
        let block = ParseBlock { header, plain: &mut plain, text: block.text(), target };
        if let Err((row, fault)) = isa.vectorize(block) {
            let mut shared = lock();
            if shared.failure.as_ref().is_none_or(|&(first, _)| row < first) {
                shared.failure = Some((row, error(path, header, row, fault)));
            }
        }
    }
}

impl Rows {
    fn resize(&mut self, header: &Header, count: usize) {
        // A new vector of zeros is memory that the system has not handed out yet.
        let (pixels, labels) = (count * header.pixels(), if header.label.is_some() { count } else { 0 });
        if self.pixels.is_empty() {
            (self.pixels, self.labels) = (vec![0; pixels], vec![0; labels]);
        }
        self.pixels.resize(pixels, 0);
        self.labels.resize(labels, 0);
    }
}

/// How many lines there are, whether or not the last one has a line feed.
fn lines(text: &[u8]) -> usize {
    // At most 255 at a time, so that a byte can count them.
    let count = |part: &[u8]| usize::from(part.iter().map(|&b| u8::from(b == b'\n')).sum::<u8>());
    text.chunks(255).map(count).sum::<usize>() + usize::from(text.last().is_some_and(|&b| b != b'\n'))
}

/// How many rows so many bytes can hold: a line is at least two bytes a column, but for the last line feed.
fn most_rows(header: &Header, bytes: usize) -> usize {
    bytes / (2 * header.names.len()) + 1
}

/// The number in the file of a row's line: the first is the header.
fn line_of(row: usize) -> usize {
    row + 2
}

fn error(path: &Path, header: &Header, row: usize, fault: Fault) -> DataError {
    let column = fault.column.and_then(|c| header.names.get(c)).cloned();
    DataError::Csv { path: path.to_path_buf(), line: line_of(row), column, problem: fault.problem }
}

/// Parses a block of lines; an error comes with its row in the file.
struct ParseBlock<'a, 'b> {
    header: &'a Header,
    plain: &'a mut Plain,
    text: &'a [u8],
    target: Target<'b>,
}

impl Vectorize for ParseBlock<'_, '_> {
    type Output = Result<(), (usize, Fault)>;

    #[inline(always)]
    fn run(self) -> Self::Output {
        let ParseBlock { header, plain, mut text, target } = self;
        let mut pixels = target.pixels.chunks_exact_mut(header.pixels());
        let mut labels = target.labels.iter_mut();
        let mut spare = Vec::new();
        let mut row = target.first;
        while !text.is_empty() {
            let end = line_end(text);
            let line = &text[..end];
            text = text.get(end + 1..).unwrap_or_default();
            // Without room for this line, something is wrong in it or before it: parse it for its error.
            let pixels = pixels.next().unwrap_or_else(|| {
                spare.resize(header.pixels(), 0);
                &mut spare
            });
            let label = match parse_plain(header, plain, line, pixels) {
                Some(label) => label,
                None => careful::parse_line(header, line, pixels).map_err(|fault| (row, fault))?,
            };
            if let Some(slot) = labels.next() {
                *slot = label;
            }
            row += 1;
        }
        Ok(())
    }
}

/// Where the first line ends: at its line feed, or at the end of the text.
#[inline(always)]
fn line_end(text: &[u8]) -> usize {
    const WIDTH: usize = 64;
    let mut start = 0;
    for chunk in text.chunks(WIDTH) {
        let mut found = 0;
        for &byte in chunk {
            found |= u8::from(byte == b'\n');
        }
        if found != 0 {
            return start + chunk.iter().position(|&b| b == b'\n').unwrap_or_default();
        }
        start += chunk.len();
    }
    text.len()
}

/// Parses a plain line; returns its label, 0 where there is no such column.
#[inline(always)]
pub(super) fn parse_plain(header: &Header, plain: &mut Plain, line: &[u8], pixels: &mut [u8]) -> Option<u32> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (label, line) = match header.label {
        None => (0, line),
        Some(0) => {
            let comma = line.iter().take(MAX_DIGITS + 1).position(|&b| b == b',')?;
            (number(&line[..comma])?, &line[comma + 1..])
        }
        Some(last) if last + 1 == header.names.len() => {
            let comma = line.iter().rev().take(MAX_DIGITS + 1).position(|&b| b == b',')?;
            (number(&line[line.len() - comma..])?, &line[..line.len() - comma - 1])
        }
        Some(_) => return None,
    };
    pixels.copy_from_slice(plain.parse(line)?);
    Some(label)
}

/// Digits of the highest label.
const MAX_DIGITS: usize = 5;

/// A label in plain digits.
#[inline(always)]
fn number(digits: &[u8]) -> Option<u32> {
    let mut value = 0;
    for &digit in digits {
        value = 10 * value + u32::from(Some(digit.wrapping_sub(b'0')).filter(|&d| d <= 9)?);
    }
    Some(value).filter(|&v| !digits.is_empty() && v <= MAX_LABEL)
}
