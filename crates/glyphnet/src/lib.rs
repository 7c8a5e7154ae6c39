//! glyphnet
pub mod nn;
pub mod recipe;
