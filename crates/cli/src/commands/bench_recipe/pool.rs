//! Training what is left to train, some at a time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::HumanDuration;

use super::job::Job;
use crate::commands::text::percent;
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::output::say;
use crate::trial::TrialResult;

/// The result of each trial of `job`, in the order of its seeds. What is stored is read.
pub(super) fn run(job: &Job, jobs: usize, interrupt: &Interrupt) -> Result<Vec<TrialResult>, CliError> {
    let mut results = job.trials.iter().map(|trial| trial.stored()).collect::<Result<Vec<_>, _>>()?;
    let left: Vec<usize> = (0..results.len()).filter(|&i| results[i].is_none()).collect();
    let (total, stored) = (results.len(), results.len() - left.len());
    if stored > 0 {
        say!("{}: {stored} of {total} networks are there already", job.name);
    }
    let progress = Progress { job, began: Instant::now(), left: left.len(), done: AtomicUsize::new(0) };
    let (next, failed, found) = (AtomicUsize::new(0), Mutex::new(None), Mutex::new(Vec::new()));
    let work = || {
        while let Some(&i) = left.get(next.fetch_add(1, Ordering::SeqCst)) {
            if interrupt.requested() || lock(&failed).is_some() {
                break;
            }
            match job.trials[i].run(interrupt) {
                Ok(result) => {
                    progress.done(&result);
                    lock(&found).push((i, result));
                }
                Err(error) => drop(lock(&failed).get_or_insert(error)),
            }
        }
    };
    std::thread::scope(|scope| (0..jobs.min(left.len())).for_each(|_| drop(scope.spawn(work))));
    if interrupt.requested() {
        return Err(CliError::Interrupted);
    }
    if let Some(error) = lock(&failed).take() {
        return Err(error);
    }
    for (i, result) in lock(&found).drain(..) {
        results[i] = Some(result);
    }
    Ok(results.into_iter().flatten().collect())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Tells of each network that is done, and how long the others will take.
struct Progress<'a> {
    job: &'a Job,
    began: Instant,
    left: usize,
    done: AtomicUsize,
}

impl Progress<'_> {
    fn done(&self, result: &TrialResult) {
        let done = self.done.fetch_add(1, Ordering::SeqCst) + 1;
        let total = self.job.trials.len();
        let place = total - self.left + done;
        let accuracy = match (result.test_accuracy, result.best_val_accuracy) {
            (Some(test), _) => format!("test accuracy {}", percent(test)),
            (None, Some(validation)) => format!("validation accuracy {}", percent(validation)),
            (None, None) => "no accuracy".to_owned(),
        };
        let times = match (result.timed, result.wall_seconds) {
            (true, Some(wall)) => format!(", trained in {:.2} s, {wall:.2} s in all", result.train_seconds),
            _ => String::new(),
        };
        let mut line = format!("{}, seed {} ({place} of {total}): {accuracy}{times}", self.job.name, result.seed);
        let remaining = self.left - done;
        if remaining > 0 {
            let each = self.began.elapsed().as_secs_f64() / done as f64;
            let left = Duration::from_secs_f64((each * remaining as f64).ceil());
            line += &format!("; about {:#} left", HumanDuration(left));
        }
        say!("{line}");
    }
}
