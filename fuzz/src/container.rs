//! Containers, taken apart and put together again around damaged contents, so that lengths and checksums are right.

use std::io::{Read, Write};

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use flate2::{Compression, Crc};
use sha2::{Digest, Sha256};

use crate::mutate::Mutator;

/// What a format's contents are packed in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Container {
    /// Nothing.
    None,
    /// Gzip, or nothing: files are found by their first bytes.
    Gzip,
    /// Zip with members that are not compressed.
    Zip,
    /// The chunks of PNG; anything else is left alone.
    Png,
    /// Safetensors with a digest: an 8-byte length, a header in JSON, arrays.
    Sealed,
}

/// Contents are never unpacked to more than this.
const LARGEST: u64 = 1 << 20;

impl Container {
    /// `seed` with damage inside; `None` if it is no such container.
    pub(crate) fn damage(self, seed: &[u8], mutator: &mut Mutator, other: &[u8]) -> Option<Vec<u8>> {
        match self {
            Container::None => None,
            Container::Gzip => gzip(seed, mutator, other),
            Container::Zip => zip(seed, mutator, other),
            Container::Png => png(seed, mutator, other),
            Container::Sealed => sealed(seed, mutator, other),
        }
    }
}

fn unpack(reader: impl Read) -> Option<Vec<u8>> {
    let mut contents = Vec::new();
    reader.take(LARGEST).read_to_end(&mut contents).ok()?;
    Some(contents)
}

fn crc(parts: &[&[u8]]) -> u32 {
    let mut crc = Crc::new();
    parts.iter().for_each(|part| crc.update(part));
    crc.sum()
}

fn gzip(seed: &[u8], mutator: &mut Mutator, other: &[u8]) -> Option<Vec<u8>> {
    let was_packed = seed.starts_with(b"\x1f\x8b");
    let mut contents = if was_packed { unpack(MultiGzDecoder::new(seed))? } else { seed.to_vec() };
    mutator.damage(&mut contents, other);
    if mutator.below(8) > 0 {
        return Some(contents);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&contents).ok()?;
    encoder.finish().ok()
}

/// A number of an archive, little-endian.
fn little(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(width)?)?;
    Some(bytes.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte)))
}

/// Names and contents of the members of an archive that does not compress.
fn members(mut zip: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut members = Vec::new();
    while zip.starts_with(b"PK\x03\x04") {
        let parts = || {
            let (size, name, extra) = (little(zip, 18, 4)?, little(zip, 26, 2)?, little(zip, 28, 2)?);
            let start = 30 + name + extra;
            Some((zip.get(30..30 + name)?, zip.get(start..start.checked_add(size)?)?, start + size))
        };
        let Some((name, contents, end)) = parts() else { break };
        members.push((name.to_vec(), contents.to_vec()));
        zip = &zip[end..];
    }
    members
}

/// An archive that does not compress.
pub(crate) fn zip_of(members: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, contents) in members {
        let place = file.len() as u32;
        let mut entry = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        entry.extend(crc(&[contents]).to_le_bytes());
        entry.extend((contents.len() as u32).to_le_bytes());
        entry.extend((contents.len() as u32).to_le_bytes());
        entry.extend((name.len() as u16).to_le_bytes());
        entry.extend([0, 0]);
        file.extend(b"PK\x03\x04");
        file.extend(&entry);
        file.extend(name);
        file.extend(contents);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&entry);
        directory.extend([0; 10]);
        directory.extend(place.to_le_bytes());
        directory.extend(name);
    }
    let (count, start) = ((members.len() as u16).to_le_bytes(), (file.len() as u32).to_le_bytes());
    file.extend(&directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend([count, count].concat());
    file.extend((directory.len() as u32).to_le_bytes());
    file.extend(start);
    file.extend([0, 0]);
    file
}

fn zip(seed: &[u8], mutator: &mut Mutator, other: &[u8]) -> Option<Vec<u8>> {
    let mut members = members(seed);
    if members.is_empty() {
        return None;
    }
    let at = mutator.below(members.len());
    match mutator.below(8) {
        0 => mutator.damage(&mut members[at].0, b"y_test.npy"),
        1 => members[at].1 = members[mutator.below(seed.len()) % members.len()].1.clone(),
        2 => drop(members.remove(at)),
        // The header alone, which says what the rest is.
        3..6 => {
            let contents = &mut members[at].1;
            let mut rest = contents.split_off(contents.len().min(128));
            mutator.damage(contents, other);
            contents.append(&mut rest);
        }
        _ => mutator.damage(&mut members[at].1, other),
    }
    members.iter_mut().for_each(|(name, _)| name.truncate(usize::from(u16::MAX)));
    Some(zip_of(&members))
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Types and contents of the chunks.
fn chunks(png: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut rest = png.strip_prefix(PNG)?;
    let mut chunks = Vec::new();
    while let Some((start, after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([start[0], start[1], start[2], start[3]]) as usize;
        let length = length.min(after.len());
        chunks.push((start[4..].to_vec(), after[..length].to_vec()));
        rest = after.get(length + 4..).unwrap_or_default();
    }
    Some(chunks)
}

fn png(seed: &[u8], mutator: &mut Mutator, other: &[u8]) -> Option<Vec<u8>> {
    let mut chunks = chunks(seed).filter(|chunks| !chunks.is_empty())?;
    let at = mutator.below(chunks.len());
    match mutator.below(8) {
        0 => drop(chunks.remove(at)),
        1 => chunks.swap(at, 0),
        2 => chunks.insert(at, chunks[at].clone()),
        3 => mutator.damage(&mut chunks[0].1, other),
        4 | 5 => chunks.iter_mut().filter(|chunk| chunk.0 == b"IDAT").for_each(|(_, data)| {
            let Some(mut pixels) = unpack(ZlibDecoder::new(&data[..])) else { return };
            mutator.damage(&mut pixels, other);
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
            if encoder.write_all(&pixels).is_ok() {
                *data = encoder.finish().unwrap_or_default();
            }
        }),
        6 => {
            let other = chunks[mutator.below(seed.len()) % chunks.len()].0.clone();
            chunks[at].0 = other;
        }
        _ => mutator.damage(&mut chunks[at].1, other),
    }
    let mut file = PNG.to_vec();
    for (kind, contents) in &chunks {
        file.extend((contents.len() as u32).to_be_bytes());
        file.extend(kind);
        file.extend(contents);
        file.extend(crc(&[kind, contents]).to_be_bytes());
    }
    Some(file)
}

/// How the header of a sealed file begins; 64 digits follow.
const SEAL: &[u8] = b"{\"__metadata__\":{\"digest\":\"";

fn sealed(seed: &[u8], mutator: &mut Mutator, other: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = seed.split_first_chunk::<8>()?;
    let (header, data) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let (mut header, mut data) = (header.to_vec(), data.to_vec());
    match mutator.below(6) {
        0 => mutator.damage(&mut data, other),
        _ => {
            // Not the digest, which is made anew.
            let fixed = if header.starts_with(SEAL) { SEAL.len() + 64 } else { 0 };
            let mut rest = header.split_off(fixed.min(header.len()));
            mutator.damage(&mut rest, other);
            header.append(&mut rest);
        }
    }
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.append(&mut header);
    file.append(&mut data);
    let digits = 8 + SEAL.len()..8 + SEAL.len() + 64;
    if file[8..].starts_with(SEAL) && file.len() >= digits.end {
        file[digits.clone()].fill(b'0');
        let digest: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
        file[digits].copy_from_slice(digest.as_bytes());
    }
    Some(file)
}
