//! One training of a recipe as a process of its own, so that its wall-clock time and its memory are those of a whole
//! process. `bench-recipe` and `tune` are made of such trials.
//!
//! A trial's folder holds `<name>.toml` (the recipe), `run/` (an ordinary run folder), `train.log` (what the process said)
//! and `trial.json` (its times).

mod process;
mod record;

use std::path::PathBuf;
use std::time::Duration;

use glyphnet::recipe::Recipe;
use glyphnet::saved_run::{RunState, SavedRun};
use glyphnet::train::{Metrics, RunFolder};
use glyphnet_data::write_atomic;

pub(crate) use self::process::TrainingFailed;
pub(crate) use self::record::TrialResult;
use self::record::{Times, read_times};
use crate::commands::noted;
use crate::error::CliError;
use crate::interrupt::Interrupt;

/// The run of a trial, in its folder.
const RUN: &str = "run";
/// What the process said.
const LOG: &str = "train.log";
/// Its times.
const TIMES: &str = "trial.json";
/// So long a process that was told to stop may take to save its run.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often its lock is tried meanwhile.
const RETRY: Duration = Duration::from_millis(100);

/// One training to be done, or done already.
#[derive(Debug, Clone)]
pub(crate) struct Trial {
    /// What the recipe is called.
    pub(crate) name: String,
    /// Every setting, its seed too.
    pub(crate) recipe: Recipe,
    /// [`glyphnet_data::Source::fingerprint`] of the data: a finished run on others is none of this trial.
    pub(crate) fingerprint: String,
    /// Where its files are; made where there is none.
    pub(crate) folder: PathBuf,
    /// 0 = all cores.
    pub(crate) threads: usize,
    /// The instruction set, as `--simd` takes it.
    pub(crate) simd: String,
    /// Whether the network is measured on the test images; where not, the process leaves them alone.
    pub(crate) read_test: bool,
    /// Whether nothing else runs beside it: only then its times mean something.
    pub(crate) alone: bool,
}

impl Trial {
    /// What the trial came to, if it is finished.
    ///
    /// # Errors
    /// If the folder holds a run of other settings or on other data, or a file there is damaged.
    pub(crate) fn stored(&self) -> Result<Option<TrialResult>, CliError> {
        let folder = self.run_folder();
        if !folder.join("run.toml").is_file() {
            return Ok(None);
        }
        let run = SavedRun::open(&folder)?;
        self.check(&run)?;
        let finished =
            |metrics: &&Metrics| run.state() == RunState::Finished && !is_being_extended(&run.recipe, metrics);
        let Some(metrics) = run.metrics.as_ref().filter(finished) else { return Ok(None) };
        let lacks_test = self.read_test && metrics.test.is_none();
        if lacks_test && run.facts.as_ref().is_none_or(|facts| facts.split("test").is_some()) {
            let place = folder.display();
            return Err(CliError::failed(format!("{place}: this run left the test images alone; name another folder")));
        }
        Ok(Some(TrialResult::new(&run, metrics, read_times(&self.folder.join(TIMES))?)))
    }

    /// Does what is left to do of the trial, in a process of its own, and gives what it came to. Of a finished trial
    /// nothing is left.
    ///
    /// # Errors
    /// If the process fails, with the last lines that it said; [`CliError::Interrupted`] if a signal ended it, which
    /// leaves a run that goes on from there.
    pub(crate) fn run(&self, interrupt: &Interrupt) -> Result<TrialResult, CliError> {
        match self.stored()? {
            Some(result) => Ok(result),
            None => self.train(None, interrupt),
        }
    }

    /// The same, but a run of the folder that was to have fewer epochs goes on to those of the trial. Nothing in the recipe
    /// may depend on how many there are in all.
    ///
    /// # Errors
    /// As [`Trial::run`].
    pub(crate) fn extend(&self, interrupt: &Interrupt) -> Result<TrialResult, CliError> {
        let folder = self.run_folder();
        if folder.join("run.toml").is_file() {
            let mut run = SavedRun::open(&folder)?;
            let epochs = self.recipe.train.epochs;
            if run.recipe.train.epochs < epochs {
                run.recipe.train.epochs = epochs;
                self.check(&run)?;
                return self.train(Some(epochs), interrupt);
            }
        }
        self.run(interrupt)
    }

    /// Trains, from where the run is; `epochs` extends it to so many.
    fn train(&self, epochs: Option<u32>, interrupt: &Interrupt) -> Result<TrialResult, CliError> {
        std::fs::create_dir_all(&self.folder).map_err(|error| self.cannot("make", &error))?;
        let goes_on = self.wait_for_lock(interrupt)?;
        let recipe = self.folder.join(format!("{}.toml", self.name));
        write_atomic(&recipe, self.recipe.to_toml()?.as_bytes()).map_err(|error| self.cannot("write to", &error))?;
        let ended = process::run(self, &recipe, goes_on.then_some(epochs), interrupt)?;
        let times = Times {
            wall_seconds: ended.wall.as_secs_f64(),
            peak_memory_bytes: ended.peak_memory,
            timed: self.alone && !goes_on,
        };
        let text = serde_json::to_string_pretty(&times)? + "\n";
        let file = self.folder.join(TIMES);
        write_atomic(&file, text.as_bytes()).map_err(|error| self.cannot("write to", &error))?;
        let unfinished = || CliError::failed(format!("{}: the run came to no result", self.run_folder().display()));
        self.stored()?.ok_or_else(unfinished)
    }

    /// The folder of the run that the trial makes.
    pub(crate) fn run_folder(&self) -> PathBuf {
        self.folder.join(RUN)
    }

    fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    fn cannot(&self, what: &str, error: &std::io::Error) -> CliError {
        CliError::failed(format!("cannot {what} '{}': {error}", self.folder.display()))
    }

    /// Refuses what another recipe or other data left in the folder.
    fn check(&self, run: &SavedRun) -> Result<(), CliError> {
        let place = self.folder.display();
        let changed = Recipe::changed_settings(&[&run.recipe, &self.recipe])?;
        if let Some(first) = changed.first() {
            let value = |i: usize| first.values[i].as_deref().unwrap_or("not set");
            return Err(CliError::failed(format!(
                "{place} holds a run of other settings: {} was {} and is {}{}; remove the folder or name another",
                first.name,
                value(0),
                value(1),
                if changed.len() > 1 { format!(", and {} more", changed.len() - 1) } else { String::new() }
            )));
        }
        if noted(&run.recipe, "data_fingerprint") != Some(&self.fingerprint) {
            let problem = format!("{place} holds a run on other data; remove the folder or name another");
            return Err(CliError::failed(problem));
        }
        Ok(())
    }

    /// Waits until no process works on the run any more: one whose parent was killed is about to stop. Says whether
    /// there is a run that goes on.
    fn wait_for_lock(&self, interrupt: &Interrupt) -> Result<bool, CliError> {
        let folder = self.run_folder();
        let began = std::time::Instant::now();
        while folder.is_dir() {
            match RunFolder::open(&folder) {
                Ok(_) => break,
                Err(glyphnet::Error::InUse { .. }) if began.elapsed() < PATIENCE && !interrupt.requested() => {
                    std::thread::sleep(RETRY);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(folder.join("run.toml").is_file())
    }
}

/// Whether the run was given another length and these are still its figures of before: both files list each time that
/// it was.
fn is_being_extended(recipe: &Recipe, metrics: &Metrics) -> bool {
    let noted = recipe.provenance.as_ref().and_then(|table| table.get("extended_from")?.as_array());
    noted.map_or(0, Vec::len) != metrics.extended.len()
}
