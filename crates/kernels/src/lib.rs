//! CPU kernels for small convolutional networks.
//!
//! Slices in, slices out: a kernel knows nothing of datasets, files or threads. Arrays are row-major `f32`; images
//! are NHWC. Each kernel takes the [`Isa`] to use, checks the lengths of its slices at the door (a wrong length is a
//! bug of the caller and panics with the shapes), and has a naive twin.

mod isa;
pub mod random;

pub use isa::{Isa, IsaError};
