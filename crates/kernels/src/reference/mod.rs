//! The naive twin of each kernel: plain loops that read like the formula, against which the fast kernels are
//! tested. Same arguments, less the [`Isa`](crate::Isa). Nothing here is fast; use it in tests alone.

pub mod activation;
pub mod batch_norm;
pub mod dropout;
pub mod elementwise;
pub mod loss;
pub mod matrix;
pub mod muon;
pub mod optimizer;
pub mod pool;
