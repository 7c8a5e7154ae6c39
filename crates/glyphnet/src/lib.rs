//! glyphnet
