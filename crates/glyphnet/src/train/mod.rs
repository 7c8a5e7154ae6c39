//! Training: the loop and all that happens around it.

pub mod callbacks;
mod data;
mod fit;
pub mod history;
mod run_folder;
pub mod schedule;

pub use data::TrainingData;
pub use fit::{Event, FitOptions, Observer, Outcome, fit};
pub use run_folder::{Metrics, RunFolder};
