//! Damage: small random changes to bytes and text.

use fastrand::Rng;

use crate::target::Target;

/// Numbers on which readers stumble, for text.
const NUMBERS: [&str; 18] = [
    "0",
    "1",
    "-1",
    "2",
    "3",
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "1e308",
    "1e-320",
    "nan",
    "0.5",
];
/// The same for binary formats; the lowest bytes are used.
const VALUES: [u64; 12] = [0, 1, 2, 3, 7, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];

/// Makes new inputs for one target from those that are known.
#[derive(Debug)]
pub struct Mutator {
    rng: Rng,
    target: &'static Target,
    longest: usize,
}

impl Mutator {
    /// The inputs follow from `seed`; none is longer than `longest` bytes, unless its seed already was.
    pub fn new(target: &'static Target, seed: u64, longest: usize) -> Mutator {
        Mutator { rng: Rng::with_seed(seed), target, longest }
    }

    /// A mutation of one of `known`, half of the time of one of the first `sound`, of which there is at least one.
    pub fn next(&mut self, known: &[Vec<u8>], sound: usize) -> Vec<u8> {
        let among = if self.rng.bool() { sound } else { known.len() };
        let seed = &known[self.rng.usize(..among)];
        let other = &known[self.rng.usize(..known.len())];
        // Most of the time inside the container, as damage to a checksum hides everything behind it.
        if self.rng.u8(..4) > 0
            && let Some(input) = self.target.container.damage(seed, self, other)
        {
            return input;
        }
        let mut input = seed.clone();
        self.damage(&mut input, other);
        input
    }

    /// A random number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.rng.usize(..end)
    }

    /// One to eight changes.
    pub(crate) fn damage(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..1 << self.rng.u8(..4) {
            self.change(bytes, other);
        }
        bytes.truncate(self.longest.max(other.len()));
    }

    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        if bytes.is_empty() {
            bytes.push(self.rng.u8(..));
            return;
        }
        let at = self.below(bytes.len());
        match self.rng.u8(..12) {
            0 => bytes[at] ^= 1 << self.rng.u8(..8),
            1 => bytes[at] = self.rng.u8(..),
            2 => bytes.insert(at, self.rng.u8(..)),
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..self.end(at, bytes.len()))),
            5 => {
                let part = bytes[at..self.end(at, bytes.len())].to_vec();
                let place = self.below(bytes.len() + 1);
                bytes.splice(place..place, part);
            }
            6 => self.splice(bytes, at, other),
            7 | 8 => self.word(bytes, at),
            9 => self.number(bytes, at),
            10 => self.value(bytes, at),
            _ => {
                let end = self.end(at, bytes.len());
                bytes[at..end].fill(self.rng.u8(..));
            }
        }
    }

    /// The end of a part of `0..length` that starts at `at` and is rarely long.
    fn end(&mut self, at: usize, length: usize) -> usize {
        let longest = 1 << self.rng.u8(..14);
        (at + 1 + self.below(longest)).min(length)
    }

    /// Puts a part of another input over, or into, this one.
    fn splice(&mut self, bytes: &mut Vec<u8>, at: usize, other: &[u8]) {
        if other.is_empty() {
            return;
        }
        let from = self.below(other.len());
        let part = &other[from..self.end(from, other.len())];
        let end = if self.rng.bool() { (at + part.len()).min(bytes.len()) } else { at };
        bytes.splice(at..end, part.iter().copied());
    }

    /// Puts a word of the format over, or into, the bytes.
    fn word(&mut self, bytes: &mut Vec<u8>, at: usize) {
        let words = self.target.words;
        let word = words[self.below(words.len())];
        let end = if self.rng.bool() { (at + word.len()).min(bytes.len()) } else { at };
        bytes.splice(at..end, word.bytes());
    }

    /// Replaces the number that stands at or behind `at` in a text.
    fn number(&mut self, bytes: &mut Vec<u8>, at: usize) {
        let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|distance| at + distance) else { return };
        let end = bytes[start..].iter().position(|b| !b.is_ascii_digit()).map_or(bytes.len(), |length| start + length);
        let number = NUMBERS[self.below(NUMBERS.len())];
        bytes.splice(start..end, number.bytes());
    }

    /// Writes a binary number of 2, 4 or 8 bytes.
    fn value(&mut self, bytes: &mut [u8], at: usize) {
        let value = VALUES[self.below(VALUES.len())];
        let width = 2 << self.rng.u8(..3);
        let mut encoded = value.to_le_bytes()[..width].to_vec();
        if self.rng.bool() {
            encoded.reverse();
        }
        bytes.iter_mut().skip(at).zip(encoded).for_each(|(byte, new)| *byte = new);
    }
}
