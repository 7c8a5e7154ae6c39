//! Messages of protocol buffers (<https://protobuf.dev/programming-guides/encoding/>), written by hand: the files made
//! here take a dozen messages of few fields, which need no compiler for protocol buffers.

// Wire types: how the value behind a key is written.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const BLOCK: u64 = 2;
const FIXED_32: u64 = 5;

/// A message: its fields, in the order in which they are added. A field that is added twice is repeated.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message(Vec<u8>);

impl Message {
    pub(crate) fn new() -> Message {
        Message::default()
    }

    /// A whole number or the value of an enum; negative ones as 64 bits in two's complement.
    pub(crate) fn number(mut self, field: u32, value: u64) -> Message {
        self.key(field, VARINT);
        self.varint(value);
        self
    }

    /// A whole number; 0, the value of a field that is not there, is left out.
    pub(crate) fn nonzero(self, field: u32, value: u64) -> Message {
        if value == 0 { self } else { self.number(field, value) }
    }

    pub(crate) fn float(mut self, field: u32, value: f32) -> Message {
        self.key(field, FIXED_32);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn double(mut self, field: u32, value: f64) -> Message {
        self.key(field, FIXED_64);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn text(self, field: u32, text: &str) -> Message {
        self.block(field, text.as_bytes())
    }

    pub(crate) fn message(self, field: u32, message: &Message) -> Message {
        self.block(field, &message.0)
    }

    pub(crate) fn messages<'a>(self, field: u32, messages: impl IntoIterator<Item = &'a Message>) -> Message {
        messages.into_iter().fold(self, |whole, message| whole.message(field, message))
    }

    pub(crate) fn block(mut self, field: u32, content: &[u8]) -> Message {
        self.key(field, BLOCK);
        self.varint(content.len() as u64);
        self.0.extend(content);
        self
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn key(&mut self, field: u32, wire: u64) {
        self.varint(u64::from(field) << 3 | wire);
    }

    /// Seven bits a byte, the lowest first; the eighth says that more follow.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// The last number in `field` of the message in `bytes`, 0 if there is none; `None` if they are no message.
pub(crate) fn read_number(mut bytes: &[u8], field: u32) -> Option<u64> {
    let mut number = 0;
    while !bytes.is_empty() {
        let key = read_varint(&mut bytes)?;
        let length = match key & 7 {
            VARINT => {
                let value = read_varint(&mut bytes)?;
                if key >> 3 == u64::from(field) {
                    number = value;
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
    Some(number)
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
    fn numbers_come_back_and_what_is_no_message_is_refused() {
        let message =
            |number| Message::new().double(1, 0.5).number(2, number).text(3, "text").float(200, 1.0).into_bytes();
        for expected in [0, 1, 127, 128, 16_384, u64::from(u32::MAX), u64::MAX >> 1] {
            assert_eq!(read_number(&message(expected), 2), Some(expected));
        }
        let bytes = message(300);
        assert_eq!(read_number(&bytes, 16), Some(0), "a field that is not there");
        assert_eq!(read_number(&bytes[..bytes.len() - 1], 2), None, "a field that ends too soon");
        assert_eq!(read_number(&[0x10], 2), None, "a key without its value");
        assert_eq!(read_number(&[0x13, 1], 2), None, "a wire type of old");
        assert_eq!(read_number(&[[0x10].as_slice(), &[0xff; 11]].concat(), 2), None, "a number without an end");
    }

    /// As protoc writes them: keys of fields from 16 on take two bytes.
    #[test]
    fn fields_are_numbers_of_any_size() {
        assert_eq!(Message::new().number(20, 7).into_bytes(), [0xa0, 0x01, 7]);
        assert_eq!(Message::new().nonzero(1, 0).number(1, 0).into_bytes(), [0x08, 0]);
        let inner = Message::new().number(1, 150);
        assert_eq!(Message::new().messages(3, [&inner, &inner]).into_bytes(), [26, 3, 8, 150, 1, 26, 3, 8, 150, 1]);
    }
}
