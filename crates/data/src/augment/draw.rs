//! One random variation: its numbers, where they are drawn from, and the affine map they stand for.

use glyphnet_kernels::random::{Purpose, Stream};

use super::AugmentConfig;
use super::erase::{Erasing, Rectangle};
use crate::ImageShape;

/// One variation of an image.
///
/// With `u` = (column, row) measured from the centre of the image, the warp looks up
/// `u_in = R (Sh Z u_out + (tx, ty))`, where `R = [[cos, -sin], [sin, cos]]` of `theta`,
/// `Sh = [[1, -sin], [0, cos]]` of `shear` and `Z = diag(zoom_x, zoom_y)`. As the input is pulled from there, what is
/// seen moves the other way: a positive `tx` moves it to the left, a positive `ty` up, a positive `theta` turns it
/// counter-clockwise, and a zoom above 1 shrinks it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// Rotation, degrees.
    pub theta: f64,
    /// Shift along the columns, pixels.
    pub tx: f64,
    /// Shift along the rows, pixels.
    pub ty: f64,
    /// Shear angle, degrees.
    pub shear: f64,
    /// Zoom factor along the columns.
    pub zoom_x: f64,
    /// Zoom factor along the rows.
    pub zoom_y: f64,
    /// Mirrored left to right, after the warp.
    pub flip_horizontal: bool,
    /// Mirrored top to bottom, after the warp.
    pub flip_vertical: bool,
    /// Added to every value (raw units), then clipped to the extremes of the warped image.
    pub channel_shift: f32,
    /// Factor on every value, clipped to 0..=255.
    pub brightness: f32,
    /// Where the value that stands for nothing is put, last of all.
    pub erased: Rectangle,
}

impl Draw {
    /// The variation that changes nothing.
    pub const IDENTITY: Draw = Draw {
        theta: 0.0,
        tx: 0.0,
        ty: 0.0,
        shear: 0.0,
        zoom_x: 1.0,
        zoom_y: 1.0,
        flip_horizontal: false,
        flip_vertical: false,
        channel_shift: 0.0,
        brightness: 1.0,
        erased: Rectangle::EMPTY,
    };

    /// The affine map of the warp (without flips) for images of `shape`, or `None` if it moves nothing.
    pub(super) fn inverse_map(&self, shape: ImageShape) -> Option<InverseMap> {
        let moves = [self.theta, self.tx, self.ty, self.shear].iter().any(|&part| part != 0.0);
        if !moves && self.zoom_x == 1.0 && self.zoom_y == 1.0 {
            return None;
        }
        let (sin, cos) = libm::sincos(self.theta.to_radians());
        let (shear_sin, shear_cos) = libm::sincos(self.shear.to_radians());
        // Sh Z, then R Sh Z.
        let (column, row) = (-shear_sin * self.zoom_y, shear_cos * self.zoom_y);
        let (xx, xy) = (cos * self.zoom_x, cos * column - sin * row);
        let (yx, yy) = (sin * self.zoom_x, sin * column + cos * row);
        let (centre_x, centre_y) = (shape.width as f64 / 2.0 - 0.5, shape.height as f64 / 2.0 - 0.5);
        let x = centre_x - (xx * centre_x + xy * centre_y) + (cos * self.tx - sin * self.ty);
        let y = centre_y - (yx * centre_x + yy * centre_y) + (sin * self.tx + cos * self.ty);
        Some(InverseMap { xx, xy, x, yx, yy, y })
    }
}

impl Default for Draw {
    fn default() -> Draw {
        Draw::IDENTITY
    }
}

/// From output to input pixels: `column_in = xx column + xy row + x`, `row_in = yx column + yy row + y`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct InverseMap {
    pub(super) xx: f64,
    pub(super) xy: f64,
    pub(super) x: f64,
    pub(super) yx: f64,
    pub(super) yy: f64,
    pub(super) y: f64,
}

/// What draws are drawn from: a validated configuration with shifts in pixels.
#[derive(Clone, Debug)]
pub(super) struct Ranges {
    theta: f64,
    tx: f64,
    ty: f64,
    shear: f64,
    zoom: f64,
    flip_horizontal: bool,
    flip_vertical: bool,
    channel_shift: f64,
    brightness: [f64; 2],
    erasing: Erasing,
}

impl Ranges {
    pub(super) fn new(config: &AugmentConfig, shape: ImageShape) -> Ranges {
        let pixels = |shift: f32, size: usize| f64::from(shift) * if shift < 1.0 { size as f64 } else { 1.0 };
        Ranges {
            theta: config.rotation.into(),
            tx: pixels(config.width_shift, shape.width),
            ty: pixels(config.height_shift, shape.height),
            shear: config.shear.into(),
            zoom: config.zoom.into(),
            flip_horizontal: config.horizontal_flip,
            flip_vertical: config.vertical_flip,
            channel_shift: config.channel_shift.into(),
            brightness: config.brightness.unwrap_or([1.0, 1.0]).map(f64::from),
            erasing: Erasing::new(config, shape),
        }
    }

    /// Every part has its fixed place in the stream, drawn or not, so that switching one on changes no other. The erased
    /// rectangle takes as many numbers as it happens to need, so it is last.
    pub(super) fn draw(&self, seed: u64, epoch: u32, image: u32) -> Draw {
        let mut stream = Stream::new(seed, Purpose::Augment, epoch, image);
        let mut either_way = |range: f64| stream.uniform(-range, range);
        let (theta, tx, ty, shear) =
            (either_way(self.theta), either_way(self.tx), either_way(self.ty), either_way(self.shear));
        let (zoom_x, zoom_y) = (1.0 + either_way(self.zoom), 1.0 + either_way(self.zoom));
        let channel_shift = either_way(self.channel_shift) as f32;
        let brightness = stream.uniform(self.brightness[0], self.brightness[1]) as f32;
        Draw {
            theta,
            tx,
            ty,
            shear,
            zoom_x,
            zoom_y,
            flip_horizontal: self.flip_horizontal & (stream.unit() < 0.5),
            flip_vertical: self.flip_vertical & (stream.unit() < 0.5),
            channel_shift,
            brightness,
            erased: self.erasing.draw(&mut stream),
        }
    }
}
