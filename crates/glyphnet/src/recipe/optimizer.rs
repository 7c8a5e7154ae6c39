//! `[optimizer]`: Keras's optimizers, with Keras's names and defaults; and Muon.

use serde::{Deserialize, Serialize};

/// `[optimizer]`, told apart by `kind`. Formulas: Keras 3 (`keras/src/optimizers`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OptimizerConfig {
    /// Gradient descent, with momentum if asked for.
    Sgd(SgdConfig),
    /// Hinton's RMSprop.
    Rmsprop(RmspropConfig),
    /// Adam (Kingma and Ba 2014).
    Adam(AdamConfig),
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2017).
    Adamw(AdamwConfig),
    /// Muon (Jordan et al. 2024) for the kernels of convolutions, AdamW for the rest.
    Muon(MuonConfig),
}

impl Default for OptimizerConfig {
    /// The reference network's: RMSprop as Keras has it.
    fn default() -> OptimizerConfig {
        OptimizerConfig::Rmsprop(RmspropConfig::default())
    }
}

/// Runs `$body` with the settings of whichever optimizer it is.
macro_rules! with_config {
    ($optimizer:expr, $config:ident => $body:expr) => {
        match $optimizer {
            OptimizerConfig::Sgd($config) => $body,
            OptimizerConfig::Rmsprop($config) => $body,
            OptimizerConfig::Adam($config) => $body,
            OptimizerConfig::Adamw($config) => $body,
            OptimizerConfig::Muon($config) => $body,
        }
    };
}

impl OptimizerConfig {
    /// The word after `kind =`.
    pub fn kind(&self) -> &'static str {
        match self {
            OptimizerConfig::Sgd(_) => "sgd",
            OptimizerConfig::Rmsprop(_) => "rmsprop",
            OptimizerConfig::Adam(_) => "adam",
            OptimizerConfig::Adamw(_) => "adamw",
            OptimizerConfig::Muon(_) => "muon",
        }
    }

    /// The learning rate before any schedule.
    pub fn learning_rate(&self) -> f64 {
        with_config!(self, config => config.learning_rate)
    }

    /// Replaces the learning rate.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        with_config!(self, config => config.learning_rate = learning_rate);
    }

    /// Decoupled weight decay: before each update, `w -= w * weight_decay * learning_rate`, biases included, as in
    /// Keras. 0 = none.
    pub fn weight_decay(&self) -> f64 {
        match self {
            OptimizerConfig::Adamw(config) => config.weight_decay,
            OptimizerConfig::Sgd(SgdConfig { weight_decay, .. })
            | OptimizerConfig::Rmsprop(RmspropConfig { weight_decay, .. })
            | OptimizerConfig::Adam(AdamConfig { weight_decay, .. })
            | OptimizerConfig::Muon(MuonConfig { weight_decay, .. }) => weight_decay.unwrap_or(0.0),
        }
    }

    /// How gradients are clipped before anything else happens to them. A checked recipe sets one way at most.
    pub fn clipping(&self) -> Option<Clipping> {
        with_config!(self, config => {
            let norm = config.clip_norm.map(Clipping::Norm);
            norm.or(config.global_clip_norm.map(Clipping::GlobalNorm)).or(config.clip_value.map(Clipping::Value))
        })
    }
}

/// How gradients are clipped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clipping {
    /// `clip_norm`: each parameter tensor's gradient is scaled down to this L2 norm.
    Norm(f64),
    /// `global_clip_norm`: all gradients together are scaled down to this L2 norm.
    GlobalNorm(f64),
    /// `clip_value`: each entry is brought into `+-` this value.
    Value(f64),
}

/// One struct per optimizer: its own settings with their defaults, then those that all of them share.
macro_rules! optimizer_configs {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            /// Scales each parameter tensor's gradient down to this L2 norm.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub clip_norm: Option<f64>,
            /// Scales all gradients together down to this L2 norm.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub global_clip_norm: Option<f64>,
            /// Brings each entry of the gradient into `+-` this value.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub clip_value: Option<f64>,
        }

        impl Default for $name {
            fn default() -> $name {
                $name { $($field: $default,)* clip_norm: None, global_clip_norm: None, clip_value: None }
            }
        }
    )*};
}

