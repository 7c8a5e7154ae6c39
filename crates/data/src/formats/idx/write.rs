//! Writing a source as IDX files.

use std::io::Write;
use std::path::Path;

use super::{INT_32, UNSIGNED_BYTE};
use crate::atomic::AtomicFile;
use crate::error::DataError;
use crate::source::{Part, Source, write_class_file};
use crate::types::Images;

/// Writes `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and so on into `folder`; `progress` counts images.
pub(crate) fn write(source: &Source, folder: &Path, progress: &mut dyn FnMut(usize)) -> Result<(), DataError> {
    for (part, data) in source.parts() {
        let prefix = match part {
            Part::Train => "train",
            Part::Validation => "validation",
            Part::Test => "t10k",
        };
        let dimensions = if data.images.shape().channels == 1 { 3 } else { 4 };
        let path = folder.join(format!("{prefix}-images-idx{dimensions}-ubyte"));
        write_file(&path, &image_header(&data.images, &path)?, data.images.pixels())?;
        if let Some(labels) = &data.labels {
            let path = folder.join(format!("{prefix}-labels-idx1-ubyte"));
            let count = size(labels.len(), &path)?;
            if labels.iter().all(|&l| l < 256) {
                let body: Vec<u8> = labels.iter().map(|&l| l as u8).collect();
                write_file(&path, &[&[0, 0, UNSIGNED_BYTE, 1][..], &count].concat(), &body)?;
            } else {
                let body: Vec<u8> = labels.iter().flat_map(|&l| l.to_be_bytes()).collect();
                write_file(&path, &[&[0, 0, INT_32, 1][..], &count].concat(), &body)?;
            }
        }
        progress(data.len());
    }
    write_class_file(source, &[Part::Train, Part::Validation, Part::Test], folder)
}

fn image_header(images: &Images, path: &Path) -> Result<Vec<u8>, DataError> {
    let shape = images.shape();
    let mut sizes = vec![images.len(), shape.height, shape.width];
    if shape.channels > 1 {
        sizes.push(shape.channels);
    }
    let mut header = vec![0, 0, UNSIGNED_BYTE, sizes.len() as u8];
    for n in sizes {
        header.extend(size(n, path)?);
    }
    Ok(header)
}

fn size(n: usize, path: &Path) -> Result<[u8; 4], DataError> {
    let problem = || format!("{n} does not fit the format's 32 bits: split the data up");
    u32::try_from(n).map(u32::to_be_bytes).map_err(|_| DataError::idx(path, 4, problem()))
}

fn write_file(path: &Path, header: &[u8], body: &[u8]) -> Result<(), DataError> {
    let write = || {
        let mut file = AtomicFile::create(path)?;
        file.write_all(header)?;
        file.write_all(body)?;
        file.commit()
    };
    write().map_err(DataError::write(path))
}
