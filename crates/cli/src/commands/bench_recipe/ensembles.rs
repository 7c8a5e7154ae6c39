//! Ensembles drawn from a pool of networks, from what each of them said to the test images.

use glyphnet::evaluate::{SavedSplit, read_predictions};
use glyphnet_kernels::random::{Purpose, Stream};
use serde::{Deserialize, Serialize};

use super::job::Job;
use super::spread::Spread;
use crate::error::CliError;

/// What ensembles of a pool came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Ensembles {
    /// Networks of each.
    pub(super) members: usize,
    /// Networks that they were drawn from.
    pub(super) pool: usize,
    /// Networks that two of the draws have in common, on average; the draws are no independent ones. `None` of a single.
    pub(super) shared: Option<f64>,
    /// The seeds of the networks of each draw.
    pub(super) seeds: Vec<Vec<u64>>,
    /// The accuracy of each draw's averaged probabilities on the test images.
    pub(super) accuracies: Vec<f64>,
    /// Their mean and spread. No interval: the draws share networks.
    pub(super) test: Spread,
}

/// Draws `draws` ensembles of `members` networks from those of `job`.
pub(super) fn draw(job: &Job, members: usize, draws: u32) -> Result<Ensembles, CliError> {
    let pool = job.trials.len();
    if members > pool {
        let problem =
            format!("{}: ensembles of {members} cannot be drawn from {pool} networks; raise --pool", job.name);
        return Err(CliError::Usage(problem));
    }
    let splits = job.trials.iter().map(|trial| test_predictions(&trial.run_folder())).collect::<Result<Vec<_>, _>>()?;
    let drawn: Vec<Vec<usize>> = (0..draws).map(|draw| draw_members(pool, members, draw)).collect();
    let accuracies: Vec<f64> = drawn.iter().map(|chosen| accuracy(&splits, chosen)).collect();
    let seed = |&member: &usize| job.trials[member].recipe.train.seed;
    let seeds = drawn.iter().map(|chosen| chosen.iter().map(seed).collect()).collect();
    let nothing = || CliError::failed(format!("{}: no ensemble was drawn", job.name));
    let test = Spread { interval: None, ..Spread::of(&accuracies).ok_or_else(nothing)? };
    Ok(Ensembles { members, pool, shared: shared(&drawn), seeds, accuracies, test })
}

fn test_predictions(run: &std::path::Path) -> Result<SavedSplit, CliError> {
    let path = run.join("predictions.safetensors");
    let found = read_predictions(&path)?.into_iter().find(|split| split.split == "test");
    found.ok_or_else(|| CliError::failed(format!("{}: it has no test predictions", path.display())))
}

/// Which networks an ensemble is made of: a function of its number, sorted.
fn draw_members(pool: usize, members: usize, draw: u32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..pool).collect();
    Stream::new(0, Purpose::Sample, draw, 0).shuffle(&mut order);
    order.truncate(members);
    order.sort_unstable();
    order
}

/// Members that two draws have in common, on average over all pairs.
fn shared(drawn: &[Vec<usize>]) -> Option<f64> {
    let pairs =
        drawn.iter().enumerate().flat_map(|(i, first)| drawn[i + 1..].iter().map(move |second| (first, second)));
    let common: Vec<usize> = pairs.map(|(a, b)| a.iter().filter(|member| b.contains(member)).count()).collect();
    (!common.is_empty()).then(|| common.iter().sum::<usize>() as f64 / common.len() as f64)
}

/// The share of images whose label has the largest sum of probabilities; of equals the first label counts.
fn accuracy(splits: &[SavedSplit], chosen: &[usize]) -> f64 {
    let Some(first) = chosen.first().map(|&i| &splits[i]) else { return 0.0 };
    let mut sums = vec![0.0_f64; first.classes];
    let right = first.labels.iter().enumerate().filter(|&(row, &label)| {
        sums.fill(0.0);
        for &member in chosen {
            sums.iter_mut().zip(splits[member].row(row)).for_each(|(sum, &p)| *sum += f64::from(p));
        }
        let largest = (0..sums.len()).fold(0, |best, class| if sums[class] > sums[best] { class } else { best });
        largest == label as usize
    });
    right.count() as f64 / first.labels.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(probabilities: &[f32]) -> SavedSplit {
        SavedSplit {
            split: "test".to_owned(),
            indices: vec![0, 1],
            labels: vec![0, 2],
            probabilities: probabilities.to_vec(),
            classes: 3,
        }
    }

    #[test]
    fn probabilities_are_averaged_before_the_answer() {
        let sure = split(&[0.9, 0.1, 0.0, 0.2, 0.0, 0.8]);
        let unsure = split(&[0.3, 0.4, 0.3, 0.5, 0.3, 0.2]);
        assert_eq!(accuracy(&[sure.clone(), unsure.clone()], &[1]), 0.0);
        assert_eq!(accuracy(&[sure, unsure], &[0, 1]), 1.0);
    }

    #[test]
    fn draws_differ_and_are_the_same_each_time() {
        let draws: Vec<Vec<usize>> = (0..10).map(|draw| draw_members(20, 15, draw)).collect();
        assert!(draws.iter().all(|draw| draw.len() == 15 && draw.windows(2).all(|pair| pair[0] < pair[1])));
        assert_eq!(draws[3], draw_members(20, 15, 3));
        assert!(draws.windows(2).all(|pair| pair[0] != pair[1]));
        // 15 of 20 have 15 x 15 / 20 in common on average.
        let shared = shared(&draws).unwrap();
        assert!((shared - 11.25).abs() < 0.5, "{shared}");
        assert_eq!(super::shared(&draws[..1]), None);
    }
}
