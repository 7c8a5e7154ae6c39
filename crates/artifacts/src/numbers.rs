//! Numbers as people read them.

/// `65194` as `65,194`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 image`, `2,000 images`.
pub fn count(number: usize, noun: &str) -> String {
    let plural = match (number, noun.ends_with("ss")) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{} {noun}{plural}", grouped(number as u64))
}

/// A share from 0 to 1 in per cent with two decimals, `98.76 %`.
pub fn percent(fraction: f64) -> String {
    format!("{:.2} %", fraction * 100.0)
}

/// A learning rate to three digits: `0.0021`, `1e-7`.
pub fn rate(rate: f64) -> String {
    let rounded: f64 = format!("{rate:.2e}").parse().unwrap_or(rate);
    if (1e-4..1e6).contains(&rounded) { rounded.to_string() } else { format!("{rounded:e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1000, 65_194, 1_234_567].map(grouped), ["0", "999", "1,000", "65,194", "1,234,567"]);
        assert_eq!(count(1, "image"), "1 image");
        assert_eq!(count(2000, "class"), "2,000 classes");
        assert_eq!(percent(0.98765), "98.77 %");
    }

    #[test]
    fn rates_are_short() {
        let written = [1e-7, 2.13456e-5, 0.000_1, 0.001_049_9, 0.5, 9.999, 10.0, 1e38].map(rate);
        assert_eq!(written, ["1e-7", "2.13e-5", "0.0001", "0.00105", "0.5", "10", "10", "1e38"]);
    }
}
