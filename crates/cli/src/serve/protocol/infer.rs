//! `POST /v2/models/NAME/infer`.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawPathParams, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use super::super::app::{App, parse};
use super::super::error::{ApiError, json_response};
use super::super::loaded::Loaded;
use super::super::seats::Seat;
use super::request::{self, Wanted};
use super::{HEADER_LENGTH, OUTPUT, VERSION, named};
use crate::classify::{Choice, likeliest};

/// Predicts the images of input `images`.
pub(crate) async fn infer(
    State(app): State<Arc<App>>,
    path: RawPathParams,
    Extension(seat): Extension<Arc<Seat>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let loaded = named(&app, &path)?;
    let header = header_length(&headers)?;
    let admitted = app.admit(&seat, &headers, body).await?;
    let (shape, most) = (loaded.model().input(), app.limits.images);
    let (_admitted, wanted) = parse(admitted, move |body| request::read(body, header, shape, most)).await?;
    let probabilities = app.engine.predict(&loaded, wanted.pixels.clone()).await?;
    answer(&loaded, app.current.name(), &wanted, &probabilities)
}

fn header_length(headers: &HeaderMap) -> Result<Option<usize>, ApiError> {
    let Some(value) = headers.get(HEADER_LENGTH) else { return Ok(None) };
    let length = value.to_str().ok().and_then(|text| text.parse().ok());
    length.map(Some).ok_or_else(|| ApiError::bad("Inference-Header-Content-Length is no number of bytes"))
}

#[derive(Serialize)]
struct Answer<'a> {
    model_name: &'a str,
    model_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    outputs: [Output<'a>; 1],
}

#[derive(Serialize)]
struct Output<'a> {
    name: &'static str,
    datatype: &'static str,
    shape: [usize; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
}

#[derive(Serialize)]
struct Size {
    binary_data_size: usize,
}

/// A tensor as it is written.
#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Numbers(&'a [f32]),
    Texts(Vec<String>),
}

impl Data<'_> {
    /// The tensor as the binary extension has it: numbers little-endian, texts behind their lengths.
    fn bytes(&self) -> Vec<u8> {
        match self {
            Data::Numbers(numbers) => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
            Data::Texts(texts) => {
                let text = |text: &String| [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
                texts.iter().flat_map(text).collect()
            }
        }
    }
}

fn answer(loaded: &Loaded, name: &str, wanted: &Wanted, probabilities: &[f32]) -> Result<Response, ApiError> {
    let classes = loaded.model().classes();
    let images = probabilities.len() / classes.len();
    let (datatype, columns, data) = match wanted.classification {
        None => ("FP32", classes.len(), Data::Numbers(probabilities)),
        Some(count) => {
            let count = count.min(classes.len());
            let text = |Choice { class, label, probability }: Choice| format!("{probability}:{label}:{class}");
            let rows = probabilities.chunks_exact(classes.len());
            let texts = rows.flat_map(|row| likeliest(row, classes, count)).map(text).collect();
            ("BYTES", count, Data::Texts(texts))
        }
    };
    let binary = wanted.binary.then(|| data.bytes());
    let output = Output {
        name: OUTPUT,
        datatype,
        shape: [images, columns],
        parameters: binary.as_ref().map(|bytes| Size { binary_data_size: bytes.len() }),
        data: binary.is_none().then_some(data),
    };
    let answer = Answer { model_name: name, model_version: VERSION, id: wanted.id.as_deref(), outputs: [output] };
    let mut body = serde_json::to_vec(&answer).map_err(|error| ApiError::fault(error.to_string()))?;
    let Some(bytes) = binary else { return Ok(json_response(StatusCode::OK, body)) };
    let length = HeaderValue::from(body.len());
    body.extend(bytes);
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(HEADER_LENGTH, length);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    Ok(response)
}
