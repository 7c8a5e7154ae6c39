//! Reading a request's body: whole, within the limits, and not for longer than a sound client needs.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::{HeaderMap, StatusCode, header};
use tokio::time::{Instant, timeout_at};

use super::budget::Held;
use super::error::ApiError;

/// What a body must come at on average, in bytes a second, once the client's time for a start is over. What was sent fast
/// is no credit for a pause: none may be longer than that time.
const SLOWEST: usize = 64 << 10;

/// How long a body may be, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimits {
    /// Bytes.
    pub(crate) longest: usize,
    /// Time beyond that of the slowest transfer.
    pub(crate) patience: Duration,
}

/// Reads the body; `held` grows as it arrives.
///
/// # Errors
/// 413 if it is too long, by its announcement if there is one; 415 if it is compressed; 408 if it comes too slowly; 503
/// if there is no memory for it; 400 if the client breaks off.
pub(crate) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    limits: BodyLimits,
    held: &mut Held,
) -> Result<Bytes, ApiError> {
    let too_long = || ApiError::large(format!("the body is longer than {} bytes (--max-body)", limits.longest));
    if body.size_hint().lower() > limits.longest as u64 {
        return Err(too_long());
    }
    refuse_encoding(headers)?;
    let start = Instant::now();
    let mut last = start;
    let (mut first, mut whole) = (Bytes::new(), Vec::new());
    loop {
        let received = first.len() + whole.len();
        let credit = Duration::from_millis((received * 1000 / SLOWEST) as u64);
        let deadline = last.min(start + credit) + limits.patience;
        let frame = timeout_at(deadline, poll_fn(|context| Pin::new(&mut body).poll_frame(context))).await;
        let frame = frame.map_err(|_| {
            let message = format!("the body came too slowly: {received} bytes in {:?}", start.elapsed());
            ApiError::new(StatusCode::REQUEST_TIMEOUT, message)
        })?;
        let Some(frame) = frame else { break };
        last = Instant::now();
        // Trailers say nothing here.
        let Ok(data) = frame.map_err(|error| ApiError::bad(format!("the body broke off: {error}")))?.into_data() else {
            continue;
        };
        if received + data.len() > limits.longest {
            return Err(too_long());
        }
        held.grow(data.len())?;
        // Most bodies come in one piece, which needs no copy.
        match received {
            0 => first = data,
            _ => {
                if whole.is_empty() {
                    whole.extend_from_slice(&std::mem::take(&mut first));
                }
                whole.extend_from_slice(&data);
            }
        }
    }
    Ok(if whole.is_empty() { first } else { whole.into() })
}

fn refuse_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
    match headers.get(header::CONTENT_ENCODING) {
        None => Ok(()),
        Some(encoding) if encoding.as_bytes().eq_ignore_ascii_case(b"identity") => Ok(()),
        Some(encoding) => {
            let encoding = String::from_utf8_lossy(encoding.as_bytes()).into_owned();
            Err(ApiError::unsupported(format!("Content-Encoding: {encoding} is not read here; send the body as it is")))
        }
    }
}
