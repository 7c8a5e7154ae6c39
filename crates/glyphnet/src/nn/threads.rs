//! The threads of a run: a pool of a fixed size, nothing global.

use std::fmt;
use std::sync::Arc;

/// A pool of worker threads. Cloning shares it.
#[derive(Clone)]
pub struct Threads {
    pool: Arc<rayon::ThreadPool>,
}

/// The threads could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {count} threads: {reason}")]
pub struct ThreadError {
    /// How many were asked for.
    pub count: usize,
    /// What the system said.
    pub reason: String,
}

/// The most threads that can be asked for.
const MOST: usize = 1024;

impl Threads {
    /// Starts `count` threads; 0 means as many as there are cores available.
    ///
    /// # Errors
    /// If the system refuses, or `count` is above 1024.
    pub fn new(count: usize) -> Result<Threads, ThreadError> {
        let count = match count {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n if n > MOST => return Err(ThreadError { count, reason: format!("{MOST} is the limit") }),
            n => n,
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|i| format!("glyphnet-{i}"))
            .build()
            .map_err(|error| ThreadError { count, reason: error.to_string() })?;
        // A thread allocates while it starts: that is over before anybody measures or counts.
        pool.broadcast(|_| ());
        Ok(Threads { pool: Arc::new(pool) })
    }

    /// How many threads there are.
    pub fn count(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs `work` on one of the threads and waits for it: all that works in parallel inside it uses these threads and no others.
    /// A loop of many small steps had best run inside as a whole, since only handing work over from outside costs anything.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.pool.install(work)
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Threads({})", self.count())
    }
}
