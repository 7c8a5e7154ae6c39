//! `model.safetensors`: a network, or several of the same layers, with all that prediction needs.
//!
//! A safetensors file whose tensors are the network's, by name, in f32; the header's metadata hold `digest` (of the
//! whole file), `format` (`glyphnet-model`), `version` (`2`), and as JSON `layers`, `classes`, `input` and
//! `preprocess`. Files of version 1, which have no digest, are read too. Several networks are version 3: `members` is
//! their number, and the names of network `K`'s tensors, counted from 1, begin with `member.K/`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use glyphnet_data::{ImageShape, Preprocess};
use glyphnet_kernels::Isa;

use crate::networks::{MOST_NETWORKS, Networks};
use crate::nn::{LayerSpec, Network, PlanReport, TrainerError};
use crate::read_file::{Unread, read_file};
use crate::sealed::{self, Expected, LONGEST_HEADER, Opened, Section};

/// The version of a file with one network.
const ONE: &str = "2";
/// The version of a file with several: whoever reads only the first would predict something else.
const SEVERAL: &str = "3";
/// What this program writes and reads. Version 1 is version 2 without a digest.
const MODEL: Expected = Expected { format: "glyphnet-model", versions: &[ONE, SEVERAL], unsealed: Some("1") };
/// The networks of a file have at most so many values together, as one alone has.
const MOST_VALUES: usize = 1 << 28;
/// A file larger than this is no model of ours.
const LARGEST: u64 = (1 << 30) + LONGEST_HEADER as u64 + 8;

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
    /// The trained network, or several of the same layers whose probabilities are averaged.
    pub networks: Networks,
    /// Class names, by label.
    pub classes: Vec<String>,
    /// How pixels become input.
    pub preprocess: Preprocess,
}

impl ModelParts {
    /// The network; of several the first, whose layers and input are those of all.
    pub fn network(&self) -> &Network {
        self.networks.first()
    }
}

/// The file as bytes.
///
/// # Errors
/// If there is more in it than a reader takes: texts of the header, or values of all networks together.
pub fn to_bytes(parts: &ModelParts) -> Result<Vec<u8>, ModelFileError> {
    let malformed = |reason: String| ModelFileError::Malformed { origin: "the model".to_owned(), reason };
    let count = parts.networks.count();
    check_values(parts.network(), count).map_err(malformed)?;
    let mut metadata = description(parts, MODEL.format, if count == 1 { ONE } else { SEVERAL }).map_err(malformed)?;
    let layers: Vec<LayerSpec> = parts.network().specs().into_iter().map(LayerSpec::for_inference).collect();
    metadata.insert("layers", serde_json::to_string(&layers).map_err(|error| malformed(error.to_string()))?);
    if count > 1 {
        metadata.insert("members", count.to_string());
    }
    let networks = parts.networks.iter().enumerate();
    let sections = networks.flat_map(|(place, network)| sections(&prefix(place, count), network)).collect();
    sealed::seal(&metadata, sections).map_err(malformed)
}

/// What the names of a network's tensors begin with: nothing where it is the only one.
fn prefix(place: usize, count: usize) -> String {
    if count == 1 { String::new() } else { format!("member.{}/", place + 1) }
}

/// Refuses networks that are larger together than one may be.
fn check_values(network: &Network, count: usize) -> Result<(), String> {
    // Of an outline, which has no values yet, too.
    let values: usize = network.layers().iter().map(|layer| layer.parameters()).sum();
    match values.checked_mul(count) {
        Some(values) if values <= MOST_VALUES => Ok(()),
        _ => Err(format!("its {count} networks have more than {MOST_VALUES} values together")),
    }
}

/// The header's texts of a file that holds networks: which kind of file, and what kind of networks.
pub(crate) fn description(
    parts: &ModelParts,
    format: &str,
    version: &str,
) -> Result<BTreeMap<&'static str, String>, String> {
    let json = |result: serde_json::Result<String>| result.map_err(|error| error.to_string());
    Ok(BTreeMap::from([
        ("format", format.to_owned()),
        ("version", version.to_owned()),
        ("layers", json(serde_json::to_string(&parts.network().specs()))?),
        ("classes", json(serde_json::to_string(&parts.classes))?),
        ("input", json(serde_json::to_string(&parts.network().input()))?),
        ("preprocess", json(serde_json::to_string(&parts.preprocess))?),
    ]))
}

