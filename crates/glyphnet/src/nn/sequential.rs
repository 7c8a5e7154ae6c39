//! `Sequential`: layers in a row, as in Keras.

use glyphnet_data::ImageShape;

use super::{ActivationLayer, BatchNorm, Conv2d, Dense, Dropout, Flatten, GlobalAvgPool2d, LayerSpec};
use super::{Network, NetworkError};

/// Layers in a row, before their shapes are known.
///
/// ```
/// use glyphnet::ImageShape;
/// use glyphnet::nn::{Activation, Conv2d, Dense, Flatten, LayerSpec, Sequential};
///
/// let network = Sequential::new()
///     .add(Conv2d::new(64, 3).activation(Activation::Relu))
///     .add(Conv2d::new(32, 3).activation(Activation::Relu))
///     .add(LayerSpec::max_pool2d(2))
///     .add(Flatten {})
///     .add(Dense::new(10).activation(Activation::Softmax))
///     .build(ImageShape { height: 28, width: 28, channels: 1 }, 10, 0)?;
/// assert_eq!(network.parameters(), 65_194);
/// # Ok::<(), glyphnet::nn::NetworkError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sequential {
    layers: Vec<LayerSpec>,
}

impl Sequential {
    /// No layers yet.
    pub fn new() -> Sequential {
        Sequential::default()
    }

    /// Appends a layer.
    #[allow(clippy::should_implement_trait, reason = "Keras's word for it, and no arithmetic")]
    pub fn add(mut self, layer: impl Into<LayerSpec>) -> Sequential {
        self.layers.push(layer.into());
        self
    }

    /// The layers so far.
    pub fn layers(&self) -> &[LayerSpec] {
        &self.layers
    }

    /// Infers every shape for images of shape `input` and draws the initial weights from `seed`.
    ///
    /// # Errors
    /// If a layer does not fit its input, or the last one does not give one value for each class.
    pub fn build(&self, input: ImageShape, classes: usize, seed: u64) -> Result<Network, NetworkError> {
        Network::build(&self.layers, input, classes, seed)
    }
}

impl From<Vec<LayerSpec>> for Sequential {
    fn from(layers: Vec<LayerSpec>) -> Sequential {
        Sequential { layers }
    }
}

macro_rules! into_layer_spec {
    ($($variant:ident($settings:ty)),* $(,)?) => {$(
        impl From<$settings> for LayerSpec {
            fn from(settings: $settings) -> LayerSpec {
                LayerSpec::$variant(settings)
            }
        }
    )*};
}

into_layer_spec! {
    Conv2d(Conv2d),
    GlobalAvgPool2d(GlobalAvgPool2d),
    BatchNorm(BatchNorm),
    Dropout(Dropout),
    Flatten(Flatten),
    Dense(Dense),
    Activation(ActivationLayer),
}
