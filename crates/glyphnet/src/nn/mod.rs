//! Networks: layers as data, shapes, parameters, and the plans that train and run them.
//!
//! A list of [`LayerSpec`]s becomes a [`Network`] by [`Sequential::build`]; a [`Trainer`] changes its weights step by
//! step; a [`Predictor`] runs it. Every layer has an explicit backward pass; there is no graph.

mod average;
mod chunk;
mod error;
mod flops;
mod init;
mod layer;
mod layer_spec;
mod layers;
#[cfg(test)]
mod layers_parity;
mod matrices;
mod network;
mod optimizer;
mod plan;
mod plan_report;
mod predictor;
mod sequential;
mod shape;
mod spec;
mod threads;
mod trainer;
mod whitening;

pub use average::{AverageRule, AverageState, Averaging};
pub use error::{LayerError, NetworkError, TrainerError};
pub use flops::training_flops;
pub use layer::Kernels;
pub use layer_spec::{ActivationLayer, BatchNorm, Conv2d, Dense, Dropout, Flatten, GlobalAvgPool2d, LayerSpec, Pool2d};
pub use layers::Window;
pub use network::{Network, NetworkLayer, Tensor};
pub use optimizer::Pace;
pub use plan_report::{
    BackwardReport, BatchReport, MemoryReport, PlanReport, SegmentReport, SegmentStart, StageReport,
};
pub use predictor::Predictor;
pub use sequential::Sequential;
pub use shape::Shape;
pub use spec::{Activation, ClassesWord, Initializer, NamedPadding, Padding, Pair, Units};
pub use threads::{ThreadError, Threads};
pub use trainer::{Batch, Trainer, TrainerOptions, TrainerState};
