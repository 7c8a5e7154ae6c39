//! Image datasets: formats, embedded MNIST, splits, augmentation, batches.
#![forbid(unsafe_code)]

pub mod augment;
mod batches;
#[cfg(feature = "embedded-mnist")]
pub mod embedded;
mod error;
pub mod formats;
mod open;
mod polarity;
mod preprocess;
mod source;
pub mod split;
mod types;

pub use batches::epoch_order;
pub use error::DataError;
pub use open::open;
pub use polarity::Polarity;
pub use preprocess::{Preprocess, ResizeFilter};
pub use source::{OpenOptions, Part, Source, SourceKind};
pub use types::{Amount, Dataset, ImageShape, Images};
