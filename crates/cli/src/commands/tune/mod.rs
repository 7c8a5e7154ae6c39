//! `tune`: a search for a better recipe.

mod journal;
mod print;
mod results;
mod search;
mod watch;
mod work;

use std::path::{Path, PathBuf};

use glyphnet::nn::Threads;
use glyphnet::train::{RunFolder, TrainingData};
use glyphnet::tune::{Entry, Space, promoted, spans_epochs};
use glyphnet_data::Source;

use self::journal::Journal;
use self::results::Results;
use self::search::{Candidate, Search};
use self::watch::Watch;
use self::work::Work;
use super::train::{self, plan::Plan};
use crate::args::{Method, TuneArgs};
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::output::{Out, say};

/// Where searches are put that name no folder.
const SEARCHES: &str = "tune";

pub(crate) fn run(args: &TuneArgs, out: &mut Out, interrupt: &Interrupt) -> Result<(), CliError> {
    let plan = Plan::new(&args.settings(), args.epochs)?;
    let usage = |error: glyphnet::tune::SpaceError| CliError::Usage(error.to_string());
    let space = Space::new(entries(args)?, &plan.recipe).map_err(usage)?;
    let search = Search::new(args, plan, space)?;
    let threads = Threads::new(search.plan.threads)?;
    let source = train::open(&search.plan, &threads)?;
    check_validation(&search, &source)?;
    let path = args.out.clone().unwrap_or_else(|| Path::new(SEARCHES).join(&search.plan.name));
    let folder = open_folder(path)?;
    search.settle(&folder, &source)?;
    let subject = format!("{} on {}", search.plan.name, source.name);
    let fingerprint = source.fingerprint();
    drop(source);

    let mut journal = Journal::open(&folder.file("journal.jsonl"))?;
    announce(&search, &subject, &folder, &journal);
    interrupt.heed();
    let jobs = args.jobs.get().min(search.rungs[0].trials as usize);
    let work = Work { search: &search, folder: folder.path(), jobs, threads: threads.count(), fingerprint, interrupt };
    let objective = args.monitor.objective();
    let mut watch = Watch::new(&search, objective, &journal);
    let mut trials: Vec<Candidate> = (1..=search.rungs[0].trials).map(|number| search.trial(number)).collect();
    for rung in 0..search.rungs.len() {
        if rung > 0 {
            let scored = |trial: &Candidate| Some((trial.number, journal.find(trial.number, rung - 1)?.score?));
            let go_on = promoted(trials.iter().filter_map(scored).collect(), objective, search.rungs[rung].trials);
            trials.retain(|trial| go_on.contains(&trial.number));
        }
        work.rung(rung, &trials, &mut journal, &mut watch)?;
    }
    watch.finish();
    let results = Results::new(&search, &journal, objective);
    results.write(&folder, &subject)?;
    print::text(&results, &folder, out)
}

/// What is to be searched: the file's keys, then those typed.
fn entries(args: &TuneArgs) -> Result<Vec<Entry>, CliError> {
    let mut entries = Vec::new();
    let usage = |error: glyphnet::tune::SpaceError| CliError::Usage(error.to_string());
    if let Some(file) = &args.space {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file)
            .map_err(|error| CliError::failed(format!("--space {name}: cannot be read: {error}")))?;
        entries = Entry::from_toml(&text, &name).map_err(usage)?;
    }
    entries.extend(Entry::typed(&args.search).map_err(usage)?);
    Ok(entries)
}

/// Trials are compared on validation images, and on those alone.
fn check_validation(search: &Search, source: &Source) -> Result<(), CliError> {
    if TrainingData::new(&search.plan.recipe, source)?.validation.is_some() {
        return Ok(());
    }
    let problem = "there are no validation images to compare trials on; set data.validation, for example to 0.1";
    Err(CliError::Usage(problem.to_owned()))
}

/// The folder of a new search, or of one that goes on. No other process can work in it.
fn open_folder(path: PathBuf) -> Result<RunFolder, CliError> {
    let folder = if path.join("search.toml").is_file() { RunFolder::open(&path) } else { RunFolder::create(&path) };
    folder.map_err(|error| {
        CliError::failed(format!("cannot use the folder of the search: {error} (--out names another place)"))
    })
}

/// What will be done.
fn announce(search: &Search, subject: &str, folder: &RunFolder, journal: &Journal) {
    let rungs: Vec<String> =
        search.rungs.iter().map(|rung| format!("{} of {} epochs", rung.trials, rung.epochs)).collect();
    let how = match search.method {
        Method::Random => format!("{} random trials", search.rungs[0].trials),
        Method::Halving => format!("trials by halving: {}", rungs.join(", then ")),
    };
    say!("{subject}, {how}; folder {}", folder.path().display());
    let spanning = spans_epochs(&search.plan.recipe).filter(|_| search.rungs.len() > 1);
    if let Some(setting) = spanning {
        say!("note: a run with {setting} is not the beginning of a longer one: a trial that goes on is trained anew");
    }
    let done = journal.lines().len();
    if done > 0 {
        say!("going on: {} of its trainings are over", done);
    }
}
