//! Numbers that come back from a file with every bit.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Serialises the bits of a number as hexadecimal text: JSON has no infinity, and its readers may round.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Exact(pub(super) f64);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:016x}", self.0.to_bits()))
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Exact, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bits = u64::from_str_radix(&text, 16);
        bits.map(|bits| Exact(f64::from_bits(bits)))
            .map_err(|_| D::Error::custom("expected the 16 hexadecimal digits of a number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_comes_back() {
        for number in [0.0, -0.0, 0.1 + 0.2, f64::INFINITY, f64::NAN, f64::MIN_POSITIVE / 3.0, -1e300] {
            let json = serde_json::to_string(&Exact(number)).unwrap();
            assert_eq!(serde_json::from_str::<Exact>(&json).unwrap().0.to_bits(), number.to_bits(), "{json}");
        }
        assert!(serde_json::from_str::<Exact>("\"0.5\"").is_err() && serde_json::from_str::<Exact>("0.5").is_err());
    }
}
