//! The network of the golden model files, from formulas: it depends on no random numbers.

use glyphnet::model_file::ModelParts;
use glyphnet::nn::{BatchNorm, Conv2d, Dense, Flatten, Sequential};
use glyphnet::{ImageShape, Networks, Preprocess};

/// A convolution, batch norm and a dense layer on images of 3 x 3.
pub(crate) fn golden_model() -> ModelParts {
    let layers = Sequential::new().add(Conv2d::new(2, 2)).add(BatchNorm::default()).add(Flatten {}).add(Dense::new(2));
    let mut network = layers.build(ImageShape::new(3, 3, 1), 2, 0).unwrap();
    let weights = network.weights_mut().iter_mut().enumerate();
    weights.for_each(|(i, weight)| *weight = ((i * 7 % 23) as f32 - 11.0) / 16.0);
    network.state_mut().copy_from_slice(&[0.25, -0.5, 1.0, 2.0]);
    ModelParts {
        networks: network.into(),
        classes: vec!["left".into(), "\"right\" é".into()],
        preprocess: Preprocess::default(),
    }
}

/// Three networks of these layers, the first of them that of [`golden_model`].
#[allow(dead_code, reason = "not every test needs several")]
pub(crate) fn golden_ensemble() -> ModelParts {
    let one = golden_model();
    let member = |place: usize| {
        let mut network = one.network().clone();
        let weights = network.weights_mut().iter_mut().enumerate();
        weights.for_each(|(i, weight)| *weight = (((i + place) * 7 % 23) as f32 - 11.0) / 16.0);
        network
    };
    ModelParts { networks: Networks::new((0..3).map(member).collect()).unwrap(), ..one }
}
