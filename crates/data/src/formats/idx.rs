//! IDX, the format MNIST was published in: big-endian sizes, then bytes. Read strictly, plain or gzipped.
//!
//! Byte 2 of the magic number is the element type, byte 3 the number of dimensions; one 32-bit size for each
//! dimension follows (<http://yann.lecun.com/exdb/mnist/>). Images are `N x H x W` or `N x H x W x C` unsigned
//! bytes; labels are `N` unsigned bytes or, where those do not suffice, 32-bit integers.

mod write;

use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::formats::gz::MaybeGz;
use crate::source::{Part, Source, SourceKind, class_names};
use crate::types::{Dataset, ImageShape, Images};

pub(crate) use write::write;

const UNSIGNED_BYTE: u8 = 0x08;
const INT_32: u8 = 0x0c;

/// The header of an IDX file: its element type and its sizes.
struct Header {
    element: u8,
    sizes: Vec<usize>,
}

impl Header {
    /// Bytes of the header itself.
    fn len(&self) -> u64 {
        4 + 4 * self.sizes.len() as u64
    }

    fn read(path: &Path, file: &mut MaybeGz, what: &str, dimensions: &[u8]) -> Result<Header, DataError> {
        let magic = file.read_up_to(4)?;
        if magic.len() < 4 {
            let problem = format!("the file ends inside its magic number: it is no IDX file of {what}");
            return Err(DataError::idx(path, magic.len() as u64, problem));
        }
        let (element, dimension) = (magic[2], magic[3]);
        let fits = element == UNSIGNED_BYTE || (element == INT_32 && what == "labels");
        if magic[..2] != [0, 0] || !fits || !dimensions.contains(&dimension) {
            let found: String = magic.iter().map(|b| format!("{b:02x}")).collect();
            let expected: Vec<String> = dimensions.iter().map(|d| format!("000008{d:02x}")).collect();
            let hint = if magic == *b"PK\x03\x04" { " (this is a zip archive: unpack it)" } else { "" };
            return Err(DataError::idx(
                path,
                0,
                format!("magic number {found} is not that of {what}, {}{hint}", expected.join(" or ")),
            ));
        }
        let bytes = file.read_up_to(4 * u64::from(dimension))?;
        if bytes.len() < 4 * dimension as usize {
            return Err(DataError::idx(path, file.position(), "the file ends inside its header: it is truncated"));
        }
        let size = |b: &[u8]| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize;
        Ok(Header { element, sizes: bytes.chunks_exact(4).map(size).collect() })
    }

    /// Reads the elements: exactly as many as the header says, each of `width` bytes.
    fn read_body(&self, path: &Path, file: &mut MaybeGz, width: u64) -> Result<Vec<u8>, DataError> {
        let product = self.sizes.iter().try_fold(width, |product, &size| product.checked_mul(size as u64));
        let Some(expected) = product.filter(|&p| p < MAX_BYTES) else {
            let sizes: Vec<String> = self.sizes.iter().map(|s| s.to_string()).collect();
            let problem = format!("the header promises {} elements, which cannot be: it is damaged", sizes.join(" x "));
            return Err(DataError::idx(path, 4, problem));
        };
        let body = file.read_up_to(expected + 1)?;
        let total = self.len() + expected;
        if (body.len() as u64) < expected {
            let problem = format!("the file ends here, but its header promises {total} bytes: it is truncated");
            return Err(DataError::idx(path, file.position(), problem));
        }
        if body.len() as u64 > expected {
            let problem = format!("the file goes on, but its header promises {total} bytes: it is damaged or not IDX");
            return Err(DataError::idx(path, total, problem));
        }
        Ok(body)
    }
}

/// No set of small images is larger than this (1 TiB); a header that promises more is damaged.
const MAX_BYTES: u64 = 1 << 40;

