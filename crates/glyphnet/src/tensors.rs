//! Plain safetensors files of a run: arrays by name, without a digest.

use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::Error;

/// One array that is written: its name, type, shape and little-endian bytes.
pub(crate) type Array = (String, Dtype, Vec<usize>, Vec<u8>);

/// Writes the file of these arrays, whole or not at all.
pub(crate) fn write(path: &Path, arrays: &[Array]) -> Result<(), Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let other = |error: safetensors::SafeTensorError| io(std::io::Error::other(error.to_string()));
    let views = arrays.iter().map(|(name, dtype, shape, bytes)| {
        TensorView::new(*dtype, shape.clone(), bytes).map(|view| (name.as_str(), view)).map_err(other)
    });
    let views = views.collect::<Result<Vec<_>, _>>()?;
    let bytes = safetensors::serialize(views, None).map_err(other)?;
    glyphnet_data::write_atomic(path, &bytes).map_err(io)
}

/// The array of this name, if it has this type; otherwise a sentence on what is wrong.
pub(crate) fn array<'a>(tensors: &SafeTensors<'a>, name: &str, dtype: Dtype) -> Result<TensorView<'a>, String> {
    let view = tensors.tensor(name).map_err(|error| format!("tensor {name}: {error}"))?;
    match view.dtype() {
        found if found == dtype => Ok(view),
        found => Err(format!("tensor {name} is {found:?}, not {dtype:?}")),
    }
}

/// Whether there is an array whose name begins so.
pub(crate) fn begins(tensors: &SafeTensors<'_>, prefix: &str) -> bool {
    tensors.iter().any(|(name, _)| name.starts_with(prefix))
}

/// The bytes of 32-bit numbers.
pub(crate) fn to_bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// The 32-bit numbers of these bytes.
pub(crate) fn to_words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

/// A file with each of its bits changed, one at a time, for tests of those who read it.
#[cfg(test)]
pub(crate) fn with_each_bit_changed(whole: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..whole.len() * 8).map(|bit| {
        let mut damaged = whole.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        (bit, damaged)
    })
}
