//! Random variations of training images: rotation, shifts, shear and zoom as one bilinear warp, flips, channel
//! shift and brightness, with the meaning of Keras's `ImageDataGenerator`; erased rectangles, with that of
//! torchvision's `RandomErasing`.
//!
//! An [`Augmenter`] draws (a [`Draw`] is a pure function of seed, epoch and image, so that neither order nor
//! threads change it) and applies. Only training images are ever given to it.
//!
//! Where this differs from `ImageDataGenerator`, on purpose:
//! - `width_shift` moves columns and `height_shift` rows; Keras swaps the two (keras#17398), and on images that are
//!   not square it also swaps the coordinates of the centre.
//! - `wrap` repeats the image with its own period, `abcd|abcd|abcd`, as Keras documents it (SciPy's `grid-wrap`);
//!   the mode that Keras hands to SciPy repeats with a period that is one pixel shorter.
//! - Brightness multiplies and clips in floating point; Keras goes through 8-bit images and truncates twice, so
//!   its pixels are darker by less than `1 + brightness` grey levels.
//! - A number is always a range: Keras draws from a list of whole numbers where a shift is given as an integer.
//! - With `constant`, a source coordinate within a millionth of a pixel of the border counts as on it, so that
//!   the rounding of a half turn does not blank an edge row; SciPy compares exactly.

mod draw;
mod erase;
mod warp;

use glyphnet_kernels::Isa;
use serde::{Deserialize, Serialize};

use crate::ImageShape;
pub use draw::Draw;
use draw::Ranges;
pub use erase::Rectangle;
use warp::{MAX_SIDE, Plane, warp};

/// What lies outside the image, for warps that look there. The pictures continue the row `a b c d` both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// The nearest pixel of the border: `aaaa|abcd|dddd`.
    #[default]
    Nearest,
    /// The fill value and nothing of the border pixels, which are not blended with it: `kkkk|abcd|kkkk`.
    Constant,
    /// The mirror image, border pixels twice: `dcba|abcd|dcba`.
    Reflect,
    /// The image again: `abcd|abcd|abcd`.
    Wrap,
}

/// How training images are varied: the `[augment]` table of a recipe. Every setting is off by default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// Largest rotation either way, in degrees, 0 to 180.
    pub rotation: f32,
    /// Largest shift of the columns either way: below 1 a fraction of the width, else pixels.
    pub width_shift: f32,
    /// Largest shift of the rows either way: below 1 a fraction of the height, else pixels.
    pub height_shift: f32,
    /// Largest shear angle either way, in degrees, 0 to below 90.
    pub shear: f32,
    /// `z` zooms both axes independently by factors of `[1 - z, 1 + z]`, 0 to below 1. A factor above 1 shrinks what
    /// is seen.
    pub zoom: f32,
    /// Whether half of the images are mirrored left to right.
    pub horizontal_flip: bool,
    /// Whether half of the images are mirrored top to bottom.
    pub vertical_flip: bool,
    /// Lowest and highest brightness factor; the product is clipped to 0..=255.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brightness: Option<[f32; 2]>,
    /// Largest value added to or taken from all channels, in raw units (0..=255); the sum is clipped to the
    /// extremes of the image itself.
    pub channel_shift: f32,
    /// What lies outside the image.
    pub fill: Fill,
    /// The value that `constant` fills with, in raw units (0..=255).
    pub fill_value: f32,
    /// The share of images of which a rectangle is erased (Zhong et al. 2017), 0 to 1.
    pub erase: f32,
    /// Smallest and largest area of the rectangle, as shares of the image.
    pub erase_area: [f32; 2],
    /// Smallest and largest height of the rectangle over its width.
    pub erase_aspect: [f32; 2],
    /// What stands in the rectangle, in raw units (0..=255).
    pub erase_value: f32,
}

impl Default for AugmentConfig {
    fn default() -> AugmentConfig {
        AugmentConfig {
            rotation: 0.0,
            width_shift: 0.0,
            height_shift: 0.0,
            shear: 0.0,
            zoom: 0.0,
            horizontal_flip: false,
            vertical_flip: false,
            brightness: None,
            channel_shift: 0.0,
            fill: Fill::Nearest,
            fill_value: 0.0,
            erase: 0.0,
            // torchvision's defaults.
            erase_area: [0.02, 0.33],
            erase_aspect: [0.3, 3.3],
            erase_value: 0.0,
        }
    }
}

/// An augmentation that cannot be done.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AugmentError {
    /// A setting outside its range.
    #[error("augment.{key} = {value}: {rule}")]
    Setting {
        /// The key in the `[augment]` table.
        key: &'static str,
        /// What it was set to.
        value: String,
        /// What it must be.
        rule: String,
    },
    /// Images that cannot be warped.
    #[error("images of {shape} cannot be augmented: sides must be from 1 to {MAX_SIDE}, values at most {}", i32::MAX)]
    Shape {
        /// The shape of the images.
        shape: ImageShape,
    },
}

