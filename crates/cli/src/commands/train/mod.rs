//! train
pub(crate) mod plan; pub(crate) mod folder;
