//! Ctrl-C, SIGTERM and SIGHUP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::CliError;

/// The exit code of an interrupted command.
const INTERRUPTED: i32 = 130;

/// Whether the person asked to stop. Without [`heed`](Interrupt::heed) a signal ends the process at once; with it the
/// first one is only noted, so that a command can save what it has, and a second one ends the process.
#[derive(Clone, Default)]
pub(crate) struct Interrupt {
    requested: Arc<AtomicBool>,
    heeded: Arc<AtomicBool>,
}

impl Interrupt {
    /// Takes over the signals of this process.
    pub(crate) fn install() -> Result<Interrupt, CliError> {
        let interrupt = Interrupt::default();
        let handler = interrupt.clone();
        ctrlc::set_handler(move || {
            let again = handler.requested.swap(true, Ordering::SeqCst);
            if again || !handler.heeded.load(Ordering::SeqCst) {
                // Files are renamed into place only when they are whole, so leaving here loses nothing written.
                std::process::exit(INTERRUPTED);
            }
        })?;
        Ok(interrupt)
    }

    /// Takes the end of standard input for a signal, so that whoever holds its other end can ask for a stop and also does
    /// so by dying. It is no second signal.
    pub(crate) fn stop_at_eof(&self) {
        let interrupt = self.clone();
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            interrupt.requested.store(true, Ordering::SeqCst);
            if !interrupt.heeded.load(Ordering::SeqCst) {
                std::process::exit(INTERRUPTED);
            }
        });
    }

    /// From now on the command looks at [`requested`](Interrupt::requested) itself and stops in good order.
    pub(crate) fn heed(&self) {
        self.heeded.store(true, Ordering::SeqCst);
    }

    /// Whether a signal has come.
    pub(crate) fn requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }
}
