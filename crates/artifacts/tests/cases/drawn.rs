//! Networks whose layers and shapes are drawn: what nobody thought of writing down.

use glyphnet::nn::{
    ActivationLayer, BatchNorm, Conv2d, Dense, Dropout, Flatten, GlobalAvgPool2d, LayerSpec, Padding, Pool2d,
    Sequential,
};
use glyphnet_kernels::random::{Purpose, Stream};

use super::{ACTIVATIONS, Case, case};

/// How many there are.
const CASES: u32 = 60;
/// How often to draw again where the layers do not fit each other.
const ATTEMPTS: u32 = 200;

pub(super) fn cases() -> impl Iterator<Item = Case> {
    (0..CASES).map(|number| {
        let fitting = (0..ATTEMPTS).find_map(|attempt| {
            let mut draw = Draw(Stream::new(5, Purpose::Sample, number, attempt));
            let (shape, layers) = draw.network();
            let image = glyphnet::ImageShape::new(shape[0], shape[1], shape[2]);
            layers.build(image, CLASSES, 0).is_ok().then(|| case(&format!("drawn-{number}"), shape, CLASSES, &layers))
        });
        fitting.expect("layers that fit are not so rare")
    })
}

const CLASSES: usize = 3;

struct Draw(Stream);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound as u32) as usize
    }

    fn pair(&mut self, largest: usize) -> (usize, usize) {
        (1 + self.below(largest), 1 + self.below(largest))
    }

    fn padding(&mut self) -> Padding {
        match self.below(3) {
            0 => Padding::VALID,
            1 => Padding::SAME,
            _ => Padding::Explicit((self.below(3), self.below(3)).into()),
        }
    }

    fn network(&mut self) -> ([usize; 3], Sequential) {
        let (height, width) = self.pair(9);
        let channels = [1, 3][self.below(2)];
        let mut layers = Sequential::new();
        for _ in 0..self.below(5) {
            layers = layers.add(self.image_layer());
        }
        layers = layers.add(if self.below(4) == 0 { GlobalAvgPool2d {}.into() } else { LayerSpec::from(Flatten {}) });
        for _ in 0..self.below(3) {
            layers = layers.add(self.vector_layer());
        }
        ([height, width, channels], layers.add(Dense::new(CLASSES)))
    }

    fn image_layer(&mut self) -> LayerSpec {
        let pool = |draw: &mut Draw| Pool2d::new(draw.pair(3)).stride(draw.pair(3)).padding(draw.padding());
        match self.below(6) {
            0 | 1 => {
                let conv = Conv2d::new(1 + self.below(9), self.pair(4)).stride(self.pair(3)).padding(self.padding());
                let conv = conv.activation(self.activation());
                if self.below(2) == 0 { conv.into() } else { conv.without_bias().into() }
            }
            2 => LayerSpec::MaxPool2d(pool(self)),
            3 => LayerSpec::AvgPool2d(pool(self)),
            _ => self.any_layer(),
        }
    }

    fn vector_layer(&mut self) -> LayerSpec {
        match self.below(3) {
            0 => Dense::new(1 + self.below(9)).activation(self.activation()).into(),
            1 => Flatten {}.into(),
            _ => self.any_layer(),
        }
    }

    fn any_layer(&mut self) -> LayerSpec {
        match self.below(3) {
            0 => BatchNorm::default().into(),
            1 => Dropout { rate: 0.5 }.into(),
            _ => ActivationLayer { activation: self.activation() }.into(),
        }
    }

    fn activation(&mut self) -> glyphnet::nn::Activation {
        ACTIVATIONS[self.below(ACTIVATIONS.len())].1
    }
}
