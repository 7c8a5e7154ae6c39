//! Counter-based random numbers: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy
//! as 1, 2, 3", SC11). A value depends on its seed and its position alone, so there is no generator state to save
//! and neither order nor threads can change a draw.

pub(crate) const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
pub(crate) const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// One Philox 4x32-10 block: four random words for a 128-bit counter under a 64-bit key.
pub fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let (mut c, mut k) = (counter, key);
    for round in 0..10 {
        if round > 0 {
            k = [k[0].wrapping_add(WEYL[0]), k[1].wrapping_add(WEYL[1])];
        }
        let p0 = u64::from(MULTIPLIERS[0]) * u64::from(c[0]);
        let p1 = u64::from(MULTIPLIERS[1]) * u64::from(c[2]);
        c = [(p1 >> 32) as u32 ^ c[1] ^ k[0], p1 as u32, (p0 >> 32) as u32 ^ c[3] ^ k[1], p0 as u32];
    }
    c
}

/// What a stream of random numbers is for; streams of different purposes never overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// Initial weights.
    Initialise = 1,
    /// Train / validation splits.
    Split = 2,
    /// The order of the images in an epoch.
    Shuffle = 3,
    /// Augmentation draws.
    Augment = 4,
    /// Dropout masks.
    Dropout = 5,
    /// Which images a sample grid shows.
    Sample = 6,
    /// What the trials of a search are made of.
    Tune = 7,
}

/// The random numbers of one place: a pure function of `(seed, purpose, a, b)`, read in order.
///
/// `a` and `b` are the caller's coordinates, for example the epoch and the image. `b` is limited to 32 bits and
/// `a` to 32 bits: together with the purpose and the block number they fill the 128-bit counter.
#[derive(Debug, Clone)]
pub struct Stream {
    key: [u32; 2],
    counter: [u32; 4],
    block: [u32; 4],
    used: usize,
}

impl Stream {
    /// Starts the stream of `(seed, purpose, a, b)` at its beginning.
    pub fn new(seed: u64, purpose: Purpose, a: u32, b: u32) -> Stream {
        Stream { key: [seed as u32, (seed >> 32) as u32], counter: [0, purpose as u32, a, b], block: [0; 4], used: 4 }
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.used == 4 {
            self.block = philox4x32(self.counter, self.key);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let low = u64::from(self.next_u32());
        low | u64::from(self.next_u32()) << 32
    }

    /// Uniform in `[0, 1)`, 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Uniform in `[low, high)`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in `0..bound` without bias (Lemire's method). `bound` must not be zero.
    pub fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "below(0) has no value to return");
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u64::from(self.next_u32()) * u64::from(bound);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }

    /// Shuffles `items` in place (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u32 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers from the authors' Random123 distribution (`kat_vectors`, philox4x32-10).
    #[test]
    fn philox_gives_the_published_answers() {
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox4x32([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let counter = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let key = [0xa409_3822, 0x299f_31d0];
        assert_eq!(philox4x32(counter, key), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    #[test]
    fn streams_differ_in_every_coordinate() {
        let first = |mut s: Stream| s.next_u64();
        let base = first(Stream::new(7, Purpose::Augment, 1, 2));
        assert_eq!(base, first(Stream::new(7, Purpose::Augment, 1, 2)));
        assert_ne!(base, first(Stream::new(8, Purpose::Augment, 1, 2)));
        assert_ne!(base, first(Stream::new(7, Purpose::Dropout, 1, 2)));
        assert_ne!(base, first(Stream::new(7, Purpose::Augment, 2, 2)));
        assert_ne!(base, first(Stream::new(7, Purpose::Augment, 1, 3)));
    }

    #[test]
    fn below_is_uniform_and_shuffle_permutes() {
        let mut stream = Stream::new(1, Purpose::Shuffle, 0, 0);
        let mut counts = [0_u32; 6];
        for _ in 0..60_000 {
            counts[stream.below(6) as usize] += 1;
        }
        let chi2: f64 = counts.iter().map(|&c| (f64::from(c) - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi2 < 20.5, "chi-squared {chi2} with 5 degrees of freedom is past its 99.9 % quantile");
        let mut items: Vec<u32> = (0..1000).collect();
        stream.shuffle(&mut items);
        assert!(items.iter().zip(0..).filter(|(a, b)| **a == *b).count() < 20);
        items.sort_unstable();
        assert!(items.iter().copied().eq(0..1000));
    }
}
