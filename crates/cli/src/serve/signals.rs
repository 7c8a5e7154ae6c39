//! SIGTERM and Ctrl-C end the server, SIGHUP reads the model again.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::app::App;
use super::reload;

/// The exit code where a second signal does not wait for requests in flight.
const INTERRUPTED: i32 = 130;

/// The signals of this process, from now on taken by the server.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// # Errors
    /// If the system refuses.
    pub(crate) fn take() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Reads the model again at each SIGHUP; ends with SIGTERM or Ctrl-C, after which another one ends the process.
    pub(crate) async fn end(mut self, app: Arc<App>) {
        let which = loop {
            tokio::select! {
                _ = self.terminate.recv() => break "SIGTERM",
                _ = self.interrupt.recv() => break "Ctrl-C",
                _ = self.hangup.recv() => reload::all(&app).await,
            }
        };
        app.log.event("stop", &format!("{which}: no new connections; requests in flight are finished"));
        tokio::spawn(async move {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
            std::process::exit(INTERRUPTED);
        });
    }
}
