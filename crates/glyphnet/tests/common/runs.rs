//! Runs in a folder that are stopped and go on.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::path::Path;

use glyphnet::Error;
use glyphnet::nn::{Kernels, Threads};
use glyphnet::recipe::Recipe;
use glyphnet::train::{Checkpoint, Event, FitOptions, Observer, Outcome, ResumeFrom, RunFolder, fit, resume};
use glyphnet_kernels::Isa;

use crate::rows::source;

/// Steps of an epoch of 160 images in batches of 24.
pub(crate) const STEPS_PER_EPOCH: usize = 7;

/// Asks to stop after so many steps, and hears what is said.
#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) stop_after: Option<usize>,
    pub(crate) taken: usize,
    pub(crate) heard: Vec<String>,
}

impl Observer for Watch {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Step { .. } => self.taken += 1,
            Event::Message(text) => self.heard.push((*text).to_owned()),
            _ => {}
        }
    }

    fn stop_requested(&self) -> bool {
        self.stop_after.is_some_and(|steps| self.taken >= steps)
    }
}

pub(crate) fn stop_after(steps: usize) -> Watch {
    Watch { stop_after: Some(steps), ..Watch::default() }
}

pub(crate) fn options(folder: RunFolder, threads: usize) -> FitOptions {
    let threads = Threads::new(threads).unwrap();
    FitOptions { threads, isa: Isa::detect(), folder: Some(folder), kernels: Kernels::default() }
}

/// Begins a run in `path`.
pub(crate) fn begin(recipe: &Recipe, path: &Path, watch: &mut Watch) -> Result<Outcome, Error> {
    fit(recipe, &source(), &options(RunFolder::create(path).unwrap(), 2), watch)
}

/// Where the run in `path` goes on.
pub(crate) fn latest(folder: &RunFolder, extend: bool) -> ResumeFrom {
    ResumeFrom { latest: Checkpoint::latest(folder).unwrap(), extend }
}

/// Goes on with it, as a new process would.
pub(crate) fn go_on(recipe: &Recipe, path: &Path, threads: usize, watch: &mut Watch) -> Result<Outcome, Error> {
    let folder = RunFolder::open(path).unwrap();
    let from = latest(&folder, false);
    resume(recipe, &source(), &options(folder, threads), from, watch)
}

/// Goes on with it, even if it is over.
pub(crate) fn extend(recipe: &Recipe, path: &Path, watch: &mut Watch) -> Result<Outcome, Error> {
    let folder = RunFolder::open(path).unwrap();
    let from = latest(&folder, true);
    resume(recipe, &source(), &options(folder, 2), from, watch)
}

/// The rows of a history without its last column, the seconds.
pub(crate) fn history(path: &Path) -> Vec<String> {
    let history = std::fs::read_to_string(path.join("history.csv")).unwrap();
    history.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect()
}
