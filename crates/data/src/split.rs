//! Splitting a dataset into a training part and a held-out part, with scikit-learn's counts
//! (`sklearn.model_selection.train_test_split`, checked against it by `parity/split_golden.py`).

use crate::Amount;
use glyphnet_kernels::random::{Purpose, Stream};

/// Where each image of a dataset went: two disjoint lists of image indices that together hold every image once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Indices of the training part, in random order.
    pub train: Vec<u32>,
    /// Indices of the held-out part, in random order.
    pub held_out: Vec<u32>,
}

/// A split that cannot be made. The messages follow scikit-learn's rules.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SplitError {
    /// A fraction outside `[0, 1)`.
    #[error("the held-out fraction is {fraction}; it must be at least 0 and less than 1 (0 holds nothing out)")]
    Fraction {
        /// The fraction that was asked for.
        fraction: f64,
    },
    /// A count that leaves no image to train on.
    #[error("{held_out} images cannot be held out of {images}: at least one must remain to train on")]
    NothingLeft {
        /// Images that were to be held out.
        held_out: usize,
        /// Images there are.
        images: usize,
    },
    /// More images than an index can count.
    #[error("{images} images are more than the {} that can be indexed", u32::MAX)]
    TooMany {
        /// Images there are.
        images: usize,
    },
    /// As many labels as images are needed.
    #[error("a stratified split needs one label an image, but there are {labels} labels for {images} images")]
    LabelCount {
        /// Labels that were given.
        labels: usize,
        /// Images there are.
        images: usize,
    },
    /// A class with a single image cannot be on both sides.
    #[error(
        "class {class} has one image only, and a stratified split needs at least two of each class; \
         add images, remove the class, or split without stratifying"
    )]
    LonelyClass {
        /// The class, as its label.
        class: u32,
    },
    /// A side that is smaller than the number of classes.
    #[error(
        "the {side} part would have {size} images for {classes} classes, and a stratified split needs at least \
         one of each; change the held-out amount, or split without stratifying"
    )]
    FewerThanClasses {
        /// `training` or `held-out`.
        side: &'static str,
        /// Images that side would have.
        size: usize,
        /// Classes that occur in the labels.
        classes: usize,
    },
}

/// Splits `n` images into a training and a held-out part, at random but reproducibly.
///
/// A fraction `f` holds out `ceil(f n)` images, a count as many as it says; 0 holds out nothing. There is one
/// permutation of `0..n`, a pure function of `seed`, and its head is the held-out part. With `labels` (one an
/// image) the split is stratified: of each class, the images that come first in that same permutation are held
/// out, as many as scikit-learn holds out.
///
/// Those numbers are largest remainders: class `c` keeps `floor(n_c n_train / n)` training images, and the images
/// that are then missing go to the classes with the largest remainders. Where equal remainders compete for the
/// last places, scikit-learn lets its generator choose among them, and so does this function (by `seed`).
///
/// # Errors
/// A fraction outside `[0, 1)`, nothing left to train on, and for a stratified split: a label count other than
/// `n`, a class with a single image, or a side with fewer images than there are classes.
pub fn train_test_split(n: usize, labels: Option<&[u32]>, held_out: Amount, seed: u64) -> Result<Split, SplitError> {
    let count = u32::try_from(n).map_err(|_| SplitError::TooMany { images: n })?;
    let n_held = held_out_count(n, held_out)?;
    if let Some(labels) = labels
        && labels.len() != n
    {
        return Err(SplitError::LabelCount { labels: labels.len(), images: n });
    }
    let mut order: Vec<u32> = (0..count).collect();
    Stream::new(seed, Purpose::Split, 0, 0).shuffle(&mut order);
    match labels {
        Some(labels) if n_held > 0 => stratified(&order, labels, n_held, seed),
        _ => {
            let train = order.split_off(n_held);
            Ok(Split { train, held_out: order })
        }
    }
}

/// How many of `n` images `held_out` asks for.
fn held_out_count(n: usize, held_out: Amount) -> Result<usize, SplitError> {
    let count = match held_out {
        Amount::Count(count) => count,
        Amount::Fraction(fraction) if (0.0..1.0).contains(&fraction) => (fraction * n as f64).ceil() as usize,
        Amount::Fraction(fraction) => return Err(SplitError::Fraction { fraction }),
    };
    if count > 0 && count >= n {
        return Err(SplitError::NothingLeft { held_out: count, images: n });
    }
    Ok(count)
}

/// Takes from each class the images that come first in `order`.
fn stratified(order: &[u32], labels: &[u32], n_held: usize, seed: u64) -> Result<Split, SplitError> {
    let (classes, counts) = class_counts(labels);
    let n_train = labels.len() - n_held;
    if let Some(lonely) = counts.iter().position(|&count| count < 2) {
        return Err(SplitError::LonelyClass { class: classes[lonely] });
    }
    for (side, size) in [("training", n_train), ("held-out", n_held)] {
        if size < classes.len() {
            return Err(SplitError::FewerThanClasses { side, size, classes: classes.len() });
        }
    }
    let keep = largest_remainders(&counts, n_train, &mut Stream::new(seed, Purpose::Split, 1, 0));
    let mut to_hold: Vec<usize> = counts.iter().zip(&keep).map(|(count, keep)| count - keep).collect();
    let mut split = Split { train: Vec::with_capacity(n_train), held_out: Vec::with_capacity(n_held) };
    for &image in order {
        // Every label is in `classes`, so the search always finds it.
        let class = classes.partition_point(|&class| class < labels[image as usize]);
        if to_hold[class] > 0 {
            to_hold[class] -= 1;
            split.held_out.push(image);
        } else {
            split.train.push(image);
        }
    }
    Ok(split)
}

/// The labels that occur, ascending, and how many images each has.
fn class_counts(labels: &[u32]) -> (Vec<u32>, Vec<usize>) {
    let mut sorted = labels.to_vec();
    sorted.sort_unstable();
    let runs = sorted.chunk_by(|a, b| a == b);
    runs.map(|run| (run[0], run.len())).unzip()
}

/// Divides `draws` among classes in proportion to `counts`: floors first, then one more each to the largest
/// remainders, equal remainders in the order of `ties`.
///
/// This is scikit-learn's `_approximate_mode`, operation by operation in `f64`, so that remainders that are equal
/// there are equal here.
fn largest_remainders(counts: &[usize], draws: usize, ties: &mut Stream) -> Vec<usize> {
    let total: usize = counts.iter().sum();
    let shares: Vec<f64> = counts.iter().map(|&count| count as f64 / total as f64 * draws as f64).collect();
    let mut taken: Vec<usize> = shares.iter().map(|share| share.floor() as usize).collect();
    let missing = draws.saturating_sub(taken.iter().sum());
    let mut by_remainder: Vec<usize> = (0..counts.len()).collect();
    ties.shuffle(&mut by_remainder);
    // A stable sort: equal remainders stay in their shuffled order.
    by_remainder.sort_by(|&a, &b| (shares[b] - shares[b].floor()).total_cmp(&(shares[a] - shares[a].floor())));
    for &class in by_remainder.iter().take(missing) {
        taken[class] += 1;
    }
    taken
}

#[cfg(test)]
mod tests;
