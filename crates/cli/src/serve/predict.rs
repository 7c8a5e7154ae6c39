//! `POST /api/predict`: images as files, in a form or as numbers, and their classes.
//!
//! | `Content-Type` | body |
//! |---|---|
//! | `image/*`, `application/octet-stream` | one image file of any size, its format told from its content |
//! | `multipart/form-data` | one file or several (`curl -F file=@digit.png`) |
//! | `application/json` | `{"pixels": [...]}`, one image of the model's input size, or `{"images": [[...], ...]}` |
//!
//! The query may have `top=N` (how many classes to list, 3 if it is missing) and `invert=auto|yes|no`, as the options of
//! the command `predict`. All kinds are treated as there: files are stretched to the input size, and what is the other way
//! round than the model has learned is swapped.

mod files;

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use glyphnet::Model;
use serde::{Deserialize, Serialize};

use super::app::{Admitted, App, parse};
use super::error::{ApiError, json_response};
use super::loaded::Loaded;
use super::multipart;
use super::pixels::{Pixels, holds_image, quick};
use super::seats::Seat;
use crate::args::Invert;
use crate::classify::{Choice, likeliest, swap};

/// What to do with the images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Query {
    top: usize,
    invert: Invert,
}

/// Images as the model wants them.
struct Prepared {
    /// `images x H x W x C`.
    pixels: Vec<u8>,
    /// Their names, where they have some.
    names: Vec<Option<String>>,
    /// Whether dark and light were swapped in each.
    inverted: Vec<bool>,
}

impl Prepared {
    /// Images of the model's input size, `images x H x W x C`, of which some may have to be swapped.
    fn new(model: &Model, invert: Invert, mut pixels: Vec<u8>, names: Vec<Option<String>>) -> Prepared {
        let images = pixels.chunks_exact_mut(model.input().len());
        let inverted = images.map(|image| swap(model, invert, image)).collect();
        Prepared { pixels, names, inverted }
    }
}

/// Classes of the images in the body.
pub(crate) async fn predict(
    State(app): State<Arc<App>>,
    uri: Uri,
    Extension(seat): Extension<Arc<Seat>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let query = Query::parse(uri.query().unwrap_or_default())?;
    let kind = Kind::of(&headers)?;
    let admitted = app.admit(&seat, &headers, body).await?;
    let loaded = app.current.get();
    let (_admitted, prepared) = prepare(&app, &loaded, kind, query.invert, admitted).await?;
    let Prepared { pixels, names, inverted } = prepared;
    let probabilities = app.engine.predict(&loaded, Bytes::from(pixels)).await?;
    let model = loaded.model();
    let rows = probabilities.chunks_exact(model.classes().len());
    let predictions = rows.zip(&names).zip(&inverted).filter_map(|((probabilities, name), &inverted)| {
        let top = likeliest(probabilities, model.classes(), query.top);
        let Choice { class, label, probability } = top.first()?.clone();
        Some(Prediction { input: name.as_deref(), inverted, class, label, probability, top, probabilities })
    });
    let answer = Answer { model: app.current.name(), predictions: predictions.collect() };
    let body = serde_json::to_vec(&answer).map_err(|error| ApiError::fault(error.to_string()))?;
    Ok(json_response(StatusCode::OK, body))
}

/// What a body is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Image,
    Form(String),
    Json,
}

impl Kind {
    fn of(headers: &HeaderMap) -> Result<Kind, ApiError> {
        let told = headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let Some(told) = told else { return Ok(Kind::Image) };
        let essence = told.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match &*essence {
            "application/json" => Ok(Kind::Json),
            "application/octet-stream" => Ok(Kind::Image),
            "multipart/form-data" => match multipart::boundary(&told) {
                Some(boundary) => Ok(Kind::Form(boundary.to_owned())),
                None => Err(ApiError::bad("the Content-Type of the form names no boundary")),
            },
            image if image.starts_with("image/") => Ok(Kind::Image),
            other => Err(ApiError::unsupported(format!(
                "a body of {other} is not read here; send an image file as image/png, image/jpeg or the like, files as \
                 multipart/form-data, or pixels as application/json"
            ))),
        }
    }
}

