//! `model.safetensors`: a network with all that prediction needs.
//!
//! A safetensors file whose tensors are the network's, by name, in f32; the header's metadata hold `format`
//! (`glyphnet-model`), `version` (`1`), and as JSON `layers`, `classes`, `input` and `preprocess`.

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use glyphnet_data::{ImageShape, Preprocess};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::nn::{LayerSpec, Network};

/// The word that tells our files from other safetensors files.
const FORMAT: &str = "glyphnet-model";
/// The version written and the only one read.
const VERSION: &str = "1";
/// A file larger than this is no model of ours.
const LARGEST: u64 = 4 << 30;

/// A model file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ModelFileError {
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not a model file, or a damaged one.
    #[error("{origin}: not a model file: {reason}")]
    Malformed {
        /// The file.
        origin: String,
        /// What is wrong.
        reason: String,
    },
}

/// What a model file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelParts {
    /// The trained network.
    pub network: Network,
    /// Class names, by label.
    pub classes: Vec<String>,
    /// How pixels become input.
    pub preprocess: Preprocess,
}

/// The file as bytes.
///
/// # Errors
/// If the parts cannot be written as safetensors.
pub fn to_bytes(parts: &ModelParts) -> Result<Vec<u8>, ModelFileError> {
    let malformed = |reason: String| ModelFileError::Malformed { origin: "the model".to_owned(), reason };
    let json = |result: serde_json::Result<String>| result.map_err(|error| malformed(error.to_string()));
    let network = &parts.network;
    let metadata: HashMap<String, String> = [
        ("format", FORMAT.to_owned()),
        ("version", VERSION.to_owned()),
        ("layers", json(serde_json::to_string(&network.specs()))?),
        ("classes", json(serde_json::to_string(&parts.classes))?),
        ("input", json(serde_json::to_string(&network.input()))?),
        ("preprocess", json(serde_json::to_string(&parts.preprocess))?),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = network
        .tensors()
        .map(|tensor| {
            let values = network.tensor(tensor).iter().flat_map(|v| v.to_le_bytes()).collect();
            (tensor.name.clone(), tensor.shape.clone(), values)
        })
        .collect();
    let views = bytes.iter().map(|(name, shape, values)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), values);
        view.map(|view| (name.as_str(), view)).map_err(|error| malformed(error.to_string()))
    });
    let views = views.collect::<Result<Vec<_>, _>>()?;
    let file = safetensors::serialize(views, Some(metadata)).map_err(|error| malformed(error.to_string()))?;
    Ok(sort_metadata(file))
}

/// The safetensors crate writes metadata in the order of a hash map; equal models must be equal files, so the header
/// is rewritten with sorted keys and padded to a multiple of eight bytes, as the format wants it.
fn sort_metadata(file: Vec<u8>) -> Vec<u8> {
    let Some((length, rest)) = file.split_first_chunk::<8>() else { return file };
    let length = u64::from_le_bytes(*length) as usize;
    let Some((header, data)) = rest.split_at_checked(length) else { return file };
    let Ok(header) = serde_json::from_slice::<BTreeMap<String, serde_json::Value>>(header) else { return file };
    let metadata = header.get("__metadata__").map(|m| serde_json::from_value::<BTreeMap<String, String>>(m.clone()));
    let mut entries: Vec<(&String, String)> = header.iter().map(|(key, value)| (key, value.to_string())).collect();
    if let Some(Ok(metadata)) = metadata
        && let Some(entry) = entries.iter_mut().find(|(key, _)| *key == "__metadata__")
        && let Ok(text) = serde_json::to_string(&metadata)
    {
        entry.1 = text;
    }
    let entries: Vec<String> = entries.iter().map(|(key, text)| format!("{key:?}:{text}")).collect();
    let mut text = format!("{{{}}}", entries.join(",")).into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut sorted = (text.len() as u64).to_le_bytes().to_vec();
    sorted.extend_from_slice(&text);
    sorted.extend_from_slice(data);
    sorted
}

