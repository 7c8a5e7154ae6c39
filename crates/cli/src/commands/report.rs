//! `report`: a run as one page, made of what its folder holds.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use glyphnet::saved_run::SavedRun;
use glyphnet::train::history::EpochRecord;
use glyphnet_artifacts::report::html;
use glyphnet_data::write_atomic;

use super::pictures;
use crate::args::ReportArgs;
use crate::error::{CliError, chain};
use crate::output::{Out, say};

/// The page, in the run's folder.
pub(crate) const REPORT: &str = "report.html";

pub(crate) fn run(args: ReportArgs, out: &mut Out) -> Result<(), CliError> {
    let run = SavedRun::open(&args.run)?;
    let path = write(&run)?;
    pictures::again(&run);
    Ok(writeln!(out, "{}", path.display())?)
}

/// Writes `report.html` into the run's folder.
fn write(run: &SavedRun) -> Result<PathBuf, CliError> {
    let path = run.path.join(REPORT);
    let page = html(run)?;
    write_atomic(&path, page.as_bytes())
        .map_err(|error| CliError::failed(format!("cannot write {}: {error}", path.display())))?;
    Ok(path)
}

/// The same while a run is trained and at its end. If it cannot be written that is said: the run is worth more than it.
pub(crate) struct LiveReport {
    /// The run so far; nothing once something went wrong.
    run: Option<SavedRun>,
    /// Not before.
    next: Instant,
}

/// So many times longer than writing a report takes the run goes on before the next: where epochs take milliseconds, a
/// report after each would cost more than they do.
const SPACING: u32 = 100;

impl LiveReport {
    /// Of the run in `folder`, which begins or goes on.
    pub(crate) fn new(folder: &Path) -> LiveReport {
        let mut report = LiveReport { run: None, next: Instant::now() };
        report.attempt(|| {
            // What it had come to before is no result of the run that goes on.
            let run = SavedRun::open(folder)?;
            Ok(SavedRun { metrics: None, predictions: Vec::new(), thumbnails: Vec::new(), ..run })
        });
        report
    }

    /// An epoch is over.
    pub(crate) fn epoch(&mut self, record: &EpochRecord) {
        let Some(mut run) = self.run.take() else { return };
        // After a crash the history may be ahead of where the run goes on.
        run.history.truncate(record.epoch.saturating_sub(1) as usize);
        run.history.push(record.clone());
        let began = Instant::now();
        if began < self.next {
            self.run = Some(run);
            return;
        }
        self.attempt(|| write(&run).map(|_| run));
        self.next = Instant::now() + SPACING * began.elapsed();
    }

    fn attempt(&mut self, work: impl FnOnce() -> Result<SavedRun, CliError>) {
        match work() {
            Ok(run) => self.run = Some(run),
            Err(error) => note(error),
        }
    }
}

/// At the end of a run, whose files are all there.
pub(crate) fn finish(run: &SavedRun) {
    write(run).map_or_else(note, drop);
}

/// Says why there is no report.
pub(crate) fn note(error: CliError) {
    match error {
        CliError::Failed(error) => say!("note: {REPORT} was not written: {}", chain(&*error)),
        CliError::Usage(problem) => say!("note: {REPORT} was not written: {problem}"),
        CliError::Interrupted | CliError::Closed => {}
    }
}
