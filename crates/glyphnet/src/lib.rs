//! Train, evaluate and run small image classifiers on an ordinary CPU.
//!
//! The way the data goes: a [`Source`] gives datasets; a [`recipe::Recipe`] says what to do with them;
//! [`train::fit`] makes a network of it; a [`Model`] predicts. See `examples/` for the reference network.
#![forbid(unsafe_code)]

pub mod analysis;
pub mod compare;
mod error;
pub mod evaluate;
pub mod label_issues;
mod model;
pub mod model_file;
mod networks;
pub mod nn;
mod read_file;
pub mod recipe;
pub mod saved_run;
mod sealed;
mod tensors;
pub mod train;
mod tta;
pub mod tune;

pub use error::Error;
pub use glyphnet_data::{self as data, Dataset, ImageShape, Images, Preprocess, Source};
pub use glyphnet_kernels::{Isa, IsaError};
pub use model::{Model, Predictions, ranked};
pub use networks::{Networks, NetworksError};