/// Writes the file beside its place, synced, then renamed.
///
/// # Errors
/// If the system refuses.
pub fn save(parts: &ModelParts, path: &Path) -> Result<(), ModelFileError> {
    let bytes = to_bytes(parts)?;
    glyphnet_data::write_atomic(path, &bytes).map_err(|source| ModelFileError::Io { path: path.to_owned(), source })
}

/// Reads a model file.
///
/// # Errors
/// If it cannot be read, or is no intact model file.
pub fn load(path: &Path) -> Result<ModelParts, ModelFileError> {
    let io = |source| ModelFileError::Io { path: path.to_owned(), source };
    let origin = path.display().to_string();
    let malformed = |reason: &str| ModelFileError::Malformed { origin: origin.clone(), reason: reason.to_owned() };
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(malformed("it is no regular file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(io)?;
    if bytes.len() as u64 > LARGEST {
        return Err(malformed("it is larger than 4 GiB"));
    }
    from_bytes(&bytes, &origin)
}

/// Reads the bytes of a model file; `origin` names them in errors.
///
/// # Errors
/// If they are no intact model file.
pub fn from_bytes(bytes: &[u8], origin: &str) -> Result<ModelParts, ModelFileError> {
    parse(bytes).map_err(|reason| ModelFileError::Malformed { origin: origin.to_owned(), reason })
}

fn parse(bytes: &[u8]) -> Result<ModelParts, String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let metadata = header.metadata().as_ref().ok_or("its header has no metadata")?;
    let field = |key: &str| metadata.get(key).ok_or_else(|| format!("its metadata lack `{key}`"));
    if field("format")? != FORMAT {
        return Err(format!("its format is `{}`, not `{FORMAT}`", field("format")?));
    }
    if field("version")? != VERSION {
        return Err(format!("its version is {}; this program reads version {VERSION}", field("version")?));
    }
    let layers: Vec<LayerSpec> = json("layers", field("layers")?)?;
    let classes: Vec<String> = json("classes", field("classes")?)?;
    let input: ImageShape = json("input", field("input")?)?;
    let preprocess: Preprocess = json("preprocess", field("preprocess")?)?;
    let pixels = input.height.checked_mul(input.width).and_then(|n| n.checked_mul(input.channels));
    if !pixels.is_some_and(|n| (1..=1 << 24).contains(&n)) {
        return Err(format!("its input of {} x {} x {} is out of range", input.height, input.width, input.channels));
    }
    preprocess.check(input.channels)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let stored: usize = tensors.iter().map(|(_, view)| view.data().len()).sum();
    let mut network = Network::empty(&layers, input, classes.len()).map_err(|error| error.to_string())?;
    if stored != network.parameters() * size_of::<f32>() {
        return Err(format!("its tensors have {stored} bytes, its layers need {}", network.parameters() * 4));
    }
    for tensor in network.tensors().cloned().collect::<Vec<_>>() {
        let view = tensors.tensor(&tensor.name).map_err(|error| format!("tensor {}: {error}", tensor.name))?;
        if view.dtype() != Dtype::F32 || view.shape() != tensor.shape {
            let (dtype, shape) = (view.dtype(), view.shape());
            return Err(format!("tensor {} is {dtype:?} {shape:?}, not F32 {:?}", tensor.name, tensor.shape));
        }
        for (to, from) in network.tensor_mut(&tensor).iter_mut().zip(view.data().as_chunks::<4>().0) {
            *to = f32::from_le_bytes(*from);
        }
        let values = network.tensor(&tensor);
        let variance = tensor.name.ends_with("/moving_variance");
        if let Some(i) = values.iter().position(|v| !v.is_finite() || (variance && *v < 0.0)) {
            return Err(format!("value {i} of tensor {} is {}", tensor.name, values[i]));
        }
    }
    Ok(ModelParts { network, classes, preprocess })
}

fn json<T: serde::de::DeserializeOwned>(key: &str, text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("its `{key}` cannot be read: {error}"))
}
