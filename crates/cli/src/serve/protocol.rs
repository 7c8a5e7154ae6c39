//! The Open Inference Protocol v2 over HTTP, with Triton's extensions that its clients ask for: binary tensors,
//! classification, the model's configuration and statistics.
//!
//! The model has one input, `images`, `UINT8` of `[-1, height, width, channels]`, and one output, `probabilities`, `FP32` of
//! `[-1, classes]`. Its only version is `1`.
//!
//! <https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md>,
//! <https://github.com/triton-inference-server/server/tree/main/docs/protocol>

mod infer;
mod request;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawPathParams, State};
use axum::http::StatusCode;
use axum::response::Response;
use glyphnet::Model;
use serde_json::{Value, json};

pub(crate) use self::infer::infer;
use super::app::App;
use super::error::{ApiError, json_response};
use super::loaded::Loaded;

/// The header that says where the JSON of a body ends and its binary tensors begin.
pub(crate) const HEADER_LENGTH: &str = "inference-header-content-length";
/// The only version of the model.
const VERSION: &str = "1";
/// The name of the input.
const INPUT: &str = "images";
/// The name of the output.
const OUTPUT: &str = "probabilities";

/// `GET /v2`.
pub(crate) async fn server() -> Response {
    let extensions = ["binary_tensor_data", "classification", "model_configuration", "statistics"];
    ok(&json!({ "name": "glyphnet", "version": env!("CARGO_PKG_VERSION"), "extensions": extensions }))
}

/// `GET /v2/health/live`: the process answers.
pub(crate) async fn live() -> Response {
    ok(&json!({ "live": true }))
}

/// `GET /v2/health/ready`: a model is loaded, and the server is not about to end.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    if app.ready() { Ok(ok(&json!({ "ready": true }))) } else { Err(ApiError::busy("the server is about to end")) }
}

/// `GET /v2/models/NAME`.
pub(crate) async fn model(State(app): State<Arc<App>>, path: RawPathParams) -> Result<Response, ApiError> {
    Ok(json_response(StatusCode::OK, named(&app, &path)?.metadata()))
}

/// `GET /v2/models/NAME/ready`.
pub(crate) async fn model_ready(State(app): State<Arc<App>>, path: RawPathParams) -> Result<Response, ApiError> {
    named(&app, &path)?;
    if !app.ready() {
        return Err(ApiError::busy("the server is about to end"));
    }
    Ok(ok(&json!({ "name": app.current.name(), "ready": true })))
}

/// `GET /v2/models/NAME/config`, as far as Triton's clients look at it.
pub(crate) async fn model_config(State(app): State<Arc<App>>, path: RawPathParams) -> Result<Response, ApiError> {
    let loaded = named(&app, &path)?;
    let input = loaded.model().input();
    Ok(ok(&json!({
        "name": app.current.name(),
        "platform": "glyphnet",
        "backend": "glyphnet",
        "max_batch_size": app.limits.images,
        "input": [{ "name": INPUT, "data_type": "TYPE_UINT8", "dims": [input.height, input.width, input.channels] }],
        "output": [{ "name": OUTPUT, "data_type": "TYPE_FP32", "dims": [loaded.model().classes().len()] }],
    })))
}

/// `GET /v2/models/NAME/stats`, as far as they are counted.
pub(crate) async fn model_stats(State(app): State<Arc<App>>, path: RawPathParams) -> Result<Response, ApiError> {
    named(&app, &path)?;
    let (batches, images) = app.metrics.predicted();
    Ok(ok(&json!({
        "model_stats": [{
            "name": app.current.name(),
            "version": VERSION,
            "inference_count": images,
            "execution_count": batches,
        }]
    })))
}

/// What `/v2/models/NAME` says of a model.
pub(crate) fn metadata(name: &str, model: &Model) -> Bytes {
    let input = model.input();
    let metadata = json!({
        "name": name,
        "versions": [VERSION],
        "platform": "glyphnet",
        "inputs": [{ "name": INPUT, "datatype": "UINT8", "shape": [-1, input.height, input.width, input.channels] }],
        "outputs": [{ "name": OUTPUT, "datatype": "FP32", "shape": [-1, model.classes().len()] }],
    });
    Bytes::from(metadata.to_string())
}

/// The model, if the path names it and its version.
fn named(app: &App, path: &RawPathParams) -> Result<Arc<Loaded>, ApiError> {
    for (key, value) in path {
        match key {
            "name" if value != app.current.name() => {
                return Err(ApiError::missing(format!(
                    "there is no model '{value}'; this server has '{}'",
                    app.current.name()
                )));
            }
            "version" if value != VERSION => {
                return Err(ApiError::missing(format!(
                    "the model has no version '{value}'; its only one is {VERSION}"
                )));
            }
            _ => {}
        }
    }
    Ok(app.current.get())
}

fn ok(value: &Value) -> Response {
    json_response(StatusCode::OK, value.to_string())
}
