//! Pixels in the form that nearly every client writes, read in one go: an object of one key, arrays, whole numbers, white
//! space. serde_json asks of each number what it may be, which takes several times as long.
//!
//! What is written otherwise, or wrong, is left to serde_json, which says what is wrong.

use super::{DEEPEST, Pixels};

/// The key and its pixels, if the body is of that form and sound.
pub(crate) fn read(body: &[u8]) -> Option<(&str, Pixels)> {
    let mut scanner =
        Scanner { rest: body, values: Vec::with_capacity(body.len() / 4), lengths: [None; DEEPEST], leaves: None };
    scanner.expect(b'{')?;
    scanner.expect(b'"')?;
    let end = scanner.rest.iter().position(|&byte| byte == b'"')?;
    let key = std::str::from_utf8(&scanner.rest[..end]).ok().filter(|key| !key.contains('\\'))?;
    scanner.rest = &scanner.rest[end + 1..];
    scanner.expect(b':')?;
    scanner.expect(b'[')?;
    scanner.array(0)?;
    scanner.expect(b'}')?;
    scanner.next().is_none().then_some(())?;
    let dims = scanner.lengths.iter().map_while(|&length| length).collect();
    Some((key, Pixels { dims, values: scanner.values }))
}

struct Scanner<'a> {
    rest: &'a [u8],
    values: Vec<u8>,
    /// The length of each level, once an array of it has ended.
    lengths: [Option<usize>; DEEPEST],
    /// The level at which numbers stand, once there is one.
    leaves: Option<usize>,
}

impl Scanner<'_> {
    /// The next byte that is no white space; it stays.
    fn next(&mut self) -> Option<u8> {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
        self.rest.first().copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then(|| self.rest = &self.rest[1..])
    }

    /// The rest of an array that has begun.
    fn array(&mut self, depth: usize) -> Option<()> {
        if depth == DEEPEST {
            return None;
        }
        let mut length = 0;
        loop {
            match self.next()? {
                b'[' => {
                    self.rest = &self.rest[1..];
                    self.array(depth + 1)?;
                }
                b'0'..=b'9' if *self.leaves.get_or_insert(depth) == depth => self.number()?,
                _ => return None,
            }
            length += 1;
            let end = self.next()?;
            self.rest = &self.rest[1..];
            match end {
                b',' => {}
                b']' => break,
                _ => return None,
            }
        }
        (*self.lengths[depth].get_or_insert(length) == length).then_some(())
    }

    /// A whole number up to 255; JSON has no leading zeros.
    fn number(&mut self) -> Option<()> {
        let digits = self.rest.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.rest.split_at(digits);
        let value = number.iter().fold(0, |value, digit| 10 * value + u32::from(digit - b'0'));
        if (digits > 1 && number[0] == b'0') || matches!(rest, [b'.' | b'e' | b'E', ..]) {
            return None;
        }
        self.values.push(u8::try_from(value).ok()?);
        self.rest = rest;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// What serde_json says to the same bytes.
    fn slow(body: &str) -> Option<(String, Pixels)> {
        let read: BTreeMap<String, Pixels> = serde_json::from_str(body).ok()?;
        read.into_iter().next().filter(|(_, pixels)| !pixels.values.is_empty())
    }

    #[test]
    fn what_is_read_is_what_serde_json_reads() {
        for body in [
            r#"{"pixels":[0,1,255]}"#,
            " {\n\"images\" :\t[ [ 0 , 10 ] , [200,3] ]\r}\n",
            r#"{"images":[[[[1],[2]],[[3],[4]]]]}"#,
            r#"{"x":[7]}"#,
        ] {
            let (key, pixels) = read(body.as_bytes()).unwrap();
            assert_eq!(slow(body).unwrap(), (key.to_owned(), pixels), "{body}");
        }
    }

    /// Every change of a byte, every cut and every doubled byte of sound bodies: nothing is read that serde_json refuses or
    /// reads otherwise.
    #[test]
    fn what_serde_json_refuses_is_never_read() {
        let mut read_some = 0;
        for sound in [r#"{"pixels":[[0,12],[255,3]]}"#, r#"{ "a" : [1 ,20, 3]} "#, r#"{"b":[[[[1,2]]],[[[3,4]]]]}"#] {
            for place in 0..sound.len() {
                let (before, after) = (&sound[..place], &sound[place + 1..]);
                let changed = br#" 0129[]{},:"\.-eE#"#.iter().map(|&new| format!("{before}{}{after}", char::from(new)));
                let cuts = [
                    before.to_owned(),
                    format!("{before}{after}"),
                    format!("{before}{}", &sound[place.saturating_sub(1)..]),
                ];
                for body in changed.chain(cuts) {
                    if let Some((key, pixels)) = read(body.as_bytes()) {
                        assert_eq!(slow(&body), Some((key.to_owned(), pixels)), "{body}");
                        read_some += 1;
                    }
                }
            }
        }
        assert!(read_some > 50, "{read_some}");
        for body in [
            r#"{"a":[]}"#,
            r#"{"a":[[]]}"#,
            r#"{"a":[1,[2]]}"#,
            r#"{"a":[[1],2]}"#,
            r#"{"a":[1],"b":[2]}"#,
            r#"{"a":[256]}"#,
        ] {
            assert_eq!(read(body.as_bytes()), None, "{body}");
        }
    }
}
