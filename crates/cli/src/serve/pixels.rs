//! Pixels in JSON: whole numbers of 0 to 255 in arrays, flat or nested as the image is.

pub(crate) mod quick;

use std::fmt;

use glyphnet_data::ImageShape;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, SeqAccess, Visitor};

/// Arrays nested deeper than images x height x width x channels are no images.
const DEEPEST: usize = 4;

/// Numbers and how they were nested.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Pixels {
    /// Lengths of the arrays, the outermost first. All arrays of a level have one length.
    pub(crate) dims: Vec<usize>,
    /// All numbers, row-major.
    pub(crate) values: Vec<u8>,
}

/// What is known of the nesting so far.
#[derive(Default)]
struct Reading {
    pixels: Pixels,
    /// The length of each level, once an array of it has ended.
    lengths: [Option<usize>; DEEPEST],
    /// The level at which numbers stand, once there is one.
    leaves: Option<usize>,
}

struct Level<'a> {
    reading: &'a mut Reading,
    depth: usize,
}

impl<'de> Deserialize<'de> for Pixels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pixels, D::Error> {
        let mut reading = Reading::default();
        deserializer.deserialize_seq(Level { reading: &mut reading, depth: 0 })?;
        let mut pixels = reading.pixels;
        pixels.dims = reading.lengths.iter().map_while(|&length| length).collect();
        Ok(pixels)
    }
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Level<'_> {
    fn push<E: de::Error>(self, value: Option<u8>, told: impl fmt::Display) -> Result<(), E> {
        let reading = self.reading;
        let place = reading.pixels.values.len();
        if *reading.leaves.get_or_insert(self.depth) != self.depth {
            return Err(E::custom(format!("number {place} and those before it are nested differently")));
        }
        match value {
            Some(value) => reading.pixels.values.push(value),
            None => return Err(E::custom(format!("number {place} is {told}; pixels are whole numbers from 0 to 255"))),
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.depth {
            0 => f.write_str("an array of pixels"),
            _ => f.write_str("a pixel or an array of pixels"),
        }
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.push(u8::try_from(value).ok(), value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.push(u8::try_from(value).ok(), value)
    }

    /// Some programs write 7 as 7.0.
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        let whole = value.fract() == 0.0 && (0.0..=255.0).contains(&value);
        self.push(whole.then_some(value as u8), value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Level { reading, depth } = self;
        if depth == DEEPEST {
            return Err(de::Error::custom(format!("arrays are nested deeper than {DEEPEST}, which no images are")));
        }
        let mut length = 0;
        while items.next_element_seed(Level { reading: &mut *reading, depth: depth + 1 })?.is_some() {
            length += 1;
        }
        match reading.lengths[depth] {
            None => reading.lengths[depth] = Some(length),
            Some(others) if others == length => {}
            Some(others) => {
                let message = format!("one array has {length} entries where others beside it have {others}");
                return Err(de::Error::custom(message));
            }
        }
        Ok(())
    }
}

/// Whether arrays of these lengths hold one image of `shape`: flat, or nested, where a single channel may be left out.
pub(crate) fn holds_image(dims: &[usize], shape: ImageShape) -> bool {
    let ImageShape { height, width, channels } = shape;
    match *dims {
        [values] => values == shape.len(),
        [rows, columns] => [rows, columns, channels] == [height, width, 1],
        [rows, columns, values] => [rows, columns, values] == [height, width, channels],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Pixels, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn nesting_is_kept_apart_from_values() {
        let flat = read("[1, 2.0, 255]").unwrap();
        assert_eq!((flat.dims, flat.values), (vec![3], vec![1, 2, 255]));
        let nested = read("[[[1],[2]],[[3],[4]],[[5],[6]]]").unwrap();
        assert_eq!((nested.dims, nested.values), (vec![3, 2, 1], vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(read("[]").unwrap().dims, [0]);
        assert_eq!(read("[[],[]]").unwrap().dims, [2, 0]);
    }

    #[test]
    fn what_is_no_pixel_is_named() {
        for (json, words) in [
            ("[1,256]", "number 1 is 256"),
            ("[-1]", "number 0 is -1"),
            ("[0.5]", "number 0 is 0.5"),
            ("[1e400]", "number out of range"),
            ("[\"1\"]", "a pixel"),
            ("[null]", "a pixel"),
            ("7", "an array"),
            ("{}", "an array"),
            ("[[1,2],[3]]", "has 1 entries"),
            ("[[1],2]", "nested differently"),
            ("[1,[2]]", "nested differently"),
            ("[[[[[1]]]]]", "nested deeper than 4"),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.contains(words), "{json}: {error}");
        }
        assert!(read(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn an_image_may_leave_out_its_only_channel() {
        let (grey, colour) = (ImageShape::new(2, 3, 1), ImageShape::new(2, 3, 3));
        for dims in [&[6][..], &[2, 3], &[2, 3, 1]] {
            assert!(holds_image(dims, grey), "{dims:?}");
        }
        assert!(holds_image(&[18], colour) && holds_image(&[2, 3, 3], colour));
        for dims in [&[][..], &[5], &[3, 2], &[2, 3, 3], &[1, 2, 3, 1]] {
            assert!(!holds_image(dims, grey), "{dims:?}");
        }
        assert!(!holds_image(&[2, 3], colour));
    }
}
