//! `predictions.safetensors`: what a model said to each image of a split, written and read back.

use std::path::Path;

use glyphnet_data::Part;
use safetensors::{Dtype, SafeTensors};

use crate::analysis::Rows;
use crate::model::ranked;
use crate::read_file::read_run_file;
use crate::tensors::{self, Array};
use crate::{Error, Predictions};

/// A larger file is none of ours.
const LARGEST: u64 = 4 << 30;

/// The predictions of one split, for `predictions.safetensors`.
#[derive(Debug)]
pub struct SplitPredictions<'a> {
    /// `train`, `validation` or `test`.
    pub split: &'a str,
    /// Which images: their rows in the source's dataset.
    pub indices: Vec<u32>,
    /// Their labels.
    pub labels: &'a [u32],
    /// Their class probabilities.
    pub predictions: &'a Predictions,
}

/// Writes `predictions.safetensors`: for each split `<split>/index` and `<split>/label` (u32, n) and
/// `<split>/probabilities` (f32, n x classes).
///
/// # Errors
/// If the file cannot be written.
pub fn write_predictions(path: &Path, splits: &[SplitPredictions<'_>]) -> Result<(), Error> {
    let mut arrays: Vec<Array> = Vec::new();
    for split in splits {
        let n = split.labels.len();
        let floats = split.predictions.probabilities().iter().flat_map(|p| p.to_le_bytes()).collect();
        let classes = split.predictions.probabilities().len() / n.max(1);
        arrays.push((format!("{}/index", split.split), Dtype::U32, vec![n], tensors::to_bytes(&split.indices)));
        arrays.push((format!("{}/label", split.split), Dtype::U32, vec![n], tensors::to_bytes(split.labels)));
        arrays.push((format!("{}/probabilities", split.split), Dtype::F32, vec![n, classes], floats));
    }
    tensors::write(path, &arrays)
}

/// The predictions of one split, read back. The numbers fit together, labels are below `classes`, and each row of
/// probabilities is a distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedSplit {
    /// `train`, `validation` or `test`.
    pub split: String,
    /// Which images: their rows in the source's dataset (n).
    pub indices: Vec<u32>,
    /// Their labels (n).
    pub labels: Vec<u32>,
    /// Their class probabilities (n x classes, row-major).
    pub probabilities: Vec<f32>,
    /// Number of classes.
    pub classes: usize,
}

impl SavedSplit {
    /// The probabilities of the image at `row`, by label.
    ///
    /// # Panics
    /// If there is no such image.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.probabilities[row * self.classes..(row + 1) * self.classes]
    }

    /// The labels of the image at `row`, most probable first.
    ///
    /// # Panics
    /// If there is no such image.
    pub fn ranked(&self, row: usize) -> Vec<u32> {
        ranked(self.row(row))
    }
}

/// Reads what [`write_predictions`] wrote: the splits in the order train, validation, test. Tensors with other names are
/// passed over.
///
/// # Errors
/// If the file cannot be read, or is no intact file of predictions.
pub fn read_predictions(path: &Path) -> Result<Vec<SavedSplit>, Error> {
    predictions_from_bytes(&read_run_file(path, LARGEST)?, path)
}

/// The same without these splits, which need not be in order.
pub(crate) fn read_predictions_without(path: &Path, left_out: &[&str]) -> Result<Vec<SavedSplit>, Error> {
    parse_without(&read_run_file(path, LARGEST)?, left_out)
        .map_err(|reason| Error::Damaged { path: path.to_owned(), reason })
}

/// The same of the bytes of such a file; `origin` names them in errors.
///
/// # Errors
/// If they are no intact file of predictions.
pub fn predictions_from_bytes(bytes: &[u8], origin: &Path) -> Result<Vec<SavedSplit>, Error> {
    parse(bytes).map_err(|reason| Error::Damaged { path: origin.to_owned(), reason })
}

fn parse(bytes: &[u8]) -> Result<Vec<SavedSplit>, String> {
    parse_without(bytes, &[])
}

fn parse_without(bytes: &[u8], left_out: &[&str]) -> Result<Vec<SavedSplit>, String> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let mut splits: Vec<SavedSplit> = Vec::new();
    for part in [Part::Train, Part::Validation, Part::Test] {
        let prefix = format!("{part}/");
        if !left_out.contains(&part.to_string().as_str()) && tensors::begins(&tensors, &prefix) {
            let split = parse_split(&tensors, part)?;
            if let Some(other) = splits.iter().find(|other| other.classes != split.classes) {
                let (a, b) = (other.classes, split.classes);
                return Err(format!("{} has {a} classes, {part} has {b}", other.split));
            }
            splits.push(split);
        }
    }
    if splits.is_empty() && left_out.is_empty() { Err("it holds no split".to_owned()) } else { Ok(splits) }
}

