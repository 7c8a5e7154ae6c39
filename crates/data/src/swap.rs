//! Dark ink on light paper as the light on dark that a model has learned, and the other way round.

use crate::polarity::Polarity;
use crate::types::ImageShape;

impl Polarity {
    /// Whether `image` (`H x W x C`) shows the opposite of this polarity, so that [`Polarity::swap`] suits it.
    ///
    /// `self` is what a model has learned from. Where either is [`Polarity::Mixed`] there is no opposite: an image
    /// that does not tell is left alone, since a wrong swap costs more than a missing one.
    ///
    /// # Panics
    /// If `image` does not have `shape.len()` values.
    pub fn is_opposite_of(self, image: &[u8], shape: ImageShape) -> bool {
        matches!(
            (self, Polarity::of_image(image, shape)),
            (Polarity::LightOnDark, Polarity::DarkOnLight) | (Polarity::DarkOnLight, Polarity::LightOnDark)
        )
    }

    /// Swaps dark and light in `image` (`H x W x C`), in place, for a model that has learned from images of this
    /// polarity.
    ///
    /// Each value `v` becomes `w = 255 - v`. For [`Polarity::Mixed`] that is all. Else the values are stretched, since
    /// paper in a photograph is grey and its ink is not black, while a model that learned from clean images expects
    /// the background at the very end of `0..=255` and its strongest ink at the other:
    ///
    /// - `ground[c]`, the background of channel `c`: the upper median of `w` over the outermost rows and columns, which
    ///   a stroke that touches the border does not move;
    /// - `ink = max(w - ground[c], 0)` for light on dark, `max(ground[c] - w, 0)` for dark on light: what lies beyond
    ///   the paper on the wrong side, such as a highlight, becomes paper;
    /// - `stretched = round(255 * ink / strongest)`, where `strongest` is the most ink in the image, at least 1; it is
    ///   one for all channels, so that colours keep their proportions;
    /// - the result is `stretched` for light on dark and `255 - stretched` for dark on light.
    ///
    /// An image without any ink becomes background throughout.
    ///
    /// # Panics
    /// If `image` does not have `shape.len()` values.
    pub fn swap(self, image: &mut [u8], shape: ImageShape) {
        assert_eq!(image.len(), shape.len(), "an image of this shape");
        for value in image.iter_mut() {
            *value = 255 - *value;
        }
        match self {
            Polarity::LightOnDark => stretch(image, shape, |value, ground| value.saturating_sub(ground), |ink| ink),
            Polarity::DarkOnLight => {
                stretch(image, shape, |value, ground| ground.saturating_sub(value), |ink| 255 - ink);
            }
            Polarity::Mixed => {}
        }
    }
}

/// Makes `paint(255 * ink(value, background) / strongest ink)` of each value.
fn stretch(image: &mut [u8], shape: ImageShape, ink: fn(u8, u8) -> u8, paint: fn(u8) -> u8) {
    let background: Vec<u8> = (0..shape.channels).map(|channel| border_median(image, shape, channel)).collect();
    let inks = image.iter().zip(background.iter().cycle()).map(|(&value, &ground)| ink(value, ground));
    let strongest = u32::from(inks.max().unwrap_or(0)).max(1);
    for (value, &ground) in image.iter_mut().zip(background.iter().cycle()) {
        *value = paint(((u32::from(ink(*value, ground)) * 255 + strongest / 2) / strongest) as u8);
    }
}

/// The upper median of a channel's outermost rows and columns; 0 where there are none.
pub(crate) fn border_median(image: &[u8], shape: ImageShape, channel: usize) -> u8 {
    let (height, width) = (shape.height, shape.width);
    let is_border = |y: usize, x: usize| y == 0 || x == 0 || y + 1 == height || x + 1 == width;
    let places = (0..height * width).filter(|i| is_border(i / width, i % width));
    let mut values: Vec<u8> = places.map(|i| image[i * shape.channels + channel]).collect();
    if values.is_empty() {
        return 0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable(middle).1
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: ImageShape = ImageShape::new(5, 5, 1);

    /// A vertical stroke of `ink` on `paper`, from the second row to the border below.
    fn stroke(ink: u8, paper: u8) -> Vec<u8> {
        (0..25).map(|i| if i % 5 == 2 && (5..25).contains(&i) { ink } else { paper }).collect()
    }

    fn swapped(polarity: Polarity, mut image: Vec<u8>, shape: ImageShape) -> Vec<u8> {
        polarity.swap(&mut image, shape);
        image
    }

    #[test]
    fn grey_paper_becomes_black_and_ink_white() {
        assert_eq!(swapped(Polarity::LightOnDark, stroke(60, 190), SHAPE), stroke(255, 0));
        assert_eq!(swapped(Polarity::DarkOnLight, stroke(190, 60), SHAPE), stroke(0, 255));
        assert_eq!(swapped(Polarity::Mixed, stroke(60, 190), SHAPE), stroke(195, 65));
        assert_eq!(swapped(Polarity::LightOnDark, vec![7; 25], SHAPE), [0; 25]);
        assert_eq!(swapped(Polarity::DarkOnLight, vec![7; 25], SHAPE), [255; 25]);
    }

    #[test]
    fn half_the_ink_becomes_half_the_way_and_a_highlight_paper() {
        let mut photograph = stroke(50, 200);
        (photograph[11], photograph[13]) = (125, 240);
        let mut expected = stroke(255, 0);
        expected[11] = 128; // 255 * 75 / 150 = 127.5
        assert_eq!(swapped(Polarity::LightOnDark, photograph, SHAPE), expected);
    }

    #[test]
    fn each_channel_has_its_own_paper_and_all_share_the_strongest_ink() {
        let shape = ImageShape::new(3, 3, 3);
        let mut image = [200, 180, 160].repeat(9);
        image[12..15].copy_from_slice(&[50, 130, 160]);
        let mut expected = vec![0; 27];
        expected[12..15].copy_from_slice(&[255, 85, 0]);
        assert_eq!(swapped(Polarity::LightOnDark, image, shape), expected);
    }

    #[test]
    fn only_what_is_the_other_way_round_is_opposite() {
        let (light, dark, flat) = (stroke(250, 10), stroke(10, 250), vec![77; 25]);
        let opposite = |polarity: Polarity, image: &[u8]| polarity.is_opposite_of(image, SHAPE);
        assert!(opposite(Polarity::LightOnDark, &dark));
        assert!(opposite(Polarity::DarkOnLight, &light));
        assert!(!opposite(Polarity::LightOnDark, &light));
        assert!(!opposite(Polarity::DarkOnLight, &dark));
        for image in [light, dark] {
            assert!(!opposite(Polarity::Mixed, &image));
        }
        for polarity in [Polarity::LightOnDark, Polarity::DarkOnLight] {
            assert!(!opposite(polarity, &flat));
        }
    }
}
