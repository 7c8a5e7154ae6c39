//! The lines after the header. A tight byte loop reads what is well formed; anything else is looked at again, slowly,
//! to accept it after all (quotes, spaces) or to say exactly what is wrong.

use std::path::Path;

use rayon::prelude::*;

use super::header::Header;
use crate::error::DataError;

/// Pieces of about this many bytes are parsed side by side.
const PIECE: usize = 1 << 22;
/// Labels are below this: far above any number of classes, far below what overflows.
const MAX_LABEL: u32 = 65_535;

/// What one piece of the file holds.
struct Piece {
    pixels: Vec<u8>,
    labels: Vec<u32>,
}

/// What is wrong with a line.
struct Fault {
    column: Option<usize>,
    problem: String,
}

/// Parses all lines after the header into pixels (`N x pixels`) and labels (`N`, or none without a label column).
pub(super) fn parse(path: &Path, header: &Header, body: &[u8]) -> Result<(Vec<u8>, Vec<u32>), DataError> {
    let body = body.trim_ascii_end();
    let pieces = cut(body);
    let parsed: Vec<Result<Piece, (usize, Fault)>> =
        pieces.par_iter().map(|piece| parse_piece(header, piece)).collect();
    let mut pixels = Vec::new();
    let mut labels = Vec::new();
    let mut first_line = 2;
    for (result, text) in parsed.into_iter().zip(pieces) {
        match result {
            Ok(mut piece) if pixels.is_empty() => {
                pixels.append(&mut piece.pixels);
                labels.append(&mut piece.labels);
                pixels.reserve_exact(body.len() / text.len() * pixels.len());
            }
            Ok(mut piece) => {
                pixels.append(&mut piece.pixels);
                labels.append(&mut piece.labels);
            }
            Err((line, fault)) => {
                let column = fault.column.and_then(|c| header.names.get(c)).cloned();
                let line = first_line + line;
                return Err(DataError::Csv { path: path.to_path_buf(), line, column, problem: fault.problem });
            }
        }
        first_line += text.iter().filter(|&&b| b == b'\n').count();
    }
    Ok((pixels, labels))
}

/// Cuts after a line feed, about every [`PIECE`] bytes.
fn cut(mut body: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while body.len() > PIECE {
        let Some(end) = body[PIECE..].iter().position(|&b| b == b'\n') else { break };
        let (piece, rest) = body.split_at(PIECE + end + 1);
        pieces.push(piece);
        body = rest;
    }
    if !body.is_empty() {
        pieces.push(body);
    }
    pieces
}

/// Parses whole lines; an error comes with the zero-based line within the piece.
fn parse_piece(header: &Header, text: &[u8]) -> Result<Piece, (usize, Fault)> {
    let columns = header.names.len();
    let label = header.label.unwrap_or(columns);
    // A line is at least two bytes a column; no more memory is asked for than the text can fill.
    let lines = text.len() / (2 * columns) + 1;
    let mut out = Piece { pixels: Vec::with_capacity(lines.min(1 << 14) * header.pixels()), labels: Vec::new() };
    let (mut at, mut line) = (0, 0);
    while at < text.len() {
        let (pixels, labels) = (out.pixels.len(), out.labels.len());
        match parse_line(columns, label, &text[at..], &mut out) {
            Some(used) => at += used,
            None => {
                out.pixels.truncate(pixels);
                out.labels.truncate(labels);
                let end = text[at..].iter().position(|&b| b == b'\n').map_or(text.len(), |n| at + n);
                reparse_line(header, &text[at..end], &mut out).map_err(|fault| (line, fault))?;
                at = end + 1;
            }
        }
        line += 1;
    }
    Ok(out)
}

/// Parses one line at the start of `text` if it is well formed; returns the bytes used, its line feed included.
fn parse_line(columns: usize, label: usize, text: &[u8], out: &mut Piece) -> Option<usize> {
    let mut at = 0;
    for column in 0..columns {
        let mut value = 0_u32;
        let start = at;
        while let Some(digit) = text.get(at).map(|b| b.wrapping_sub(b'0')).filter(|&d| d <= 9) {
            value = value * 10 + u32::from(digit);
            at += 1;
            if at - start > 5 {
                return None;
            }
        }
        if at == start {
            return None;
        }
        if column == label {
            out.labels.push(Some(value).filter(|&v| v <= MAX_LABEL)?);
        } else {
            out.pixels.push(u8::try_from(value).ok()?);
        }
        if column + 1 < columns {
            if text.get(at) != Some(&b',') {
                return None;
            }
            at += 1;
        }
    }
    match (text.get(at), text.get(at + 1)) {
        (None, _) => Some(at),
        (Some(b'\n'), _) => Some(at + 1),
        (Some(b'\r'), Some(b'\n')) => Some(at + 2),
        _ => None,
    }
}

/// Parses one line (without its line feed) with patience, or says what is wrong with it.
fn reparse_line(header: &Header, line: &[u8], out: &mut Piece) -> Result<(), Fault> {
    let whole = |problem: String| Fault { column: None, problem };
    let line = std::str::from_utf8(line).map_err(|_| whole("the line is no text: is the file damaged?".to_string()))?;
    if line.trim().is_empty() {
        return Err(whole("the line is blank: remove it".to_string()));
    }
    let fields: Vec<&str> = line.split(',').map(|f| f.trim().trim_matches('"').trim()).collect();
    let columns = header.names.len();
    if fields.len() != columns {
        return Err(whole(format!("{} values, but the header names {columns} columns", fields.len())));
    }
    for (column, field) in fields.iter().enumerate() {
        let is_label = header.label == Some(column);
        let value = value(field, is_label).map_err(|problem| Fault { column: Some(column), problem })?;
        match u8::try_from(value) {
            _ if is_label => out.labels.push(value),
            Ok(pixel) => out.pixels.push(pixel),
            Err(_) => return Err(Fault { column: Some(column), problem: format!("{value} is above 255") }),
        }
    }
    Ok(())
}

/// A label or a pixel, or what is wrong with it.
fn value(field: &str, is_label: bool) -> Result<u32, String> {
    let (what, limit) = if is_label { ("a label", MAX_LABEL) } else { ("a pixel", 255) };
    let rule = format!("{what} is a whole number of 0 to {limit}");
    if field.is_empty() {
        return Err(format!("there is no value: {rule}"));
    }
    match field.parse::<u32>() {
        Ok(value) if value <= limit => Ok(value),
        _ if field.parse::<i128>().is_ok() => Err(format!("{} is out of range: {rule}", shortened(field))),
        _ if field.parse::<f64>().is_ok() => Err(format!("{} will not do: {rule}", shortened(field))),
        _ => Err(format!("'{}' is not a number: {rule}", shortened(field))),
    }
}

/// A field as it may stand in a message.
fn shortened(field: &str) -> String {
    const SHOWN: usize = 20;
    if field.chars().count() <= SHOWN {
        return field.to_string();
    }
    field.chars().take(SHOWN).chain("...".chars()).collect()
}
