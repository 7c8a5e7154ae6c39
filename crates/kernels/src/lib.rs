//! CPU kernels for small convolutional networks.
//!
//! Slices in, slices out: a kernel knows nothing of datasets, files or threads. Arrays are row-major `f32`; images
//! are NHWC. Each kernel takes the [`Isa`] to use, checks the lengths of its slices at the door (a wrong length is a
//! bug of the caller and panics with the shapes), and has a naive twin.

mod activation;
mod batch_norm;
mod buffer;
mod channels;
mod conv;
mod conv_pool;
mod dense;
mod dropout;
mod elementwise;
mod gemm;
mod isa;
mod lanes;
mod loss;
pub mod math;
mod muon;
mod optimizer;
mod packed;
mod pad;
mod pool;
pub mod random;
pub mod reference;
mod softmax;
mod tile;
mod transpose;
mod winograd;

/// The product of sizes. Shapes are checked with it at the door, so a product that does not fit must not wrap around.
///
/// # Panics
/// If it does not fit.
pub(crate) fn size(factors: &[usize]) -> usize {
    factors
        .iter()
        .try_fold(1_usize, |product, &factor| product.checked_mul(factor))
        .expect("sizes that can be multiplied")
}

pub use activation::{Activation, LEAKY_SLOPE, activate, activate_to, activation_backward};
pub use batch_norm::{Moments, batch_norm_backward, batch_norm_backward_sums, scale_shift, scale_shift_in_place};
pub use buffer::Buffer;
pub use conv::{
    ConvShape, ForwardWeights, GradientWeights, bias_gradient, conv_forward, conv_input_gradient, conv_weight_gradient,
};
pub use conv_pool::{ConvPool, Pooled, PooledGradients, PooledWeights, add_filter_major, pooled_gradients};
pub use dense::{
    DenseShape, DenseWeights, dense_forward, dense_input_gradient, dense_weight_gradient, dense_weight_gradient_rows,
};
pub use dropout::{dropout_backward, dropout_forward};
pub use elementwise::{add_in_place, clip_in_place, scale_in_place, sum_chunks, sum_of_squares};
pub use isa::{Isa, IsaError, Vectorize};
pub use loss::{
    LossOptions, LossSum, softmax_cross_entropy, softmax_cross_entropy_loss, softmax_cross_entropy_targets,
};
pub use muon::{Muon, MuonRoom};
pub use optimizer::{Adam, RmsProp, Sgd, TINY, adam_update, average_update, rmsprop_update, sgd_update};
pub use pad::Pad;
pub use pool::{
    PoolShape, avg_pool_backward, avg_pool_forward, global_avg_pool_backward, global_avg_pool_forward,
    max_pool_backward, max_pool_forward, max_pool_inference,
};
pub use softmax::{softmax_backward_rows, softmax_rows};
pub use winograd::{
    WinogradWeights, add_winograd_gradient, winograd_fits, winograd_forward, winograd_gathered_len,
    winograd_gradient_fits, winograd_input_gradient, winograd_pooled_fits, winograd_pooled_forward,
    winograd_scratch_len, winograd_weight_gradient, winograd_work,
};
