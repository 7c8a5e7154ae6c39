//! SIGTERM and Ctrl-C end the server, SIGHUP reads the model again.

use std::io;
use std::sync::Arc;

use tokio::runtime::Builder;
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
                _ = self.hangup.recv() => {
                    // Not awaited: the end must not wait for it.
                    tokio::spawn(reload::all(Arc::clone(&app)));
                }
            }
        };
        app.log.event("stop", &format!("{which}: no new connections; requests in flight are finished"));
        let second = std::thread::Builder::new().name("signals".to_owned()).spawn(move || self.second());
        if let Err(error) = second {
            app.log.event("stop", &format!("a second signal will not be seen: {error}"));
        }
    }

    /// Ends the process at the next signal. On a thread and a runtime of its own, for the server's may be gone by then.
    fn second(mut self) {
        let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
        });
        std::process::exit(INTERRUPTED);
    }
}
