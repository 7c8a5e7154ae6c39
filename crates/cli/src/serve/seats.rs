//! Who has a connection, and who loses it when there are too many: the one whose client has kept us waiting longest.
//!
//! So nobody can hold the server by opening connections and sending nothing, or little.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// As many seats as there may be connections.
pub(crate) struct Seats {
    free: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
}

/// Connections whose clients we wait for, in the order in which they go.
#[derive(Default)]
struct Waiting {
    seats: BTreeMap<(For, u64), Arc<Notify>>,
    /// How often somebody began to wait.
    count: u64,
}

/// What we wait for. Whoever sends a body has shown more good will.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum For {
    /// The headers of the next request: the connection is idle, or its client slow.
    Headers,
    /// The rest of a request.
    Body,
}

/// A connection's seat, free again when it is dropped.
pub(crate) struct Seat {
    seats: Arc<Seats>,
    lost: Arc<Notify>,
    place: Mutex<Option<(For, u64)>>,
    _free: OwnedSemaphorePermit,
}

impl Seats {
    pub(crate) fn new(most: usize) -> Arc<Seats> {
        Arc::new(Seats { free: Arc::new(Semaphore::new(most)), waiting: Mutex::default() })
    }

    /// A seat for a new connection. Where all are taken one is taken from whoever has kept us waiting longest; while none
    /// has, this waits.
    pub(crate) async fn take(self: &Arc<Seats>) -> Option<Arc<Seat>> {
        let free = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(free) => free,
            Err(_) => {
                if let Some((_, lost)) = self.lock().seats.pop_first() {
                    lost.notify_one();
                }
                Arc::clone(&self.free).acquire_owned().await.ok()?
            }
        };
        let seat = Seat { seats: Arc::clone(self), lost: Arc::default(), place: Mutex::default(), _free: free };
        seat.wait_for(For::Headers);
        Some(Arc::new(seat))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// From now on we wait for the client.
    pub(crate) fn wait_for(&self, what: For) {
        let mut waiting = self.seats.lock();
        waiting.count += 1;
        let place = (what, waiting.count);
        if let Some(old) = self.place().replace(place) {
            waiting.seats.remove(&old);
        }
        waiting.seats.insert(place, Arc::clone(&self.lost));
    }

    /// From now on the client waits for us, and keeps its seat.
    pub(crate) fn work(&self) {
        if let Some(place) = self.place().take() {
            self.seats.lock().seats.remove(&place);
        }
    }

    /// Whether we wait for this.
    pub(crate) fn waits_for(&self, what: For) -> bool {
        self.place().is_some_and(|(own, _)| own == what)
    }

    /// Ends when the seat is wanted by another.
    pub(crate) async fn lost(&self) {
        self.lost.notified().await;
    }

    fn place(&self) -> MutexGuard<'_, Option<(For, u64)>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.work();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// What a future comes to without waiting.
    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    fn take(seats: &Arc<Seats>) -> Option<Arc<Seat>> {
        now(seats.take()).flatten()
    }

    #[test]
    fn whoever_kept_us_waiting_longest_goes_first() {
        let seats = Seats::new(4);
        let taken: Vec<Arc<Seat>> = (0..4).map(|_| take(&seats).unwrap()).collect();
        taken[0].work();
        taken[1].wait_for(For::Body);
        assert!(
            !taken[0].waits_for(For::Headers) && !taken[1].waits_for(For::Headers) && taken[3].waits_for(For::Headers)
        );
        // Asked something meanwhile, so it waits since now.
        taken[2].work();
        taken[2].wait_for(For::Headers);
        let lost = || taken.iter().map(|seat| now(seat.lost()).is_some()).collect::<Vec<_>>();
        for expected in [3, 2, 1] {
            assert!(take(&seats).is_none());
            assert_eq!(lost(), (0..4).map(|i| i == expected).collect::<Vec<_>>());
        }
        // The last one is at work.
        assert!(take(&seats).is_none());
        assert_eq!(lost(), [false; 4]);
    }

    #[test]
    fn a_seat_that_is_given_up_is_free() {
        let seats = Seats::new(1);
        drop(take(&seats).unwrap());
        assert!(seats.lock().seats.is_empty());
        assert!(take(&seats).is_some());
    }
}
