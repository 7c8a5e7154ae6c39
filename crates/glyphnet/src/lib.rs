//! glyphnet
pub mod nn;
