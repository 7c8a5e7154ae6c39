//! `thumbnails.safetensors`: images that a report shows, so that it needs no data.

use std::path::Path;

use glyphnet_data::{ImageShape, Part};
use safetensors::{Dtype, SafeTensors};

use crate::Error;
use crate::read_file::read_run_file;
use crate::tensors::{self, Array};

/// A larger file is none of ours.
const LARGEST: u64 = 64 << 20;

/// Some images of one split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnails {
    /// `train`, `validation` or `test`.
    pub split: String,
    /// Which images (k): their positions in the split's predictions, increasing.
    pub rows: Vec<u32>,
    /// The shape of each; large images are stored smaller than they were.
    pub shape: ImageShape,
    /// Their pixels (k x height x width x channels).
    pub pixels: Vec<u8>,
}

impl Thumbnails {
    /// The `H x W x C` pixels of the image at `row` of the split's predictions, if it is among them.
    pub fn image(&self, row: u32) -> Option<&[u8]> {
        let place = self.rows.binary_search(&row).ok()?;
        let size = self.shape.len();
        self.pixels.get(place * size..(place + 1) * size)
    }
}

/// Writes `thumbnails.safetensors`: for each split `<split>/row` (u32, k) and `<split>/pixels` (u8, k x height x width x
/// channels).
///
/// # Errors
/// If the file cannot be written.
pub fn write_thumbnails(path: &Path, splits: &[Thumbnails]) -> Result<(), Error> {
    let mut arrays: Vec<Array> = Vec::new();
    for Thumbnails { split, rows, shape, pixels } in splits {
        arrays.push((format!("{split}/row"), Dtype::U32, vec![rows.len()], tensors::to_bytes(rows)));
        let shape = vec![rows.len(), shape.height, shape.width, shape.channels];
        arrays.push((format!("{split}/pixels"), Dtype::U8, shape, pixels.clone()));
    }
    tensors::write(path, &arrays)
}

/// Reads what [`write_thumbnails`] wrote: the splits in the order train, validation, test. Tensors with other names are
/// passed over.
///
/// # Errors
/// If the file cannot be read, or is no intact file of thumbnails.
pub fn read_thumbnails(path: &Path) -> Result<Vec<Thumbnails>, Error> {
    thumbnails_from_bytes(&read_run_file(path, LARGEST)?, path)
}

/// The same of the bytes of such a file; `origin` names them in errors.
///
/// # Errors
/// If they are no intact file of thumbnails.
pub fn thumbnails_from_bytes(bytes: &[u8], origin: &Path) -> Result<Vec<Thumbnails>, Error> {
    parse(bytes).map_err(|reason| Error::Damaged { path: origin.to_owned(), reason })
}

fn parse(bytes: &[u8]) -> Result<Vec<Thumbnails>, String> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let parts = [Part::Train, Part::Validation, Part::Test].into_iter();
    let there = parts.filter(|part| tensors::begins(&tensors, &format!("{part}/")));
    let splits = there.map(|part| parse_split(&tensors, part)).collect::<Result<Vec<_>, _>>()?;
    if splits.is_empty() { Err("it holds no split".to_owned()) } else { Ok(splits) }
}

