//! NPZ archives as Keras ships its datasets: `x_train`, `y_train`, `x_test`, `y_test`, optionally `x_val` and `y_val`.
//! MedMNIST's names (`train_images`, `train_labels`, ...) are understood as well.
//!
//! Images are uint8, `N x H x W` or `N x H x W x C`; labels integers of any width, `N` or `N x 1`. An optional array
//! `classes` of `K` strings names the classes.

mod archive;
mod npy;

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::error::DataError;
use crate::source::{Part, Source, SourceKind, class_names, names_classes};
use crate::types::{Dataset, ImageShape, Images};

use archive::{Archive, ArchiveWriter, Array};
use npy::Element;

/// The names under which the images and labels of each part are looked for.
fn names(part: Part) -> (&'static [&'static str], &'static [&'static str]) {
    match part {
        Part::Train => (&["x_train", "train_images"], &["y_train", "train_labels"]),
        Part::Validation => (&["x_val", "val_images"], &["y_val", "val_labels"]),
        Part::Test => (&["x_test", "test_images"], &["y_test", "test_labels"]),
    }
}

/// Whether a file is called `.npz`, or is a zip archive whatever it is called.
pub(crate) fn is_npz(path: &Path) -> Result<bool, DataError> {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npz")) {
        return Ok(true);
    }
    let mut start = Vec::new();
    let file = File::open(path).map_err(DataError::read(path))?;
    file.take(4).read_to_end(&mut start).map_err(DataError::read(path))?;
    if start.is_empty() {
        return Err(DataError::Empty { path: path.to_path_buf() });
    }
    Ok(start == b"PK\x03\x04")
}

/// Reads an archive as a source.
pub(crate) fn read_source(name: &str, path: &Path) -> Result<Source, DataError> {
    let archive = Archive::open(path)?;
    let (train, images_name) = read_part(&archive, Part::Train)?.ok_or_else(|| {
        let found = archive.names();
        let found = if found.is_empty() { "nothing".to_string() } else { crate::formats::some_of(&found) };
        archive.error(None, format!("expected arrays 'x_train' and 'y_train', found {found}"))
    })?;
    if train.labels.is_none() {
        return Err(archive.error(None, "there are training images, but no labels: expected an array 'y_train'"));
    }
    let other = |part: Part| -> Result<Option<Dataset>, DataError> {
        let Some((data, other_name)) = read_part(&archive, part)? else { return Ok(None) };
        if data.images.shape() == train.images.shape() {
            return Ok(Some(data));
        }
        Err(DataError::ShapeMismatch {
            first_place: path.join(images_name),
            first: train.images.shape(),
            other_place: path.join(other_name),
            other: data.images.shape(),
        })
    };
    let (validation, test) = (other(Part::Validation)?, other(Part::Test)?);
    let parts = [Some(&train), validation.as_ref(), test.as_ref()].map(|data| (path.to_path_buf(), data));
    let numbered = class_names(None, &parts)?;
    let classes = read_classes(&archive, numbered)?;
    Ok(Source { name: name.to_string(), kind: SourceKind::Npz, classes, train, validation, test, notes: vec![] })
}

/// Reads one part, and says under which name its images were found.
fn read_part(archive: &Archive, part: Part) -> Result<Option<(Dataset, &'static str)>, DataError> {
    let (image_names, label_names) = names(part);
    let Some(image_name) = archive.first(image_names) else { return Ok(None) };
    let images = images(archive, image_name, archive.array(image_name)?)?;
    let Some(label_name) = archive.first(label_names) else {
        return Ok(Some((Dataset { images, labels: None }, image_name)));
    };
    let labels = labels(archive, label_name, &archive.array(label_name)?)?;
    if labels.len() != images.len() {
        let problem = format!("{} labels, but '{image_name}' holds {} images", labels.len(), images.len());
        return Err(archive.error(Some(label_name), problem));
    }
    Ok(Some((Dataset { images, labels: Some(labels) }, image_name)))
}

fn images(archive: &Archive, name: &str, array: Array) -> Result<Images, DataError> {
    let bad = |problem: String| Err(archive.error(Some(name), problem));
    if array.header.element != Element::Unsigned(1) {
        return bad(format!("pixels of type {:?}: save them as uint8 (0 to 255)", array.header.element));
    }
    let shape = match array.header.shape[..] {
        [_, height, width] => ImageShape { height, width, channels: 1 },
        [_, height, width, channels @ (1 | 3)] => ImageShape { height, width, channels },
        [_, channels @ (1 | 3), height, width] => {
            return bad(format!(
                "shape N x {channels} x {height} x {width} has its channels first: transpose it to N x H x W x C"
            ));
        }
        _ => return bad(format!("shape {:?} is not N x H x W or N x H x W x C with C 1 or 3", array.header.shape)),
    };
    if array.header.shape.contains(&0) {
        return bad("it holds no images".to_string());
    }
    Images::new(shape, array.data)
}

