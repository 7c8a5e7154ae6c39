//! A layer as data.

use serde::{Deserialize, Serialize};

use super::spec::{Activation, Initializer, Padding, Pair, Units};

/// One layer of a `Sequential` network, as a recipe's `[[layer]]` table or a model file states it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LayerSpec {
    /// Two-dimensional convolution.
    Conv2d(Conv2d),
    /// The largest value of each window.
    MaxPool2d(Pool2d),
    /// The mean of each window; padding is not counted.
    AvgPool2d(Pool2d),
    /// The mean of each channel over the whole image.
    GlobalAvgPool2d(GlobalAvgPool2d),
    /// Batch normalisation over all but the channels.
    BatchNorm(BatchNorm),
    /// Sets a fraction of the values to zero while training.
    Dropout(Dropout),
    /// Image to vector, in the order rows, columns, channels.
    Flatten(Flatten),
    /// Fully connected.
    Dense(Dense),
    /// An activation as a layer of its own.
    Activation(ActivationLayer),
}

impl LayerSpec {
    /// Whether the layer keeps the weights that it starts with.
    pub fn frozen(&self) -> bool {
        match self {
            LayerSpec::Conv2d(layer) => layer.frozen,
            LayerSpec::Dense(layer) => layer.frozen,
            LayerSpec::BatchNorm(layer) => layer.frozen,
            _ => false,
        }
    }

    /// The layer as inference needs it: without what matters in training alone and older readers do not know.
    pub(crate) fn for_inference(mut self) -> LayerSpec {
        match &mut self {
            LayerSpec::Conv2d(layer) => {
                layer.frozen = false;
                if layer.initializer == Initializer::Whitening {
                    layer.initializer = Initializer::default();
                }
            }
            LayerSpec::Dense(layer) => layer.frozen = false,
            LayerSpec::BatchNorm(layer) => layer.frozen = false,
            _ => {}
        }
        self
    }
}

fn yes() -> bool {
    true
}

fn is_true(value: &bool) -> bool {
    *value
}

fn one() -> Pair {
    Pair::Both(1)
}

fn two() -> Pair {
    Pair::Both(2)
}

fn is_one(pair: &Pair) -> bool {
    pair.get() == (1, 1)
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Settings of [`LayerSpec::Conv2d`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2d {
    /// Output channels.
    pub filters: usize,
    /// Kernel size in pixels.
    pub kernel: Pair,
    /// Step of the window in pixels.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub stride: Pair,
    /// Zero padding.
    #[serde(default, skip_serializing_if = "is_default")]
    pub padding: Padding,
    /// Applied to the result.
    #[serde(default, skip_serializing_if = "is_default")]
    pub activation: Activation,
    /// Whether there is a bias for each filter.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub use_bias: bool,
    /// How the kernel starts; biases start at zero.
    #[serde(default, skip_serializing_if = "is_default")]
    pub initializer: Initializer,
    /// Whether the layer keeps the weights that it starts with: no gradient, no update, no place in averages.
    #[serde(default, skip_serializing_if = "is_default")]
    pub frozen: bool,
}

/// Settings of the two pooling layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool2d {
    /// Window size in pixels.
    #[serde(default = "two")]
    pub size: Pair,
    /// Step of the window; the window's size where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Pair>,
    /// Padding; padded pixels never count.
    #[serde(default, skip_serializing_if = "is_default")]
    pub padding: Padding,
}

/// Settings of [`LayerSpec::GlobalAvgPool2d`]: none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobalAvgPool2d {}

/// Settings of [`LayerSpec::Flatten`]: none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flatten {}

/// Settings of [`LayerSpec::BatchNorm`]. The two conventions of momentum are two keys; give one of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNorm {
    /// Keras's: `running = momentum * running + (1 - momentum) * batch`, with the biased batch variance. 0.99 where
    /// neither key is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keras_momentum: Option<f32>,
    /// PyTorch's: `running = (1 - momentum) * running + momentum * batch`, with the unbiased batch variance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub torch_momentum: Option<f32>,
    /// Added to the variance.
    #[serde(default = "batch_norm_epsilon")]
    pub epsilon: f32,
    /// Whether the layer keeps the weights that it starts with: no gradient, no update, no place in averages. It then
    /// normalises by its running averages in training too, and these stay as well.
    #[serde(default, skip_serializing_if = "is_default")]
    pub frozen: bool,
}

fn batch_norm_epsilon() -> f32 {
    1e-3
}

impl Default for BatchNorm {
    fn default() -> BatchNorm {
        BatchNorm { keras_momentum: None, torch_momentum: None, epsilon: batch_norm_epsilon(), frozen: false }
    }
}

/// Settings of [`LayerSpec::Dropout`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    /// The fraction set to zero, in `[0, 1)`; the rest is scaled by `1 / (1 - rate)`.
    pub rate: f32,
}

/// Settings of [`LayerSpec::Dense`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    /// Outputs, or `"classes"`.
    pub units: Units,
    /// Applied to the result.
    #[serde(default, skip_serializing_if = "is_default")]
    pub activation: Activation,
    /// Whether there is a bias for each unit.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub use_bias: bool,
    /// How the weights start; biases start at zero.
    #[serde(default, skip_serializing_if = "is_default")]
    pub initializer: Initializer,
    /// Whether the layer keeps the weights that it starts with: no gradient, no update, no place in averages.
    #[serde(default, skip_serializing_if = "is_default")]
    pub frozen: bool,
}

/// Settings of [`LayerSpec::Activation`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivationLayer {
    /// The activation.
    pub activation: Activation,
}
