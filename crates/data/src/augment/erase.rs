//! Random erasing: a rectangle of an image is covered (Zhong et al. 2017, "Random Erasing Data Augmentation").

use glyphnet_kernels::random::Stream;

use super::AugmentConfig;
use crate::ImageShape;

/// How many rectangles are tried until one is smaller than the image.
const TRIES: usize = 10;

/// Some pixels of an image, counted from its upper left corner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rectangle {
    /// The first row.
    pub top: usize,
    /// The first column.
    pub left: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Rectangle {
    /// No pixels.
    pub const EMPTY: Rectangle = Rectangle { top: 0, left: 0, height: 0, width: 0 };

    /// Puts `value` into those of its pixels that `output`, an image of `shape`, has.
    pub(super) fn fill(&self, shape: ImageShape, value: f32, output: &mut [f32]) {
        let columns = self.left.min(shape.width)..self.left.saturating_add(self.width).min(shape.width);
        let rows = output.chunks_exact_mut(shape.width * shape.channels).skip(self.top).take(self.height);
        rows.for_each(|row| row[columns.start * shape.channels..columns.end * shape.channels].fill(value));
    }
}

/// What rectangles are drawn from.
#[derive(Clone, Debug)]
pub(super) struct Erasing {
    probability: f64,
    shape: ImageShape,
    /// In pixels.
    area: [f64; 2],
    /// Logarithms of height over width.
    aspect: [f64; 2],
}

impl Erasing {
    pub(super) fn new(config: &AugmentConfig, shape: ImageShape) -> Erasing {
        Erasing {
            probability: config.erase.into(),
            shape,
            area: config.erase_area.map(|share| f64::from(share) * (shape.height * shape.width) as f64),
            aspect: config.erase_aspect.map(|ratio| libm::log(ratio.into())),
        }
    }

    /// As torchvision's `RandomErasing` has it: the area is uniform, and so are the logarithm of the aspect and the place; a
    /// rectangle as high or as wide as the image is drawn again, and after ten of them nothing is erased.
    pub(super) fn draw(&self, stream: &mut Stream) -> Rectangle {
        if self.probability == 0.0 || stream.unit() >= self.probability {
            return Rectangle::EMPTY;
        }
        for _ in 0..TRIES {
            let area = stream.uniform(self.area[0], self.area[1]);
            let aspect = libm::exp(stream.uniform(self.aspect[0], self.aspect[1]));
            let (height, width) = (libm::sqrt(area * aspect).round(), libm::sqrt(area / aspect).round());
            if height < self.shape.height as f64 && width < self.shape.width as f64 {
                let (height, width) = (height as usize, width as usize);
                let mut place = |free: usize| stream.below(free as u32 + 1) as usize;
                let (top, left) = (place(self.shape.height - height), place(self.shape.width - width));
                return Rectangle { top, left, height, width };
            }
        }
        Rectangle::EMPTY
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Augmenter, Draw};
    use super::*;
    use glyphnet_kernels::Isa;

    const SHAPE: ImageShape = ImageShape { height: 30, width: 20, channels: 3 };

    fn draws(config: &AugmentConfig, count: u32) -> Vec<Draw> {
        let augmenter = Augmenter::new(config, SHAPE, 3, Isa::detect()).unwrap();
        (0..count).map(|image| augmenter.draw(image % 3, image)).collect()
    }

    #[test]
    fn share_area_aspect_and_place_are_those_that_were_asked_for() {
        let (area, aspect) = ([0.1, 0.2], [0.5, 2.0]);
        let config = AugmentConfig { erase: 0.25, erase_area: area, erase_aspect: aspect, ..AugmentConfig::default() };
        let draws = draws(&config, 40_000);
        let erased: Vec<Rectangle> = draws.iter().map(|d| d.erased).filter(|r| *r != Rectangle::EMPTY).collect();
        let (n, all) = (erased.len() as f64, draws.len() as f64);
        assert!((n / all - 0.25).abs() < 5.0 * (0.25 * 0.75 / all).sqrt(), "{n} of {all}");
        let mean = |value: &dyn Fn(&Rectangle) -> f64| erased.iter().map(value).sum::<f64>() / n;
        // Sides are rounded to pixels: of 8 to 11 on average, so 5 % is what one rectangle may be off.
        let share = |r: &Rectangle| (r.height * r.width) as f64 / 600.0;
        assert!((mean(&share) - 0.15).abs() < 0.001, "{}", mean(&share));
        assert!(erased.iter().all(|r| (0.09..0.22).contains(&share(r))));
        let aspect = |r: &Rectangle| libm::log(r.height as f64 / r.width as f64);
        assert!(mean(&aspect).abs() < 5.0 * 0.4 / n.sqrt(), "{}", mean(&aspect));
        // The middle of the free room on average, its ends included.
        let across = |r: &Rectangle| r.left as f64 / (20 - r.width) as f64;
        let down = |r: &Rectangle| r.top as f64 / (30 - r.height) as f64;
        for place in [&across as &dyn Fn(&Rectangle) -> f64, &down] {
            assert!((mean(place) - 0.5).abs() < 5.0 * 0.32 / n.sqrt(), "{}", mean(place));
            assert!(erased.iter().any(|r| place(r) == 0.0) && erased.iter().any(|r| place(r) == 1.0));
        }
    }

    #[test]
    fn other_draws_do_not_notice_and_nothing_as_large_as_the_image_is_erased() {
        let plain = AugmentConfig { rotation: 10.0, zoom: 0.1, horizontal_flip: true, ..AugmentConfig::default() };
        let erasing = AugmentConfig { erase: 1.0, ..plain.clone() };
        for (plain, erasing) in draws(&plain, 200).into_iter().zip(draws(&erasing, 200)) {
            assert_eq!(Draw { erased: Rectangle::EMPTY, ..erasing }, plain);
            assert_ne!(erasing.erased, Rectangle::EMPTY);
        }
        let whole = AugmentConfig { erase: 1.0, erase_area: [1.0, 1.0], ..AugmentConfig::default() };
        assert!(draws(&whole, 50).iter().all(|draw| draw.erased == Rectangle::EMPTY));
    }

    #[test]
    fn the_rectangle_has_the_value_in_all_channels_and_nothing_else_changes() {
        let config = AugmentConfig { erase_value: 7.5, ..AugmentConfig::default() };
        let augmenter = Augmenter::new(&config, SHAPE, 0, Isa::detect()).unwrap();
        let input: Vec<u8> = (0..SHAPE.len()).map(|i| (i % 200 + 20) as u8).collect();
        let erased = |erased: Rectangle| {
            let mut output = vec![f32::NAN; SHAPE.len()];
            augmenter.apply(&Draw { erased, ..Draw::IDENTITY }, &input, &mut output);
            output
        };
        let output = erased(Rectangle { top: 2, left: 5, height: 3, width: 4 });
        for (i, (value, before)) in output.iter().zip(&input).enumerate() {
            let (row, column) = (i / 60, i / 3 % 20);
            let inside = (2..5).contains(&row) && (5..9).contains(&column);
            assert_eq!(*value, if inside { 7.5 } else { f32::from(*before) }, "row {row}, column {column}");
        }
        // A rectangle made by hand may lie outside.
        let beyond = erased(Rectangle { top: 29, left: 18, height: 9, width: usize::MAX });
        assert_eq!(beyond.iter().filter(|value| **value == 7.5).count(), 2 * 3);
        assert_eq!(erased(Rectangle { top: 40, left: 40, height: 1, width: 1 }), erased(Rectangle::EMPTY));
    }
}
