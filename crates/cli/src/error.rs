//! The one place where errors are printed and become exit codes.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use crate::output::say;
use crate::terminal::Style;

/// How a command ends when it does not simply finish.
#[derive(Debug)]
pub(crate) enum CliError {
    /// What was typed makes no sense: exit code 2.
    Usage(String),
    /// The work failed: exit code 1.
    Failed(Box<dyn Error + Send + Sync>),
    /// Ctrl-C or SIGTERM: exit code 130.
    Interrupted,
    /// Nobody reads standard output any more (`| head`): no error.
    Closed,
}

impl CliError {
    /// A failure that only needs a sentence.
    pub(crate) fn failed(message: impl Into<String>) -> CliError {
        CliError::Failed(message.into().into())
    }

    /// The error with its causes, in a sentence.
    pub(crate) fn told(&self) -> String {
        match self {
            CliError::Usage(message) => message.clone(),
            CliError::Failed(error) => chain(&**error),
            CliError::Interrupted => "interrupted".to_owned(),
            CliError::Closed => "standard output is closed".to_owned(),
        }
    }

    /// Prints the error with its causes, if it is one, and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        let label = Style::stderr().red("error:");
        let told = self.told();
        match self {
            CliError::Usage(_) => {
                say!("{label} {told}\n\nFor more information, try '--help'.");
                ExitCode::from(2)
            }
            CliError::Failed(_) => {
                say!("{label} {told}");
                ExitCode::from(1)
            }
            CliError::Interrupted => {
                say!("{told}");
                ExitCode::from(130)
            }
            CliError::Closed => ExitCode::SUCCESS,
        }
    }
}

/// Any error is a failure, but a closed pipe is none. (`CliError` is deliberately no `Error` itself.)
impl<E: Error + Send + Sync + 'static> From<E> for CliError {
    fn from(error: E) -> CliError {
        let as_any: &(dyn Error + 'static) = &error;
        match as_any.downcast_ref::<io::Error>() {
            Some(io) if io.kind() == io::ErrorKind::BrokenPipe => CliError::Closed,
            _ => CliError::Failed(Box::new(error)),
        }
    }
}

/// The message and its causes, joined by colons; a cause that a message already quotes is not repeated.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let message = inner.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read 'a.csv'")]
    struct Outer(#[source] io::Error);

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read 'a.csv': {0}")]
    struct Quoting(#[source] io::Error);

    #[test]
    fn causes_are_told_once() {
        let denied = || io::Error::other("permission denied");
        assert_eq!(chain(&Outer(denied())), "cannot read 'a.csv': permission denied");
        assert_eq!(chain(&Quoting(denied())), "cannot read 'a.csv': permission denied");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        assert!(matches!(CliError::from(io::Error::from(io::ErrorKind::BrokenPipe)), CliError::Closed));
        assert!(matches!(CliError::from(io::Error::from(io::ErrorKind::NotFound)), CliError::Failed(_)));
    }
}
