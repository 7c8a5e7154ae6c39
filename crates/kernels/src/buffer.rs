//! Arrays that start at the start of a cache line.

use std::ops::{Deref, DerefMut};

/// Floats in a cache line.
const LINE: usize = 16;

/// A fixed number of floats, zero at first, that start at the start of a cache line: no register read from a multiple
/// of 16 straddles two lines.
#[derive(Debug)]
pub struct Buffer {
    data: Vec<f32>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// So many zeros.
    pub fn new(len: usize) -> Buffer {
        let data = vec![0.0; len + LINE];
        let start = data.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        Buffer { data, start, len }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.data[self.start..self.start + self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.data[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_at_a_line_and_is_zero() {
        for len in [0, 1, 15, 16, 17, 1000] {
            let mut buffer = Buffer::new(len);
            assert_eq!(buffer.len(), len);
            assert_eq!(buffer.as_ptr().addr() % 64, 0);
            assert!(buffer.iter().all(|&v| v == 0.0));
            buffer.fill(1.0);
            assert_eq!(buffer.iter().sum::<f32>(), len as f32);
        }
    }
}
