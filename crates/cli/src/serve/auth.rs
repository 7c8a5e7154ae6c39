//! The token that clients must show.

use std::fs;
use std::path::Path;

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;

use crate::error::CliError;

/// A file longer than this holds something else.
const LONGEST: u64 = 4096;

/// A secret. It is never printed.
pub(crate) struct Token(Vec<u8>);

impl Token {
    /// Reads the only line of a file.
    ///
    /// # Errors
    /// If it cannot be read, or holds no token.
    pub(crate) fn read(file: &Path) -> Result<Token, CliError> {
        let place = file.display();
        let failed = |problem: &str| CliError::failed(format!("--token-file {place}: {problem}"));
        let length = fs::metadata(file).map_err(|error| failed(&error.to_string()))?.len();
        if length > LONGEST {
            return Err(failed("it is longer than a token"));
        }
        let text = fs::read(file).map_err(|error| failed(&error.to_string()))?;
        match text.trim_ascii() {
            b"" => Err(failed("it is empty; put a token of your own into it, such as 32 random letters")),
            token if token.iter().all(u8::is_ascii_graphic) => Ok(Token(token.to_vec())),
            _ => Err(failed("a token is one line of ASCII letters, digits and signs, without spaces")),
        }
    }

    /// Whether a request shows the token: `Authorization: Bearer TOKEN`, or, as browsers ask people for it, `Basic` with
    /// any name and the token as the password.
    ///
    /// Takes as long for any token of the right length; the length itself is no secret.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        let Some((scheme, rest)) = headers.get(header::AUTHORIZATION).and_then(scheme) else { return false };
        match () {
            () if scheme.eq_ignore_ascii_case("bearer") => self.is(rest.as_bytes()),
            () if scheme.eq_ignore_ascii_case("basic") => {
                let decoded = STANDARD.decode(rest).unwrap_or_default();
                let colon = decoded.iter().position(|&byte| byte == b':');
                colon.is_some_and(|colon| self.is(&decoded[colon + 1..]))
            }
            () => false,
        }
    }

    fn is(&self, shown: &[u8]) -> bool {
        self.0.ct_eq(shown).into()
    }
}

/// The two words of an `Authorization`.
fn scheme(value: &HeaderValue) -> Option<(&str, &str)> {
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    Some((scheme, rest.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(authorization: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(authorization).unwrap());
        Token(b"s3cret:x".to_vec()).admits(&headers)
    }

    #[test]
    fn the_token_is_shown_as_bearer_or_as_a_password() {
        assert!(admitted("Bearer s3cret:x"));
        assert!(admitted("bearer  s3cret:x"));
        assert!(admitted(&format!("Basic {}", STANDARD.encode("anybody:s3cret:x"))));
        for wrong in
            ["s3cret:x", "Bearer", "Bearer ", "Bearer s3cret:", "Bearer s3cret:xx", "Bearer S3cret:x", "Basic !"]
        {
            assert!(!admitted(wrong), "{wrong}");
        }
        assert!(!admitted(&format!("Basic {}", STANDARD.encode("s3cret"))));
        assert!(!Token(b"t".to_vec()).admits(&HeaderMap::new()));
    }

    #[test]
    fn a_file_must_hold_a_token() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        for empty in ["", " \n", "two words", "t\u{e9}", &"x".repeat(5000)] {
            fs::write(&file, empty).unwrap();
            assert!(Token::read(&file).is_err(), "{empty:?}");
        }
        fs::write(&file, "abc\n").unwrap();
        assert!(Token::read(&file).is_ok_and(|token| token.0 == b"abc"));
        assert!(Token::read(&folder.path().join("none")).is_err());
    }
}
