//! Callbacks: what happens after an epoch, decided from one number.
//!
//! Each is a small state machine with the exact rules of the Keras class it is named after, checked decision by
//! decision against Keras (`parity/callbacks_golden.py`). It decides and nothing else: the loop saves, reduces, stops.
//! The whole memory of each is a `...State` that serialises without loss of a bit, so that a resumed run remembers its
//! best (Keras forgets it, issue 17012).

mod best;
mod early_stopping;
mod monitor;
mod reduce_lr;

pub use best::{BestKeeper, BestState, Verdict};
pub use early_stopping::{Decision, EarlyStopping, EarlyStoppingState};
pub use monitor::Comparison;
pub use reduce_lr::{ReduceLrOnPlateau, ReduceLrState};

#[cfg(test)]
mod golden_tests;
