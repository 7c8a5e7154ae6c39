//! Networks: layers as data, shapes, parameters, and the plan that runs them.

mod layer_spec;
mod spec;

pub use layer_spec::{ActivationLayer, BatchNorm, Conv2d, Dense, Dropout, Flatten, GlobalAvgPool2d, LayerSpec, Pool2d};
pub use spec::{Activation, ClassesWord, Initializer, NamedPadding, Padding, Pair, Units};
