//! Pictures of a run: learning curves, confusion matrix, reliability, errors and augmentation.
//!
//! Every function gives the bytes of a PNG. plotters lays the charts out; shapes and text are drawn by `canvas`, in
//! colours that people with any kind of colour vision can tell apart.

mod augmentation;
pub(crate) mod axis;
mod canvas;
mod compare;
mod confusion;
mod curves;
mod dashes;
mod errors;
mod heading;
mod lr_find;
mod panel;
pub(crate) mod reliability;
mod theme;
mod tiles;
mod tune;

use std::fmt;

use glyphnet_data::ImageShape;

pub use augmentation::{Original, augmentation};
pub use compare::{ComparedRun, MOST_RUNS, compare};
pub use confusion::confusion;
pub use curves::curves;
#[cfg(test)]
pub(crate) use curves::tests::history;
pub use errors::{MOST_ERRORS, WrongImage, errors};
pub use lr_find::lr_find;
pub use reliability::reliability;
pub use tune::{TunedTrial, tune};

use crate::error::ArtifactError;
use crate::sample_grid::can_draw;

/// What a picture is about: a split of a run. It is written `validation images of seed-1`.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// `train`, `validation` or `test`.
    pub split: &'a str,
    /// The run's name.
    pub run: &'a str,
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} images of {}", self.split, self.run)
    }
}

/// A class name as it can be written on a picture: where the embedded font lacks letters of it, or there are none, the
/// number of the class.
pub fn name(name: &str, label: u32) -> String {
    if can_draw(name) && !name.trim().is_empty() { name.to_owned() } else { format!("class {label}") }
}

/// Refuses images that have not the length of their shape.
fn check_lengths<'a>(shape: ImageShape, images: impl Iterator<Item = &'a [u8]>) -> Result<(), ArtifactError> {
    for (place, pixels) in images.enumerate() {
        if pixels.len() != shape.len() {
            let problem = format!("image {place} has {} values, not the {shape} of its shape", pixels.len());
            return Err(ArtifactError::Draw { problem });
        }
    }
    Ok(())
}
