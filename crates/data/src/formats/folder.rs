//! Folders of images, one folder per class: `train/<class>/*.png`, with optional `validation/` and `test/`, or
//! `<class>/*.png` directly. A `test/` without class folders is an unlabelled test set.
//!
//! Class names are the folders' names, sorted (by number if all are numbers). Within a split, images are ordered by
//! file name, then class, with numbers in names compared as numbers; so the first images of a data set are not all of
//! one class, and converting to a folder and back keeps the order.

mod scan;
mod write;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::error::DataError;
use crate::formats::some_of;
use crate::image_file::{image_size, read_image};
use crate::resize::expand;
use crate::source::{OpenOptions, Part, Source, SourceKind};
use crate::types::{Dataset, ImageShape, Images};

use scan::{Entry, Scan};
pub(crate) use write::write;

/// Images of one common size are kept at it up to this many pixels a side.
const KEPT_SIDE: usize = 64;
/// All others are resized to this height and width, unless one is asked for.
const DEFAULT_SIZE: (usize, usize) = (32, 32);

/// Reads a folder of images as a source.
pub(crate) fn read_source(name: &str, folder: &Path, options: &OpenOptions) -> Result<Source, DataError> {
    let Scan { classes, train, validation, test, mut notes } = scan::scan(folder)?;
    let parts: Vec<(Part, &[Entry])> =
        [(Part::Train, Some(&train)), (Part::Validation, validation.as_ref()), (Part::Test, test.as_ref())]
            .into_iter()
            .filter_map(|(part, entries)| Some((part, entries?.as_slice())))
            .collect();
    let size = match options.size {
        Some(size) => size,
        None => choose_size(&parts)?,
    };
    let all: Vec<&Entry> = parts.iter().flat_map(|(_, entries)| entries.iter()).collect();
    let decoded = decode(&all, size, options)?;
    let channels = options.channels.unwrap_or_else(|| if decoded.iter().all(|d| d.channels == 1) { 1 } else { 3 });
    let shape = ImageShape { height: size.0, width: size.1, channels };
    notes.extend(resize_note(&decoded, size, options));
    if channels == 1 && decoded.iter().any(|d| d.was_colour) {
        notes.push("turned colour images grey".to_string());
    }
    let mut rest = decoded.as_slice();
    let mut datasets = [None, None, None];
    for (part, entries) in parts {
        let (own, tail) = rest.split_at(entries.len());
        rest = tail;
        datasets[part as usize] = Some(dataset(shape, own, entries)?);
    }
    let [Some(train), validation, test] = datasets else {
        return Err(DataError::folder(folder, "there are no training images"));
    };
    Ok(Source { name: name.to_string(), kind: SourceKind::Folder, classes, train, validation, test, notes })
}

/// The files of a folder's training images, in the order in which the images are read.
///
/// # Errors
/// If it is no folder of images.
pub fn training_files(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    Ok(scan::scan(folder)?.train.into_iter().map(|entry| entry.path).collect())
}

/// One image at its final size: 1 channel if it is grey, else 3.
struct Decoded {
    channels: usize,
    was_colour: bool,
    original: (usize, usize),
    pixels: Vec<u8>,
}

fn decode(entries: &[&Entry], size: (usize, usize), options: &OpenOptions) -> Result<Vec<Decoded>, DataError> {
    let one = |entry: &&Entry| {
        let image = read_image(&entry.path)?;
        let own = image.shape();
        let channels = options.channels.unwrap_or(own.channels);
        let pixels = image.to_input(ImageShape { height: size.0, width: size.1, channels }, options.resize);
        Ok(Decoded { channels, was_colour: own.channels == 3, original: (own.height, own.width), pixels })
    };
    in_order(entries.par_iter().map(one).collect())
}

/// The results of parallel work, or the first error in the order of the images; rayon itself would take any.
fn in_order<T, C: FromIterator<T>>(results: Vec<Result<T, DataError>>) -> Result<C, DataError> {
    results.into_iter().collect()
}

fn dataset(shape: ImageShape, decoded: &[Decoded], entries: &[Entry]) -> Result<Dataset, DataError> {
    let mut pixels = Vec::with_capacity(decoded.len() * shape.len());
    for image in decoded {
        if image.channels == shape.channels {
            pixels.extend_from_slice(&image.pixels);
        } else {
            pixels.extend(expand(&image.pixels, shape.channels));
        }
    }
    let labels = entries.iter().map(|e| e.class).collect();
    Ok(Dataset { images: Images::new(shape, pixels)?, labels })
}

/// The size that all images have, if that is small; else the default. Only headers are read.
fn choose_size(parts: &[(Part, &[Entry])]) -> Result<(usize, usize), DataError> {
    let entries: Vec<&Entry> = parts.iter().flat_map(|(_, entries)| entries.iter()).collect();
    let sizes: BTreeSet<(usize, usize)> = in_order(entries.par_iter().map(|e| image_size(&e.path)).collect())?;
    match sizes.first() {
        Some(&size) if sizes.len() == 1 && size.0.max(size.1) <= KEPT_SIDE => Ok(size),
        _ => Ok(DEFAULT_SIZE),
    }
}

fn resize_note(decoded: &[Decoded], to: (usize, usize), options: &OpenOptions) -> Option<String> {
    let sizes: BTreeSet<(usize, usize)> = decoded.iter().map(|d| d.original).filter(|&s| s != to).collect();
    let text = |(height, width): (usize, usize)| format!("{height} x {width}");
    let names: Vec<String> = sizes.iter().copied().map(text).collect();
    let of = match names.len() {
        0 => return None,
        1 => format!("images of {}", names[0]),
        n => format!("images of {n} sizes ({})", some_of(&names)),
    };
    let hint = if options.size.is_none() { ", the size that is used where none is asked for" } else { "" };
    Some(format!("resized {of} to {}{hint}", text(to)))
}