impl AugmentConfig {
    /// Checks every setting against its range, for images of `shape`.
    ///
    /// # Errors
    /// [`AugmentError::Setting`] names the first setting that is out of range, and its range.
    pub fn validate(&self, shape: ImageShape) -> Result<(), AugmentError> {
        let (width, height) = (shape.width as f32, shape.height as f32);
        in_range("rotation", self.rotation, (0.0..=180.0).contains(&self.rotation), "must be from 0 to 180 degrees")?;
        shift_in_range("width_shift", self.width_shift, width, "columns")?;
        shift_in_range("height_shift", self.height_shift, height, "rows")?;
        in_range("shear", self.shear, (0.0..90.0).contains(&self.shear), "must be from 0 to below 90 degrees")?;
        let rule = "must be from 0 to below 1: zoom factors are drawn from [1 - zoom, 1 + zoom]";
        in_range("zoom", self.zoom, (0.0..1.0).contains(&self.zoom), rule)?;
        if let Some([low, high]) = self.brightness {
            let is_in_range = 0.0 <= low && low <= high && high.is_finite();
            let rule = "must be [lowest, highest], two factors that are not negative";
            pair_in_range("brightness", [low, high], is_in_range, rule)?;
        }
        let grey = 0.0..=255.0;
        let rule = "must be from 0 to 255, in raw pixel units";
        in_range("channel_shift", self.channel_shift, grey.contains(&self.channel_shift), rule)?;
        in_range("fill_value", self.fill_value, grey.contains(&self.fill_value), rule)?;
        in_range("erase_value", self.erase_value, grey.contains(&self.erase_value), rule)?;
        in_range("erase", self.erase, (0.0..=1.0).contains(&self.erase), "must be a share from 0 to 1")?;
        let [low, high] = self.erase_area;
        let rule = "must be [smallest, largest], two shares of the image";
        pair_in_range("erase_area", [low, high], 0.0 <= low && low <= high && high <= 1.0, rule)?;
        let [low, high] = self.erase_aspect;
        let rule = "must be [smallest, largest], two ratios above 0";
        pair_in_range("erase_aspect", [low, high], 0.0 < low && low <= high && high.is_finite(), rule)
    }
}

fn pair_in_range(key: &'static str, [low, high]: [f32; 2], is_in_range: bool, rule: &str) -> Result<(), AugmentError> {
    if is_in_range {
        return Ok(());
    }
    Err(AugmentError::Setting { key, value: format!("[{low}, {high}]"), rule: rule.to_owned() })
}

fn in_range(key: &'static str, value: f32, is_in_range: bool, rule: &str) -> Result<(), AugmentError> {
    if is_in_range {
        Ok(())
    } else {
        Err(AugmentError::Setting { key, value: value.to_string(), rule: rule.to_owned() })
    }
}

fn shift_in_range(key: &'static str, value: f32, size: f32, what: &str) -> Result<(), AugmentError> {
    let rule = format!("must be a fraction from 0 to below 1, or pixels from 1 to the {size} {what} of the images");
    in_range(key, value, 0.0 <= value && (value < 1.0 || value <= size), &rule)
}

/// Draws and applies the variations of one configuration to images of one shape.
#[derive(Clone, Debug)]
pub struct Augmenter {
    ranges: Ranges,
    plane: Plane,
    erase_value: f32,
    seed: u64,
    isa: Isa,
}

impl Augmenter {
    /// An augmenter for images of `shape`, whose draws depend on `seed`. `isa` decides how fast it is, not what comes out.
    ///
    /// # Errors
    /// A setting out of its range, or a shape that holds nothing or too much.
    pub fn new(config: &AugmentConfig, shape: ImageShape, seed: u64, isa: Isa) -> Result<Augmenter, AugmentError> {
        let sides = [shape.height, shape.width].iter().all(|side| (1..=MAX_SIDE).contains(side));
        let values = (shape.height.saturating_mul(shape.width)).saturating_mul(shape.channels);
        if !sides || values == 0 || i32::try_from(values).is_err() {
            return Err(AugmentError::Shape { shape });
        }
        config.validate(shape)?;
        let plane = Plane { shape, fill: config.fill, fill_value: config.fill_value };
        Ok(Augmenter { ranges: Ranges::new(config, shape), plane, erase_value: config.erase_value, seed, isa })
    }

    /// The shape of the images, `H x W x C`.
    pub fn shape(&self) -> ImageShape {
        self.plane.shape
    }

    /// The variation of one image in one epoch: a pure function of the seed, `epoch` and `image`.
    pub fn draw(&self, epoch: u32, image: u32) -> Draw {
        self.ranges.draw(self.seed, epoch, image)
    }

    /// Writes the variation `draw` of `input` to `output`; both hold `H x W x C` values in raw units (0..=255).
    /// Nothing is allocated. [`Draw::IDENTITY`] gives the input itself, bit for bit.
    ///
    /// The order is Keras's, warp, channel shift, flips, brightness; a rectangle is erased last. The same bits come out of every instruction set on
    /// every platform.
    ///
    /// # Panics
    /// If `input` or `output` is not of that length.
    pub fn apply(&self, draw: &Draw, input: &[u8], output: &mut [f32]) {
        let size = self.plane.shape.len();
        assert!(input.len() == size && output.len() == size, "apply needs an input and an output of {size} values");
        warp(self.isa, &self.plane, draw, input, output);
        if draw.channel_shift != 0.0 {
            shift_channels(draw.channel_shift, output);
        }
        if draw.brightness != 1.0 {
            output.iter_mut().for_each(|value| *value = (*value * draw.brightness).clamp(0.0, 255.0));
        }
        draw.erased.fill(self.plane.shape, self.erase_value, output);
    }
}

/// Adds `amount` and clips to the extremes that `pixels` had.
fn shift_channels(amount: f32, pixels: &mut [f32]) {
    let (low, high) =
        pixels.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)));
    // Not `clamp`, which panics where a senseless draw has left no extremes.
    pixels.iter_mut().for_each(|value| *value = (*value + amount).max(low).min(high));
}

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod reference_tests;
#[cfg(test)]
mod tests;
