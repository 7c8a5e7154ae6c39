//! What a network is made of, as data: the `[[layer]]` tables of a recipe, the layers of a model file.

use serde::{Deserialize, Serialize};

pub use glyphnet_kernels::Activation;

/// One value for both directions, or `[vertical, horizontal]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Pair {
    /// The same in both directions.
    Both(usize),
    /// Vertical, then horizontal.
    Each([usize; 2]),
}

impl Pair {
    /// `(vertical, horizontal)`.
    pub fn get(self) -> (usize, usize) {
        match self {
            Pair::Both(n) => (n, n),
            Pair::Each([v, h]) => (v, h),
        }
    }
}

impl From<usize> for Pair {
    fn from(n: usize) -> Pair {
        Pair::Both(n)
    }
}

impl From<(usize, usize)> for Pair {
    fn from((v, h): (usize, usize)) -> Pair {
        Pair::Each([v, h])
    }
}

/// How an image is extended at its borders before a window slides over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Padding {
    /// `"valid"` or `"same"`, as in Keras: with "same" the output has `ceil(input / stride)` pixels, and an odd pixel
    /// of padding goes after.
    Named(NamedPadding),
    /// Explicit: the same number of pixels on all four sides, or `[vertical, horizontal]` on both sides of each direction.
    Explicit(Pair),
}

/// The two paddings that have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedPadding {
    /// No padding.
    Valid,
    /// As much as keeps `ceil(input / stride)`.
    Same,
}

impl Padding {
    /// No padding.
    pub const VALID: Padding = Padding::Named(NamedPadding::Valid);
    /// Keras's "same".
    pub const SAME: Padding = Padding::Named(NamedPadding::Same);
}

impl Default for Padding {
    fn default() -> Padding {
        Padding::VALID
    }
}

/// How weights start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Initializer {
    /// Uniform in `+-sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio 2010), Keras's default.
    #[default]
    GlorotUniform,
    /// Normal, truncated at two deviations, variance `2 / (fan_in + fan_out)`.
    GlorotNormal,
    /// Uniform in `+-sqrt(6 / fan_in)` (He et al. 2015).
    HeUniform,
    /// Normal, truncated at two deviations, variance `2 / fan_in`.
    HeNormal,
    /// From the images, for a first convolution: see [`Network::whiten`](super::Network::whiten). Until that is called the
    /// weights are those of `GlorotUniform`.
    Whitening,
}

/// The number of units of a dense layer: a number, or as many as the data has classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Units {
    /// So many.
    Count(usize),
    /// Written `"classes"`.
    Classes(ClassesWord),
}

/// The word `"classes"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassesWord {
    /// As many as the data has classes.
    Classes,
}

impl Units {
    /// As many units as the data has classes.
    pub const CLASSES: Units = Units::Classes(ClassesWord::Classes);
}

impl From<usize> for Units {
    fn from(n: usize) -> Units {
        Units::Count(n)
    }
}
