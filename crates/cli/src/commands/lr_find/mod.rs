//! `lr-find`: which learning rate to train with.

mod print;

use glyphnet::nn::{Kernels, Threads};
use glyphnet::train::{FitOptions, RangeTest, RateRange, find_learning_rate};
use glyphnet_artifacts::pictures;
use glyphnet_data::{Source, write_atomic};

use super::check_png;
use super::text::{grouped, rate};
use super::train::{self, plan::Plan};
use crate::args::LrFindArgs;
use crate::error::CliError;
use crate::output::{Out, say};
use crate::progress::{self, Unit};

pub(crate) fn run(args: LrFindArgs, out: &mut Out) -> Result<(), CliError> {
    check_png(&args.out)?;
    let cannot = |why: String| CliError::failed(format!("cannot write '{}': {why}", args.out.display()));
    // Before the work rather than after it.
    if let Some(folder) = args.out.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        return Err(cannot(format!("there is no folder '{}'", folder.display())));
    }
    let range = RateRange::new(args.from, args.to, args.steps).map_err(|error| {
        CliError::Usage(format!("--from {} --to {} --steps {}: {error}", args.from, args.to, args.steps))
    })?;
    let plan = Plan::new(&args.settings, None)?;
    let threads = Threads::new(plan.threads)?;
    let source = train::open(&plan, &threads)?;
    let test = test(&plan, &source, threads, &range)?;
    let subject = format!("{} on {}", plan.name, source.name);
    let drawn = pictures::lr_find(&subject, &test, plan.recipe.optimizer.learning_rate())?;
    write_atomic(&args.out, &drawn).map_err(|error| cannot(error.to_string()))?;
    if args.json { print::json(&args, &plan, &source, &test, out) } else { print::text(&args, &plan, &test, out) }
}

/// A signal in it ends the process at once: nothing has been written yet.
fn test(plan: &Plan, source: &Source, threads: Threads, range: &RateRange) -> Result<RangeTest, CliError> {
    let (steps, batch) = (range.steps(), plan.recipe.train.batch_size);
    say!(
        "{} on {}, {} steps of {} images, learning rates from {} to {}",
        plan.name,
        source.name,
        grouped(steps.into()),
        grouped(batch as u64),
        rate(range.lowest()),
        rate(range.highest()),
    );
    let bar = progress::bar("testing", u64::from(steps) * batch as u64, Unit::Images);
    let options = FitOptions { threads, isa: plan.isa, folder: None, kernels: Kernels::default() };
    let mut progress = |done: u32, _| bar.set_position(u64::from(done) * batch as u64);
    let test = find_learning_rate(&plan.recipe, source, &options, range, &mut progress);
    bar.finish_and_clear();
    Ok(test?)
}