fn labels(archive: &Archive, name: &str, array: &Array) -> Result<Vec<u32>, DataError> {
    let bad = |problem: String| archive.error(Some(name), problem);
    let (width, signed) = match array.header.element {
        Element::Unsigned(width) => (width, false),
        Element::Signed(width) => (width, true),
        Element::Text(_) => return Err(bad("labels are text: save them as integers from 0".to_string())),
    };
    match array.header.shape[..] {
        [_] | [_, 1] => {}
        [n, k] => return Err(bad(format!("shape {n} x {k} looks one-hot: save class indices (argmax over axis 1)"))),
        _ => return Err(bad(format!("shape {:?} is not N or N x 1", array.header.shape))),
    }
    let label = |(i, bytes): (usize, &[u8])| {
        let mut wide = [0; 8];
        wide[..width].copy_from_slice(bytes);
        if array.header.big_endian {
            wide[..width].reverse();
        }
        let negative = signed && wide[width - 1] >= 0x80;
        match u32::try_from(u64::from_le_bytes(wide)) {
            Ok(label) if !negative => Ok(label),
            _ => Err(bad(format!("label {i} is negative or too high: labels number the classes from 0"))),
        }
    };
    array.data.chunks_exact(width).enumerate().map(label).collect()
}

/// The names in the array `classes` if there is one, else `numbered`.
fn read_classes(archive: &Archive, numbered: Vec<String>) -> Result<Vec<String>, DataError> {
    const NAME: &str = "classes";
    if archive.first(&[NAME]).is_none() {
        return Ok(numbered);
    }
    let array = archive.array(NAME)?;
    let bad = |problem: &str| archive.error(Some(NAME), problem);
    let (Element::Text(characters), [count]) = (array.header.element, &array.header.shape[..]) else {
        return Err(bad("the class names are not one row of strings"));
    };
    if *count < numbered.len() {
        return Err(bad(&format!("{count} class names, but the labels go up to {}", numbered.len() - 1)));
    }
    if characters == 0 {
        return Err(bad("the class names are empty"));
    }
    let character = |b: &[u8]| {
        let bytes = [b[0], b[1], b[2], b[3]];
        char::from_u32(if array.header.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    let name = |bytes: &[u8]| {
        let name: Option<String> = bytes.chunks_exact(4).map(character).collect();
        name.map(|n| n.trim_end_matches('\0').to_string()).ok_or_else(|| bad("a class name is no Unicode text"))
    };
    array.data.chunks_exact(4 * characters).map(name).collect()
}

/// Writes a source as an archive; `path` names it in errors, `progress` counts images.
pub(crate) fn write<W: Write + Seek>(
    source: &Source,
    path: &Path,
    writer: W,
    progress: &mut dyn FnMut(usize),
) -> Result<W, DataError> {
    let mut archive = ArchiveWriter::new(path, writer);
    for (part, data) in source.parts() {
        let (images, labels) = names(part);
        let ImageShape { height, width, channels } = data.images.shape();
        let mut shape = vec![data.len(), height, width];
        if channels > 1 {
            shape.push(channels);
        }
        archive.add(images[0], Element::Unsigned(1), shape, data.images.pixels())?;
        if let Some(values) = &data.labels {
            let width = if values.iter().all(|&l| l < 256) { 1 } else { 4 };
            let bytes: Vec<u8> = values.iter().flat_map(|l| l.to_le_bytes().into_iter().take(width)).collect();
            archive.add(labels[0], Element::Unsigned(width), vec![data.len()], &bytes)?;
        }
        progress(data.len());
    }
    if names_classes(source, &[Part::Train, Part::Validation, Part::Test]) {
        let longest = source.classes.iter().map(|c| c.chars().count()).max().unwrap_or(0).max(1);
        let padded = |name: &String| name.chars().chain(std::iter::repeat('\0')).take(longest).collect::<Vec<_>>();
        let text = source.classes.iter().flat_map(padded).flat_map(|c| u32::from(c).to_le_bytes());
        archive.add("classes", Element::Text(longest), vec![source.classes.len()], &text.collect::<Vec<u8>>())?;
    }
    archive.finish()
}
