//! Micro-batching: images of all connections wait in one queue, and threads of their own predict what is there.
//!
//! An idle thread takes a lone image at once. While all threads are busy images gather, and the next free thread takes
//! its share of them, so batches grow with the load and nobody waits for a batch to fill.
//!
//! Where a network takes less time than handing an image to another thread and back may cost, the thread that serves the
//! connection predicts itself: it queues its images, lets the other connections that are ready do so too, and then takes
//! its share until its own are taken.

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
    /// Jobs that ever came, and that ever went.
    came: u64,
    went: u64,
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
        let brief = if self.shared.batching.delay.is_zero() { loaded.brief() } else { 0 };
        let here = pixels.len() / size <= brief;
        let (last, answers) = self.submit(loaded, &pixels, here);
        if here {
            // Whoever else has a whole request by now queues it.
            tokio::task::yield_now().await;
            self.shared.help(last, brief);
        }
        let mut probabilities = Vec::with_capacity(pixels.len() / size * loaded.model().classes().len());
        for answer in answers {
            let part = answer.await.map_err(|_| ApiError::fault("the prediction failed; the server's log says why"))?;
            probabilities.extend(part);
        }
        Ok(probabilities)
    }

    /// Queues the images, no more than one thread takes in one job, and wakes threads for them unless they are predicted
    /// `here`. Also gives the number of the last job.
    fn submit(&self, loaded: &Arc<Loaded>, pixels: &Bytes, here: bool) -> (u64, Vec<oneshot::Receiver<Vec<f32>>>) {
        let (size, since) = (loaded.model().input().len(), Instant::now());
        let longest = self.shared.batching.largest.get() * size;
        let mut answers = Vec::with_capacity(pixels.len().div_ceil(longest));
        let mut queue = self.shared.lock();
        for start in (0..pixels.len()).step_by(longest) {
            let pixels = pixels.slice(start..pixels.len().min(start + longest));
            let (reply, answer) = oneshot::channel();
            let images = pixels.len() / size;
            queue.push(Job { loaded: Arc::clone(loaded), pixels, images, since, reply });
            answers.push(answer);
        }
        let last = queue.came;
        drop(queue);
        match answers.len() {
            _ if here => {}
            1 => self.shared.arrived.notify_one(),
            _ => self.shared.arrived.notify_all(),
        }
        (last, answers)
    }

    /// From now on no image waits for company.
    pub(crate) fn hurry(&self) {
        self.shared.lock().hurried = true;
        self.shared.arrived.notify_all();
    }

    /// Images that wait.
    pub(crate) fn waiting(&self) -> usize {
        let mut queue = self.shared.lock();
        queue.drop_left();
        queue.images
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
            self.predict(batch);
        }
    }

    fn predict(&self, batch: Vec<Job>) {
        self.metrics.batch(batch.iter().map(|job| job.images).sum());
        // The buffers of a pass that panicked are dropped with it.
        let _ = panic::catch_unwind(AssertUnwindSafe(|| predict(batch)));
    }

    /// Predicts what waits, in its order and at most `brief` images at a time, until job `last` is taken. Stops at a job
    /// that takes longer than that: threads have been woken for it, and they take what is behind it too.
    fn help(&self, last: u64, brief: usize) {
        loop {
            let mut queue = self.lock();
            queue.drop_left();
            let brief_job = queue.jobs.front().is_some_and(|job| job.images <= brief.min(job.loaded.brief()));
            if queue.went >= last || !brief_job {
                return;
            }
            let batch = self.share(&mut queue, brief);
            drop(queue);
            self.predict(batch);
        }
    }

    /// The next jobs, all for one model; nothing once the queue is closed and empty.
    fn next(&self) -> Option<Vec<Job>> {
        let mut queue = self.lock();
        loop {
            queue.drop_left();
            let Some(oldest) = queue.jobs.front() else {
                if queue.closed {
                    return None;
                }
                queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let wait = self.batching.delay.saturating_sub(oldest.since.elapsed());
            if wait.is_zero() || queue.hurried || queue.images >= self.batching.largest.get() {
                return Some(self.share(&mut queue, self.batching.largest.get()));
            }
            queue = self.arrived.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// This thread's share of what waits: the same for each, but for what has been taken already; at most `largest`
    /// images, unless the first job alone has more.
    fn share(&self, queue: &mut Queue, largest: usize) -> Vec<Job> {
        let largest = largest.min(self.batching.largest.get());
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
    fn push(&mut self, job: Job) {
        self.images += job.images;
        self.came += 1;
        self.jobs.push_back(job);
    }

    /// Drops the jobs at the front that nobody waits for any more.
    fn drop_left(&mut self) {
        while self.jobs.front().is_some_and(|job| job.reply.is_closed()) {
            self.pop();
        }
    }

    fn pop(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        self.images -= job.images;
        self.went += 1;
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

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use glyphnet::model_file::ModelParts;
    use glyphnet::nn::{Dense, Flatten, Sequential};
    use glyphnet_data::{ImageShape, Preprocess};

    use super::*;

    fn loaded(brief: usize) -> Arc<Loaded> {
        let network = Sequential::new().add(Flatten {}).add(Dense::new(3)).build(ImageShape::new(2, 2, 1), 3, 7);
        let classes = ["a", "b", "c"].map(str::to_owned).to_vec();
        let parts = ModelParts { networks: network.unwrap().into(), classes, preprocess: Preprocess::default() };
        Arc::new(Loaded::of(glyphnet::Model::new(parts), brief))
    }

    fn engine(threads: usize) -> (Engine, Arc<Metrics>) {
        let [threads, largest] = [threads, 8].map(|n| NonZeroUsize::new(n).unwrap());
        let metrics = Arc::new(Metrics::default());
        let batching = Batching { threads, largest, delay: Duration::ZERO };
        (Engine::start(batching, Arc::clone(&metrics)).unwrap(), metrics)
    }

    /// Asks for `images` of different brightness in as many requests at once, each of `copies` of one image.
    fn answers(engine: Engine, loaded: &Arc<Loaded>, requests: u8, copies: usize) {
        let engine = Arc::new(engine);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ask = |i: u8| {
            let (engine, loaded) = (Arc::clone(&engine), Arc::clone(loaded));
            async move { engine.predict(&loaded, vec![10 * i; 4 * copies].into()).await }
        };
        runtime.block_on(async {
            let asked: Vec<_> = (0..requests).map(|i| tokio::spawn(ask(i))).collect();
            for (i, answer) in asked.into_iter().enumerate() {
                let expected =
                    loaded.model().predict_scattered(1, |_| [[0; 4], [10; 4], [20; 4], [30; 4], [40; 4]][i].as_slice());
                let answer = answer.await.unwrap().unwrap();
                assert_eq!(answer, expected.probabilities().repeat(copies), "request {i}");
            }
        });
    }

    #[test]
    fn requests_of_a_fast_network_are_gathered_and_predicted_where_they_came() {
        let (engine, metrics) = engine(1);
        answers(engine, &loaded(3), 5, 1);
        // Three by the first request, which has been waiting for the others to come, and two by the fourth.
        assert_eq!(metrics.predicted(), (2, 5));
    }

    #[test]
    fn what_takes_longer_is_left_to_the_threads() {
        for (brief, copies) in [(0, 1), (3, 4), (3, 20)] {
            answers(engine(2).0, &loaded(brief), 5, copies);
        }
    }

    #[test]
    fn a_request_whose_client_left_waits_no_more() {
        let ((engine, metrics), loaded) = (engine(1), loaded(3));
        let mut left = Box::pin(engine.predict(&loaded, vec![0; 8].into()));
        assert!(left.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(engine.waiting(), 2);
        drop(left);
        assert_eq!(engine.waiting(), 0);
        assert!(
            pin!(engine.predict(&loaded, vec![0; 4].into())).poll(&mut Context::from_waker(Waker::noop())).is_pending()
        );
        assert_eq!(metrics.predicted(), (0, 0));
    }
}
