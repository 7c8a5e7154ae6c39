//! The NPY array format inside an NPZ archive: a magic string, a version, and a header that is a Python dictionary,
//! then the elements (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).

use std::io::Read;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// A header longer than this is damaged; NumPy's own are about 100 bytes.
const MAX_HEADER: usize = 1 << 16;

/// The type of one element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// Unsigned integer of so many bytes.
    Unsigned(usize),
    /// Signed integer of so many bytes.
    Signed(usize),
    /// Unicode string of so many characters.
    Text(usize),
}

/// What the header of an array says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) element: Element,
    pub(super) big_endian: bool,
    pub(super) shape: Vec<usize>,
}

impl Header {
    /// Reads a header from the start of an array; returns its length in bytes as well.
    pub(super) fn read(reader: &mut impl Read) -> Result<(Header, usize), String> {
        let ends = |e: std::io::Error| format!("the array ends inside its header ({e}): it is truncated");
        let mut start = [0; 8];
        reader.read_exact(&mut start).map_err(ends)?;
        if start[..6] != *MAGIC {
            return Err("byte 0: this is no NumPy array (its magic string is missing)".to_string());
        }
        let wide = match start[6] {
            1 => 2,
            2 | 3 => 4,
            version => return Err(format!("byte 6: version {version} of the array format is unknown")),
        };
        let mut length = [0; 4];
        reader.read_exact(&mut length[..wide]).map_err(ends)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_HEADER {
            return Err(format!("byte 8: a header of {length} bytes cannot be: the array is damaged"));
        }
        let mut text = vec![0; length];
        reader.read_exact(&mut text).map_err(ends)?;
        let text = String::from_utf8(text).map_err(|_| "byte 10: the header is no text: the array is damaged")?;
        Ok((Header::parse(&text)?, 8 + wide + length))
    }

    fn parse(text: &str) -> Result<Header, String> {
        let broken = || format!("the header '{}' cannot be understood", text.trim());
        let descr = text_field(text, "descr").ok_or_else(broken)?;
        let kind = descr.strip_prefix('\'').and_then(|d| d.split_once('\'')).map(|d| d.0).ok_or_else(broken)?;
        let (element, big_endian) = element(kind).ok_or_else(|| {
            format!("elements of type '{kind}': save pixels as uint8 (0 to 255) and labels as integers")
        })?;
        let order = text_field(text, "fortran_order").ok_or_else(broken)?;
        let shape = text_field(text, "shape").ok_or_else(broken)?;
        let shape = shape.strip_prefix('(').and_then(|s| s.split_once(')')).map(|s| s.0).ok_or_else(broken)?;
        let sizes = shape.split(',').map(str::trim).filter(|s| !s.is_empty());
        let shape: Vec<usize> = sizes.map(|s| s.parse().map_err(|_| broken())).collect::<Result<_, _>>()?;
        if order.starts_with("True") && shape.len() > 1 {
            return Err("column-major (Fortran) order: save it with numpy.ascontiguousarray".to_string());
        }
        Ok(Header { element, big_endian, shape })
    }

    /// Bytes of one element.
    pub(super) fn width(&self) -> usize {
        match self.element {
            Element::Unsigned(bytes) | Element::Signed(bytes) => bytes,
            Element::Text(characters) => characters.saturating_mul(4),
        }
    }

    /// Bytes of all elements, if that many can be counted.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.shape.iter().try_fold(self.width() as u64, |product, &n| product.checked_mul(n as u64))
    }

    /// The header as bytes (version 1.0), padded so that the elements start at a multiple of 64.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let descr = match self.element {
            Element::Unsigned(1) => "|u1".to_string(),
            Element::Signed(1) => "|i1".to_string(),
            Element::Unsigned(bytes) => format!("<u{bytes}"),
            Element::Signed(bytes) => format!("<i{bytes}"),
            Element::Text(characters) => format!("<U{characters}"),
        };
        let sizes: String = self.shape.iter().map(|n| format!("{n}, ")).collect();
        let sizes = if self.shape.len() == 1 { sizes.trim_end() } else { sizes.trim_end_matches(", ") };
        let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sizes}), }}");
        let total = (10 + text.len() + 1).next_multiple_of(64);
        text.extend(std::iter::repeat_n(' ', total - 11 - text.len()));
        text.push('\n');
        let mut out = MAGIC.to_vec();
        out.extend([1, 0]);
        out.extend((text.len() as u16).to_le_bytes());
        out.extend(text.as_bytes());
        out
    }
}

/// What follows `'key':` in the header's dictionary.
fn text_field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let at = text.find(&format!("'{key}'"))? + key.len() + 2;
    Some(text[at..].trim_start().strip_prefix(':')?.trim_start())
}

/// Parses a type string such as `|u1`, `<i8`, `>u2` or `<U12`.
fn element(kind: &str) -> Option<(Element, bool)> {
    let (order, rest) = match kind.as_bytes().first()? {
        b'<' | b'|' | b'=' => (false, &kind[1..]),
        b'>' => (true, &kind[1..]),
        _ => (false, kind),
    };
    if !rest.is_ascii() {
        return None;
    }
    let (letter, size) = rest.split_at_checked(1)?;
    let size: usize = size.parse().ok()?;
    let element = match letter {
        "u" if [1, 2, 4, 8].contains(&size) => Element::Unsigned(size),
        "i" if [1, 2, 4, 8].contains(&size) => Element::Signed(size),
        "U" if size <= 4096 => Element::Text(size),
        _ => return None,
    };
    Some((element, order))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_writing_and_reading() {
        for (element, shape) in
            [(Element::Unsigned(1), vec![3, 28, 28]), (Element::Signed(8), vec![7]), (Element::Text(5), vec![])]
        {
            let header = Header { element, big_endian: false, shape };
            let bytes = header.to_bytes();
            assert_eq!(bytes.len() % 64, 0);
            assert_eq!(Header::read(&mut &bytes[..]).unwrap(), (header, bytes.len()));
        }
        // np.lib.format.header_data_from_array_1_0 and write_array_header_1_0 give exactly this:
        let header = Header { element: Element::Unsigned(1), big_endian: false, shape: vec![2] }.to_bytes();
        assert!(header[10..].starts_with(b"{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }   "));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let parse = |text: &str| Header::parse(text).unwrap_err();
        assert!(parse("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}").contains("type '<f4'"));
        assert!(parse("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3)}").contains("ascontiguousarray"));
        assert!(parse("{'descr': '|u1', 'fortran_order': False, 'shape': (-2,)}").contains("cannot be understood"));
        assert!(parse("{'descr': '|u1'}").contains("cannot be understood"));
        assert!(parse("{'descr': '\u{e9}1', 'fortran_order': False, 'shape': ()}").contains("type"));
        assert!(Header::read(&mut &b"\x93NUMPY\x01\x00\xff"[..]).unwrap_err().contains("truncated"));
        assert!(Header::read(&mut &b"nonsense nonsense"[..]).unwrap_err().contains("no NumPy array"));
    }
}
