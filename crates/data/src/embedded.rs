//! The real MNIST inside the binary, repacked by `build.rs` so that it loads in well under 0.1 s.
//!
//! Yann LeCun, Corinna Cortes, Christopher J. C. Burges: the MNIST database of handwritten digits, CC BY-SA 3.0.

use std::path::Path;

use flate2::{Decompress, FlushDecompress, Status};
use rayon::prelude::*;

use crate::error::DataError;
use crate::source::{Source, SourceKind, class_names};
use crate::types::{Dataset, ImageShape, Images};

macro_rules! repacked {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name))
    };
}

static TRAIN_IMAGES: &[u8] = repacked!("train-images-idx3-ubyte");
static TRAIN_LABELS: &[u8] = repacked!("train-labels-idx1-ubyte");
static TEST_IMAGES: &[u8] = repacked!("t10k-images-idx3-ubyte");
static TEST_LABELS: &[u8] = repacked!("t10k-labels-idx1-ubyte");

/// MNIST as embedded: 60,000 training and 10,000 test images of 28 x 28 x 1, labelled, light on dark.
///
/// # Errors
/// Only if the binary itself is damaged.
pub fn mnist() -> Result<Source, DataError> {
    let dataset = |images: &[u8], labels: &[u8]| -> Result<Dataset, DataError> {
        let pixels = unpack(images).ok_or_else(damaged)?;
        let images = Images::new(ImageShape::new(28, 28, 1), pixels)?;
        if images.len() != labels.len() {
            return Err(damaged());
        }
        Ok(Dataset { images, labels: Some(labels.iter().map(|&l| u32::from(l)).collect()) })
    };
    let (train, test) = rayon::join(|| dataset(TRAIN_IMAGES, TRAIN_LABELS), || dataset(TEST_IMAGES, TEST_LABELS));
    let (train, test) = (train?, test?);
    let place = Path::new("mnist");
    let classes = class_names(None, &[(place.into(), Some(&train)), (place.into(), Some(&test))])?;
    let name = "mnist".to_string();
    Ok(Source { name, kind: SourceKind::Embedded, classes, train, validation: None, test: Some(test), notes: vec![] })
}

fn damaged() -> DataError {
    DataError::Setting("the embedded MNIST is damaged: build or download the program again".to_string())
}

/// Decodes the blocks that `build.rs` wrote, side by side.
fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let word = |at: usize| Some(u32::from_le_bytes(packed.get(at..at + 4)?.try_into().ok()?) as usize);
    let count = word(0)?;
    let mut rest = packed.get(4 + 8 * count..)?;
    let mut blocks = Vec::with_capacity(count);
    for i in 0..count {
        let (block, tail) = rest.split_at_checked(word(8 + 8 * i)?)?;
        blocks.push((word(4 + 8 * i)?, block));
        rest = tail;
    }
    let mut pixels = vec![0; blocks.iter().map(|(raw, _)| raw).sum()];
    let mut free = pixels.as_mut_slice();
    let mut jobs = Vec::with_capacity(count);
    for (raw, block) in blocks {
        let (target, tail) = free.split_at_mut(raw);
        jobs.push((block, target));
        free = tail;
    }
    jobs.into_par_iter().all(|(block, target)| inflate(block, target)).then_some(pixels)
}

/// Decodes one block; tells whether it filled `target`, to its end and no further.
fn inflate(block: &[u8], target: &mut [u8]) -> bool {
    let mut decoder = Decompress::new(false);
    let end = decoder.decompress(block, target, FlushDecompress::Finish);
    end.is_ok_and(|status| status == Status::StreamEnd) && decoder.total_out() == target.len() as u64
}
