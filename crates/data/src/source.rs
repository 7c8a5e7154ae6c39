//! A source: everything one data set consists of, whatever format it came in.

use std::fmt;
use std::path::{Path, PathBuf};

use glyphnet_kernels::Isa;
use sha2::{Digest, Sha256};

use crate::error::DataError;
use crate::preprocess::ResizeFilter;
use crate::types::{Dataset, ImageShape};

/// The format a source was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// MNIST out of the binary itself.
    Embedded,
    /// A folder of IDX files.
    Idx,
    /// Kaggle's `train.csv` and `test.csv`.
    Kaggle,
    /// An `.npz` as Keras ships it.
    Npz,
    /// A folder of images, one folder per class.
    Folder,
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SourceKind::Embedded => "embedded MNIST",
            SourceKind::Idx => "IDX files",
            SourceKind::Kaggle => "Kaggle CSV",
            SourceKind::Npz => "NPZ archive",
            SourceKind::Folder => "image folder",
        })
    }
}

/// One of the splits a source may bring along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The images to learn from.
    Train,
    /// The images to select by.
    Validation,
    /// The images to judge by, once.
    Test,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Train => "train",
            Part::Validation => "validation",
            Part::Test => "test",
        })
    }
}

/// A data set as it was found. All splits have one image shape; labels index `classes`.
#[derive(Clone, Debug)]
pub struct Source {
    /// What was asked for: `mnist`, `kaggle/train.csv`.
    pub name: String,
    /// The format it was read from.
    pub kind: SourceKind,
    /// Class names; a label is an index into them.
    pub classes: Vec<String>,
    /// The images to learn from; their labels are always there.
    pub train: Dataset,
    /// Images set aside for validation, if the source brings a split of its own.
    pub validation: Option<Dataset>,
    /// Test images, if there are any; Kaggle's have no labels.
    pub test: Option<Dataset>,
    /// What a person should be told about how the data was read.
    pub notes: Vec<String>,
}

impl Source {
    /// The shape of every image.
    pub fn shape(&self) -> ImageShape {
        self.train.images.shape()
    }

    /// The splits that exist, in the order train, validation, test.
    pub fn parts(&self) -> impl Iterator<Item = (Part, &Dataset)> {
        let train = Some((Part::Train, &self.train));
        let validation = self.validation.as_ref().map(|d| (Part::Validation, d));
        let test = self.test.as_ref().map(|d| (Part::Test, d));
        [train, validation, test].into_iter().flatten()
    }

