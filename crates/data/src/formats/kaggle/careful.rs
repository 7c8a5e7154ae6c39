//! One line at a time, with patience: whatever [`plain`](super::plain) does not take is read here after all (quotes,
//! spaces, leading zeros), or it is said exactly what is wrong with it.

use super::header::Header;

/// Labels are at most this: far above any number of classes, far below what overflows.
pub(super) const MAX_LABEL: u32 = 65_535;

/// What is wrong with a line.
#[derive(Debug, PartialEq)]
pub(super) struct Fault {
    /// The column to blame, from 0, where there is one.
    pub(super) column: Option<usize>,
    /// What is wrong there, and what to do.
    pub(super) problem: String,
}

/// Parses one line (without its line feed) into its pixels; returns its label, 0 where there is no such column.
///
/// `pixels` must be as many as the header names.
pub(super) fn parse_line(header: &Header, line: &[u8], pixels: &mut [u8]) -> Result<u32, Fault> {
    let whole = |problem: String| Fault { column: None, problem };
    let line = std::str::from_utf8(line).map_err(|_| whole("the line is no text: is the file damaged?".to_string()))?;
    if line.trim().is_empty() {
        return Err(whole("the line is blank: remove it".to_string()));
    }
    let (values, columns) = (line.bytes().filter(|&b| b == b',').count() + 1, header.names.len());
    if values != columns {
        return Err(whole(format!("{values} values, but the header names {columns} columns")));
    }
    let fields = line.split(',').map(|f| f.trim().trim_matches('"').trim());
    let (mut label, mut pixels) = (0, pixels.iter_mut());
    for (column, field) in fields.enumerate() {
        let is_label = header.label == Some(column);
        let value = value(field, is_label).map_err(|problem| Fault { column: Some(column), problem })?;
        if is_label {
            label = value;
        } else if let Some(pixel) = pixels.next() {
            *pixel = value as u8; // `value` has checked that it fits.
        }
    }
    Ok(label)
}

/// A label or a pixel, or what is wrong with it.
fn value(field: &str, is_label: bool) -> Result<u32, String> {
    let (what, limit) = if is_label { ("a label", MAX_LABEL) } else { ("a pixel", 255) };
    if let Some(value) = field.parse::<u32>().ok().filter(|&value| value <= limit) {
        return Ok(value);
    }
    let rule = format!("{what} is a whole number of 0 to {limit}");
    match field {
        "" => Err(format!("there is no value: {rule}")),
        _ if field.parse::<i128>().is_ok() => Err(format!("{} is out of range: {rule}", shortened(field))),
        _ if field.parse::<f64>().is_ok() => Err(format!("{} will not do: {rule}", shortened(field))),
        _ => Err(format!("'{}' is not a number: {rule}", shortened(field))),
    }
}

/// A field as it may stand in a message.
pub(super) fn shortened(field: &str) -> String {
    const SHOWN: usize = 20;
    if field.chars().count() <= SHOWN {
        return field.to_string();
    }
    field.chars().take(SHOWN).chain("...".chars()).collect()
}
