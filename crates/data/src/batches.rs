//! The order in which an epoch visits the training images.

use glyphnet_kernels::random::{Purpose, Stream};

/// Fills `out` with `0..n` in the order of one epoch: a uniform permutation that depends on `(seed, epoch)` alone,
/// so a resumed run visits the images as the uninterrupted one would. `out` is cleared first and keeps its
/// capacity, so that a second epoch allocates nothing.
///
/// Images are indexed by 32 bits everywhere; of more than [`u32::MAX`] images the rest is not visited.
pub fn epoch_order(seed: u64, epoch: u32, n: usize, out: &mut Vec<u32>) {
    out.clear();
    out.extend(0..u32::try_from(n).unwrap_or(u32::MAX));
    Stream::new(seed, Purpose::Shuffle, epoch, 0).shuffle(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(seed: u64, epoch: u32, n: usize) -> Vec<u32> {
        let mut out = vec![99; 3];
        epoch_order(seed, epoch, n, &mut out);
        out
    }

    #[test]
    fn each_epoch_visits_every_image_once_in_its_own_order() {
        let (first, second) = (order(5, 0, 1000), order(5, 1, 1000));
        assert_ne!(first, second);
        assert_ne!(first, order(6, 0, 1000));
        assert_eq!(first, order(5, 0, 1000));
        for mut visited in [first, second] {
            visited.sort_unstable();
            assert!(visited.iter().copied().eq(0..1000));
        }
        assert!(order(5, 0, 0).is_empty());
        assert_eq!(order(5, 0, 1), [0]);
    }

    /// Frozen: another order would change what every seed means.
    #[test]
    fn the_order_of_a_seed_does_not_change() {
        assert_eq!(order(0, 0, 8), [1, 4, 0, 7, 3, 2, 5, 6]);
    }
}