    /// SHA-256 (64 hexadecimal digits) over class names, shapes, pixels and labels of all splits.
    ///
    /// It depends on the data alone: neither on the format it came in nor on where that lay.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"glyphnet source 1\n");
        let number = |hash: &mut Sha256, n: usize| hash.update((n as u64).to_le_bytes());
        number(&mut hash, self.classes.len());
        for name in &self.classes {
            number(&mut hash, name.len());
            hash.update(name.as_bytes());
        }
        for (part, data) in self.parts() {
            let shape = data.images.shape();
            hash.update([part as u8]);
            for n in [data.len(), shape.height, shape.width, shape.channels] {
                number(&mut hash, n);
            }
            hash.update(data.images.pixels());
            hash.update([u8::from(data.labels.is_some())]);
            for label in data.labels.iter().flatten() {
                hash.update(label.to_le_bytes());
            }
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What to make of images while a source is opened. The default takes them as they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenOptions {
    /// Height and width to resize every image to; `None` keeps a common size.
    pub size: Option<(usize, usize)>,
    /// Channels to convert to, 1 (grey) or 3 (RGB); `None` lets the data decide.
    pub channels: Option<usize>,
    /// The filter that resizing uses.
    pub resize: ResizeFilter,
    /// The instruction set to read CSV with; it does not change what is read.
    pub isa: Isa,
}

/// Where labels come from and how many classes they may name.
const MAX_CLASSES: usize = 65_536;

/// The class names of numbered labels: those of `classes.txt` in `folder` if there is one, else `0`, `1`, ...
///
/// `parts` are the datasets with the file that holds each one's labels.
pub(crate) fn class_names(
    folder: Option<&Path>,
    parts: &[(PathBuf, Option<&Dataset>)],
) -> Result<Vec<String>, DataError> {
    let mut needed = 0;
    for (place, data) in parts {
        let labels = data.and_then(|d| d.labels.as_deref()).unwrap_or_default();
        let Some(&highest) = labels.iter().max() else { continue };
        if highest as usize >= MAX_CLASSES {
            return Err(DataError::ClassNames {
                path: place.clone(),
                problem: format!(
                    "label {highest} is too high: labels number the classes from 0 to {}",
                    MAX_CLASSES - 1
                ),
            });
        }
        needed = needed.max(highest as usize + 1);
    }
    if let Some(path) = folder.map(|f| f.join(CLASS_FILE)).filter(|p| p.is_file()) {
        return read_class_file(&path, needed);
    }
    Ok((0..needed).map(|i| i.to_string()).collect())
}

/// The optional file of class names beside IDX and CSV files: one name a line, the first names label 0.
pub(crate) const CLASS_FILE: &str = "classes.txt";

fn read_class_file(path: &Path, needed: usize) -> Result<Vec<String>, DataError> {
    let problem = |problem: String| DataError::ClassNames { path: path.to_path_buf(), problem };
    let text = std::fs::read_to_string(path).map_err(DataError::read(path))?;
    let names: Vec<String> = text.trim_start_matches('\u{feff}').lines().map(|l| l.trim().to_string()).collect();
    if let Some(line) = names.iter().position(|n| n.is_empty()) {
        return Err(problem(format!("line {} is empty: one class name a line, the first names label 0", line + 1)));
    }
    for (line, name) in names.iter().enumerate() {
        if let Some(first) = names[..line].iter().position(|n| n == name) {
            return Err(problem(format!("line {} repeats the name '{name}' of line {}", line + 1, first + 1)));
        }
    }
    if names.len() < needed {
        let highest = needed - 1;
        return Err(problem(format!(
            "{} names, but the labels go up to {highest}: name all {needed} classes",
            names.len()
        )));
    }
    Ok(names)
}

/// Whether the class names of a source must be written down: whether its labels alone would not bring them back.
pub(crate) fn names_classes(source: &Source, labelled: &[Part]) -> bool {
    let labels = source.parts().filter(|(part, _)| labelled.contains(part)).filter_map(|(_, d)| d.labels.as_ref());
    let highest = labels.flatten().max().map_or(0, |&l| l as usize + 1);
    source.classes.len() != highest || source.classes.iter().enumerate().any(|(i, name)| *name != i.to_string())
}

/// Writes `classes.txt` if the class names need it.
pub(crate) fn write_class_file(source: &Source, labelled: &[Part], folder: &Path) -> Result<(), DataError> {
    if !names_classes(source, labelled) {
        return Ok(());
    }
    let path = folder.join(CLASS_FILE);
    if let Some(name) = source.classes.iter().find(|n| n.trim() != n.as_str() || n.is_empty() || n.contains('\n')) {
        let problem = format!("a class is named '{}', which does not fit on a line of its own", name.escape_debug());
        return Err(DataError::ClassNames { path, problem });
    }
    let text: String = source.classes.iter().flat_map(|name| [name.as_str(), "\n"]).collect();
    crate::atomic::write_atomic(&path, text.as_bytes()).map_err(DataError::write(&path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Images;

    fn source() -> Source {
        let data = |pixels: Vec<u8>, labels: Option<Vec<u32>>| Dataset {
            images: Images::new(ImageShape::new(1, 2, 1), pixels).unwrap(),
            labels,
        };
        Source {
            name: "t".into(),
            kind: SourceKind::Idx,
            classes: vec!["a".into(), "bc".into()],
            train: data(vec![1, 2, 3, 4], Some(vec![0, 1])),
            validation: None,
            test: Some(data(vec![5, 6], None)),
            notes: vec![],
        }
    }

    #[test]
    fn the_fingerprint_is_frozen() {
        // Python: hashlib.sha256(b"glyphnet source 1\n" + q(2) + q(1) + b"a" + q(2) + b"bc"
        //     + b"\0" + q(2) + q(1) + q(2) + q(1) + bytes([1, 2, 3, 4]) + b"\1" + i(0) + i(1)
        //     + b"\2" + q(1) + q(1) + q(2) + q(1) + bytes([5, 6]) + b"\0").hexdigest()
        // with q = lambda n: struct.pack("<Q", n) and i = lambda n: struct.pack("<I", n)
        assert_eq!(source().fingerprint(), "cfea3a62ef2f07ac0e14cf3404ba8214eb8053a6d9da817ac96727da9446711a");
    }

    #[test]
    fn the_fingerprint_depends_on_the_data_and_on_nothing_else() {
        let original = source().fingerprint();
        let changed = |change: fn(&mut Source)| {
            let mut source = source();
            change(&mut source);
            source.fingerprint()
        };
        assert_eq!(changed(|s| (s.name, s.kind) = ("other".into(), SourceKind::Npz)), original);
        assert_ne!(changed(|s| s.classes = vec!["ab".into(), "c".into()]), original);
        assert_ne!(changed(|s| s.train.labels = Some(vec![1, 0])), original);
        assert_ne!(changed(|s| s.validation = s.test.take()), original);
        assert_ne!(changed(|s| s.train = s.train.select(&[1, 0])), original);
        assert_ne!(changed(|s| s.test = None), original);
    }
}