/// The tensors of a network, their names behind `prefix`.
pub(crate) fn sections(prefix: &str, network: &Network) -> Vec<Section<'static>> {
    let section = |tensor: &crate::nn::Tensor| {
        Section::numbers(format!("{prefix}{}", tensor.name), tensor.shape.clone(), network.tensor(tensor))
    };
    network.tensors().map(section).collect()
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
    let origin = path.display().to_string();
    let bytes = read_file(path, LARGEST).map_err(|unread| match unread {
        Unread::Io(source) => ModelFileError::Io { path: path.to_owned(), source },
        Unread::Refused(reason) => ModelFileError::Malformed { origin: origin.clone(), reason: reason.to_owned() },
    })?;
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
    let opened = sealed::open(bytes, &MODEL)?;
    let outline = outline(&opened)?;
    let count = members(&opened)?;
    check_values(outline.network(), count)?;
    if !PlanReport::can_predict(outline.network(), Isa::detect()) {
        return Err(TrainerError::TooWide.to_string());
    }
    let mut networks = Vec::new();
    for place in 0..count {
        let prefix = prefix(place, count);
        let network = network(&opened, &prefix, outline.network())?;
        check_numbers(&prefix, &network)?;
        networks.push(network);
    }
    Ok(ModelParts { networks: Networks::new(networks).map_err(|error| error.to_string())?, ..outline })
}

/// How many networks the file says that it has.
fn members(opened: &Opened<'_>) -> Result<usize, String> {
    if opened.field("version")? != SEVERAL {
        return Ok(1);
    }
    let text = opened.field("members")?;
    let count =
        text.parse().ok().filter(|count: &usize| (2..=MOST_NETWORKS).contains(count) && count.to_string() == text);
    count.ok_or_else(|| format!("its `members` is `{text}`, not a number from 2 to {MOST_NETWORKS}"))
}

/// Refuses a network that cannot have been trained.
fn check_numbers(prefix: &str, network: &Network) -> Result<(), String> {
    for tensor in network.tensors() {
        let values = network.tensor(tensor);
        let variance = tensor.name.ends_with("/moving_variance");
        if let Some(i) = values.iter().position(|v| !v.is_finite() || (variance && *v < 0.0)) {
            return Err(format!("value {i} of tensor {prefix}{} is {}", tensor.name, values[i]));
        }
    }
    Ok(())
}

/// What [`description`] wrote; the network is an outline as yet.
pub(crate) fn outline(opened: &Opened<'_>) -> Result<ModelParts, String> {
    let layers: Vec<LayerSpec> = opened.json("layers")?;
    let classes: Vec<String> = opened.json("classes")?;
    let input: ImageShape = opened.json("input")?;
    let preprocess: Preprocess = opened.json("preprocess")?;
    let pixels = input.height.checked_mul(input.width).and_then(|n| n.checked_mul(input.channels));
    if !pixels.is_some_and(|n| (1..=1 << 24).contains(&n)) {
        return Err(format!("its input of {} x {} x {} is out of range", input.height, input.width, input.channels));
    }
    preprocess.check(input)?;
    let network = Network::outline(&layers, input, classes.len()).map_err(|error| error.to_string())?;
    Ok(ModelParts { networks: network.into(), classes, preprocess })
}

