//! Standard output carries results, standard error everything else.

use std::io::{self, BufWriter, Stdout, Write};

use serde::Serialize;

use crate::error::CliError;

/// Buffered standard output. Write with `writeln!(out, ...)?`; a closed pipe ends the command without an error.
pub(crate) struct Out(BufWriter<Stdout>);

impl Out {
    pub(crate) fn stdout() -> Out {
        Out(BufWriter::new(io::stdout()))
    }

    /// Writes `value` as indented JSON and a line end.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(value)?;
        Ok(writeln!(self, "{text}")?)
    }

    /// Writes out what is still buffered.
    pub(crate) fn finish(mut self) -> Result<(), CliError> {
        Ok(self.flush()?)
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes a line to standard error; unlike `eprintln!` it does not panic if that is closed.
macro_rules! say {
    ($($arg:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($arg)*);
    }};
}
pub(crate) use say;
