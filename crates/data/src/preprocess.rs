//! Preprocessing as data: how pixels become the numbers a network sees.

use serde::{Deserialize, Serialize};

use crate::drawn::Drawn;
use crate::polarity::Polarity;
use crate::types::ImageShape;

/// The filter that resizing uses; all but nearest average over the area they shrink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResizeFilter {
    /// The nearest pixel.
    Nearest,
    /// Linear interpolation.
    #[default]
    Triangle,
    /// Cubic interpolation (Catmull-Rom).
    CatmullRom,
    /// A windowed sinc over three lobes.
    Lanczos3,
}

/// What is done to every image before the network sees it; stored in the model file.
///
/// A pixel `v` of 0..=255 in channel `c` becomes `(v * scale - mean[c]) / std[c]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Preprocess {
    /// Factor on the raw pixel.
    pub scale: f32,
    /// Subtracted after scaling; one entry for all channels or one each.
    pub mean: Vec<f32>,
    /// Divided by after subtracting; one entry for all channels or one each.
    pub std: Vec<f32>,
    /// The filter that brought images to the input size.
    pub resize: ResizeFilter,
    /// Whether the training images were light on dark or dark on light, where that was clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub polarity: Option<Polarity>,
    /// How the training images are drawn, where they are strokes on a plain ground.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drawn: Option<Drawn>,
    /// Test-time augmentation: an image whose largest probability is below this is seen five times, as it is and moved by
    /// one pixel each way, and the probabilities are averaged. Absent = never; 1 = wherever any doubt is left. A reader of
    /// model files that cannot do this must refuse them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tta_below: Option<f32>,
}

impl Default for Preprocess {
    /// Pixels scaled to 0..=1.
    fn default() -> Preprocess {
        Preprocess {
            scale: 1.0 / 255.0,
            mean: vec![0.0],
            std: vec![1.0],
            resize: ResizeFilter::default(),
            polarity: None,
            drawn: None,
            tta_below: None,
        }
    }
}

impl Preprocess {
    /// Checks these settings against images of `shape`.
    ///
    /// # Errors
    /// A sentence that names the setting, what it is and what it must be.
    pub fn check(&self, shape: ImageShape) -> Result<(), String> {
        let channels = shape.channels;
        if !self.scale.is_finite() {
            return Err(format!("preprocess.scale is {}: it must be a finite number", self.scale));
        }
        for (name, values) in [("mean", &self.mean), ("std", &self.std)] {
            if values.len() != 1 && values.len() != channels {
                return Err(format!(
                    "preprocess.{name} has {} entries: give one for all channels, or {channels} (one each)",
                    values.len()
                ));
            }
            if let Some(value) = values.iter().find(|v| !v.is_finite()) {
                return Err(format!("preprocess.{name} holds {value}: it must be finite"));
            }
        }
        if let Some(value) = self.std.iter().find(|v| **v <= 0.0) {
            return Err(format!("preprocess.std holds {value}: it must be above zero"));
        }
        if let Some(below) = self.tta_below.filter(|below| !(*below > 0.0 && *below <= 1.0)) {
            return Err(format!("preprocess.tta_below is {below}: it must be above zero and at most 1"));
        }
        self.drawn.as_ref().map_or(Ok(()), |drawn| drawn.check(shape))
    }

    /// Normalises raw pixels, `pixels[i]` into `out[i]`; the last axis holds `channels` values.
    ///
    /// # Panics
    /// If the lengths differ, or `mean` or `std` fail [`check`](Preprocess::check).
    pub fn normalise_u8(&self, pixels: &[u8], channels: usize, out: &mut [f32]) {
        assert_eq!(pixels.len(), out.len(), "one output per pixel");
        for (o, &v) in out.iter_mut().zip(pixels) {
            *o = f32::from(v);
        }
        self.normalise_f32(out, channels);
    }

    /// Normalises raw pixels of 0..=255 in place; the last axis holds `channels` values.
    ///
    /// # Panics
    /// If `mean` or `std` fail [`check`](Preprocess::check).
    pub fn normalise_f32(&self, pixels: &mut [f32], channels: usize) {
        let scale = self.scale;
        if self.mean.len() == 1 && self.std.len() == 1 {
            let (mean, std) = (self.mean[0], self.std[0]);
            for v in pixels {
                *v = (*v * scale - mean) / std;
            }
            return;
        }
        for pixel in pixels.chunks_exact_mut(channels) {
            for (c, v) in pixel.iter_mut().enumerate() {
                let (mean, std) = (entry(&self.mean, c), entry(&self.std, c));
                *v = (*v * scale - mean) / std;
            }
        }
    }
}

/// The value for channel `c` of a list that has one entry for all or one each.
fn entry(values: &[f32], c: usize) -> f32 {
    if values.len() == 1 { values[0] } else { values[c] }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLOUR: ImageShape = ImageShape::new(8, 8, 3);

    #[test]
    fn each_channel_has_its_own_mean_and_std() {
        let p = Preprocess { scale: 0.5, mean: vec![1.0, 2.0, 3.0], std: vec![2.0], ..Preprocess::default() };
        let mut out = [0.0; 6];
        p.normalise_u8(&[10, 10, 10, 20, 30, 40], 3, &mut out);
        assert_eq!(out, [2.0, 1.5, 1.0, 4.5, 6.5, 8.5]);
    }

    #[test]
    fn bytes_and_floats_give_the_same_bits() {
        let p = Preprocess { mean: vec![0.1307], std: vec![0.3081], ..Preprocess::default() };
        let bytes: Vec<u8> = (0..=255).collect();
        let mut floats: Vec<f32> = bytes.iter().map(|&b| f32::from(b)).collect();
        let mut out = vec![0.0; 256];
        p.normalise_u8(&bytes, 1, &mut out);
        p.normalise_f32(&mut floats, 1);
        assert_eq!(out, floats);
        assert_eq!(out[0], -0.1307 / 0.3081);
    }

    #[test]
    fn impossible_settings_are_named() {
        let bad = |p: Preprocess| p.check(COLOUR).unwrap_err();
        assert!(
            bad(Preprocess { mean: vec![0.0; 2], ..Preprocess::default() }).contains("preprocess.mean has 2 entries")
        );
        assert!(bad(Preprocess { std: vec![0.0], ..Preprocess::default() }).contains("above zero"));
        assert!(bad(Preprocess { scale: f32::NAN, ..Preprocess::default() }).contains("preprocess.scale is NaN"));
        assert!(
            bad(Preprocess { tta_below: Some(1.5), ..Preprocess::default() }).contains("preprocess.tta_below is 1.5")
        );
        assert!(Preprocess::default().check(COLOUR).is_ok());
    }
}
