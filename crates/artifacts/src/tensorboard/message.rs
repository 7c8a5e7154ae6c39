//! The protocol buffers of an event, as far as they are used here: `Event`, `Summary`, `Summary.Value` and
//! `Summary.Image` of TensorBoard's `event.proto` and `summary.proto`. Five messages of few fields are written by hand
//! rather than by a compiler for protocol buffers.

use std::time::SystemTime;

/// The version of the format, which the first event of a file names.
const VERSION: &str = "brain.Event:2";

/// `Event`.
pub(super) struct Event<'a> {
    pub(super) time: SystemTime,
    pub(super) step: u64,
    pub(super) what: What<'a>,
}

/// What an event brings.
pub(super) enum What<'a> {
    /// The beginning of a file.
    Version,
    /// `Summary`: values by their names.
    Values(Vec<(&'a str, Value<'a>)>),
}

/// `Summary.Value`.
pub(super) enum Value<'a> {
    Number(f32),
    Picture(Picture<'a>),
}

/// `Summary.Image`.
pub(super) struct Picture<'a> {
    pub(super) height: u32,
    pub(super) width: u32,
    /// 1 grey, 2 grey with alpha, 3 RGB, 4 RGBA.
    pub(super) channels: u8,
    pub(super) png: &'a [u8],
}

impl Event<'_> {
    /// The message; fields that are zero are left out, as in every message of version 3.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let seconds = self.time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let mut bytes = Vec::new();
        if seconds != 0.0 {
            key(&mut bytes, 1, FIXED_64);
            bytes.extend(seconds.to_le_bytes());
        }
        number(&mut bytes, 2, self.step);
        match &self.what {
            What::Version => block(&mut bytes, 3, VERSION.as_bytes()),
            What::Values(values) => {
                let mut summary = Vec::new();
                values.iter().for_each(|(tag, value)| block(&mut summary, 1, &value.to_bytes(tag)));
                block(&mut bytes, 5, &summary);
            }
        }
        bytes
    }
}

impl Value<'_> {
    fn to_bytes(&self, tag: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        block(&mut bytes, 1, tag.as_bytes());
        match self {
            Value::Number(value) => {
                key(&mut bytes, 2, FIXED_32);
                bytes.extend(value.to_le_bytes());
            }
            Value::Picture(picture) => {
                let mut image = Vec::new();
                number(&mut image, 1, picture.height.into());
                number(&mut image, 2, picture.width.into());
                number(&mut image, 3, picture.channels.into());
                block(&mut image, 4, picture.png);
                block(&mut bytes, 4, &image);
            }
        }
        bytes
    }
}

// Wire types: how the value behind a key is written.
const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const BLOCK: u8 = 2;
const FIXED_32: u8 = 5;

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn key(bytes: &mut Vec<u8>, field: u8, wire: u8) {
    bytes.push(field << 3 | wire);
}

fn number(bytes: &mut Vec<u8>, field: u8, value: u64) {
    if value != 0 {
        key(bytes, field, VARINT);
        varint(bytes, value);
    }
}

fn block(bytes: &mut Vec<u8>, field: u8, content: &[u8]) {
    key(bytes, field, BLOCK);
    varint(bytes, content.len() as u64);
    bytes.extend(content);
}

/// The step of the event in `bytes`; `None` if they are no message.
pub(super) fn step(mut bytes: &[u8]) -> Option<u64> {
    let mut step = 0;
    while !bytes.is_empty() {
        let key = read_varint(&mut bytes)?;
        let length = match (key & 7) as u8 {
            VARINT => {
                let value = read_varint(&mut bytes)?;
                if key >> 3 == 2 {
                    step = value;
                }
                0
            }
            FIXED_64 => 8,
            FIXED_32 => 4,
            BLOCK => usize::try_from(read_varint(&mut bytes)?).ok()?,
            _ => return None,
        };
        bytes = bytes.get(length..)?;
    }
    Some(step)
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_come_back_and_what_is_no_message_is_refused() {
        let event = |step| Event {
            time: SystemTime::now(),
            step,
            what: What::Values(vec![("loss", Value::Number(0.5)), ("other", Value::Number(0.0))]),
        };
        for expected in [0, 1, 127, 128, 16_384, u64::from(u32::MAX), u64::MAX >> 1] {
            assert_eq!(step(&event(expected).to_bytes()), Some(expected));
        }
        let bytes = event(300).to_bytes();
        assert_eq!(step(&bytes[..bytes.len() - 1]), None, "a field that ends too soon");
        assert_eq!(step(&[0x10]), None, "a key without its value");
        assert_eq!(step(&[0x13, 1]), None, "a wire type of old");
        assert_eq!(step(&[[0x10].as_slice(), &[0xff; 11]].concat()), None, "a number without an end");
    }
}
