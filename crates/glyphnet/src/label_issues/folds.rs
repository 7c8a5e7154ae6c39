//! Folds: every image is held out once.

use glyphnet_kernels::random::{Purpose, Stream};

use crate::Error;

/// Which stream of [`Purpose::Split`] orders the images; 0 and 1 are those of the validation split.
const STREAM: u32 = 2;

/// The fold (from 0) of each image: of each class as many images in each fold as go, at most one more in some of them,
/// chosen at random by `seed` alone.
///
/// # Errors
/// If there are fewer than two folds, fewer than two classes with images, a class with fewer images than folds, or more
/// images than an index can count.
pub fn stratified_folds(labels: &[u32], folds: usize, seed: u64) -> Result<Vec<u32>, Error> {
    let mismatch = |problem: String| Err(Error::Mismatch(problem));
    let (Ok(count), Ok(number)) = (u32::try_from(labels.len()), u32::try_from(folds)) else {
        return mismatch(format!("{} images in {folds} folds are more than can be indexed", labels.len()));
    };
    if number < 2 {
        return mismatch(format!(
            "{folds} folds: at least 2 are needed, so that every image is held out from some network"
        ));
    }
    let mut order: Vec<u32> = (0..count).collect();
    Stream::new(seed, Purpose::Split, STREAM, 0).shuffle(&mut order);
    // A stable sort: within a class the order stays random.
    order.sort_by_key(|&image| labels[image as usize]);
    let classes: Vec<&[u32]> = order.chunk_by(|&a, &b| labels[a as usize] == labels[b as usize]).collect();
    match classes.as_slice() {
        [] => return mismatch("there are no labels to judge".to_owned()),
        [only] => {
            let class = labels[only[0] as usize];
            return mismatch(format!(
                "all images have the label {class}: labels can only be judged where there are two"
            ));
        }
        _ => {}
    }
    if let Some(few) = classes.iter().find(|class| class.len() < folds) {
        let (class, images) = (labels[few[0] as usize], few.len());
        return mismatch(format!(
            "class {class} has {images} images, which are fewer than the {folds} folds: with fewer folds, or without \
             the class, each network would see some of each"
        ));
    }
    // Dealt out class after class, without starting again: the folds' sizes differ by one at most.
    let mut fold = vec![0; labels.len()];
    for (&image, turn) in order.iter().zip((0..number).cycle()) {
        fold[image as usize] = turn;
    }
    Ok(fold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fold_has_its_share_of_every_class() {
        let labels: Vec<u32> = (0..103).map(|i| if i % 10 < 7 { 0 } else { i % 3 + 1 }).collect();
        let folds = stratified_folds(&labels, 4, 7).unwrap();
        for class in 0..4 {
            let of = |fold: u32| labels.iter().zip(&folds).filter(|&(&l, &f)| l == class && f == fold).count();
            let counts: Vec<usize> = (0..4).map(of).collect();
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(most - least <= 1 && *least > 0, "class {class}: {counts:?}");
        }
        let sizes: Vec<usize> = (0..4).map(|fold| folds.iter().filter(|&&f| f == fold).count()).collect();
        assert_eq!((sizes.iter().min(), sizes.iter().max()), (Some(&25), Some(&26)), "{sizes:?}");
        assert_eq!(folds, stratified_folds(&labels, 4, 7).unwrap());
        assert_ne!(folds, stratified_folds(&labels, 4, 8).unwrap());
    }

    #[test]
    fn what_cannot_be_dealt_out_is_refused() {
        let refused = |labels: &[u32], folds: usize, word: &str| {
            let error = stratified_folds(labels, folds, 0).unwrap_err().to_string();
            assert!(error.contains(word), "'{word}' is not in: {error}");
        };
        refused(&[0, 1, 0, 1], 1, "1 folds: at least 2");
        refused(&[0, 1, 0, 1], 0, "0 folds: at least 2");
        refused(&[], 2, "no labels");
        refused(&[3, 3, 3], 2, "all images have the label 3");
        refused(&[0, 0, 0, 4, 4], 3, "class 4 has 2 images, which are fewer than the 3 folds");
        refused(&[0, 1], usize::MAX, "more than can be indexed");
    }
}