optimizer_configs! {
    /// `kind = "sgd"`: `velocity = momentum * velocity - learning_rate * g; w += velocity`; with Nesterov
    /// `w += momentum * velocity - learning_rate * g`.
    SgdConfig {
        /// Step size.
        learning_rate: f64 = 0.01,
        /// How much of the last step is taken again.
        momentum: f64 = 0.0,
        /// Nesterov's look ahead.
        nesterov: bool = false,
        /// Decoupled weight decay; absent = none.
        #[serde(skip_serializing_if = "Option::is_none")]
        weight_decay: Option<f64> = None,
    }

    /// `kind = "rmsprop"`: `v = rho * v + (1 - rho) * g^2; w -= learning_rate * g / sqrt(v + epsilon)`; centred: the
    /// square of the running mean of `g` is taken from `v` first.
    RmspropConfig {
        /// Step size.
        learning_rate: f64 = 0.001,
        /// Memory of the mean square.
        rho: f64 = 0.9,
        /// How much of the last step is taken again.
        momentum: f64 = 0.0,
        /// Added to the mean square, under the root.
        epsilon: f64 = 1e-7,
        /// Divide by the variance instead of the mean square.
        centered: bool = false,
        /// Decoupled weight decay; absent = none.
        #[serde(skip_serializing_if = "Option::is_none")]
        weight_decay: Option<f64> = None,
    }

    /// `kind = "adam"`: `m = beta_1 * m + (1 - beta_1) * g; v = beta_2 * v + (1 - beta_2) * g^2;
    /// w -= learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)`.
    AdamConfig {
        /// Step size.
        learning_rate: f64 = 0.001,
        /// Memory of the mean.
        beta_1: f64 = 0.9,
        /// Memory of the mean square.
        beta_2: f64 = 0.999,
        /// Added to the root.
        epsilon: f64 = 1e-7,
        /// Decoupled weight decay; absent = none.
        #[serde(skip_serializing_if = "Option::is_none")]
        weight_decay: Option<f64> = None,
    }

    /// `kind = "adamw"`: Adam after `w -= w * weight_decay * learning_rate`.
    AdamwConfig {
        /// Step size.
        learning_rate: f64 = 0.001,
        /// Decoupled weight decay.
        weight_decay: f64 = 0.004,
        /// Memory of the mean.
        beta_1: f64 = 0.9,
        /// Memory of the mean square.
        beta_2: f64 = 0.999,
        /// Added to the root.
        epsilon: f64 = 1e-7,
    }

    /// `kind = "muon"`: for the kernel of a convolution, a matrix `g` with a row for each filter,
    /// `mean = momentum * mean + (1 - momentum) * g`, and the step `learning_rate * sqrt(max(1, rows / columns))` against
    /// `(1 - momentum) * g + momentum * mean` with singular values near 1. For all other weights AdamW.
    MuonConfig {
        /// Step size of the matrices; what a schedule moves.
        learning_rate: f64 = 0.02,
        /// Memory of the matrices' mean gradient.
        momentum: f64 = 0.95,
        /// Step size of the other weights; a schedule moves it in proportion.
        adam_learning_rate: f64 = 0.001,
        /// Memory of their mean.
        beta_1: f64 = 0.9,
        /// Memory of their mean square.
        beta_2: f64 = 0.999,
        /// Added to the root of that.
        epsilon: f64 = 1e-7,
        /// Decoupled weight decay, each at its own step size; absent = none.
        #[serde(skip_serializing_if = "Option::is_none")]
        weight_decay: Option<f64> = None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_and_decay_are_read_from_any_kind() {
        let mut sgd = OptimizerConfig::Sgd(SgdConfig { clip_value: Some(0.5), ..SgdConfig::default() });
        assert_eq!(sgd.clipping(), Some(Clipping::Value(0.5)));
        assert_eq!(sgd.weight_decay(), 0.0);
        assert_eq!(sgd.learning_rate(), 0.01);
        sgd.set_learning_rate(0.1);
        assert_eq!(sgd.learning_rate(), 0.1);
        let adamw = OptimizerConfig::Adamw(AdamwConfig { global_clip_norm: Some(1.0), ..AdamwConfig::default() });
        assert_eq!((adamw.clipping(), adamw.weight_decay()), (Some(Clipping::GlobalNorm(1.0)), 0.004));
        let adam = OptimizerConfig::Adam(AdamConfig { weight_decay: Some(0.1), ..AdamConfig::default() });
        assert_eq!((adam.clipping(), adam.weight_decay(), adam.kind()), (None, 0.1, "adam"));
    }
}
