//! Light on dark, or dark on light? Paper scans and MNIST disagree; a model must know what it was taught.

use serde::{Deserialize, Serialize};

use crate::types::ImageShape;

/// Whether what is drawn is lighter or darker than its background.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Polarity {
    /// Light strokes on a dark background, as in MNIST.
    LightOnDark,
    /// Dark strokes on a light background, as on paper.
    DarkOnLight,
    /// Neither, or some of each: photographs, mostly.
    Mixed,
}

/// So many images are enough to estimate by.
pub(crate) const LOOK_AT: usize = 2_000;
/// One polarity must account for so many of the decided images.
const MAJORITY: f64 = 0.9;
/// The ink on one side of the background must outweigh the other side by this factor.
const DOMINANCE: u64 = 2;

impl Polarity {
    /// Estimates the polarity that images of `shape` (`H x W x C`) share, from up to 2,000 of them at equal distances.
    ///
    /// [`Polarity::Mixed`] unless nine in ten images that show one show the same.
    ///
    /// # Panics
    /// If an image does not have `shape.len()` values.
    pub fn estimate<'a>(images: impl ExactSizeIterator<Item = &'a [u8]>, shape: ImageShape) -> Polarity {
        let step = images.len().div_ceil(LOOK_AT).max(1);
        let (mut light, mut dark) = (0_usize, 0_usize);
        for image in images.step_by(step) {
            match Polarity::of_image(image, shape) {
                Polarity::LightOnDark => light += 1,
                Polarity::DarkOnLight => dark += 1,
                Polarity::Mixed => {}
            }
        }
        let enough = |n: usize| n > 0 && n as f64 >= MAJORITY * (light + dark) as f64;
        match (enough(light), enough(dark)) {
            (true, _) => Polarity::LightOnDark,
            (_, true) => Polarity::DarkOnLight,
            _ => Polarity::Mixed,
        }
    }

    /// Estimates the polarity of one image, `H x W x C`.
    ///
    /// The median of the border stands for the background. What is lighter than that is weighed against what is
    /// darker, squared, so that strokes count for more than uneven lighting.
    ///
    /// # Panics
    /// If `image` does not have `shape.len()` values.
    pub fn of_image(image: &[u8], shape: ImageShape) -> Polarity {
        assert_eq!(image.len(), shape.len(), "an image of this shape");
        let (h, w, c) = (shape.height, shape.width, shape.channels);
        let brightness: Vec<u32> = image.chunks_exact(c).map(|p| p.iter().map(|&v| u32::from(v)).sum()).collect();
        let is_border = |i: usize| i / w == 0 || i / w == h - 1 || i.is_multiple_of(w) || (i + 1).is_multiple_of(w);
        let mut border: Vec<u32> = (0..h * w).filter(|&i| is_border(i)).map(|i| brightness[i]).collect();
        let middle = border.len() / 2;
        let background = *border.select_nth_unstable(middle).1;
        let (mut lighter, mut darker) = (0_u64, 0_u64);
        for &b in &brightness {
            let distance = u64::from(b.abs_diff(background)).pow(2);
            if b > background {
                lighter += distance;
            } else {
                darker += distance;
            }
        }
        if lighter > DOMINANCE * darker {
            Polarity::LightOnDark
        } else if darker > DOMINANCE * lighter {
            Polarity::DarkOnLight
        } else {
            Polarity::Mixed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: ImageShape = ImageShape::new(8, 8, 1);

    /// A vertical stroke of `ink` on a background that brightens by 3 from row to row.
    fn stroke(ink: u8, ground: u8) -> Vec<u8> {
        (0..64).map(|i| if i % 8 == 4 && (8..56).contains(&i) { ink } else { ground + 3 * (i / 8) as u8 }).collect()
    }

    #[test]
    fn strokes_decide_in_spite_of_uneven_light() {
        assert_eq!(Polarity::of_image(&stroke(250, 10), SHAPE), Polarity::LightOnDark);
        assert_eq!(Polarity::of_image(&stroke(40, 180), SHAPE), Polarity::DarkOnLight);
        assert_eq!(Polarity::of_image(&[77; 64], SHAPE), Polarity::Mixed);
    }

    #[test]
    fn a_set_that_disagrees_is_mixed() {
        let set = |many: &[Vec<u8>]| Polarity::estimate(many.iter().map(Vec::as_slice), SHAPE);
        let (light, dark, flat) = (stroke(250, 10), stroke(40, 180), vec![9; 64]);
        assert_eq!(set(&[light.clone(), light.clone(), flat.clone()]), Polarity::LightOnDark);
        assert_eq!(set(&[light, dark.clone()]), Polarity::Mixed);
        assert_eq!(set(&[dark]), Polarity::DarkOnLight);
        assert_eq!(set(&[flat]), Polarity::Mixed);
    }
}
