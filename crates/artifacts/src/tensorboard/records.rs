//! TFRecord: the length of the data (u64), a checksum of that, the data, a checksum of them. Numbers are little-endian,
//! checksums are CRC-32C, turned and shifted so that a checksum of data with checksums in them is none of 0
//! (<https://www.tensorflow.org/tutorials/load_data/tfrecord>).

use crc::{CRC_32_ISCSI, Crc};

static CRC_32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Bytes of a record besides its data: before them, and behind.
const BEFORE: usize = 12;
const BEHIND: usize = 4;

fn checksum(bytes: &[u8]) -> u32 {
    CRC_32C.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The record of `data`.
pub(super) fn record(data: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(BEFORE + data.len() + BEHIND);
    record.extend((data.len() as u64).to_le_bytes());
    record.extend(checksum(&record).to_le_bytes());
    record.extend(data);
    record.extend(checksum(data).to_le_bytes());
    record
}

/// The records at the beginning of `bytes` that are whole, each as where it ends and its data.
pub(super) fn whole(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let data = first(&bytes[start..])?;
        start += BEFORE + data.len() + BEHIND;
        Some((start, data))
    })
}

/// The data of the record that `bytes` begin with, if it is whole.
fn first(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*sum) != checksum(length) {
        return None;
    }
    let (data, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let sum = rest.first_chunk::<4>()?;
    (u32::from_le_bytes(*sum) == checksum(data)).then_some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_or_damaged_ends_the_records() {
        let bytes = [record(b"first"), record(b""), record(&[7; 300])].concat();
        let read = |bytes: &[u8]| whole(bytes).map(|(end, data)| (end, data.to_vec())).collect::<Vec<_>>();
        let all = [(21, b"first".to_vec()), (37, Vec::new()), (353, vec![7; 300])];
        assert_eq!(read(&bytes), all);
        for end in 0..bytes.len() {
            let expected = all.iter().filter(|record| record.0 <= end).count();
            assert_eq!(read(&bytes[..end]).len(), expected, "cut at {end}");
        }
        for bit in 21 * 8..37 * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&damaged), all[..1], "bit {bit}");
        }
        let endless = [u64::MAX.to_le_bytes().to_vec(), checksum(&u64::MAX.to_le_bytes()).to_le_bytes().to_vec()];
        assert!(read(&endless.concat()).is_empty());
    }
}
