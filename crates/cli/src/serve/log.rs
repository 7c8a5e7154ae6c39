//! The log on standard error: a line for each request and each event, as text or as JSON.
//!
//! A thread of its own writes, so that nobody who reads slowly holds up a request: lines beyond what it can keep are
//! dropped and counted.

use std::io::{self, BufWriter, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::{Value, json};

use super::error::cut;
use super::metrics::Metrics;
use crate::args::LogFormat;

/// Lines that may wait to be written.
const WAITING: usize = 4096;
/// How long the end waits for whoever reads the log; what reads no more must not hold it up for ever.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Characters of a path, or of what an event says.
const LONGEST_TEXT: usize = 1024;

/// Where lines are sent.
#[derive(Clone)]
pub(crate) struct Log {
    format: LogFormat,
    lines: SyncSender<String>,
    metrics: Arc<Metrics>,
}

/// Waits for what is left to be written when it is dropped, but not for ever; all [`Log`]s must have gone. Its channel closes
/// when the writer ends.
pub(crate) struct LogWriter(Receiver<()>);

/// A request and its answer.
pub(crate) struct Access<'a> {
    pub(crate) id: &'a str,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) status: u16,
    pub(crate) took: Duration,
    /// Bytes of the response's body, where that is known.
    pub(crate) bytes: Option<u64>,
    pub(crate) error: Option<&'a str>,
}

/// A request as a line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    event: &'static str,
    id: &'a str,
    method: &'a str,
    path: &'a str,
    status: u16,
    milliseconds: f64,
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl Log {
    /// Starts the writer.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub(crate) fn start(format: LogFormat, metrics: Arc<Metrics>) -> io::Result<(Log, LogWriter)> {
        let (lines, received) = sync_channel(WAITING);
        let (ends, ended) = channel();
        std::thread::Builder::new().name("log".to_owned()).spawn(move || {
            write(&received);
            drop(ends);
        })?;
        Ok((Log { format, lines, metrics }, LogWriter(ended)))
    }

    /// A request was answered.
    pub(crate) fn access(&self, access: &Access<'_>) {
        let Access { id, method, path, status, took, bytes, error } = *access;
        let path = &*cut(path.to_owned(), LONGEST_TEXT);
        let milliseconds = took.as_micros() as f64 / 1000.0;
        let line = match self.format {
            LogFormat::Off => return,
            LogFormat::Json => {
                let time = timestamp(SystemTime::now());
                let line = Line { time, event: "request", id, method, path, status, milliseconds, bytes, error };
                serde_json::to_string(&line).unwrap_or_default()
            }
            LogFormat::Text => {
                let bytes = bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
                let error =
                    error.map_or_else(String::new, |error| format!(" {}", plain(&Value::from(error).to_string())));
                let time = timestamp(SystemTime::now());
                let path = plain(path);
                format!("{time} {status} {method} {path} {milliseconds:.3} ms {bytes} bytes {id}{error}")
            }
        };
        self.send(line);
    }

    /// Something happened that whoever runs the server wants to know; never dropped by `--log-format off`.
    pub(crate) fn event(&self, event: &str, message: &str) {
        let time = timestamp(SystemTime::now());
        let message = cut(message.to_owned(), LONGEST_TEXT);
        self.send(match self.format {
            LogFormat::Json => json!({ "time": time, "event": event, "message": message }).to_string(),
            LogFormat::Text | LogFormat::Off => format!("{time} {event}: {}", plain(&message)),
        });
    }

    fn send(&self, line: String) {
        if self.lines.try_send(line).is_err() {
            self.metrics.lost_lines.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        let _ = self.0.recv_timeout(LAST_LINES);
    }
}

fn write(lines: &Receiver<String>) {
    let mut out = BufWriter::new(io::stderr());
    while let Ok(line) = lines.recv() {
        // Where standard error is closed nobody wants the log.
        let _ = writeln!(out, "{line}");
        for line in lines.try_iter() {
            let _ = writeln!(out, "{line}");
        }
        let _ = out.flush();
    }
}

/// The text with all that could end a line, or steer a terminal, escaped.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        // Separators of lines and paragraphs, and what turns the direction of writing, are no control characters.
        match letter {
            '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => plain.extend(letter.escape_unicode()),
            control if control.is_control() => plain.extend(control.escape_unicode()),
            _ => plain.push(letter),
        }
    }
    plain
}

/// A time as RFC 3339 has it, in UTC, with milliseconds.
fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

/// Year, month and day of a day since 1970-01-01, by the Gregorian calendar.
///
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, so that the leap day is the last
/// of its year, and eras have 400 years of 146,097 days in all.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (400 * era + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_line_ends_it_or_steers_a_terminal() {
        assert_eq!(
            plain("/\u{e9} \u{4e2d}/a\u{85}b\u{9b}31m\u{2028}\u{202e}\n"),
            "/\u{e9} \u{4e2d}/a\\u{85}b\\u{9b}31m\\u{2028}\\u{202e}\\u{a}"
        );
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        let at = |seconds: u64, milliseconds: u64| {
            timestamp(SystemTime::UNIX_EPOCH + Duration::from_millis(1000 * seconds + milliseconds))
        };
        // From `date -u -d @SECONDS`.
        assert_eq!(at(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_400, 7), "2000-02-29T00:00:00.007Z");
        assert_eq!(at(951_868_799, 999), "2000-02-29T23:59:59.999Z");
        assert_eq!(at(1_709_251_199, 0), "2024-02-29T23:59:59.000Z");
        assert_eq!(at(1_735_689_599, 0), "2024-12-31T23:59:59.000Z");
        assert_eq!(at(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
    }
}
