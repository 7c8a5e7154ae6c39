//! Micro-batching: images of all connections wait in one queue, and threads of their own predict what is there.
//!
//! An idle thread takes a lone image at once. While all threads are busy images gather, and the next free thread takes
//! its share of them, so batches grow with the load and nobody waits for a batch to fill.

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::sync::oneshot;

use super::error::ApiError;
use super::loaded::Loaded;
use super::metrics::Metrics;

/// How images are gathered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batching {
    /// Threads that predict.
    pub(crate) threads: NonZeroUsize,
    /// Images that are predicted together at most.
    pub(crate) largest: NonZeroUsize,
    /// How long an image may wait for company.
    pub(crate) delay: Duration,
}

/// Some images of one request, `images x H x W x C`, for the model that they were made for.
struct Job {
    loaded: Arc<Loaded>,
    pixels: Bytes,
    images: usize,
    since: Instant,
    /// Takes `images x classes` probabilities.
    reply: oneshot::Sender<Vec<f32>>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Images in all jobs.
    images: usize,
    /// Nobody waits for company any more.
    hurried: bool,
    closed: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    batching: Batching,
    metrics: Arc<Metrics>,
}

/// The queue and its threads.
pub(crate) struct Engine {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Starts the threads.
    ///
    /// # Errors
    /// If the system refuses one.
    pub(crate) fn start(batching: Batching, metrics: Arc<Metrics>) -> io::Result<Engine> {
        let shared = Arc::new(Shared { queue: Mutex::default(), arrived: Condvar::new(), batching, metrics });
        let mut engine = Engine { shared: Arc::clone(&shared), threads: Vec::new() };
        for number in 0..batching.threads.get() {
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new().name(format!("predict-{number}"));
            engine.threads.push(thread.spawn(move || shared.work())?);
        }
        Ok(engine)
    }

    /// Probabilities of `pixels`, a whole number of images of the model's input size: `images x classes`, row-major.
    ///
    /// How many jobs wait is bounded by whoever admits requests.
    ///
    /// # Errors
    /// 500 if prediction panics.
    pub(crate) async fn predict(&self, loaded: &Arc<Loaded>, pixels: Bytes) -> Result<Vec<f32>, ApiError> {
        let size = loaded.model().input().len();
        let answers = self.submit(loaded, &pixels, self.shared.batching.largest.get() * size);
        let mut probabilities = Vec::with_capacity(pixels.len() / size * loaded.model().classes().len());
        for answer in answers {
            let part = answer.await.map_err(|_| ApiError::fault("the prediction failed; the server's log says why"))?;
            probabilities.extend(part);
        }
        Ok(probabilities)
    }

    /// Queues the images, no more than one thread takes in one job.
    fn submit(&self, loaded: &Arc<Loaded>, pixels: &Bytes, longest: usize) -> Vec<oneshot::Receiver<Vec<f32>>> {
        let (size, since) = (loaded.model().input().len(), Instant::now());
        let mut answers = Vec::with_capacity(pixels.len().div_ceil(longest));
        let mut queue = self.shared.lock();
        for start in (0..pixels.len()).step_by(longest) {
            let pixels = pixels.slice(start..pixels.len().min(start + longest));
            let (reply, answer) = oneshot::channel();
            let images = pixels.len() / size;
            queue.images += images;
            queue.jobs.push_back(Job { loaded: Arc::clone(loaded), pixels, images, since, reply });
            answers.push(answer);
        }
        drop(queue);
        match answers.len() {
            1 => self.shared.arrived.notify_one(),
            _ => self.shared.arrived.notify_all(),
        }
        answers
    }

    /// From now on no image waits for company.
    pub(crate) fn hurry(&self) {
        self.shared.lock().hurried = true;
        self.shared.arrived.notify_all();
    }

    /// Images that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.lock().images
    }
}

/// Ends the threads once the queue is empty.
impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.hurry();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(batch) = self.next() {
            self.metrics.batch(batch.iter().map(|job| job.images).sum());
            // The buffers of a pass that panicked are dropped with it.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| predict(batch)));
        }
    }

    /// The next jobs, all for one model; nothing once the queue is closed and empty.
    fn next(&self) -> Option<Vec<Job>> {
        let mut queue = self.lock();
        loop {
            // Nobody waits for these any more.
            while queue.jobs.front().is_some_and(|job| job.reply.is_closed()) {
                queue.pop();
            }
            let Some(oldest) = queue.jobs.front() else {
                if queue.closed {
                    return None;
                }
                queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let wait = self.batching.delay.saturating_sub(oldest.since.elapsed());
            if wait.is_zero() || queue.hurried || queue.images >= self.batching.largest.get() {
                return Some(self.share(&mut queue));
            }
            queue = self.arrived.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// This thread's share of what waits: the same for each, but for what has been taken already.
    fn share(&self, queue: &mut Queue) -> Vec<Job> {
        let largest = self.batching.largest.get();
        let share = match self.batching.delay.is_zero() {
            true => queue.images.div_ceil(self.batching.threads.get()).min(largest),
            false => largest,
        };
        let (mut batch, mut images) = (Vec::new(), 0);
        while let Some(job) = queue.jobs.front() {
            let same = batch.first().is_none_or(|first: &Job| Arc::ptr_eq(&first.loaded, &job.loaded));
            if !same || (images > 0 && images + job.images > share) {
                break;
            }
            images += job.images;
            batch.extend(queue.pop());
        }
        batch
    }
}

impl Queue {
    fn pop(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        self.images -= job.images;
        Some(job)
    }
}

/// Predicts jobs for one model together and answers them.
fn predict(batch: Vec<Job>) {
    let Some(model) = batch.first().map(|job| Arc::clone(&job.loaded)) else { return };
    let (size, classes) = (model.model().input().len(), model.model().classes().len());
    let images: Vec<&[u8]> = batch.iter().flat_map(|job| job.pixels.chunks_exact(size)).collect();
    let predictions = model.model().predict_scattered(images.len(), |i| images[i]);
    let mut rest = predictions.probabilities();
    drop(images);
    for job in batch {
        let (own, others) = rest.split_at(job.images * classes);
        rest = others;
        // Whoever asked may have gone.
        let _ = job.reply.send(own.to_vec());
    }
}
