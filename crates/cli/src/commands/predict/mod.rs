//! predict
pub(crate) mod inputs; pub(crate) mod rows; pub(crate) mod swap;
