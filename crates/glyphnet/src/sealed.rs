//! Files that show every damage: safetensors with a digest of the whole file in its header.
//!
//! The header begins with `{"__metadata__":{"digest":"`, 64 hexadecimal digits and `"`. They are the SHA-256 of the
//! file with `0` in the place of each digit, so no bit of the file can change unnoticed, the header's padding and the
//! lengths included. To any other program it is an ordinary safetensors file.

use std::borrow::Cow;
use std::collections::BTreeMap;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest as _, Sha256};

use crate::tensors;

/// How every sealed file goes on after the eight bytes of the header's length; the digest follows.
const BEGINNING: &[u8] = b"{\"__metadata__\":{\"digest\":\"";
/// Where the digest stands.
const PLACE: std::ops::Range<usize> = 8 + BEGINNING.len()..8 + BEGINNING.len() + 64;
/// No header of ours is longer: it holds layers, names and numbers, never an array.
pub(crate) const LONGEST_HEADER: usize = 8 << 20;

/// One array of a file: its name, shape and bytes.
pub(crate) struct Section<'a> {
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Cow<'a, [u8]>,
}

impl Section<'_> {
    /// An array of 32-bit numbers.
    pub(crate) fn numbers(name: String, shape: Vec<usize>, values: &[f32]) -> Section<'static> {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Section { name, dtype: Dtype::F32, shape, bytes: Cow::Owned(bytes) }
    }

    /// A text too long for the header.
    pub(crate) fn text(name: &str, text: &str) -> Section<'static> {
        let bytes = Cow::Owned(text.as_bytes().to_vec());
        Section { name: name.to_owned(), dtype: Dtype::U8, shape: vec![text.len()], bytes }
    }
}

/// The file of these sections and texts. Equal contents are equal files.
///
/// # Errors
/// If the header becomes longer than readers take.
pub(crate) fn seal(metadata: &BTreeMap<&str, String>, mut sections: Vec<Section<'_>>) -> Result<Vec<u8>, String> {
    // The order that safetensors wants: wide numbers first.
    sections.sort_by(|a, b| b.dtype.bitsize().cmp(&a.dtype.bitsize()).then_with(|| a.name.cmp(&b.name)));
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut header = String::from_utf8_lossy(BEGINNING).into_owned() + &"0".repeat(64) + "\"";
    for (key, value) in metadata {
        header += &format!(",{}:{}", quoted(key), quoted(value));
    }
    header.push('}');
    let mut end = 0;
    for Section { name, dtype, shape, bytes } in &sections {
        let start = end;
        end += bytes.len();
        header += &format!(",{}:{{\"dtype\":\"{dtype:?}\",\"shape\":{shape:?},", quoted(name));
        header += &format!("\"data_offsets\":[{start},{end}]}}");
    }
    header.push('}');
    let length = header.len().next_multiple_of(8);
    if length > LONGEST_HEADER {
        return Err(format!("its header would have {length} bytes, {LONGEST_HEADER} is the limit"));
    }
    let mut file = Vec::with_capacity(8 + length + end);
    file.extend_from_slice(&(length as u64).to_le_bytes());
    file.extend_from_slice(header.as_bytes());
    file.resize(8 + length, b' ');
    sections.iter().for_each(|section| file.extend_from_slice(&section.bytes));
    let digest = digest_of(&file);
    file[PLACE].copy_from_slice(digest.as_bytes());
    Ok(file)
}

/// A file that was read, checked as far as this module knows what it holds.
pub(crate) struct Opened<'a> {
    metadata: BTreeMap<String, String>,
    tensors: SafeTensors<'a>,
}

/// What a reader takes.
pub(crate) struct Expected {
    /// The word that tells this kind of file from others.
    pub(crate) format: &'static str,
    /// The versions that are written, oldest first, and always sealed.
    pub(crate) versions: &'static [&'static str],
    /// A version from before there were digests.
    pub(crate) unsealed: Option<&'static str>,
}

/// Checks digest, format and version. Sections that nobody asks for do no harm: later programs may add some.
///
/// # Errors
/// A sentence on what is wrong.
pub(crate) fn open<'a>(bytes: &'a [u8], expected: &Expected) -> Result<Opened<'a>, String> {
    let length = bytes.first_chunk::<8>().map(|length| u64::from_le_bytes(*length));
    if length.is_some_and(|length| length > LONGEST_HEADER as u64) {
        return Err(format!("its header is said to be longer than {LONGEST_HEADER} bytes"));
    }
    let sealed = bytes.get(8..PLACE.start) == Some(BEGINNING);
    if sealed && bytes.get(PLACE) != Some(digest_of(bytes).as_bytes()) {
        return Err("it is damaged: what it holds does not agree with its digest".to_owned());
    }
    let metadata = {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
        header.metadata().clone().ok_or("its header has no metadata")?
    };
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let opened = Opened { metadata: metadata.into_iter().collect(), tensors };
    let (format, version) = (opened.field("format")?, opened.field("version")?);
    let Expected { format: ours, versions, unsealed } = *expected;
    if format != ours {
        return Err(format!("its format is `{format}`, not `{ours}`"));
    }
    if !versions.contains(&version) && Some(version) != unsealed {
        let known: Vec<&str> = unsealed.iter().chain(versions).copied().collect();
        let known = match known.split_last() {
            Some((newest, older)) if !older.is_empty() => format!("{} and {newest}", older.join(", ")),
            _ => known.concat(),
        };
        return Err(format!("its version is {version}; this program reads {known}"));
    }
    if !sealed && Some(version) != unsealed {
        return Err(format!("it is damaged: its version is {version}, but its digest is not where it belongs"));
    }
    Ok(opened)
}

