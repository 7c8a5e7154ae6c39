//! What all pages share: escaping, the beginning of a document, light and dark, and the table of a network's layers.

mod markup;
mod network;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

pub(crate) use self::markup::{Html, Px};
pub(crate) use self::network::{times, write_network_table};

/// The style that comes before a page's own.
pub(crate) const THEME_STYLE: &str = include_str!("assets/theme.css");
/// The first script of a page. It wants a button `#theme`, and marks the page as `.scripted`.
pub(crate) const THEME_SCRIPT: &str = include_str!("assets/theme.js");

/// The beginning of a page, up to its title. It may fetch nothing, and run nothing but `scripts`; `more` are further
/// directives of its policy.
pub(crate) fn write_beginning(html: &mut Html, scripts: &[&str], more: &'static str) {
    html.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src");
    // Scripts are named by their hashes, so that no other could run even if it got into the page.
    for script in scripts {
        html.raw(" 'sha256-");
        html.put("{}", &[&STANDARD.encode(Sha256::digest(script.as_bytes()))]);
        html.raw("'");
    }
    html.raw("; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; ");
    html.raw(more);
    html.raw(
        "\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n",
    );
}

/// Fails at a page that refers to anything outside of itself, or holds a script that its policy does not name.
#[cfg(test)]
pub(crate) fn assert_asks_for_nothing(page: &str) {
    for attribute in ["href=\"", "src=\"", "url("] {
        for value in page.split(attribute).skip(1) {
            assert!(value.starts_with('#') || value.starts_with("data:"), "{attribute}{}", &value[..40]);
        }
    }
    assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("@import"));
    let policy = page.split_once("Content-Security-Policy\" content=\"").unwrap().1.split_once('"').unwrap().0;
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
    let scripts = page.split("<script").skip(1).map(|script| script.split_once("</script>").unwrap().0);
    let scripts = scripts.map(|script| script.split_once('>').unwrap()).filter(|(head, _)| !head.contains("type="));
    let hashes: Vec<String> = scripts.map(|(_, script)| STANDARD.encode(Sha256::digest(script.as_bytes()))).collect();
    assert_eq!(policy.matches("'sha256-").count(), hashes.len());
    assert!(hashes.iter().all(|hash| policy.contains(&format!("'sha256-{hash}'"))), "{policy}");
}