async fn prepare(
    app: &Arc<App>,
    loaded: &Arc<Loaded>,
    kind: Kind,
    invert: Invert,
    admitted: Admitted,
) -> Result<(Admitted, Prepared), ApiError> {
    let most = app.limits.images;
    let (admitted, files) = match kind {
        Kind::Json => {
            let loaded = Arc::clone(loaded);
            return parse(admitted, move |body| read_json(body, loaded.model(), invert, most)).await;
        }
        Kind::Image => {
            let file = (None, admitted.body.clone());
            (admitted, vec![file])
        }
        Kind::Form(boundary) => {
            let parts = move |body: &Bytes| multipart::parts(body, &boundary, most).map_err(ApiError::bad);
            let (admitted, parts) = parse(admitted, parts).await?;
            (admitted, parts.into_iter().map(|part| (Some(part.name), part.content)).collect())
        }
    };
    if files.is_empty() {
        return Err(ApiError::bad("the form holds no file"));
    }
    files::decode(app, loaded, files, invert, admitted).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {
    pixels: Option<Pixels>,
    images: Option<Pixels>,
}

fn read_json(body: &Bytes, model: &Model, invert: Invert, most: usize) -> Result<Prepared, ApiError> {
    let numbers = match quick::read(body) {
        Some(("pixels", pixels)) => Numbers { pixels: Some(pixels), images: None },
        Some(("images", images)) => Numbers { pixels: None, images: Some(images) },
        _ => serde_json::from_slice(body).map_err(|error| ApiError::bad(format!("the request's JSON: {error}")))?,
    };
    let shape = model.input();
    let misfit = |what: &str, dims: &[usize]| {
        ApiError::bad(format!(
            "{what} has numbers in arrays of {dims:?}; the model takes images of {shape}: {} numbers, flat or nested",
            shape.len()
        ))
    };
    let (images, pixels) = match (numbers.pixels, numbers.images) {
        (Some(pixels), None) if holds_image(&pixels.dims, shape) => (1, pixels),
        (Some(pixels), None) => return Err(misfit("pixels", &pixels.dims)),
        (None, Some(images)) => match &images.dims[..] {
            [0, ..] => return Err(ApiError::bad("images is empty")),
            &[count, ref dims @ ..] if holds_image(dims, shape) => (count, images),
            dims => return Err(misfit("images", dims)),
        },
        _ => return Err(ApiError::bad("give either pixels, one image, or images, an array of them")),
    };
    if images > most {
        return Err(ApiError::large(format!("{images} images are more than {most} in one request (--max-images)")));
    }
    Ok(Prepared::new(model, invert, pixels.values, vec![None; images]))
}

impl Query {
    fn parse(text: &str) -> Result<Query, ApiError> {
        let mut query = Query { top: 3, invert: Invert::Auto };
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (key, value) {
                ("top", number) => {
                    let top = number.parse().ok().filter(|&top| top > 0);
                    query.top = top.ok_or_else(|| ApiError::bad("top must be a whole number, at least 1"))?;
                }
                ("invert", "auto") => query.invert = Invert::Auto,
                ("invert", "yes") => query.invert = Invert::Yes,
                ("invert", "no") => query.invert = Invert::No,
                ("invert", _) => return Err(ApiError::bad("invert must be auto, yes or no")),
                _ => return Err(ApiError::bad("the query has something else than top and invert")),
            }
        }
        Ok(query)
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    model: &'a str,
    predictions: Vec<Prediction<'a>>,
}

/// As in docs/predict-output.md, with the probabilities of all classes at the end.
#[derive(Serialize)]
struct Prediction<'a> {
    input: Option<&'a str>,
    inverted: bool,
    class: String,
    label: usize,
    probability: f32,
    top: Vec<Choice>,
    probabilities: &'a [f32],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_has_two_settings() {
        assert_eq!(Query::parse("").unwrap(), Query { top: 3, invert: Invert::Auto });
        assert_eq!(Query::parse("top=5&invert=no").unwrap(), Query { top: 5, invert: Invert::No });
        for wrong in ["top=0", "top=", "top=x", "invert=maybe", "invert", "tip=3", "top=-1"] {
            assert_eq!(Query::parse(wrong).unwrap_err().status(), StatusCode::BAD_REQUEST, "{wrong}");
        }
    }

    #[test]
    fn kinds_are_told_by_the_content_type() {
        let kind = |told: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, told.parse().unwrap());
            Kind::of(&headers)
        };
        assert_eq!(kind("Image/PNG").unwrap(), Kind::Image);
        assert_eq!(kind("application/json; charset=utf-8").unwrap(), Kind::Json);
        assert_eq!(kind("multipart/form-data; boundary=x").unwrap(), Kind::Form("x".to_owned()));
        assert_eq!(Kind::of(&HeaderMap::new()).unwrap(), Kind::Image);
        assert_eq!(kind("multipart/form-data").unwrap_err().status(), StatusCode::BAD_REQUEST);
        // What curl -d sends.
        let form = kind("application/x-www-form-urlencoded").unwrap_err();
        assert_eq!(form.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert!(form.message().contains("x-www-form-urlencoded"));
    }
}
