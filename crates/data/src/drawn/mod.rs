//! Handwriting and the like: how the strokes of the training images are drawn, so that what a person draws with a
//! mouse can be brought into the same form before a network sees it.

mod ink;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::polarity::{LOOK_AT, Polarity};
use crate::types::ImageShape;
use ink::Ink;

/// How training images are drawn: strokes of one polarity on a plain ground, in one channel.
///
/// Places are in pixels, from the upper left corner of the image: the first pixel covers 0 to 1 and its middle is at
/// 0.5. All of it is the mean over the images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drawn {
    /// Which centre of the ink is where [`centre`](Drawn::centre) says: the one that spreads less over the images.
    pub centred_by: CentredBy,
    /// Row and column of that centre.
    pub centre: [f32; 2],
    /// Length of the longer side of the ink's bounding box. Outermost rows and columns count by how much of the
    /// strongest ink they hold, so a drawing that is `size` pixels high measures that wherever it lies on the grid.
    pub size: f32,
    /// Thickness of the strokes, from edge to edge at half of the ink.
    pub stroke: f32,
    /// How softly ink ends: the width of the ramp from ground to ink, had it one slope, over windows of 2 x 2 pixels.
    /// About 1.2 where pixels are either ground or ink, 1.6 where each is the mean over its area, more where images are
    /// blurred or enlarged.
    pub edge: f32,
    /// The pixel value of the ground, 0 to 255.
    pub ground: f32,
    /// The pixel value of the strongest ink, 0 to 255; above the ground for light on dark.
    pub ink: f32,
}

/// A centre of the ink in an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CentredBy {
    /// The centre of mass, by which MNIST is centred.
    Mass,
    /// The middle of the bounding box.
    Box,
}

/// So many of the images that show anything must look drawn. MNIST: 0.98, shrunk to 14 x 14 pixels 0.80 and to 8 x 8
/// 0.69; Fashion-MNIST: 0.34.
const MAJORITY: f64 = 2.0 / 3.0;

impl Drawn {
    /// Estimates how images of `shape` (`H x W x 1`) are drawn, from up to 2,000 of them at equal distances;
    /// `polarity` is what [`Polarity::estimate`] says of them.
    ///
    /// `None` where they are not drawn: colours, a mixed polarity, or more than one image in three that shows
    /// something else than strokes, thin in proportion to the drawing, on a plain ground.
    ///
    /// # Panics
    /// If an image does not have `shape.len()` values.
    pub fn estimate<'a>(
        images: impl ExactSizeIterator<Item = &'a [u8]>,
        shape: ImageShape,
        polarity: Polarity,
    ) -> Option<Drawn> {
        if shape.channels != 1 || polarity == Polarity::Mixed {
            return None;
        }
        let step = images.len().div_ceil(LOOK_AT).max(1);
        let inks: Vec<Ink> = images.step_by(step).filter_map(|image| Ink::of(image, shape, polarity)).collect();
        let drawings: Vec<Measured> = inks.iter().filter(|ink| ink.is_drawn()).filter_map(Measured::of).collect();
        if drawings.is_empty() || (drawings.len() as f64) < MAJORITY * inks.len() as f64 {
            return None;
        }
        Some(summary(&drawings))
    }

    /// Checks values that may come from anywhere against images of `shape`.
    ///
    /// # Errors
    /// A sentence that names the value, what it is and what it must be.
    pub fn check(&self, shape: ImageShape) -> Result<(), String> {
        if shape.channels != 1 {
            return Err(format!("preprocess.drawn describes images of one channel, and these have {}", shape.channels));
        }
        let (height, width) = (shape.height as f32, shape.width as f32);
        let longer = height.max(width);
        let within = |name: &str, value: f32, least: f32, most: f32| {
            // Not a number is in no range.
            let inside = (least..=most).contains(&value);
            inside.then_some(()).ok_or(format!("preprocess.drawn.{name} is {value}: it must be {least} to {most}"))
        };
        within("centre.0", self.centre[0], 0.0, height)?;
        within("centre.1", self.centre[1], 0.0, width)?;
        within("size", self.size, LEAST, longer)?;
        within("stroke", self.stroke, LEAST, longer)?;
        within("edge", self.edge, LEAST, longer)?;
        within("ground", self.ground, 0.0, 255.0)?;
        within("ink", self.ink, 0.0, 255.0)?;
        if (self.ink - self.ground).abs() < 1.0 {
            let Drawn { ground, ink, .. } = self;
            return Err(format!(
                "preprocess.drawn.ink is {ink} and the ground {ground}: they must differ by 1 or more"
            ));
        }
        Ok(())
    }
}

/// Nothing that is measured in pixels is smaller; what divides by it stays finite.
const LEAST: f32 = 0.1;

/// What one drawing tells.
struct Measured {
    mass: [f64; 2],
    middle: [f64; 2],
    size: f64,
    stroke: f64,
    edge: f64,
    ground: f64,
    ink: f64,
}

impl Measured {
    /// Nothing where there is too little ink to have a stroke.
    fn of(ink: &Ink) -> Option<Measured> {
        let [rows, columns] = ink.extent();
        let middle = [rows, columns].map(|[from, to]| (from + to) / 2.0);
        let size = (rows[1] - rows[0]).max(columns[1] - columns[0]);
        let (stroke, edge) = ink.stroke_and_edge();
        let measured = stroke.is_finite() && stroke >= f64::from(LEAST) && size >= f64::from(LEAST);
        let (ground, strongest) = (f64::from(ink.ground), f64::from(ink.strongest));
        measured.then(|| Measured { mass: ink.mass(), middle, size, stroke, edge, ground, ink: strongest })
    }
}

fn summary(drawings: &[Measured]) -> Drawn {
    let mean = |of: &dyn Fn(&Measured) -> f64| drawings.iter().map(of).sum::<f64>() / drawings.len() as f64;
    let centre = |of: fn(&Measured) -> [f64; 2]| [0, 1].map(|axis| mean(&|drawing| of(drawing)[axis]));
    let spread = |of: fn(&Measured) -> [f64; 2]| {
        let centre = centre(of);
        mean(&|drawing| (0..2).map(|axis| (of(drawing)[axis] - centre[axis]).powi(2)).sum())
    };
    let mass = |drawing: &Measured| drawing.mass;
    let middle = |drawing: &Measured| drawing.middle;
    let (centred_by, centre) =
        if spread(mass) <= spread(middle) { (CentredBy::Mass, centre(mass)) } else { (CentredBy::Box, centre(middle)) };
    Drawn {
        centred_by,
        centre: centre.map(rounded),
        size: rounded(mean(&|d| d.size)),
        stroke: rounded(mean(&|d| d.stroke)),
        edge: rounded(mean(&|d| d.edge)),
        ground: rounded(mean(&|d| d.ground)),
        ink: rounded(mean(&|d| d.ink)),
    }
}

/// To thousandths, more than the estimate is good for: so that files stay readable.
fn rounded(value: f64) -> f32 {
    ((value * 1000.0).round() / 1000.0) as f32
}
