//! What a dataset looks like in numbers: class counts and pixel statistics.

use rayon::prelude::*;

use crate::types::Images;

/// The pixels of one channel, in raw units of 0..=255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChannelStatistics {
    /// The darkest pixel.
    pub min: u8,
    /// The lightest pixel.
    pub max: u8,
    /// The mean.
    pub mean: f64,
    /// The standard deviation (of the whole population).
    pub std: f64,
}

/// Statistics of each channel over all images; empty if there are no images.
///
/// Exact, by counting how often each value occurs; images are counted side by side.
pub fn pixel_statistics(images: &Images) -> Vec<ChannelStatistics> {
    if images.is_empty() {
        return Vec::new();
    }
    let channels = images.shape().channels;
    let zero = || vec![[0_u64; 256]; channels];
    let counts = images
        .pixels()
        .par_chunks(images.shape().len() * 64)
        .fold(zero, |mut counts, pixels| {
            for pixel in pixels.chunks_exact(channels) {
                for (count, &v) in counts.iter_mut().zip(pixel) {
                    count[usize::from(v)] += 1;
                }
            }
            counts
        })
        .reduce(zero, |mut a, b| {
            a.iter_mut().flatten().zip(b.iter().flatten()).for_each(|(x, y)| *x += y);
            a
        });
    counts.iter().map(from_histogram).collect()
}

fn from_histogram(counts: &[u64; 256]) -> ChannelStatistics {
    let total: u64 = counts.iter().sum();
    let moment = |power: fn(u64) -> u64| -> u128 {
        counts.iter().zip(0_u64..).map(|(&n, v)| u128::from(n) * u128::from(power(v))).sum()
    };
    let (sum, squares) = (moment(|v| v), moment(|v| v * v));
    let n = u128::from(total);
    // n * sum(v^2) - sum(v)^2 is exact in integers, so nothing cancels.
    let variance = (n * squares - sum * sum) as f64 / (n as f64 * n as f64);
    ChannelStatistics {
        min: counts.iter().position(|&n| n > 0).unwrap_or(0) as u8,
        max: counts.iter().rposition(|&n| n > 0).unwrap_or(0) as u8,
        mean: sum as f64 / n as f64,
        std: variance.sqrt(),
    }
}

/// How often each of `classes` classes occurs in `labels`. Labels beyond are not counted.
pub fn class_counts(labels: impl IntoIterator<Item = u32>, classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    for label in labels {
        if let Some(count) = counts.get_mut(label as usize) {
            *count += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ImageShape;

    #[test]
    fn each_channel_is_counted_by_itself() {
        let images = Images::new(ImageShape::new(1, 2, 3), vec![0, 10, 255, 4, 10, 255, 8, 10, 0, 4, 10, 0]).unwrap();
        let stats = pixel_statistics(&images);
        assert_eq!(stats[0], ChannelStatistics { min: 0, max: 8, mean: 4.0, std: 8.0_f64.sqrt() });
        assert_eq!(stats[1], ChannelStatistics { min: 10, max: 10, mean: 10.0, std: 0.0 });
        assert_eq!(stats[2], ChannelStatistics { min: 0, max: 255, mean: 127.5, std: 127.5 });
    }

    #[test]
    fn classes_without_images_are_counted_as_zero() {
        assert_eq!(class_counts([2, 0, 2, 4], 4), [1, 0, 2, 0]);
        assert_eq!(class_counts([], 2), [0, 0]);
    }
}
