//! The process that trains.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::{LOG, Trial};
use crate::commands::text::printable;
use crate::error::CliError;
use crate::interrupt::Interrupt;

/// How often its memory is looked at, and whether a signal has come.
const LOOK: Duration = Duration::from_millis(20);
/// So many of the last lines that it said are shown where it fails.
const SHOWN: usize = 12;

/// How a process ended.
pub(super) struct Ended {
    /// From its start to its end.
    pub(super) wall: Duration,
    /// The most memory that it took, in bytes.
    pub(super) peak_memory: Option<u64>,
}

/// A training that came to no end, with the last that it said.
#[derive(Debug, thiserror::Error)]
#[error("the training ended with {status}; {} ends with:{}", log.display(), said.iter().map(|line| format!("\n  {line}")).collect::<String>())]
pub(crate) struct TrainingFailed {
    status: ExitStatus,
    log: PathBuf,
    said: Vec<String>,
}

impl TrainingFailed {
    /// Why, in one line.
    pub(crate) fn reason(&self) -> String {
        let told = self.said.iter().rev().find_map(|line| line.strip_prefix("error: "));
        told.map_or_else(|| format!("the training ended with {}", self.status), str::to_owned)
    }
}

/// Trains in a process of its own and waits for its end: from the beginning, or from where the run was, which may be
/// extended to so many epochs.
pub(super) fn run(
    trial: &Trial,
    recipe: &Path,
    goes_on: Option<Option<u32>>,
    interrupt: &Interrupt,
) -> Result<Ended, CliError> {
    let log = File::options().create(true).append(true).open(trial.log());
    let log = log.map_err(|error| trial.cannot("write to", &error))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("train");
    match goes_on {
        Some(_) => command.arg("--resume").arg(trial.run_folder()),
        None => command.arg("--recipe").arg(recipe).arg("--out").arg(trial.run_folder()),
    };
    if let Some(Some(epochs)) = goes_on {
        command.args(["--epochs", &epochs.to_string()]);
    }
    command.args(["--no-report", "--stop-at-eof", "--simd", &trial.simd]);
    if trial.threads > 0 {
        command.args(["--threads", &trial.threads.to_string()]);
    }
    if !trial.read_test {
        command.arg("--no-test");
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
    // Ctrl-C reaches it through us alone, or it would take it and the end of its input for two requests.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let began = Instant::now();
    let child = command.spawn().map_err(|error| CliError::failed(format!("cannot start a training: {error}")))?;
    let (status, peak_memory) = wait(child, interrupt)?;
    let wall = began.elapsed();
    match status.code() {
        Some(0) => Ok(Ended { wall, peak_memory }),
        Some(130) if interrupt.requested() => Err(CliError::Interrupted),
        _ => Err(failed(trial, status).into()),
    }
}

/// Waits for the end of `child`, whose input is closed as soon as we are asked to stop: it then saves its run and ends.
/// Should we die, the system closes it.
fn wait(mut child: Child, interrupt: &Interrupt) -> Result<(ExitStatus, Option<u64>), CliError> {
    let (process, input) = (child.id(), child.stdin.take());
    let (done, ended) = channel();
    std::thread::scope(|scope| {
        let watcher = scope.spawn(move || watch(process, input, &ended, interrupt));
        let status = child.wait();
        let _ = done.send(());
        let peak = watcher.join().unwrap_or(None);
        Ok((status?, peak))
    })
}

fn watch(process: u32, mut input: Option<ChildStdin>, ended: &Receiver<()>, interrupt: &Interrupt) -> Option<u64> {
    let mut peak = None;
    loop {
        peak = peak.max(peak_memory(process));
        if interrupt.requested() {
            input = None;
        }
        match ended.recv_timeout(LOOK) {
            Err(RecvTimeoutError::Timeout) => {}
            _ => break,
        }
    }
    drop(input);
    peak
}

/// The most memory that a process has taken so far, in bytes, where Linux tells it.
fn peak_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

fn failed(trial: &Trial, status: ExitStatus) -> TrainingFailed {
    let text = String::from_utf8_lossy(&std::fs::read(trial.log()).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let said = lines[lines.len().saturating_sub(SHOWN)..].iter().map(|line| printable(line)).collect();
    TrainingFailed { status, log: trial.folder.join(LOG), said }
}
