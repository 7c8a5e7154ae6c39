//! What happens around each request: its number, its token, its line in the log and its place in the metrics.

use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use axum::body::HttpBody as _;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::app::App;
use super::error::{ApiError, Reason};
use super::log::Access;
use super::metrics::{Counted, Gauge};

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

/// The status of requests whose client left before it was answered, in the log and the metrics. Nobody is sent it.
const CLIENT_LEFT: u16 = 499;

/// Names the request, times it, counts it and logs it.
pub(crate) async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut seen = Seen::new(&app, &request);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        headers.entry(name).or_insert(value);
    }
    headers.insert(REQUEST_ID, seen.id.clone());
    let reason = response.extensions().get::<Reason>().map(|reason| reason.0.as_str());
    seen.answered = true;
    seen.tell(response.status().as_u16(), response.body().size_hint().exact(), reason);
    response
}

/// A request at work. What hyper drops before it was answered is told of too.
struct Seen<'a> {
    app: &'a App,
    start: Instant,
    id: HeaderValue,
    route: Option<MatchedPath>,
    method: Method,
    uri: Uri,
    answered: bool,
    _active: Counted<&'a Gauge>,
}

impl<'a> Seen<'a> {
    fn new(app: &'a App, request: &Request) -> Seen<'a> {
        Seen {
            app,
            start: Instant::now(),
            id: id_of(request.headers()),
            route: request.extensions().get::<MatchedPath>().cloned(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            answered: false,
            _active: Counted::new(&app.metrics.active),
        }
    }

    fn tell(&self, status: u16, bytes: Option<u64>, error: Option<&str>) {
        let took = self.start.elapsed();
        self.app.metrics.request(self.route.as_ref().map_or("none", |route| known(route.as_str())), status, took);
        let (id, method) = (self.id.to_str().unwrap_or_default(), self.method.as_str());
        self.app.log.access(&Access { id, method, path: self.uri.path(), status, took, bytes, error });
    }
}

impl Drop for Seen<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.tell(CLIENT_LEFT, None, Some("the client left before it was answered"));
        }
    }
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