fn parse_split(tensors: &SafeTensors<'_>, part: Part) -> Result<Thumbnails, String> {
    let rows = tensors::array(tensors, &format!("{part}/row"), Dtype::U32)?;
    let pixels = tensors::array(tensors, &format!("{part}/pixels"), Dtype::U8)?;
    let (row_shape, pixel_shape) = (rows.shape(), pixels.shape());
    let [count, height, width, channels] = pixel_shape[..] else {
        return Err(format!("tensor {part}/pixels has shape {pixel_shape:?}, not images x height x width x channels"));
    };
    if row_shape != [count] {
        return Err(format!("the tensors of {part} do not fit: row {row_shape:?}, pixels {pixel_shape:?}"));
    }
    if count == 0 || height == 0 || width == 0 || ![1, 3].contains(&channels) {
        return Err(format!("tensor {part}/pixels has shape {pixel_shape:?}, which are no images"));
    }
    let rows = tensors::to_words(rows.data());
    if !rows.is_sorted_by(|a, b| a < b) {
        return Err(format!("tensor {part}/row does not increase"));
    }
    let shape = ImageShape::new(height, width, channels);
    Ok(Thumbnails { split: part.to_string(), rows, shape, pixels: pixels.data().to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Thumbnails> {
        let of = |split: &str, rows: Vec<u32>, shape: ImageShape| {
            let pixels = (0..rows.len() * shape.len()).map(|i| i as u8).collect();
            Thumbnails { split: split.to_owned(), rows, shape, pixels }
        };
        vec![of("validation", vec![0, 7, 9], ImageShape::new(2, 3, 1)), of("test", vec![4], ImageShape::new(1, 2, 3))]
    }

    fn file(splits: &[Thumbnails]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("thumbnails.safetensors");
        write_thumbnails(&path, splits).unwrap();
        assert_eq!(
            read_thumbnails(&path).unwrap_or_default(),
            parse(&std::fs::read(&path).unwrap()).unwrap_or_default()
        );
        std::fs::read(&path).unwrap()
    }

    #[test]
    fn what_was_written_is_read_back() {
        let splits = sample();
        assert_eq!(parse(&file(&splits)).unwrap(), splits);
        assert_eq!(splits[0].image(7), Some(&[6, 7, 8, 9, 10, 11][..]));
        assert_eq!((splits[0].image(1), splits[0].image(10)), (None, None));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |change: fn(&mut Thumbnails), word: &str| {
            let mut splits = sample();
            change(&mut splits[0]);
            let error = parse(&file(&splits)).unwrap_err();
            assert!(error.contains(word), "'{word}' is not in: {error}");
        };
        refused(|t| t.rows = vec![0, 9, 7], "validation/row does not increase");
        refused(|t| t.rows = vec![0, 7, 7], "validation/row does not increase");
        refused(|t| t.shape = ImageShape::new(1, 3, 2), "which are no images");
        refused(|t| (t.rows, t.pixels) = (vec![], vec![]), "which are no images");
        refused(|t| (t.shape.height, t.pixels) = (0, vec![]), "which are no images");
        let none = safetensors::serialize(Vec::<(&str, safetensors::tensor::TensorView<'_>)>::new(), None).unwrap();
        assert_eq!(parse(&none).unwrap_err(), "it holds no split");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let lone = ("test/row".to_owned(), Dtype::U32, vec![1], vec![0; 4]);
        tensors::write(&path, std::slice::from_ref(&lone)).unwrap();
        assert!(read_thumbnails(&path).unwrap_err().to_string().contains("tensor test/pixels"));
        let flat = ("test/pixels".to_owned(), Dtype::U8, vec![1, 4], vec![0; 4]);
        tensors::write(&path, &[lone.clone(), flat]).unwrap();
        assert!(read_thumbnails(&path).unwrap_err().to_string().contains("not images x height"));
        let two = ("test/pixels".to_owned(), Dtype::U8, vec![2, 1, 1, 1], vec![0; 2]);
        tensors::write(&path, &[lone, two]).unwrap();
        let error = read_thumbnails(&path).unwrap_err().to_string();
        assert!(error.starts_with(&path.display().to_string()) && error.contains("do not fit"), "{error}");
    }

    #[test]
    fn a_damaged_file_is_refused_or_fits_together_all_the_same() {
        let whole = file(&sample());
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_err(), "cut at {end}");
        }
        for (bit, damaged) in tensors::with_each_bit_changed(&whole) {
            for split in parse(&damaged).unwrap_or_default() {
                assert_eq!(split.pixels.len(), split.rows.len() * split.shape.len(), "bit {bit}");
            }
        }
    }
}
