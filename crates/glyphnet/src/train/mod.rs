//! Training: the loop and all that happens around it.

pub mod callbacks;
pub mod history;
pub mod schedule;