impl<'a> Opened<'a> {
    /// A text of the header.
    pub(crate) fn field(&self, key: &str) -> Result<&str, String> {
        self.metadata.get(key).map(String::as_str).ok_or_else(|| format!("its metadata lack `{key}`"))
    }

    /// A text of the header that is JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, key: &str) -> Result<T, String> {
        serde_json::from_str(self.field(key)?).map_err(|error| format!("its `{key}` cannot be read: {error}"))
    }

    /// Whether there is a section whose name begins so.
    pub(crate) fn begins(&self, prefix: &str) -> bool {
        tensors::begins(&self.tensors, prefix)
    }

    /// Whether there is a section of numbers of this shape. What is checked first may be allocated: the file is as large.
    pub(crate) fn check(&self, name: &str, shape: &[usize]) -> Result<TensorView<'a>, String> {
        let view = tensors::array(&self.tensors, name, Dtype::F32)?;
        match view.shape() {
            found if found == shape => Ok(view),
            found => Err(format!("tensor {name} has shape {found:?}, not {shape:?}")),
        }
    }

    /// Fills `values` from a section, which must have this shape.
    pub(crate) fn numbers(&self, name: &str, shape: &[usize], values: &mut [f32]) -> Result<(), String> {
        let view = self.check(name, shape)?;
        for (to, from) in values.iter_mut().zip(view.data().as_chunks::<4>().0) {
            *to = f32::from_le_bytes(*from);
        }
        Ok(())
    }

    /// A section of text.
    pub(crate) fn text(&self, name: &str) -> Result<&'a str, String> {
        let text = tensors::array(&self.tensors, name, Dtype::U8)?;
        std::str::from_utf8(text.data()).map_err(|error| format!("{name}: {error}"))
    }
}

/// SHA-256 of the file with zeros in the digest's place, in hexadecimal.
fn digest_of(file: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(file.get(..PLACE.start).unwrap_or(file));
    hash.update([b'0'; 64]);
    hash.update(file.get(PLACE.end..).unwrap_or_default());
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: Expected = Expected { format: "test", versions: &["2"], unsealed: Some("1") };

    fn sample(version: &str) -> Vec<u8> {
        let metadata = BTreeMap::from([("format", "test".to_owned()), ("version", version.to_owned())]);
        let numbers = Section::numbers("a \"b\"".to_owned(), vec![2, 2], &[1.0, -0.0, f32::NAN, 3e-40]);
        seal(&metadata, vec![Section::text("later", "text"), numbers]).unwrap()
    }

    #[test]
    fn what_was_sealed_is_read_and_other_safetensors_readers_understand_it() {
        let file = sample("2");
        assert_eq!(file.len() % 4, 0);
        let opened = open(&file, &EXPECTED).unwrap();
        let mut values = [0.0; 4];
        opened.numbers("a \"b\"", &[2, 2], &mut values).unwrap();
        assert_eq!(values.map(f32::to_bits), [1.0, -0.0, f32::NAN, 3e-40].map(f32::to_bits));
        assert_eq!((opened.text("later"), opened.begins("late"), opened.begins("b")), (Ok("text"), true, false));
        assert!(opened.numbers("a \"b\"", &[4], &mut values).unwrap_err().contains("[2, 2]"));
        assert!(opened.text("a \"b\"").is_err() && opened.numbers("later", &[4], &mut values).is_err());
        assert_eq!(SafeTensors::deserialize(&file).unwrap().len(), 2);
        assert_eq!(sample("2"), file, "equal contents are equal files");
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused() {
        let file = sample("2");
        for (bit, damaged) in crate::tensors::with_each_bit_changed(&file) {
            assert!(open(&damaged, &EXPECTED).is_err(), "bit {bit}");
        }
        for end in 0..file.len() {
            assert!(open(&file[..end], &EXPECTED).is_err(), "cut at {end}");
        }
        assert!(open(&[&file[..], b" "].concat(), &EXPECTED).is_err(), "a byte too many");
    }

    #[test]
    fn versions_and_formats_are_refused_by_name() {
        let refusal = |bytes: &[u8], expected: &Expected| open(bytes, expected).err().unwrap();
        assert!(refusal(&sample("3"), &EXPECTED).contains("its version is 3; this program reads 1 and 2"));
        let more = Expected { versions: &["2", "4"], ..EXPECTED };
        assert!(refusal(&sample("3"), &more).contains("its version is 3; this program reads 1, 2 and 4"));
        assert!(open(&sample("2"), &more).is_ok() && open(&sample("4"), &more).is_ok());
        let other = Expected { format: "other", ..EXPECTED };
        assert!(refusal(&sample("2"), &other).contains("its format is `test`, not `other`"));
        // Written by somebody else, without a digest.
        let plain = |version: &str| {
            let metadata = [("format", "test"), ("version", version)].map(|(k, v)| (k.to_owned(), v.to_owned()));
            let view = TensorView::new(Dtype::U8, vec![1], b"x").unwrap();
            safetensors::serialize([("a", view)], Some(metadata.into())).unwrap()
        };
        assert!(open(&plain("1"), &EXPECTED).is_ok());
        assert!(refusal(&plain("2"), &EXPECTED).contains("digest"));
        let long = [&(LONGEST_HEADER as u64 + 1).to_le_bytes()[..], b"{"].concat();
        assert!(refusal(&long, &EXPECTED).contains("header"));
    }
}
