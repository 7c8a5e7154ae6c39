//! Test-time augmentation: images that the network is unsure of are seen again, moved by one pixel each way, and the
//! probabilities of all five views are averaged. Where it is sure, which is nearly everywhere, nothing more is done.

use glyphnet_data::{ImageShape, Preprocess};

use crate::networks::logit_of;

/// Rows and columns that the picture moves by: down, up, to the right, to the left.
const SHIFTS: [[isize; 2]; 4] = [[1, 0], [-1, 0], [0, 1], [0, -1]];

/// A moved view of an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct View {
    /// The row of the logits that it belongs to.
    pub(crate) image: usize,
    shift: [isize; 2],
}

impl View {
    /// Writes the network's input for the view of `image`. What moves in from outside repeats the border.
    pub(crate) fn fill(self, image: &[u8], shape: ImageShape, preprocess: &Preprocess, input: &mut [f32]) {
        let [down, right] = self.shift;
        let from = |to: usize, by: isize, size: usize| to.saturating_add_signed(-by).min(size - 1);
        for (place, pixel) in input.chunks_exact_mut(shape.channels).enumerate() {
            let row = from(place / shape.width, down, shape.height);
            let column = from(place % shape.width, right, shape.width);
            let source = &image[(row * shape.width + column) * shape.channels..][..shape.channels];
            pixel.iter_mut().zip(source).for_each(|(to, &from)| *to = f32::from(from));
        }
        preprocess.normalise_f32(input, shape.channels);
    }
}

/// Replaces those rows of `logits` whose largest probability is below `below` by the logarithms of the mean probabilities of
/// five views; `softmax` makes probabilities of rows, `run` gives the logits of moved views.
pub(crate) fn look_again(
    classes: usize,
    below: f32,
    logits: &mut [f32],
    softmax: impl Fn(&mut [f32]),
    run: impl Fn(&[View]) -> Vec<f32>,
) {
    let mut plain = logits.to_vec();
    softmax(&mut plain);
    // Also where there is no number.
    let unsure = |row: &[f32]| row.iter().all(|p| *p < below || p.is_nan());
    let images: Vec<usize> =
        plain.chunks_exact(classes).enumerate().filter(|(_, row)| unsure(row)).map(|(image, _)| image).collect();
    if images.is_empty() {
        return;
    }
    let views: Vec<View> = images.iter().flat_map(|&image| SHIFTS.map(|shift| View { image, shift })).collect();
    let mut moved = run(&views);
    softmax(&mut moved);
    for (image, moved) in images.into_iter().zip(moved.chunks_exact(SHIFTS.len() * classes)) {
        let row = image * classes..(image + 1) * classes;
        for (class, (logit, plain)) in logits[row.clone()].iter_mut().zip(&plain[row]).enumerate() {
            let sum = moved.iter().skip(class).step_by(classes).fold(*plain, |sum, p| sum + p);
            *logit = logit_of(sum / (1 + SHIFTS.len()) as f32);
        }
    }
}
