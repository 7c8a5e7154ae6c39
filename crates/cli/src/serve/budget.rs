//! How much memory all requests together may hold: bodies as they arrive, and the pixels made of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::ApiError;

/// Bytes that are shared by all requests.
#[derive(Debug)]
pub(crate) struct Budget {
    left: AtomicUsize,
}

/// What one request holds; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Arc<Budget> {
        Arc::new(Budget { left: AtomicUsize::new(bytes) })
    }

    /// Nothing as yet, to be grown.
    pub(crate) fn hold(self: &Arc<Budget>) -> Held {
        Held { budget: Arc::clone(self), bytes: 0 }
    }
}

impl Held {
    /// Takes `bytes` more.
    ///
    /// # Errors
    /// 503 if there is no room for them.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), ApiError> {
        let take = |left: usize| left.checked_sub(bytes);
        match self.budget.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => {
                self.bytes += bytes;
                Ok(())
            }
            Err(_) => Err(ApiError::busy("the requests at work fill the memory set aside for them; try again")),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_comes_back() {
        let budget = Budget::new(100);
        let mut one = budget.hold();
        one.grow(60).unwrap();
        let mut other = budget.hold();
        other.grow(40).unwrap();
        assert_eq!(other.grow(1).unwrap_err().status().as_u16(), 503);
        drop(one);
        other.grow(60).unwrap();
        drop(other);
        budget.hold().grow(100).unwrap();
    }
}
