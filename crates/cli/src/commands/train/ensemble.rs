//! `train --ensemble`: networks of seeds that follow each other, each a run of its own in `members/`, and their average.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use glyphnet::nn::{Kernels, Threads};
use glyphnet::recipe::Recipe;
use glyphnet::saved_run::SavedRun;
use glyphnet::train::{Checkpoint, FitOptions, Metrics, ResumeFrom, RunFolder, average, member_recipe};
use glyphnet::{Error, model_file};
use indicatif::HumanDuration;

use super::plan::Plan;
use super::tensorboard::{self, Watched};
use super::watch::Watch;
use super::{Job, Wanted, draw_images, open, provenance, resume, show, summary};
use crate::args::TrainArgs;
use crate::commands::run_data;
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::output::{Out, say};

/// A network that is trained.
struct Member {
    parts: model_file::ModelParts,
    metrics: Metrics,
    /// Of its epochs, with validation.
    seconds: f64,
}

/// Trains what is not trained yet, then averages.
pub(super) fn run(whole: &Job, out: &mut Out, interrupt: &Interrupt) -> Result<(), CliError> {
    let Job { plan, source, folder, wanted, .. } = whole;
    if wanted.report {
        draw_images(plan, source, folder)?;
    }
    let count = plan.recipe.train.ensemble;
    let mut members: Vec<Member> = Vec::new();
    for place in 1..=count {
        let path = member_folder(folder, place);
        if let Some(job) = unfinished(whole, place, &path)? {
            let seed = job.plan.recipe.train.seed;
            say!("network {place} of {count}, seed {seed}{}", time_left(&members, place, count));
            if job.train(interrupt)?.interrupted {
                say!("go on with: {}", resume::command(folder.path()));
                return Err(CliError::Interrupted);
            }
        }
        members.push(read(&path)?);
    }
    let (parts, members): (Vec<_>, Vec<_>) = members.into_iter().map(|member| (member.parts, member.metrics)).unzip();
    let threads = whole.threads.clone();
    let options = FitOptions { threads, isa: plan.isa, folder: Some(folder.clone()), kernels: Kernels::default() };
    let watch = Watch::new(interrupt.clone());
    let mut watch = Watched { watch, report: None, board: None, test: wanted.test };
    let averaged = average(parts, &plan.recipe, source, &options, &mut watch)?;
    watch.watch.finish();
    let scores = (averaged.validation, averaged.test);
    let metrics = of_whole(plan, &options, &members, scores);
    summary::save_metrics(&metrics, folder)?;
    if wanted.report {
        show(folder.path(), source, false);
    }
    summary::write_ensemble(&metrics, source, wanted.test, folder.path(), out)
}

/// `train --resume` of an ensemble; nothing where nothing is left to do, which is said.
pub(super) fn prepare(
    args: &TrainArgs,
    folder: RunFolder,
    file: &str,
    loaded: &Recipe,
) -> Result<Option<Job>, CliError> {
    let simd = run_data::noted(loaded, "simd");
    let plan = Plan::resumed(&args.settings, args.epochs, file, loaded, simd)?;
    let (count, earlier) = (plan.recipe.train.ensemble, loaded.train.ensemble);
    if plan.recipe.train.epochs != loaded.train.epochs {
        return Err(CliError::Usage("the networks of an ensemble are not extended; --ensemble N adds some".to_owned()));
    }
    if count < earlier {
        let problem = format!("the ensemble has {earlier} networks: name more of them to add some, not {count}");
        return Err(CliError::Usage(problem));
    }
    let mut wanted = Wanted::new(args);
    wanted.test &= !provenance::leaves_test_alone(loaded);
    if is_whole(&folder, count, wanted.test) {
        let place = folder.path().display();
        say!("the {count} networks in {place} are finished: there is nothing to do; --ensemble N adds some");
        return Ok(None);
    }
    let threads = Threads::new(plan.threads)?;
    let source = Arc::new(open(&plan, &threads)?);
    if plan.recipe != *loaded {
        let first = member_folder(&folder, 1);
        if first.join("run.toml").is_file() {
            let latest = Checkpoint::latest(&RunFolder::open(&first)?)?;
            let recipe = member_recipe(&plan.recipe, 0);
            latest.checkpoint.as_ref().map_or(Ok(()), |checkpoint| checkpoint.check(&recipe, &source))?;
        }
        provenance::rewrite(&plan, &source, None, &folder)?;
    }
    Ok(Some(Job { plan, threads, source, folder, from: None, tensorboard: args.tensorboard, wanted }))
}

