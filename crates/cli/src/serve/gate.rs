//! What happens around each request: its number, its token, its line in the log and its place in the metrics.

use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use axum::body::HttpBody as _;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::app::App;
use super::error::{ApiError, Reason};
use super::log::Access;
use super::metrics::Counted;

/// The header that names a request, in both directions.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A client's own name for a request may have so many bytes.
const LONGEST_ID: usize = 128;

/// Sent with every response.
const SECURITY: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Names the request, times it, counts it and logs it.
pub(crate) async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let _active = Counted::new(&app.metrics.active);
    let id = id_of(request.headers());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        headers.entry(name).or_insert(value);
    }
    headers.insert(REQUEST_ID, id.clone());
    let (took, status) = (start.elapsed(), response.status().as_u16());
    app.metrics.request(route.as_ref().map_or("none", |route| known(route.as_str())), status, took);
    app.log.access(&Access {
        id: id.to_str().unwrap_or_default(),
        method: method.as_str(),
        path: uri.path(),
        status,
        took,
        bytes: response.body().size_hint().exact(),
        error: response.extensions().get::<Reason>().map(|reason| reason.0.as_str()),
    });
    response
}

/// Refuses requests that do not show the token; health needs none, so that whoever starts and stops servers can ask.
pub(crate) async fn authorise(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if matches!(path, "/v2/health/live" | "/v2/health/ready") || app.admits(request.headers()) {
        return next.run(request).await;
    }
    // A browser asks the person for the token, as the password, where a page is wanted.
    let scheme = if path == "/" { "Basic realm=\"glyphnet\", charset=\"UTF-8\"" } else { "Bearer realm=\"glyphnet\"" };
    let message = "this server needs a token: send the header Authorization: Bearer TOKEN";
    let mut response = ApiError::new(StatusCode::UNAUTHORIZED, message).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    response
}

/// The client's own name for a request, if it is a sound one, else a new one.
fn id_of(headers: &HeaderMap) -> HeaderValue {
    static START: LazyLock<u64> = LazyLock::new(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        since.as_micros() as u64
    });
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let sound =
        |id: &&HeaderValue| id.len() <= LONGEST_ID && !id.is_empty() && id.as_bytes().iter().all(u8::is_ascii_graphic);
    if let Some(id) = headers.get(REQUEST_ID).filter(sound) {
        return id.clone();
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let id = format!("{:x}-{number:x}", *START);
    HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("-"))
}

/// The routes as labels of metrics; the pattern, never what a client wrote.
fn known(pattern: &str) -> &'static str {
    const ROUTES: [&str; 7] =
        ["/", "/api/predict", "/metrics", "/openapi.json", "/v2", "/v2/health/live", "/v2/health/ready"];
    const MODEL: [(&str, &str); 4] = [
        ("/infer", "/v2/models/{name}/infer"),
        ("/ready", "/v2/models/{name}/ready"),
        ("/config", "/v2/models/{name}/config"),
        ("/stats", "/v2/models/{name}/stats"),
    ];
    if pattern.starts_with("/v2/models/") {
        let found = MODEL.iter().find(|(end, _)| pattern.ends_with(end));
        return found.map_or("/v2/models/{name}", |(_, route)| route);
    }
    ROUTES.iter().find(|&&route| route == pattern).copied().unwrap_or("none")
}
