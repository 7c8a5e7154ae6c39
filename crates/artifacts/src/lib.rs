//! Results to files: pictures, the report, ONNX and the stand-alone page, Kaggle's submission file, and TensorBoard's event
//! files.
//!
//! Nothing here knows how a network is trained. Every file is written beside its place and renamed, so a reader never
//! sees half of one; but event files grow at their end, as their reader expects.

#![forbid(unsafe_code)]

mod error;
mod html;
pub mod numbers;
pub mod onnx;
pub mod page;
pub mod pictures;
mod protobuf;
pub mod report;
mod sample_grid;
mod shell;
mod submission;
mod tensorboard;
mod text;

pub use error::ArtifactError;
pub use sample_grid::{SampleGrid, Tile, can_draw, choose_samples};
pub use shell::quoted;
pub use submission::write_submission;
pub use tensorboard::EventFile;
