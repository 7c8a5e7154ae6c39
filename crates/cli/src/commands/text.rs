//! Numbers as people read them, in pictures and in the terminal alike.

pub(crate) use glyphnet_artifacts::numbers::{count, grouped, percent, rate};

/// `text` without control characters: names and notes in foreign files must not steer a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
