//! `multipart/form-data` (RFC 7578) of a body that is in memory, as `curl -F` and forms send files.

use axum::body::Bytes;

/// A part: what its form calls it, and its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The file's name, or the field's where there is none.
    pub(crate) name: String,
    /// A slice of the body.
    pub(crate) content: Bytes,
}

/// Further headers of a part are not looked at.
const MOST_HEADERS: usize = 16;
/// Bytes within which the headers of a part must end.
const LONGEST_HEADERS: usize = 8 << 10;

/// The boundary that a `Content-Type` names; nothing if it is no form.
pub(crate) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let found = parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })?;
    // RFC 2046: 1 to 70 characters.
    (1..=70).contains(&found.len()).then_some(found)
}

/// The parts of a body, at most `most`.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(crate) fn parts(body: &Bytes, boundary: &str, most: usize) -> Result<Vec<Part>, String> {
    let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
    // The first delimiter may stand at the very beginning.
    let mut at = match body.starts_with(&delimiter[2..]) {
        true => delimiter.len() - 2,
        false => find(body, &delimiter).ok_or("the form's boundary is nowhere in the body")? + delimiter.len(),
    };
    let mut parts = Vec::new();
    loop {
        let rest = &body[at..];
        if rest.starts_with(b"--") {
            return Ok(parts);
        }
        // Spaces may follow a boundary.
        let padding = rest.iter().take_while(|&&byte| byte == b' ' || byte == b'\t').count();
        if !rest[padding..].starts_with(b"\r\n") {
            return Err("the form breaks off after a boundary".to_owned());
        }
        if parts.len() == most {
            return Err(format!("the form has more than {most} parts (--max-images)"));
        }
        // Kept: a part without headers has its empty line right here.
        let start = at + padding;
        let length = find(&body[start..], &delimiter).ok_or("the form breaks off within a part")?;
        parts.push(part(body.slice(start..start + length))?);
        at = start + length + delimiter.len();
    }
}

/// A part from the line end before its headers on.
fn part(whole: Bytes) -> Result<Part, String> {
    let head = &whole[..whole.len().min(LONGEST_HEADERS)];
    let end = find(head, b"\r\n\r\n").ok_or("a part of the form has no empty line after its headers")?;
    let headers = String::from_utf8_lossy(&whole[..end]);
    let mut name = None;
    for line in headers.split("\r\n").filter(|line| !line.is_empty()).take(MOST_HEADERS) {
        let Some((key, value)) = line.split_once(':') else { continue };
        if key.trim().eq_ignore_ascii_case("content-disposition") {
            name = parameter(value, "filename").or_else(|| parameter(value, "name"));
        }
        if key.trim().eq_ignore_ascii_case("content-transfer-encoding") && !value.trim().eq_ignore_ascii_case("binary")
        {
            return Err(format!("a part of the form has the transfer encoding {}; send it as it is", value.trim()));
        }
    }
    Ok(Part { name: name.unwrap_or_default(), content: whole.slice(end + 4..) })
}

/// A parameter of a header; browsers write `"` as `%22`, so there is no escape to heed.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let mut rest = header;
    while let Some((_, after)) = rest.split_once(';') {
        let (key, value) = after.split_once('=')?;
        let value = value.trim_start();
        let (found, next) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => value.split_at(value.find(';').unwrap_or(value.len())),
        };
        if key.trim().eq_ignore_ascii_case(wanted) {
            return Some(found.trim().to_owned());
        }
        rest = next;
    }
    None
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = wanted.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| byte == first) {
        if bytes[from + at..].starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(body: &str) -> Result<Vec<(String, String)>, String> {
        let parts = parts(&Bytes::copy_from_slice(body.as_bytes()), "XX", 3)?;
        let text = |content: &Bytes| String::from_utf8_lossy(content).into_owned();
        Ok(parts.into_iter().map(|part| (part.name, text(&part.content))).collect())
    }

    #[test]
    fn files_come_out_as_they_went_in() {
        let body = "ignored\r\n--XX\r\nContent-Disposition: form-data; name=\"a\"; filename=\"one; two.png\"\r\n\
                    Content-Type: image/png\r\n\r\nfirst\r\n--X\r\n\r\n--XX \t\r\ncontent-disposition: form-data; name=b\r\n\r\n\
                    \r\n--XX\r\n\r\nno headers\r\n--XX--\r\nafter";
        let expected = [("one; two.png", "first\r\n--X\r\n"), ("b", ""), ("", "no headers")];
        let expected = expected.map(|(name, content)| (name.to_owned(), content.to_owned()));
        assert_eq!(split(body).unwrap(), expected);
        assert_eq!(split("--XX--").unwrap(), []);
    }

    #[test]
    fn broken_forms_are_refused() {
        for (body, words) in [
            ("", "nowhere"),
            ("--XY--", "nowhere"),
            ("--XX", "breaks off"),
            ("--XX\r\n", "breaks off"),
            ("--XX\r\nA: b\r\n\r\nc", "breaks off"),
            ("--XX\r\nA: b\r\n--XX--", "no empty line"),
            ("--XX\r\nContent-Transfer-Encoding: base64\r\n\r\nAA==\r\n--XX--", "base64"),
            ("--XX\r\n\r\n\r\n--XX\r\n\r\n\r\n--XX\r\n\r\n\r\n--XX\r\n\r\n\r\n--XX--", "more than 3"),
        ] {
            let error = split(body).unwrap_err();
            assert!(error.contains(words), "{body:?}: {error}");
        }
    }

    #[test]
    fn the_boundary_is_in_the_content_type() {
        assert_eq!(boundary("multipart/form-data; boundary=abc"), Some("abc"));
        assert_eq!(boundary("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\""), Some("a b"));
        for none in
            ["multipart/form-data", "multipart/mixed; boundary=a", "multipart/form-data; boundary=", "image/png"]
        {
            assert_eq!(boundary(none), None, "{none}");
        }
        assert_eq!(boundary(&format!("multipart/form-data; boundary={}", "x".repeat(71))), None);
    }
}
