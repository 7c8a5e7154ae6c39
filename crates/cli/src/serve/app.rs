//! What all requests share, and which path leads where.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use glyphnet_data::ImageLimits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_http::cors::{Any, CorsLayer};

use super::auth::Token;
use super::body::{self, BodyLimits};
use super::budget::{Budget, Held};
use super::engine::Engine;
use super::error::{ApiError, json_response};
use super::loaded::{Current, Loaded};
use super::log::Log;
use super::metrics::Metrics;
use super::seats::{For, Seat};
use super::{gate, predict, protocol};

/// What a request may ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) body: BodyLimits,
    /// Images in one request.
    pub(crate) images: usize,
    /// Size of an image file.
    pub(crate) image: ImageLimits,
}

/// All that requests share.
pub(crate) struct App {
    pub(crate) current: Current,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) token: RwLock<Option<Token>>,
    pub(crate) engine: Engine,
    pub(crate) limits: Limits,
    pub(crate) budget: Arc<Budget>,
    /// Requests that may be at work.
    pub(crate) places: Arc<Semaphore>,
    /// Of these, requests whose image files wait to be decoded or are: some places stay free for those who send pixels.
    pub(crate) uploads: Arc<Semaphore>,
    /// Image files that may be decoded at the same time: a few bytes can become many megabytes.
    pub(crate) decoders: Arc<Semaphore>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log: Log,
    /// Whether the server is about to end.
    pub(crate) draining: AtomicBool,
}

/// A body beyond this is parsed on a thread that may block.
const PARSED_AT_ONCE: usize = 64 << 10;

impl App {
    /// Reads a body, then takes a place among the requests at work: a client that sends slowly holds none.
    pub(crate) async fn admit(&self, seat: &Seat, headers: &HeaderMap, body: Body) -> Result<Admitted, ApiError> {
        let mut held = self.budget.hold();
        seat.wait_for(For::Body);
        let body = body::read(headers, body, self.limits.body, &mut held).await;
        seat.work();
        let body = body?;
        let busy = |_| ApiError::busy("as many requests are at work as are allowed (--max-concurrent); try again");
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(busy)?;
        Ok(Admitted { body, held, _place: place })
    }

    /// Whether these headers show the token, or none is asked for.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        let token = self.token.read().unwrap_or_else(PoisonError::into_inner);
        token.as_ref().is_none_or(|token| token.admits(headers))
    }

    pub(crate) fn ready(&self) -> bool {
        !self.draining.load(Ordering::Relaxed)
    }
}

/// A request with its whole body, its memory and its place. It goes along wherever work is done for it, since that goes on
/// when the client leaves.
pub(crate) struct Admitted {
    pub(crate) body: Bytes,
    pub(crate) held: Held,
    _place: OwnedSemaphorePermit,
}

/// Makes something of a body that takes no more memory than it, which is charged beforehand; away from the threads that
/// serve connections where it is long.
pub(crate) async fn parse<T: Send + 'static>(
    mut admitted: Admitted,
    parse: impl FnOnce(&Bytes) -> Result<T, ApiError> + Send + 'static,
) -> Result<(Admitted, T), ApiError> {
    admitted.held.grow(admitted.body.len())?;
    if admitted.body.len() <= PARSED_AT_ONCE {
        let parsed = parse(&admitted.body)?;
        return Ok((admitted, parsed));
    }
    let work = move || {
        let parsed = parse(&admitted.body)?;
        Ok((admitted, parsed))
    };
    let parsed = tokio::task::spawn_blocking(work).await;
    parsed.map_err(|_| ApiError::fault("reading the request failed; the server's log says why"))?
}

/// Every path. `cors` are the web origins whose pages may call.
pub(crate) fn router(app: Arc<App>, cors: &[String]) -> Router {
    let one_model = Router::new()
        .route("/", get(protocol::model))
        .route("/ready", get(protocol::model_ready))
        .route("/config", get(protocol::model_config))
        .route("/stats", get(protocol::model_stats))
        .route("/infer", post(protocol::infer));
    let router = Router::new()
        .route("/", get(page))
        .route("/api/predict", post(predict::predict))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(openapi))
        .route("/v2", get(protocol::server))
        .route("/v2/health/live", get(protocol::live))
        .route("/v2/health/ready", get(protocol::ready))
        .nest("/v2/models/{name}", one_model.clone())
        .nest("/v2/models/{name}/versions/{version}", one_model)
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), gate::authorise));
    let router = match cors {
        [] => router,
        origins => router.layer(cors_layer(origins)),
    };
    router.layer(middleware::from_fn_with_state(Arc::clone(&app), gate::observe)).with_state(app)
}

fn cors_layer(origins: &[String]) -> CorsLayer {
    let header_length = header::HeaderName::from_static(protocol::HEADER_LENGTH);
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header_length.clone(), gate::REQUEST_ID])
        .expose_headers([header_length, gate::REQUEST_ID, header::RETRY_AFTER]);
    if origins.iter().any(|origin| origin == "*") {
        return layer.allow_origin(Any);
    }
    layer.allow_origin(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect::<Vec<_>>())
}

async fn page(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    app.current.get().page().response(&headers)
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let loaded: Arc<Loaded> = app.current.get();
    let text = app.metrics.text(app.current.name(), &loaded, app.engine.waiting());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn openapi(State(app): State<Arc<App>>) -> Response {
    json_response(StatusCode::OK, app.current.get().openapi())
}

async fn nowhere() -> ApiError {
    ApiError::missing("there is nothing at this path; /openapi.json lists what there is")
}

async fn wrong_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take that method; see the header Allow")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_of_a_body_is_charged_beforehand() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for (memory, status) in [(11, Some(503)), (12, None)] {
            let mut held = Budget::new(memory).hold();
            held.grow(6).unwrap();
            let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
            let admitted = Admitted { body: Bytes::from_static(b"123456"), held, _place: place };
            let parsed = runtime.block_on(parse(admitted, |body| Ok(body.len())));
            assert_eq!(parsed.err().map(|error| error.status().as_u16()), status, "{memory} bytes");
        }
    }
}