/// The network of this outline whose tensors are named with `prefix`. All are there, in the right shape, before
/// anything is allocated.
pub(crate) fn network(opened: &Opened<'_>, prefix: &str, outline: &Network) -> Result<Network, String> {
    for tensor in outline.tensors() {
        opened.check(&format!("{prefix}{}", tensor.name), &tensor.shape)?;
    }
    let mut network = outline.clone().allocated();
    for tensor in outline.tensors() {
        opened.numbers(&format!("{prefix}{}", tensor.name), &tensor.shape, network.tensor_mut(tensor))?;
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Dense, Flatten, Sequential};

    fn sample() -> ModelParts {
        let network =
            Sequential::new().add(Flatten {}).add(Dense::new(2)).build(ImageShape::new(2, 3, 1), 2, 0).unwrap();
        ModelParts {
            networks: network.into(),
            classes: vec!["a".into(), "b".into()],
            preprocess: Preprocess::default(),
        }
    }

    /// Two networks of the layers of [`sample`].
    fn pair() -> ModelParts {
        let one = sample();
        let mut other = one.network().clone();
        other.weights_mut().iter_mut().for_each(|weight| *weight = 0.5 - *weight);
        ModelParts { networks: Networks::new(vec![one.network().clone(), other]).unwrap(), ..one }
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        for file in [sample(), pair()].map(|parts| to_bytes(&parts).unwrap()) {
            for (bit, damaged) in crate::tensors::with_each_bit_changed(&file) {
                assert!(from_bytes(&damaged, "damaged").is_err(), "bit {bit}");
            }
            for end in 0..file.len() {
                assert!(from_bytes(&file[..end], "cut").is_err(), "cut at {end}");
            }
        }
    }

    #[test]
    fn several_networks_come_back_in_their_order_and_one_is_version_2() {
        let several = pair();
        assert_eq!(from_bytes(&to_bytes(&several).unwrap(), "several").unwrap(), several);
        let one = sealed::open(&to_bytes(&sample()).unwrap(), &MODEL).unwrap().field("version").map(str::to_owned);
        assert_eq!(one.as_deref(), Ok("2"));
        let read = |members: Option<&str>| {
            let mut metadata = description(&several, MODEL.format, SEVERAL).unwrap();
            members.map(|members| metadata.insert("members", members.to_owned()));
            let networks = several.networks.iter().enumerate();
            let sections = networks.flat_map(|(place, network)| sections(&prefix(place, 2), network)).collect();
            from_bytes(&sealed::seal(&metadata, sections).unwrap(), "several").map_err(|error| error.to_string())
        };
        assert!(read(Some("2")).is_ok());
        for members in ["", "0", "1", "02", "+2", "1001", "two"] {
            let error = read(Some(members)).unwrap_err();
            assert!(error.contains(&format!("its `members` is `{members}`")), "{error}");
        }
        assert!(read(None).unwrap_err().contains("lack `members`"));
        let missing = read(Some("3")).unwrap_err();
        assert!(missing.contains("member.3/dense/kernel"), "{missing}");
    }

    /// The file as version 1 had it: the same without a digest.
    #[test]
    fn files_of_version_1_are_read() {
        let file = to_bytes(&sample()).unwrap();
        let length = u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
        let (header, tensors) = file[8..].split_at(length);
        let header = String::from_utf8(header.to_vec()).unwrap();
        let start = header.find("\"digest\"").unwrap();
        let without = header[..start].to_owned() + &header[header.find("\"classes\"").unwrap()..];
        let mut old = without.replace("\"version\":\"2\"", "\"version\":\"1\"").into_bytes();
        old.resize(length, b' ');
        let old = [&file[..8], &old, tensors].concat();
        assert_eq!(from_bytes(&old, "old").unwrap(), sample());
        let newer = String::from_utf8_lossy(&old[..]).replace("\"version\":\"1\"", "\"version\":\"2\"");
        assert!(from_bytes(newer.as_bytes(), "new").is_err(), "version 2 has a digest");
    }

    #[test]
    fn a_small_file_cannot_ask_for_a_large_network() {
        let parts = sample();
        let mut metadata = description(&parts, MODEL.format, ONE).unwrap();
        let wide = "[{\"kind\":\"flatten\"},{\"kind\":\"dense\",\"units\":16000000},";
        let layers = metadata["layers"].replacen('[', wide, 1);
        metadata.insert("layers", layers);
        let file = sealed::seal(&metadata, sections("", parts.network())).unwrap();
        let error = from_bytes(&file, "large").unwrap_err().to_string();
        assert!(error.contains("dense/kernel has shape [6, 2], not [6, 16000000]"), "{error}");
    }

    #[test]
    fn strokes_that_cannot_be_are_refused() {
        let parts = sample();
        let read = |size: &str| {
            let mut metadata = description(&parts, MODEL.format, ONE).unwrap();
            let drawn = format!(
                "{{\"drawn\":{{\"centred_by\":\"box\",\"centre\":[1,2],\"size\":{size},\"stroke\":1,\"edge\":1,\
                 \"ground\":0,\"ink\":255}}}}"
            );
            metadata.insert("preprocess", drawn);
            let file = sealed::seal(&metadata, sections("", parts.network())).unwrap();
            from_bytes(&file, "drawn").map_err(|error| error.to_string())
        };
        assert_eq!(read("2.5").unwrap().preprocess.drawn.unwrap().size, 2.5);
        for size in ["3.5", "0", "-1", "1e999", "null"] {
            let error = read(size).unwrap_err();
            assert!(error.contains("preprocess"), "{size}: {error}");
        }
    }

    #[test]
    fn a_file_without_weights_cannot_ask_for_large_activations() {
        let read = |side: usize| {
            let layers = "[{\"kind\":\"conv2d\",\"filters\":16,\"kernel\":1},{\"kind\":\"global_avg_pool2d\"},\
                          {\"kind\":\"dense\",\"units\":2}]";
            let specs: Vec<LayerSpec> = serde_json::from_str(layers).unwrap();
            // The weights of a network fit images of any size.
            let network = Network::empty(&specs, ImageShape::new(8, 8, 1), 2).unwrap();
            let parts = ModelParts { networks: network.into(), ..sample() };
            let mut metadata = description(&parts, MODEL.format, ONE).unwrap();
            metadata.insert("input", format!("{{\"height\":{side},\"width\":{side},\"channels\":1}}"));
            let file = sealed::seal(&metadata, sections("", parts.network())).unwrap();
            assert!(file.len() < 2000);
            from_bytes(&file, "wide").map_err(|error| error.to_string())
        };
        assert_eq!(read(1024).unwrap().network().input().height, 1024);
        let error = read(4096).unwrap_err();
        assert!(error.contains("more than 1 GiB of memory in each thread"), "{error}");
    }
}