/// Reads a file of images, `N x H x W` (grey) or `N x H x W x C`.
///
/// # Errors
/// A wrong magic number, a header that cannot be, and a file shorter or longer than its header says, each with the
/// byte; gzip damage; no images.
pub fn read_images(path: &Path) -> Result<Images, DataError> {
    let mut file = MaybeGz::open(path)?;
    let header = Header::read(path, &mut file, "images", &[3, 4])?;
    let shape = ImageShape {
        height: header.sizes[1],
        width: header.sizes[2],
        channels: header.sizes.get(3).copied().unwrap_or(1),
    };
    if let Some(i) = header.sizes.iter().position(|&s| s == 0) {
        let problem = "a size of zero: the file holds no images".to_string();
        return Err(DataError::idx(path, 4 + 4 * i as u64, problem));
    }
    if shape.channels != 1 && shape.channels != 3 {
        let problem = format!("{} channels: images are grey (1) or RGB (3)", shape.channels);
        return Err(DataError::idx(path, 16, problem));
    }
    Images::new(shape, header.read_body(path, &mut file, 1)?)
}

/// Reads a file of `N` labels.
///
/// # Errors
/// As [`read_images`]; also negative labels.
pub fn read_labels(path: &Path) -> Result<Vec<u32>, DataError> {
    let mut file = MaybeGz::open(path)?;
    let header = Header::read(path, &mut file, "labels", &[1])?;
    if header.element == UNSIGNED_BYTE {
        return Ok(header.read_body(path, &mut file, 1)?.into_iter().map(u32::from).collect());
    }
    let body = header.read_body(path, &mut file, 4)?;
    let label = |(i, b): (usize, &[u8])| {
        let value = i32::from_be_bytes([b[0], b[1], b[2], b[3]]);
        let problem = || format!("label {value} of image {i} is negative: labels count from 0");
        u32::try_from(value).map_err(|_| DataError::idx(path, header.len() + 4 * i as u64, problem()))
    };
    body.chunks_exact(4).enumerate().map(label).collect()
}

/// The IDX files of one folder, by the part of the source they hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Files {
    train: Pair,
    validation: Pair,
    test: Pair,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Pair {
    images: Option<PathBuf>,
    labels: Option<PathBuf>,
}

impl Files {
    /// Picks the IDX files out of a folder's files, by the names people give them
    /// (`train-images-idx3-ubyte`, `t10k-labels.idx1-ubyte.gz`, `emnist-letters-test-images-idx3-ubyte`, ...).
    pub(crate) fn find(folder: &Path, names: &[String]) -> Result<Files, DataError> {
        let mut files = Files::default();
        for name in names {
            let Some((part, is_images)) = role(name) else { continue };
            let pair = match part {
                Part::Train => &mut files.train,
                Part::Validation => &mut files.validation,
                Part::Test => &mut files.test,
            };
            let slot = if is_images { &mut pair.images } else { &mut pair.labels };
            let path = folder.join(name);
            match slot {
                None => *slot = Some(path),
                // The same file plain and gzipped: the plain one is faster.
                Some(old) if old.as_os_str() == path.with_extension("").as_os_str() => {}
                Some(old) if old.with_extension("").as_os_str() == path.as_os_str() => *slot = Some(path),
                Some(old) => {
                    let what = if is_images { "images" } else { "labels" };
                    let problem = format!(
                        "both '{}' and '{name}' could be the {part} {what}: keep one set of IDX files a folder",
                        old.file_name().unwrap_or_default().to_string_lossy()
                    );
                    return Err(DataError::folder(folder, problem));
                }
            }
        }
        Ok(files)
    }

    /// Whether there is any IDX file at all.
    pub(crate) fn any(&self) -> bool {
        *self != Files::default()
    }
}

/// What an IDX file of this name holds: the part, and whether it is its images.
fn role(name: &str) -> Option<(Part, bool)> {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    if !(name.contains("idx") || name.ends_with("ubyte")) {
        return None;
    }
    let is_images = match (name.contains("images"), name.contains("labels")) {
        (true, false) => true,
        (false, true) => false,
        _ => return None,
    };
    let part = if name.contains("train") {
        Part::Train
    } else if name.contains("t10k") || name.contains("test") {
        Part::Test
    } else if name.contains("valid") {
        Part::Validation
    } else {
        return None;
    };
    Some((part, is_images))
}

