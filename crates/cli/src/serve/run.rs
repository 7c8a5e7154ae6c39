//! Starting the server and ending it.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::Semaphore;

use super::app::{App, Limits, router};
use super::auth::Token;
use super::budget::Budget;
use super::engine::{Batching, Engine};
use super::listen::{self, Connections};
use super::loaded::Current;
use super::log::Log;
use super::metrics::Metrics;
use super::reload;
use super::signals::Signals;
use crate::args::LogFormat;
use crate::error::CliError;
use crate::output::say;

/// Memory for bodies and pixels is enough for so many of the longest bodies, and at least for this many bytes.
const BODIES: usize = 8;
const LEAST_MEMORY: usize = 256 << 20;

/// Image files that are decoded at a time, however many threads predict: each may take hundreds of megabytes.
const MOST_DECODERS: usize = 4;

/// How long the end waits for what nobody waits for any more, such as an image that is being decoded.
const LEFT_OVER: Duration = Duration::from_secs(1);

/// Everything that can be set.
pub(crate) struct Settings {
    pub(crate) model: PathBuf,
    pub(crate) name: String,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) token: Option<Token>,
    pub(crate) cors: Vec<String>,
    pub(crate) limits: Limits,
    /// Requests at work.
    pub(crate) concurrent: usize,
    pub(crate) batching: Batching,
    pub(crate) connections: Connections,
    pub(crate) log: LogFormat,
}

/// Serves on `listener` until a signal ends it.
///
/// # Errors
/// If the model cannot be read, or the system refuses threads or signals.
pub(crate) fn run(settings: Settings, listener: TcpListener) -> Result<(), CliError> {
    let current = Current::open(&settings.model, &settings.name)?;
    let metrics = Arc::new(Metrics::default());
    let (log, _writer) = Log::start(settings.log, Arc::clone(&metrics))?;
    let threads = settings.batching.threads.get();
    let brief = current.get().brief();
    let app = Arc::new(App {
        current,
        token_file: settings.token_file,
        token: RwLock::new(settings.token),
        engine: Engine::start(settings.batching, Arc::clone(&metrics))?,
        limits: settings.limits,
        budget: Budget::new(LEAST_MEMORY.max(BODIES * settings.limits.body.longest)),
        places: Arc::new(Semaphore::new(settings.concurrent)),
        uploads: Arc::new(Semaphore::new(settings.concurrent.div_ceil(2))),
        decoders: Arc::new(Semaphore::new(threads.min(MOST_DECODERS))),
        metrics,
        log,
        draining: false.into(),
    });
    // Where these threads do not predict themselves, parsing and handing over cost far less than predicting, and a lone
    // thread hands nothing to others.
    let workers = if brief > 0 { threads } else { threads.div_ceil(4) };
    let runtime = Builder::new_multi_thread()
        .worker_threads(workers)
        .max_blocking_threads(2 * threads + 2)
        .enable_all()
        .build()?;
    let address = listener.local_addr()?;
    let drained = runtime.block_on(async {
        let signals = Signals::take()?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::spawn(reload::watch(Arc::clone(&app)));
        let router = router(Arc::clone(&app), &settings.cors);
        announce(&app, address);
        let serving =
            listen::serve(listener, Arc::clone(&app), router, settings.connections, signals.end(Arc::clone(&app)));
        // On a worker: the thread that started it all would have to wake one for each connection.
        Ok::<bool, CliError>(tokio::spawn(serving).await.unwrap_or(false))
    })?;
    let end = if drained { "all requests are finished" } else { "requests were cut off at the end of --drain-timeout" };
    app.log.event("stop", end);
    runtime.shutdown_timeout(LEFT_OVER);
    Ok(())
}

fn announce(app: &App, address: SocketAddr) {
    let loaded = app.current.get();
    let (input, classes) = (loaded.model().input(), loaded.model().classes().len());
    say!("serving {} at http://{address}/, images of {input} in {classes} classes", app.current.name());
}
