//! The protocol buffers of an event, as far as they are used here: `Event`, `Summary`, `Summary.Value` and
//! `Summary.Image` of TensorBoard's `event.proto` and `summary.proto`.

use std::time::SystemTime;

use crate::protobuf::{Message, read_number};

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
        let event = if seconds == 0.0 { Message::new() } else { Message::new().double(1, seconds) };
        let event = event.nonzero(STEP, self.step);
        let event = match &self.what {
            What::Version => event.text(3, VERSION),
            What::Values(values) => {
                let values: Vec<Message> = values.iter().map(|(tag, value)| value.message(tag)).collect();
                event.message(5, &Message::new().messages(1, &values))
            }
        };
        event.into_bytes()
    }
}

impl Value<'_> {
    fn message(&self, tag: &str) -> Message {
        let value = Message::new().text(1, tag);
        match self {
            Value::Number(number) => value.float(2, *number),
            Value::Picture(picture) => {
                let size = Message::new().nonzero(1, picture.height.into()).nonzero(2, picture.width.into());
                value.message(4, &size.nonzero(3, picture.channels.into()).block(4, picture.png))
            }
        }
    }
}

/// The field of an event's step.
const STEP: u32 = 2;

/// The step of the event in `bytes`; `None` if they are no message.
pub(super) fn step(bytes: &[u8]) -> Option<u64> {
    read_number(bytes, STEP)
}
