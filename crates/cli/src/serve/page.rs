//! The page at `/`: the very one that `export --format html` writes.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use glyphnet::Model;
use glyphnet_artifacts::page::{self, PageError};

/// Where a page says itself what it may do.
const OWN_POLICY: &str = "http-equiv=\"Content-Security-Policy\" content=\"";
/// What a page cannot say itself: that it is in no frame.
const POLICY: &str = "frame-ancestors 'none'";

/// A page and what browsers keep it under.
#[derive(Debug)]
pub(crate) struct Page {
    html: Bytes,
    tag: HeaderValue,
    policy: HeaderValue,
}

impl Page {
    /// The page of a model.
    pub(crate) fn of(model: &Model) -> Page {
        let html = page::to_html(model.parts()).unwrap_or_else(|error| without(&error));
        let mut hasher = DefaultHasher::new();
        html.hash(&mut hasher);
        let value = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
        let tag = value(format!("\"{:016x}\"", hasher.finish()));
        let policy = value(format!("{}; {POLICY}", own_policy(&html).unwrap_or("default-src 'none'; img-src data:")));
        Page { html: html.into(), tag, policy }
    }

    /// The page, or that the browser's copy still holds.
    pub(crate) fn response(&self, request: &HeaderMap) -> Response {
        let known = |tags: &HeaderValue| {
            let tags = tags.to_str().unwrap_or_default();
            let own = self.tag.to_str().unwrap_or_default();
            tags.split(',').map(|tag| tag.trim().trim_start_matches("W/")).any(|tag| tag == own || tag == "*")
        };
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (header::CONTENT_SECURITY_POLICY, self.policy.clone()),
            // Asked again each time: a reload changes the model.
            (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
            (header::ETAG, self.tag.clone()),
        ];
        if request.get_all(header::IF_NONE_MATCH).iter().any(known) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (headers, self.html.clone()).into_response()
    }
}

fn own_policy(html: &str) -> Option<&str> {
    let (_, rest) = html.split_once(OWN_POLICY)?;
    rest.split('"').next()
}

/// What stands at `/` for a network that no page can be made of; its API works all the same.
fn without(error: &PageError) -> String {
    let reason = error.to_string().replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><link rel=\"icon\" href=\"data:,\"><title>glyphnet</title>\n\
         <h1>glyphnet</h1>\n<p>There is no page for this model: {reason}.</p>\n<p>Its API is described in <a \
         href=\"openapi.json\">openapi.json</a>.</p>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_what_it_may_do() {
        let html = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:\"><p>";
        assert_eq!(own_policy(html), Some("default-src 'none'; img-src data:"));
        assert_eq!(own_policy("<p>"), None);
    }
}