fn parse_split(tensors: &SafeTensors<'_>, part: Part) -> Result<SavedSplit, String> {
    let tensor = |name: &str, dtype: Dtype| {
        let view = tensors::array(tensors, &format!("{part}/{name}"), dtype)?;
        Ok::<_, String>((view.shape().to_vec(), view.data()))
    };
    let (index_shape, indices) = tensor("index", Dtype::U32)?;
    let (label_shape, labels) = tensor("label", Dtype::U32)?;
    let (shape, probabilities) = tensor("probabilities", Dtype::F32)?;
    let [n, classes] = shape[..] else {
        return Err(format!("tensor {part}/probabilities has shape {shape:?}, not images x classes"));
    };
    if index_shape != [n] || label_shape != [n] {
        return Err(format!(
            "the tensors of {part} do not fit: index {index_shape:?}, label {label_shape:?}, probabilities {shape:?}"
        ));
    }
    let floats = probabilities.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word));
    let (indices, labels, probabilities): (Vec<u32>, Vec<u32>, Vec<f32>) =
        (tensors::to_words(indices), tensors::to_words(labels), floats.collect());
    Rows::new(&labels, &probabilities, classes).map_err(|reason| format!("{part}: {reason}"))?;
    Ok(SavedSplit { split: part.to_string(), indices, labels, probabilities, classes })
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::TensorView;

    use super::*;

    /// Name, type, shape and 32-bit words.
    type Tensor = (&'static str, Dtype, Vec<usize>, Vec<u32>);

    fn file(tensors: &[Tensor]) -> Vec<u8> {
        let bytes: Vec<Vec<u8>> =
            tensors.iter().map(|(.., words)| words.iter().flat_map(|word| word.to_le_bytes()).collect()).collect();
        let views = tensors
            .iter()
            .zip(&bytes)
            .map(|((name, dtype, shape, _), bytes)| (*name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
        safetensors::serialize(views, None).unwrap()
    }

    fn sample() -> Vec<Tensor> {
        let halves = [0.5_f32, 0.5, 1.0, 0.0].map(f32::to_bits);
        vec![
            ("test/index", Dtype::U32, vec![2], vec![0, 1]),
            ("test/label", Dtype::U32, vec![2], vec![1, 0]),
            ("test/probabilities", Dtype::F32, vec![2, 2], halves.to_vec()),
            ("validation/index", Dtype::U32, vec![1], vec![7]),
            ("validation/label", Dtype::U32, vec![1], vec![1]),
            ("validation/probabilities", Dtype::F32, vec![1, 2], halves[2..].to_vec()),
            ("later", Dtype::U32, vec![1], vec![3]),
        ]
    }

    fn parsed(tensors: &[Tensor]) -> Result<Vec<SavedSplit>, String> {
        parse(&file(tensors))
    }

    #[test]
    fn what_was_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("predictions.safetensors");
        let predictions = Predictions::new(3, vec![0.25, 0.5, 0.25, 0.0, 0.0, 1.0]);
        let split = |split: &'static str, indices: Vec<u32>, labels: &'static [u32]| SplitPredictions {
            split,
            indices,
            labels,
            predictions: &predictions,
        };
        write_predictions(&path, &[split("validation", vec![9, 4], &[0, 2]), split("test", vec![0, 1], &[1, 1])])
            .unwrap();
        let read = read_predictions(&path).unwrap();
        assert_eq!(read.iter().map(|split| split.split.as_str()).collect::<Vec<_>>(), ["validation", "test"]);
        assert_eq!((read[0].indices.as_slice(), read[0].labels.as_slice()), (&[9, 4][..], &[0, 2][..]));
        assert_eq!((read[1].probabilities.as_slice(), read[1].classes), (predictions.probabilities(), 3));
    }

    #[test]
    fn a_file_that_is_none_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |path: &Path| read_predictions(path).unwrap_err().to_string();
        assert!(refused(folder.path()).contains("no file of a run: it is no regular file"));
        assert!(matches!(read_predictions(&folder.path().join("none")), Err(Error::Io { .. })));
        let path = folder.path().join("x.safetensors");
        std::fs::write(&path, b"hello").unwrap();
        assert!(refused(&path).starts_with(&path.display().to_string()));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |change: fn(&mut Vec<Tensor>), word: &str| {
            let mut tensors = sample();
            change(&mut tensors);
            let error = parsed(&tensors).unwrap_err();
            assert!(error.contains(word), "'{word}' is not in: {error}");
        };
        assert_eq!(parsed(&sample()).unwrap().len(), 2);
        refused(|t| drop(t.remove(1)), "tensor test/label");
        refused(|t| t.retain(|tensor| tensor.0 == "later"), "it holds no split");
        refused(|t| t[0].1 = Dtype::F32, "test/index is F32, not U32");
        refused(|t| t[2].1 = Dtype::U32, "test/probabilities is U32, not F32");
        refused(|t| t[2].2 = vec![4], "not images x classes");
        refused(|t| t[2].2 = vec![1, 4], "the tensors of test do not fit");
        refused(|t| t[1] = ("test/label", Dtype::U32, vec![1], vec![0]), "the tensors of test do not fit");
        refused(|t| t[1].3 = vec![0, 2], "test: row 1 has label 2, of 2 classes");
        refused(|t| t[2].3[0] = f32::NAN.to_bits(), "test: row 0 has a probability of NaN");
        refused(|t| t[2].3[0] = 0, "the sum 0.5");
        refused(|t| t[5] = ("validation/probabilities", Dtype::F32, vec![1, 1], vec![1_f32.to_bits()]), "label 1");
        refused(
            |t| {
                t[4].3 = vec![0];
                t[5] = ("validation/probabilities", Dtype::F32, vec![1, 1], vec![1_f32.to_bits()]);
            },
            "validation has 1 classes, test has 2",
        );
        refused(
            |t| {
                for (tensor, shape) in t.iter_mut().zip([vec![0], vec![0], vec![0, usize::MAX]]) {
                    (tensor.2, tensor.3) = (shape, Vec::new());
                }
            },
            "test: there are no predictions",
        );
    }

    #[test]
    fn a_damaged_file_is_refused_or_fits_together_all_the_same() {
        let whole = file(&sample());
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_err(), "cut at {end}");
        }
        for (bit, damaged) in tensors::with_each_bit_changed(&whole) {
            for split in parse(&damaged).unwrap_or_default() {
                assert!(split.labels.iter().all(|&label| (label as usize) < split.classes), "bit {bit}");
                assert_eq!(split.labels.len() * split.classes, split.probabilities.len(), "bit {bit}");
                assert_eq!(split.labels.len(), split.indices.len(), "bit {bit}");
            }
        }
    }
}
