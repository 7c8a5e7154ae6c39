//! Plain lines: nothing but whole numbers of one to three digits between commas, which is all that a sound file has.
//!
//! There is no branch on a digit. For each byte of a chunk of text it is worked out, for all of them at once, which
//! number would end there; then the places where numbers do end are picked. Compilers turn the loops over the bytes
//! into vector code, as long as they run over whole arrays. Runs of zeros, most of an image, are compared as they are.

/// Bytes of text that are worked on at once.
const CHUNK: usize = 16;
/// The most numbers that can end in a chunk.
const HALF: usize = CHUNK / 2;
/// What is looked at before a chunk: the digits of a number that ends at its first byte, and what must not be one.
const BEFORE: usize = 3;
/// A chunk with what is looked at around it.
type Window = [u8; BEFORE + CHUNK + 1];
/// What surrounds a line: it cannot occur in one, and it separates numbers.
const PAD: u8 = b'\n';

/// Two chunks of nothing but zeros, as they start with a number or with a comma.
const ZEROS: [u8; CHUNK] = alternating(b'0', b',');
const COMMAS: [u8; CHUNK] = alternating(b',', b'0');

const fn alternating(even: u8, odd: u8) -> [u8; CHUNK] {
    let mut text = [even; CHUNK];
    let mut i = 1;
    while i < CHUNK {
        text[i] = odd;
        i += 2;
    }
    text
}

/// Reads plain lines of one number of columns; keeps its buffers from line to line.
pub(super) struct Plain {
    columns: usize,
    text: Vec<u8>,
    values: Vec<u8>,
}

impl Plain {
    /// For lines of `columns` numbers.
    pub(super) fn new(columns: usize) -> Plain {
        Plain { columns, text: Vec::new(), values: vec![0; columns + HALF] }
    }

    /// The numbers of a line (without its line feed), if it is plain and has as many as it should, none above 255.
    #[inline(always)]
    pub(super) fn parse(&mut self, line: &[u8]) -> Option<&[u8]> {
        // The shortest and the longest plain line bound what is copied.
        if line.len() + 1 < 2 * self.columns || line.len() + 1 > 4 * self.columns || !line[0].is_ascii_digit() {
            return None;
        }
        let needed = BEFORE + line.len() + CHUNK + 1;
        if self.text.len() < needed {
            self.text.resize(needed, PAD);
        }
        self.text[..BEFORE].fill(PAD);
        self.text[BEFORE..][..line.len()].copy_from_slice(line);
        self.text[BEFORE + line.len()..needed].fill(PAD);

        let mut count = 0;
        let mut at = 0;
        while at < line.len() {
            let window = self.text[at..].first_chunk::<{ BEFORE + CHUNK + 1 }>()?;
            // A line of too many numbers runs out of room here.
            let target = self.values.get_mut(count..)?.first_chunk_mut::<HALF>()?;
            count += numbers(window, target)?;
            at += CHUNK;
        }
        (count == self.columns).then(|| &self.values[..count])
    }
}

/// Writes the numbers that end in a chunk to the front of `target`; how many, or `None` if the chunk is not plain.
#[inline(always)]
fn numbers(window: &Window, target: &mut [u8; HALF]) -> Option<usize> {
    let (before, next) = (window[BEFORE - 1], window[BEFORE + CHUNK]);
    let chunk = window[BEFORE..].first_chunk::<CHUNK>()?;
    let is_zeros = *chunk == ZEROS && !before.is_ascii_digit() && next.is_ascii_digit();
    if is_zeros || (*chunk == COMMAS && next == b',') {
        *target = [0; HALF];
        return Some(HALF);
    }
    let (mut values, mut ends) = ([0; CHUNK], [0; CHUNK]);
    if values_at(window, &mut values, &mut ends) != 0 {
        return None;
    }
    let mut places = bits(&ends);
    let count = places.count_ones() as usize;
    for slot in target {
        *slot = values[places.trailing_zeros() as usize % CHUNK];
        places &= places.wrapping_sub(1);
    }
    Some(count)
}

/// For each byte of the chunk the value of the number that ends there, and whether (1) one does; not 0 if anything is
/// not plain.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "arrays in step; iterators may not be inlined here")]
fn values_at(window: &Window, values: &mut [u8; CHUNK], ends: &mut [u8; CHUNK]) -> u8 {
    let (bytes, tens, hundreds) = (shifted(window, BEFORE), shifted(window, 2), shifted(window, 1));
    let (more, next) = (shifted(window, 0), shifted(window, BEFORE + 1));
    let mut strange = [0; CHUNK];
    for i in 0..CHUNK {
        let ones = digit(bytes[i]);
        let (is_one, is_ten) = (all(ones <= 9), all(digit(tens[i]) <= 9));
        let is_hundred = is_ten & all(digit(hundreds[i]) <= 9);
        let is_more = is_hundred & all(digit(more[i]) <= 9);
        let is_followed = all(digit(next[i]) <= 9);

        let low = ones.wrapping_add((digit(tens[i]) & is_ten).wrapping_mul(10));
        let (is_1xx, is_2xx) = (is_hundred & all(hundreds[i] == b'1'), is_hundred & all(hundreds[i] == b'2'));
        values[i] = low.wrapping_add(is_1xx & 100).wrapping_add(is_2xx & 200);
        ends[i] = is_one & !is_followed & 1;

        let too_high = (is_hundred & all(hundreds[i] > b'2')) | (is_2xx & all(low > 55)) | is_more;
        let is_comma = all(bytes[i] == b',');
        strange[i] = (is_one & too_high) | (is_comma & !is_followed) | !(is_one | is_comma | all(bytes[i] == PAD));
    }
    let mut any = 0;
    for i in 0..CHUNK {
        any |= strange[i];
    }
    any
}

/// The bytes of a window from `start` on, as many as a chunk has.
#[inline(always)]
fn shifted(window: &Window, start: usize) -> [u8; CHUNK] {
    let mut bytes = [0; CHUNK];
    bytes.copy_from_slice(&window[start..start + CHUNK]);
    bytes
}

/// The value of a digit; above 9 for anything else.
#[inline(always)]
fn digit(byte: u8) -> u8 {
    byte.wrapping_sub(b'0')
}

/// All bits set, or none.
#[inline(always)]
fn all(is_true: bool) -> u8 {
    u8::from(is_true).wrapping_neg()
}

/// Bit `i` is byte `i`, which is 0 or 1.
#[inline(always)]
fn bits(flags: &[u8; CHUNK]) -> u32 {
    // The product moves the lowest bits of eight bytes side by side into the highest byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (words, _) = flags.as_chunks::<8>();
    let mut bits = 0;
    for (i, &word) in words.iter().enumerate() {
        bits |= ((u64::from_le_bytes(word).wrapping_mul(GATHER) >> 56) as u32) << (8 * i);
    }
    bits
}
