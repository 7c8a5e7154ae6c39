//! SIGTERM and Ctrl-C end the server, SIGHUP reads the model again; on Windows there are Ctrl-C and Ctrl-Break.

use std::io;
use std::sync::Arc;

use tokio::runtime::Builder;

use super::app::App;
use super::reload;

pub(crate) use system::Signals;

/// The exit code where a second signal does not wait for requests in flight.
const INTERRUPTED: i32 = 130;

/// What a signal asks for.
enum Wish {
    /// To end, by the signal of this name.
    End(&'static str),
    /// To read the model again.
    Reload,
}

#[cfg(unix)]
mod system {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::{Wish, io};

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

        pub(super) async fn next(&mut self) -> Wish {
            tokio::select! {
                _ = self.terminate.recv() => Wish::End("SIGTERM"),
                _ = self.interrupt.recv() => Wish::End("Ctrl-C"),
                _ = self.hangup.recv() => Wish::Reload,
            }
        }
    }
}

#[cfg(windows)]
mod system {
    use tokio::signal::windows::{CtrlBreak, CtrlC, ctrl_break, ctrl_c};

    use super::{Wish, io};

    /// Ctrl-C and Ctrl-Break, from now on taken by the server. No signal asks for a reload here; a changed file does.
    pub(crate) struct Signals {
        interrupt: CtrlC,
        end: CtrlBreak,
    }

    impl Signals {
        /// # Errors
        /// If the system refuses.
        pub(crate) fn take() -> io::Result<Signals> {
            Ok(Signals { interrupt: ctrl_c()?, end: ctrl_break()? })
        }

        pub(super) async fn next(&mut self) -> Wish {
            tokio::select! {
                _ = self.interrupt.recv() => Wish::End("Ctrl-C"),
                _ = self.end.recv() => Wish::End("Ctrl-Break"),
            }
        }
    }
}

impl Signals {
    /// Reads the model again where that is asked for; ends with the first signal to end, after which another one ends the
    /// process.
    pub(crate) async fn end(mut self, app: Arc<App>) {
        let which = loop {
            match self.next().await {
                Wish::End(which) => break which,
                // Not awaited: the end must not wait for it.
                Wish::Reload => drop(tokio::spawn(reload::all(Arc::clone(&app)))),
            }
        };
        app.log.event("stop", &format!("{which}: no new connections; requests in flight are finished"));
        let second = std::thread::Builder::new().name("signals".to_owned()).spawn(move || self.second());
        if let Err(error) = second {
            app.log.event("stop", &format!("a second signal will not be seen: {error}"));
        }
    }

    /// Ends the process at the next signal to end. On a thread and a runtime of its own, for the server's may be gone by
    /// then.
    fn second(mut self) {
        let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async { while matches!(self.next().await, Wish::Reload) {} });
        std::process::exit(INTERRUPTED);
    }
}
