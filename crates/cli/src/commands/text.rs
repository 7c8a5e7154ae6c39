//! Numbers as people read them, in pictures and in the terminal alike.

pub(crate) use glyphnet_artifacts::numbers::{count, grouped, percent, rate};