/// Whether a file of this name would be taken for an IDX file.
pub(crate) fn is_idx_name(name: &str) -> bool {
    role(name).is_some()
}

/// Reads a folder of IDX files: `train` with labels, and `validation` and `test` if they are there.
pub(crate) fn read_folder(name: &str, folder: &Path, files: &Files) -> Result<Source, DataError> {
    let missing = |what: &str| {
        DataError::folder(folder, format!("there are IDX files, but no {what}: expected a name like 'train-{what}'"))
    };
    let train_images = files.train.images.as_ref().ok_or_else(|| missing("images-idx3-ubyte"))?;
    let train_labels = files.train.labels.as_ref().ok_or_else(|| missing("labels-idx1-ubyte"))?;
    let train = read_pair(train_images, Some(train_labels))?;
    let mut notes = Vec::new();
    let mut other = |pair: &Pair, part: Part| -> Result<Option<Dataset>, DataError> {
        let Some(images) = &pair.images else {
            if let Some(labels) = &pair.labels {
                notes.push(format!("ignored '{}': there are no {part} images for it", labels.display()));
            }
            return Ok(None);
        };
        let data = read_pair(images, pair.labels.as_deref())?;
        if data.images.shape() != train.images.shape() {
            return Err(DataError::ShapeMismatch {
                first_place: train_images.clone(),
                first: train.images.shape(),
                other_place: images.clone(),
                other: data.images.shape(),
            });
        }
        Ok(Some(data))
    };
    let validation = other(&files.validation, Part::Validation)?;
    let test = other(&files.test, Part::Test)?;
    let place = |pair: &Pair| pair.labels.clone().unwrap_or_else(|| folder.to_path_buf());
    let classes = class_names(
        Some(folder),
        &[
            (place(&files.train), Some(&train)),
            (place(&files.validation), validation.as_ref()),
            (place(&files.test), test.as_ref()),
        ],
    )?;
    Ok(Source { name: name.to_string(), kind: SourceKind::Idx, classes, train, validation, test, notes })
}

fn read_pair(images: &Path, labels: Option<&Path>) -> Result<Dataset, DataError> {
    let data = Dataset { images: read_images(images)?, labels: labels.map(read_labels).transpose()? };
    match (&data.labels, labels) {
        (Some(found), Some(path)) if found.len() != data.images.len() => Err(DataError::CountMismatch {
            images: images.to_path_buf(),
            image_count: data.images.len(),
            labels: path.to_path_buf(),
            label_count: found.len(),
        }),
        _ => Ok(data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_people_give_are_recognised() {
        assert_eq!(role("train-images-idx3-ubyte.gz"), Some((Part::Train, true)));
        assert_eq!(role("train-labels.idx1-ubyte"), Some((Part::Train, false)));
        assert_eq!(role("t10k-images.idx3-ubyte"), Some((Part::Test, true)));
        assert_eq!(role("emnist-letters-test-labels-idx1-ubyte"), Some((Part::Test, false)));
        assert_eq!(role("validation-images-idx4-ubyte"), Some((Part::Validation, true)));
        assert_eq!(role("train-images.png"), None);
        assert_eq!(role("train.csv"), None);
    }

    #[test]
    fn plain_wins_over_gzipped_and_two_sets_are_refused() {
        let find =
            |names: &[&str]| Files::find(Path::new("d"), &names.iter().map(|n| n.to_string()).collect::<Vec<_>>());
        let files = find(&["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"]).unwrap();
        assert_eq!(files.train.images.as_deref(), Some(Path::new("d/train-images-idx3-ubyte")));
        let files = find(&["train-images-idx3-ubyte.gz", "train-images-idx3-ubyte"]).unwrap();
        assert_eq!(files.train.images.as_deref(), Some(Path::new("d/train-images-idx3-ubyte")));
        let error = find(&["a-train-images-idx3-ubyte", "b-train-images-idx3-ubyte"]).unwrap_err();
        assert!(error.to_string().contains("keep one set of IDX files"), "{error}");
    }
}
