//! `bench-recipe`: what a recipe gives, over many seeds.

mod ensembles;
mod job;
mod markdown;
mod pool;
mod print;
mod results;
mod spread;

use std::num::NonZeroUsize;
use std::path::Path;

use glyphnet::train::RunFolder;

use self::job::Job;
use self::results::Results;
use crate::args::BenchRecipeArgs;
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::output::{Out, say};

pub(crate) fn run(args: BenchRecipeArgs, out: &mut Out, interrupt: &Interrupt) -> Result<(), CliError> {
    if args.recipes.is_empty() {
        return args.table.as_ref().map_or(Ok(()), |file| table(file, &args.out));
    }
    std::fs::create_dir_all(&args.out)
        .map_err(|error| CliError::failed(format!("cannot make '{}': {error}", args.out.display())))?;
    let threads = threads(&args);
    let jobs = args.recipes.iter().map(|recipe| Job::new(recipe, &args, threads)).collect::<Result<Vec<_>, _>>()?;
    check_distinct(&jobs)?;
    // Held to the end: two processes would train the same networks.
    let _lock = RunFolder::open(&args.out)?;
    interrupt.heed();
    let mut all = Vec::new();
    for job in &jobs {
        let trials = pool::run(job, args.jobs.get(), interrupt).inspect_err(|error| {
            if matches!(error, CliError::Interrupted) {
                say!("the same command goes on from here");
            }
        })?;
        let members = job.ensemble.filter(|_| !args.no_test);
        let ensemble = members.map(|members| ensembles::draw(job, members, args.draws)).transpose()?;
        let results = Results::new(job, &trials, ensemble);
        results.write(&job.folder)?;
        if job.ensemble.is_some() && job.recipe.preprocess.tta_below.is_some() {
            say!(
                "note: {}: each network saw the images that it was unsure of again; one model of all of them asks again \
                 only where they are unsure together, so its accuracy may differ a little",
                job.name
            );
        }
        all.push(results);
    }
    if args.json {
        out.json(&all)?
    } else {
        print::text(&all, args.mark, out)?
    }
    args.table.as_ref().map_or(Ok(()), |file| table(file, &args.out))
}

/// Threads of each training; 0 = all cores.
fn threads(args: &BenchRecipeArgs) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    match (args.threads, args.jobs.get()) {
        (Some(threads), _) => threads.get(),
        (None, 1) => 0,
        (None, jobs) => (cores / jobs).max(1),
    }
}

/// Refuses two recipes of one name: they would share a folder.
fn check_distinct(jobs: &[Job]) -> Result<(), CliError> {
    for (i, job) in jobs.iter().enumerate() {
        if jobs[..i].iter().any(|earlier| earlier.name == job.name) {
            return Err(CliError::Usage(format!("two recipes are called {}: give one of them another name", job.name)));
        }
    }
    Ok(())
}

/// Rewrites the table in `file` from all results below `out`.
fn table(file: &Path, out: &Path) -> Result<(), CliError> {
    let all = Results::all(out)?;
    if all.is_empty() {
        return Err(CliError::failed(format!("{}: there are no results of bench-recipe", out.display())));
    }
    markdown::rewrite(file, &all)?;
    say!("{}: the table has {}", file.display(), crate::commands::text::count(all.len(), "recipe"));
    Ok(())
}
