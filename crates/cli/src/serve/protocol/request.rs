//! The JSON of an inference request, checked against the model.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use axum::body::Bytes;
use glyphnet_data::ImageShape;
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::super::error::ApiError;
use super::super::pixels::Pixels;
use super::{INPUT, OUTPUT};

/// Fields that are not listed are left alone: the protocol lets clients add their own.
#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "or_default")]
    parameters: Parameters,
    #[serde(borrow, deserialize_with = "few")]
    inputs: Vec<Input<'a>>,
    #[serde(borrow, default, deserialize_with = "few")]
    outputs: Vec<Output<'a>>,
}

#[derive(Deserialize)]
struct Input<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(deserialize_with = "few")]
    shape: Vec<i64>,
    #[serde(borrow)]
    datatype: Cow<'a, str>,
    #[serde(default, deserialize_with = "or_default")]
    parameters: Parameters,
    data: Option<Pixels>,
}

#[derive(Deserialize)]
struct Output<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default, deserialize_with = "or_default")]
    parameters: Parameters,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Parameters {
    binary_data_size: Option<u64>,
    binary_data: Option<bool>,
    binary_data_output: Option<bool>,
    classification: Option<u64>,
    shared_memory_region: Option<serde::de::IgnoredAny>,
}

/// Inputs, outputs and sides of a tensor beyond these are wrong in any case; a body could hold millions, which take many
/// times its memory.
const FEW: usize = 8;

/// An array of at most [`FEW`] entries; nothing is kept of further ones.
fn few<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct Few<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Few<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "an array of at most {FEW}")
        }

        fn visit_unit<E: de::Error>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut few = Vec::new();
            while let Some(item) = items.next_element()? {
                if few.len() == FEW {
                    return Err(de::Error::invalid_length(FEW + 1, &self));
                }
                few.push(item);
            }
            Ok(few)
        }
    }

    deserializer.deserialize_any(Few(PhantomData))
}

/// Some clients send `null` for what they leave out.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// What a client wants to know of its images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) id: Option<String>,
    /// `images x H x W x C`.
    pub(super) pixels: Bytes,
    /// Whether the output is to be binary.
    pub(super) binary: bool,
    /// Where the likeliest classes are wanted instead of probabilities: how many.
    pub(super) classification: Option<usize>,
}

/// Reads a body whose first `header` bytes are JSON, all of it where that is not said.
///
/// # Errors
/// 400 for what is not described, 413 for more than `most` images.
pub(super) fn read(body: &Bytes, header: Option<usize>, shape: ImageShape, most: usize) -> Result<Wanted, ApiError> {
    let end = header.unwrap_or(body.len());
    let Some(json) = body.get(..end) else {
        let message = format!("Inference-Header-Content-Length is {end}, but the body has {} bytes", body.len());
        return Err(ApiError::bad(message));
    };
    let request: Request<'_> =
        serde_json::from_slice(json).map_err(|error| ApiError::bad(format!("the request's JSON: {error}")))?;
    let [input] = &request.inputs[..] else {
        return Err(ApiError::bad(format!(
            "there are {} inputs; the model takes one, '{INPUT}'",
            request.inputs.len()
        )));
    };
    let bytes = expected_bytes(input, shape, most)?;
    let (binary, classification) = outputs(&request)?;
    let id = request.id.as_deref().map(str::to_owned);
    let rest = body.slice(end..);
    let pixels = match request.inputs.into_iter().next().map(|input| (input.parameters.binary_data_size, input.data)) {
        Some((Some(size), None)) => raw(rest, size, bytes)?,
        Some((None, Some(data))) if rest.is_empty() => nested(data, shape, bytes)?,
        Some((None, Some(_))) => return Err(ApiError::bad("there are bytes after the JSON that no input claims")),
        Some((Some(_), Some(_))) => {
            return Err(ApiError::bad("the input has both data and binary_data_size; give one"));
        }
        _ => return Err(ApiError::bad("the input has no data, and no parameter binary_data_size")),
    };
    Ok(Wanted { id, pixels, binary, classification })
}

/// How many bytes the input's tensor has, by its shape.
fn expected_bytes(input: &Input<'_>, shape: ImageShape, most: usize) -> Result<usize, ApiError> {
    let Input { name, datatype, .. } = input;
    if name != INPUT {
        return Err(ApiError::bad(format!("there is no input '{name}'; the model takes one, '{INPUT}'")));
    }
    if datatype != "UINT8" {
        return Err(ApiError::bad(format!(
            "input '{INPUT}' is of {datatype}; the model takes UINT8, pixels from 0 to 255, and does all scaling itself"
        )));
    }
    if input.parameters.shared_memory_region.is_some() {
        return Err(ApiError::bad("tensors in shared memory are not read here; send them in the body"));
    }
    let own = [shape.height, shape.width, shape.channels].map(|side| side as i64);
    let images = match input.shape[..] {
        [images, height, width, channels] if images > 0 && [height, width, channels] == own => images,
        _ => {
            let [height, width, channels] = own;
            return Err(ApiError::bad(format!(
                "input '{INPUT}' has shape {:?}; the model takes [n, {height}, {width}, {channels}] with n from 1",
                input.shape
            )));
        }
    };
    match usize::try_from(images) {
        Ok(images) if images <= most => Ok(images * shape.len()),
        _ => Err(ApiError::large(format!("{images} images are more than {most} in one request (--max-images)"))),
    }
}

/// Whether the output is wanted binary, and how many classes of it if not all.
fn outputs(request: &Request<'_>) -> Result<(bool, Option<usize>), ApiError> {
    let all_binary = request.parameters.binary_data_output.unwrap_or(false);
    let output = match &request.outputs[..] {
        [] => return Ok((all_binary, None)),
        [output] if output.name == OUTPUT => output,
        [Output { name, .. }] => {
            return Err(ApiError::bad(format!("the model has one output, '{OUTPUT}'; there is no output '{name}'")));
        }
        outputs => {
            let count = outputs.len();
            return Err(ApiError::bad(format!("{count} outputs are wanted; the model has one, '{OUTPUT}'")));
        }
    };
    let classes = match output.parameters.classification {
        Some(0) | None => None,
        Some(count) => Some(usize::try_from(count).unwrap_or(usize::MAX)),
    };
    Ok((output.parameters.binary_data.unwrap_or(all_binary), classes))
}

fn raw(rest: Bytes, size: u64, bytes: usize) -> Result<Bytes, ApiError> {
    if size != bytes as u64 || rest.len() != bytes {
        return Err(ApiError::bad(format!(
            "the shape of input '{INPUT}' makes {bytes} bytes, but binary_data_size is {size} and {} follow the JSON",
            rest.len()
        )));
    }
    Ok(rest)
}

fn nested(data: Pixels, shape: ImageShape, bytes: usize) -> Result<Bytes, ApiError> {
    let Pixels { dims, values } = data;
    let (height, width, channels) = (shape.height, shape.width, shape.channels);
    if values.len() != bytes || (dims.len() != 1 && dims != [bytes / shape.len(), height, width, channels]) {
        return Err(ApiError::bad(format!(
            "the data of input '{INPUT}' are {} numbers in arrays of {dims:?}; its shape makes {bytes}, flat or nested",
            values.len()
        )));
    }
    Ok(values.into())
}
