//! `train`: a recipe and data become a run.

mod ensemble;
pub(super) mod plan;
mod provenance;
mod resume;
mod summary;
mod tensorboard;
mod watch;

use std::path::Path;
use std::sync::Arc;

use glyphnet::data::augment::Augmenter;
use glyphnet::nn::{Kernels, Sequential, Threads};
use glyphnet::saved_run::SavedRun;
use glyphnet::train::{FitOptions, Outcome, ResumeFrom, RunFolder, TrainingData, fit};
use glyphnet_data::{OpenOptions, Source};

use self::plan::Plan;
pub(super) use self::provenance::cpu_name;
use self::tensorboard::{Board, Watched};
use self::watch::Watch;
use super::report::{self, LiveReport};
use super::samples::Samples;
use super::{pictures, source};
use crate::args::TrainArgs;
use crate::error::{CliError, chain};
use crate::interrupt::Interrupt;
use crate::output::{Out, say};

/// Where runs are put that name no folder.
const RUNS: &str = "runs";

pub(crate) fn run(mut args: TrainArgs, out: &mut Out, interrupt: &Interrupt) -> Result<(), CliError> {
    if args.stop_at_eof {
        interrupt.stop_at_eof();
    }
    args.settings.set.extend(args.ensemble.map(|count| format!("train.ensemble={count}")));
    if let Some(run) = &args.resume {
        return match resume::prepare(&args, run)? {
            Some(job) => job.run(out, interrupt),
            None => Ok(()),
        };
    }
    let mut plan = Plan::new(&args.settings, args.epochs)?;
    if args.fast_run {
        plan.recipe = plan.recipe.fast_run();
    }
    let threads = Threads::new(plan.threads)?;
    let source = Arc::new(open(&plan, &threads)?);
    let folder = match &args.out {
        Some(path) => RunFolder::create(path),
        None => RunFolder::next(Path::new(RUNS), &plan.name),
    };
    let folder = folder.map_err(|error| {
        CliError::failed(format!("cannot make the run folder: {error} (--out names another place)"))
    })?;
    let (tensorboard, wanted) = (args.tensorboard, Wanted::new(&args));
    provenance::write(&plan, &source, wanted.test, &folder)?;
    Job { plan, threads, source, folder, from: None, tensorboard, wanted }.run(out, interrupt)
}

/// A run that is ready to go, from its beginning or from where it was.
struct Job {
    plan: Plan,
    threads: Threads,
    /// The members of an ensemble share it.
    source: Arc<Source>,
    folder: RunFolder,
    from: Option<ResumeFrom>,
    tensorboard: bool,
    wanted: Wanted,
}

/// What is done with a run besides training it.
#[derive(Clone, Copy)]
struct Wanted {
    /// A look at the test images.
    test: bool,
    /// Pictures and the report.
    report: bool,
}

impl Wanted {
    fn new(args: &TrainArgs) -> Wanted {
        Wanted { test: !args.no_test, report: !args.no_report }
    }
}

impl Job {
    fn run(self, out: &mut Out, interrupt: &Interrupt) -> Result<(), CliError> {
        if self.plan.recipe.train.ensemble > 1 {
            return ensemble::run(&self, out, interrupt);
        }
        let (source, folder, wanted) = (Arc::clone(&self.source), self.folder.clone(), self.wanted);
        let outcome = self.train(interrupt)?;
        if !outcome.interrupted {
            return summary::write(&outcome, &source, wanted.test, folder.path(), out);
        }
        let place = folder.path().display();
        match outcome.best_epoch {
            0 => say!("no epoch was finished; the half-trained network was saved in {place}"),
            epoch => say!("the network of epoch {epoch} is in {place}"),
        }
        say!("go on with: {}", resume::command(folder.path()));
        Err(CliError::Interrupted)
    }

    /// Trains one network, with all that belongs into its folder.
    fn train(self, interrupt: &Interrupt) -> Result<Outcome, CliError> {
        let Job { plan, threads, source, folder, from, tensorboard, wanted } = self;
        if wanted.report {
            draw_images(&plan, &source, &folder)?;
        }
        say!("{} on {}, run folder {}", plan.name, source.name, folder.path().display());
        interrupt.heed();
        let options = FitOptions { threads, isa: plan.isa, folder: Some(folder.clone()), kernels: Kernels::default() };
        let board = tensorboard.then(|| Board::new(folder.path()));
        let report = wanted.report.then(|| LiveReport::new(folder.path()));
        let mut watch = Watched { watch: Watch::new(interrupt.clone()), report, board, test: wanted.test };
        let outcome = match from {
            None => fit(&plan.recipe, &source, &options, &mut watch),
            Some(from) => glyphnet::train::resume(&plan.recipe, &source, &options, from, &mut watch),
        };
        watch.watch.finish();
        let outcome = outcome.map_err(|error| resume::with_advice(error, &plan.recipe, folder.path()))?;
        summary::write_metrics(&plan, &options, &outcome, &folder)?;
        if wanted.report {
            show(folder.path(), &source, outcome.interrupted);
        }
        if !outcome.interrupted {
            watch.board.iter_mut().for_each(|board| board.finish(&outcome.history));
        }
        Ok(outcome)
    }
}

/// Draws training images as they are, and as they are varied. A run that goes on has these pictures, unless it was killed
/// just before.
fn draw_images(plan: &Plan, source: &Source, folder: &RunFolder) -> Result<(), CliError> {
    let samples = folder.file("samples.png");
    if !samples.exists() {
        Samples::choose(source, plan.recipe.train.seed).save(&samples)?;
    }
    if !folder.file("augmentation.png").exists() {
        pictures::augmentation(folder.path(), plan, source);
    }
    Ok(())
}

/// Draws and reports what came of the run in `folder`, whose files are all there.
fn show(folder: &Path, source: &Source, interrupted: bool) {
    match SavedRun::open(folder) {
        Ok(run) => {
            report::finish(&run);
            if !interrupted {
                pictures::results(&run, source);
            }
        }
        Err(error) => say!("note: neither pictures nor a report of the run: {}", chain(&error)),
    }
}

/// Opens the data and finds out what does not fit, before anything is written.
pub(super) fn open(plan: &Plan, threads: &Threads) -> Result<Source, CliError> {
    let options = OpenOptions { isa: plan.isa, ..source::options_of(&plan.recipe) };
    let source = threads.run(|| source::open(&plan.recipe.data.source, &options))?;
    check(plan, &source)?;
    Ok(source)
}

fn check(Plan { recipe, isa, .. }: &Plan, source: &Source) -> Result<(), CliError> {
    let shape = source.shape();
    Sequential::from(recipe.layer.clone()).build(shape, source.classes.len(), recipe.train.seed)?;
    recipe.preprocess.check(shape).map_err(CliError::failed)?;
    if let Some(augment) = &recipe.augment {
        Augmenter::new(augment, shape, recipe.train.seed, *isa).map_err(glyphnet::Error::from)?;
    }
    TrainingData::new(recipe, source)?;
    Ok(())
}
