//! What can be typed after `serve`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};

#[derive(Debug, ClapArgs)]
pub(crate) struct ServeArgs {
    /// A model file or a run folder; it is read again when it changes, and at SIGHUP
    #[arg(long, value_name = "FILE|RUN")]
    pub(crate) model: PathBuf,
    /// Where to listen; port 0 takes a free one, which is printed
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) addr: String,
    /// The model's name in /v2/models/NAME [default: the run's recipe, else the file's name]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub(crate) name: Option<String>,
    /// Threads that predict [default: all cores]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) threads: Option<NonZeroUsize>,
    /// A file with a token that clients must show (Authorization: Bearer TOKEN) for all but /v2/health; read again at SIGHUP
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// A web origin whose pages may call the API, for example https://example.org, or * for all; may be repeated
    #[arg(long, value_name = "ORIGIN", value_parser = parse_origin)]
    pub(crate) cors: Vec<String>,
    /// The longest body of a request, in bytes, KiB or MiB
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = parse_bytes)]
    pub(crate) max_body: usize,
    /// The most images in one request
    #[arg(long, value_name = "N", default_value = "256", value_parser = parse_count)]
    pub(crate) max_images: NonZeroUsize,
    /// The most pixels of all image files of a request together, in millions
    #[arg(long, value_name = "N", default_value = "25")]
    pub(crate) max_megapixels: std::num::NonZeroU32,
    /// The most images that are predicted together, of one request or several
    #[arg(long, value_name = "N", default_value = "32", value_parser = parse_count)]
    pub(crate) max_batch: NonZeroUsize,
    /// How long an image may wait for others to be predicted together with it, in microseconds; 0 = only while all threads are busy
    #[arg(long, value_name = "MICROSECONDS", default_value = "0", value_parser = clap::value_parser!(u64).range(..=10_000_000))]
    pub(crate) batch_delay: u64,
    /// The most requests at work or waiting for it; beyond that the answer is 503 with Retry-After
    #[arg(long, value_name = "N", default_value = "256", value_parser = parse_count)]
    pub(crate) max_concurrent: NonZeroUsize,
    /// The most connections; a further one takes the place of the one whose client has kept the server waiting longest
    #[arg(long, value_name = "N", default_value = "512", value_parser = parse_count)]
    pub(crate) max_connections: NonZeroUsize,
    /// Seconds that a client has for the headers of its next request; its body must then come at 64 KiB/s on average, without a longer pause
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub(crate) client_timeout: Duration,
    /// Seconds that requests in flight have to end after SIGTERM or Ctrl-C
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub(crate) drain_timeout: Duration,
    /// How requests are logged on standard error, one line each
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
    Off,
}

/// Whether a name needs no escaping in a URL, a label or a log.
pub(crate) fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

fn parse_name(text: &str) -> Result<String, String> {
    if !text.is_empty() && text.len() <= 128 && text.chars().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err("give up to 128 letters, digits, dots, dashes and underscores".to_owned())
}

fn parse_origin(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let sound = |host: &str| !host.is_empty() && host.chars().all(|c| is_plain(c) || matches!(c, ':' | '[' | ']'));
    if text == "*" || host.is_some_and(sound) {
        return Ok(text.to_owned());
    }
    Err("give a scheme and a host without a path, such as https://example.org, or *".to_owned())
}

/// `1000`, `64KiB` or `16MiB`; at least 1 KiB and at most 1 GiB.
fn parse_bytes(text: &str) -> Result<usize, String> {
    let (number, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(end) => text.split_at(end),
        None => (text, ""),
    };
    let shift = match unit {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        _ => return Err("give a number of bytes, KiB or MiB, for example 16MiB".to_owned()),
    };
    let bytes = number.parse::<usize>().ok().and_then(|number| number.checked_mul(1 << shift));
    match bytes {
        Some(bytes) if (1 << 10..=1 << 30).contains(&bytes) => Ok(bytes),
        _ => Err("give a size from 1KiB to 1024MiB".to_owned()),
    }
}

/// From 1 to a number that no machine comes near and no product of which overflows.
fn parse_count(text: &str) -> Result<NonZeroUsize, String> {
    let count = text.parse::<NonZeroUsize>().ok().filter(|count| count.get() <= 65_536);
    count.ok_or_else(|| "give a whole number from 1 to 65536".to_owned())
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.1..=3600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "give seconds, from 0.1 to 3600".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_bytes("4096"), Ok(4096));
        assert_eq!(parse_bytes("64KiB"), Ok(65_536));
        assert_eq!(parse_bytes("2MiB"), Ok(2 << 20));
        for wrong in ["", "MiB", "1MB", "-1", "12", "2048MiB", "99999999999999999999KiB", "1.5MiB"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn counts_are_bounded() {
        assert_eq!(parse_count("65536").map(NonZeroUsize::get), Ok(65_536));
        for wrong in ["0", "-1", "65537", "1152921504606846976", "18446744073709551615", "1.5", ""] {
            assert!(parse_count(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn origins_have_a_scheme_and_no_path() {
        for right in ["*", "https://example.org", "http://localhost:5173", "http://[::1]:80"] {
            assert!(parse_origin(right).is_ok(), "{right}");
        }
        for wrong in ["", "example.org", "https://", "https://a/b", "https://a b", "null"] {
            assert!(parse_origin(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_and_seconds_are_plain() {
        assert!(parse_name("seed-2.v1_x").is_ok());
        for wrong in ["", "a b", "a/b", "é", "a\n"] {
            assert!(parse_name(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["0", "-1", "NaN", "inf", "1h"] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
    }
}
