//! Image datasets: formats, embedded MNIST, splits, augmentation, batches.
#![forbid(unsafe_code)]

pub mod atomic;
pub mod augment;
mod batches;
pub mod convert;
mod drawn;
pub mod duplicates;
#[cfg(feature = "embedded-mnist")]
pub mod embedded;
mod error;
pub mod fetch;
pub mod formats;
mod image_file;
mod open;
mod polarity;
mod preprocess;
mod resize;
mod source;
pub mod split;
pub mod stats;
mod subset;
mod swap;
mod types;

pub use atomic::{AtomicFile, write_atomic};
pub use batches::epoch_order;
pub use drawn::{CentredBy, Drawn};
pub use error::DataError;
pub use image_file::{DecodedImage, ImageLimits, decode_image, decode_image_within, read_image};
pub use open::open;
pub use polarity::Polarity;
pub use preprocess::{Preprocess, ResizeFilter};
pub use resize::conform;
pub use source::{OpenOptions, Part, Source, SourceKind};
pub use subset::Subset;
pub use types::{Amount, Dataset, ImageShape, Images};