fn member_folder(whole: &RunFolder, place: u32) -> PathBuf {
    whole.file("members").join(place.to_string())
}

/// Whether so many networks are averaged, and the last file of that is there.
fn is_whole(folder: &RunFolder, count: u32, test: bool) -> bool {
    let text = std::fs::read_to_string(folder.file("metrics.json")).unwrap_or_default();
    let metrics = serde_json::from_str::<Metrics>(&text);
    let unread = |metrics: &Metrics| metrics.test.is_none() && metrics.members.iter().any(|m| m.test.is_some());
    metrics.is_ok_and(|metrics| metrics.members.len() == count as usize && !(test && unread(&metrics)))
}

/// The run of network `place`, counted from 1, from where it is; `None` where it is over.
fn unfinished(whole: &Job, place: u32, path: &Path) -> Result<Option<Job>, CliError> {
    std::fs::create_dir_all(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    let folder = RunFolder::open(path)?;
    let plan =
        Plan { recipe: member_recipe(&whole.plan.recipe, place - 1), name: whole.plan.name.clone(), ..whole.plan };
    let mut from = None;
    if folder.file("run.toml").is_file() {
        let latest = Checkpoint::latest(&folder)?;
        if let Some(checkpoint) = &latest.checkpoint {
            checkpoint.check(&plan.recipe, &whole.source)?;
            if resume::is_complete(checkpoint, &folder) {
                return Ok(None);
            }
        }
        from = Some(ResumeFrom { latest, extend: false });
    } else {
        provenance::write(&plan, &whole.source, whole.wanted.test, &folder)?;
    }
    let tensorboard = whole.tensorboard || tensorboard::begun(path).is_some();
    let (threads, source) = (whole.threads.clone(), Arc::clone(&whole.source));
    Ok(Some(Job { plan, threads, source, folder, from, tensorboard, wanted: whole.wanted }))
}

fn read(path: &Path) -> Result<Member, CliError> {
    let run = SavedRun::open(path)?;
    let seconds = run.history.iter().map(|epoch| epoch.seconds).sum();
    let unfinished = || CliError::failed(format!("{}: its metrics.json does not fit its history.csv", path.display()));
    let metrics = run.metrics.ok_or_else(unfinished)?;
    Ok(Member { parts: model_file::load(&path.join("model.safetensors"))?, metrics, seconds })
}

/// How long the networks from `place` on will take, where others have shown it.
fn time_left(members: &[Member], place: u32, count: u32) -> String {
    if members.is_empty() {
        return String::new();
    }
    let each = members.iter().map(|member| member.seconds).sum::<f64>() / members.len() as f64;
    let seconds = (each * f64::from(count + 1 - place)).ceil() as u64;
    format!("; about {} left", HumanDuration(std::time::Duration::from_secs(seconds)))
}

/// `metrics.json` of the whole.
fn of_whole(
    plan: &Plan,
    options: &FitOptions,
    members: &[Metrics],
    (validation, test): (Option<glyphnet::evaluate::Score>, Option<glyphnet::evaluate::Score>),
) -> Metrics {
    let sum = |of: fn(&Metrics) -> f64| members.iter().map(of).sum::<f64>();
    let train_seconds = sum(|member| member.train_seconds);
    let images = sum(|member| member.images_per_second * member.train_seconds);
    Metrics {
        recipe: plan.name.clone(),
        seed: plan.recipe.train.seed,
        threads: options.threads.count(),
        simd: plan.isa.to_string(),
        epochs_run: members.iter().map(|member| member.epochs_run).sum(),
        best_epoch: 0,
        train_seconds,
        images_per_second: if train_seconds > 0.0 { images / train_seconds } else { 0.0 },
        data_wait_seconds: sum(|member| member.data_wait_seconds),
        flops: members.iter().map(|member| member.flops).sum(),
        validation,
        test,
        interrupted: false,
        extended: Vec::new(),
        members: members.iter().map(Into::into).collect(),
    }
}
