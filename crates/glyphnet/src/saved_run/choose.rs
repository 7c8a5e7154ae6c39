//! Which images of a run its report shows.

use std::collections::{BTreeMap, HashSet};

use glyphnet_data::{ImageShape, Images, ResizeFilter, conform};

use super::Thumbnails;
use crate::Error;
use crate::analysis::{Rows, TOP_LOSSES, losses, worst_first};
use crate::evaluate::SplitPredictions;
use crate::label_issues::LabelIssues;

/// Larger images are made smaller, to this many pixels along their longer side.
const LONGEST_SIDE: usize = 48;
/// Bytes that the images of all splits may take, so that a report with them is under 2 MB: a page holds bytes as text,
/// a third longer, and images that are noise cannot be compressed.
const BUDGET: usize = 900_000;
/// Bytes that an image costs beside its pixels: what a page says about it.
const OVERHEAD: usize = 256;
/// So many errors, and so many doubtful labels, come before anything else.
const FIRST: usize = 24;
/// Errors of each kind: of each class taken for each other.
const OF_EACH_KIND: usize = 8;

/// The images that a report of these predictions shows: the worst errors, some of each kind, labels that are probably
/// wrong, and for each class three that are right. `splits` are predictions with the images that they are of.
pub(crate) fn choose_thumbnails(splits: &[(&SplitPredictions<'_>, &Images)]) -> Vec<Thumbnails> {
    let ranked: Vec<Vec<u32>> = splits.iter().map(|(split, _)| ranked(split).unwrap_or_default()).collect();
    let sizes: Vec<usize> = splits.iter().map(|(_, images)| small(images.shape()).len() + OVERHEAD).collect();
    let counts = shares(&ranked.iter().map(Vec::len).collect::<Vec<_>>(), &sizes);
    let chosen = splits.iter().zip(&ranked).zip(counts).filter(|(_, count)| *count > 0);
    chosen.map(|(((split, images), ranked), count)| stored(split.split, images, &ranked[..count])).collect()
}

/// How many images each split may store of those that it wants, if one of them takes so many bytes: of the budget an
/// equal share, and what the others leave.
fn shares(wanted: &[usize], sizes: &[usize]) -> Vec<usize> {
    let mut left = BUDGET;
    let mut counts = vec![0; wanted.len()];
    // Who wants least comes first, and so leaves most.
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|&split| wanted[split] * sizes[split]);
    for (place, &split) in order.iter().enumerate() {
        let share = left / (order.len() - place);
        counts[split] = wanted[split].min(share / sizes[split]);
        left -= counts[split] * sizes[split];
    }
    counts
}

fn stored(split: &str, images: &Images, rows: &[u32]) -> Thumbnails {
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    let images = conform(&images.select(&rows), small(images.shape()), ResizeFilter::default());
    Thumbnails { split: split.to_owned(), rows, shape: images.shape(), pixels: images.pixels().to_vec() }
}

/// The shape in which images of this shape are stored.
fn small(shape: ImageShape) -> ImageShape {
    let longest = shape.height.max(shape.width);
    if longest <= LONGEST_SIDE {
        return shape;
    }
    let side = |side: usize| ((side * LONGEST_SIDE + longest / 2) / longest).max(1);
    ImageShape { height: side(shape.height), width: side(shape.width), ..shape }
}

/// The rows that are worth a look, the most interesting first.
fn ranked(split: &SplitPredictions<'_>) -> Result<Vec<u32>, Error> {
    let probabilities = split.predictions.probabilities();
    let classes = probabilities.len() / split.labels.len().max(1);
    let rows = Rows::new(split.labels, probabilities, classes).map_err(Error::Mismatch)?;
    let issues = LabelIssues::find(split.labels, probabilities, classes)?;
    let issues: Vec<usize> = issues.issues().map(|issue| issue.row).take(TOP_LOSSES).collect();
    let worst = worst_first(&losses(&rows));
    let predicted = rows.predicted();
    let (right, wrong): (Vec<usize>, Vec<usize>) =
        worst.iter().copied().partition(|&row| predicted[row] == split.labels[row]);
    let kinds = in_turns(&wrong, OF_EACH_KIND, |row| (split.labels[row], predicted[row]));
    let (kinds_first, kinds_more) = kinds.split_at(1);
    let typical = typical(&right, split.labels);
    let first = |rows: &[usize]| rows.iter().take(FIRST).copied().collect();
    let tiers: [Vec<usize>; 7] = [
        first(&wrong),
        first(&issues),
        kinds_first.concat(),
        typical,
        kinds_more.concat(),
        worst.iter().take(TOP_LOSSES).copied().collect(),
        issues,
    ];
    let mut seen = HashSet::new();
    Ok(tiers.concat().into_iter().filter(|&row| seen.insert(row)).map(|row| row as u32).collect())
}

/// The first of each kind, then the second, up to `most` of each.
fn in_turns<K: Ord>(rows: &[usize], most: usize, kind: impl Fn(usize) -> K) -> Vec<Vec<usize>> {
    let mut counts: BTreeMap<K, usize> = BTreeMap::new();
    let mut turns = vec![Vec::new(); most];
    for &row in rows {
        let count = counts.entry(kind(row)).or_default();
        if let Some(turn) = turns.get_mut(*count) {
            turn.push(row);
        }
        *count += 1;
    }
    turns
}

/// Of each class, of the right ones in the order of their losses, the least sure, the one in the middle and the surest.
fn typical(right: &[usize], labels: &[u32]) -> Vec<usize> {
    let mut of_class: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for &row in right {
        of_class.entry(labels[row]).or_default().push(row);
    }
    let places: [fn(usize) -> usize; 3] = [|_| 0, |count| count / 2, |count| count - 1];
    places.iter().flat_map(|place| of_class.values().map(|rows| rows[place(rows.len())])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Predictions;

    /// Of each split: two classes; each image is given its label and the probability of class 1.
    fn chosen(splits: &[&str], rows: &[(u32, f32)], shape: ImageShape) -> Vec<Thumbnails> {
        let labels: Vec<u32> = rows.iter().map(|(label, _)| *label).collect();
        let predictions = Predictions::new(2, rows.iter().flat_map(|(_, p)| [1.0 - p, *p]).collect());
        let of = |split| SplitPredictions { split, indices: Vec::new(), labels: &labels, predictions: &predictions };
        let splits: Vec<SplitPredictions<'_>> = splits.iter().map(|split| of(split)).collect();
        let images = Images::new(shape, (0..rows.len()).flat_map(|row| vec![row as u8; shape.len()]).collect());
        let images = images.unwrap();
        choose_thumbnails(&splits.iter().map(|split| (split, &images)).collect::<Vec<_>>())
    }

    #[test]
    fn errors_come_first_then_some_of_each_class() {
        let sure = |i: u32| (i % 2, if i % 2 == 1 { 0.999 - i as f32 * 1e-6 } else { 0.001 + i as f32 * 1e-6 });
        let mut rows: Vec<(u32, f32)> = (0..200).map(sure).collect();
        rows.extend([(1, 0.2), (0, 0.9), (1, 0.51)]);
        let shape = ImageShape::new(2, 2, 1);
        let stored = &chosen(&["test"], &rows, shape)[0];
        assert_eq!((stored.split.as_str(), stored.shape), ("test", shape));
        for row in [200, 201, 202] {
            assert_eq!(stored.image(row), Some(&[row as u8; 4][..]), "{row} is not stored");
        }
        // The surest of each class, and the 100 of greatest loss.
        assert!(stored.image(0).is_some() && stored.image(1).is_some() && stored.image(2).is_none());
        assert!((100..110).contains(&stored.rows.len()), "{:?}", stored.rows);
    }

    #[test]
    fn with_little_room_the_worst_errors_stay() {
        let rows: Vec<(u32, f32)> = (0..200).map(|i| (0, i as f32 / 200.0)).collect();
        let stored = chosen(&["validation", "test"], &rows, ImageShape::new(100, 90, 3));
        for Thumbnails { rows, shape, .. } in &stored {
            assert_eq!(*shape, ImageShape::new(48, 43, 3));
            assert!(rows.len() - BUDGET / 2 / (shape.len() + OVERHEAD) <= 1, "{} are stored", rows.len());
            let errors: Vec<u32> = (200 - FIRST as u32..200).collect();
            assert!(rows.ends_with(&errors), "{rows:?}");
        }
        assert_eq!(stored.len(), 2);
    }

    #[test]
    fn the_budget_is_shared() {
        assert_eq!(shares(&[10, 20], &[1000, 1000]), [10, 20]);
        assert_eq!(shares(&[10, 5000], &[1000, 1000]), [10, 890]);
        assert_eq!(shares(&[5000, 10], &[1000, 1000]), [890, 10]);
        assert_eq!(shares(&[5000, 5000], &[1000, 1000]), [450, 450]);
        assert_eq!(shares(&[], &[]), [0; 0]);
    }

    #[test]
    fn errors_of_each_kind_take_turns() {
        let turns = in_turns(&[7, 5, 9, 4], 2, |row| row % 2);
        assert_eq!(turns, [vec![7, 4], vec![5]]);
        assert_eq!(typical(&[3, 1, 2, 0], &[0, 0, 0, 1]), [1, 3, 2, 3, 0, 3]);
    }

    #[test]
    fn what_cannot_be_judged_is_not_stored() {
        let shape = ImageShape::new(1, 1, 1);
        let labels = [0, 0];
        let predictions = Predictions::new(1, vec![1.0, 1.0]);
        let split = SplitPredictions { split: "test", indices: Vec::new(), labels: &labels, predictions: &predictions };
        assert_eq!(choose_thumbnails(&[(&split, &Images::new(shape, vec![1, 2]).unwrap())]), []);
    }
}
