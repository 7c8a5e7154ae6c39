//! The header line: which column is the label, and that the pixels are all there, in order.

use std::path::Path;

use super::careful;
use crate::error::DataError;
use crate::types::ImageShape;

/// The most pixels of an image in a line (1024 x 1024), and columns: these and a label.
const MAX_PIXELS: usize = 1 << 20;
const MAX_COLUMNS: usize = MAX_PIXELS + 1;

/// What the header line says.
#[derive(Debug)]
pub(super) struct Header {
    /// Names of all columns.
    pub(super) names: Vec<String>,
    /// Which of them is the label, if any.
    pub(super) label: Option<usize>,
}

impl Header {
    /// Parses the first line (without its line feed) and checks the columns' names and order.
    pub(super) fn parse(path: &Path, line: &[u8]) -> Result<Header, DataError> {
        let bad = |column: Option<&str>, problem: String| DataError::Csv {
            path: path.to_path_buf(),
            line: 1,
            column: column.map(careful::shortened),
            problem,
        };
        let text = std::str::from_utf8(line)
            .map_err(|_| bad(None, "the header is no text: expected 'label,pixel0,pixel1,...'".to_string()))?;
        let columns = text.bytes().filter(|&b| b == b',').count() + 1;
        if columns > MAX_COLUMNS {
            return Err(bad(None, format!("{columns} columns: images of more than {MAX_PIXELS} pixels are refused")));
        }
        let clean = |name: &str| name.trim().trim_matches('"').trim().to_string();
        let names: Vec<String> = text.split(',').map(clean).collect();
        if names.iter().all(|n| n.parse::<f64>().is_ok()) {
            return Err(bad(None, "there is no header: put 'label,pixel0,pixel1,...' before the first image".into()));
        }
        let mut label = None;
        let mut pixels = Vec::with_capacity(names.len());
        for (i, name) in names.iter().enumerate() {
            if name.eq_ignore_ascii_case("label") {
                if label.replace(i).is_some() {
                    return Err(bad(Some(name), "there are two 'label' columns: keep one".into()));
                }
            } else {
                pixels.push(name.as_str());
            }
        }
        check_order(&pixels).map_err(|(column, problem)| bad(column, problem))?;
        Ok(Header { names, label })
    }

    /// How many columns hold pixels.
    pub(super) fn pixels(&self) -> usize {
        self.names.len() - usize::from(self.label.is_some())
    }

    /// The shape of the images: `size` if that fits, else a square.
    pub(super) fn shape(&self, path: &Path, size: Option<(usize, usize)>) -> Result<ImageShape, DataError> {
        let pixels = self.pixels();
        if let Some((height, width)) = size.filter(|&(h, w)| h.checked_mul(w) == Some(pixels)) {
            return Ok(ImageShape { height, width, channels: 1 });
        }
        let side = pixels.isqrt();
        if side * side == pixels {
            return Ok(ImageShape { height: side, width: side, channels: 1 });
        }
        let (below, above) = (side * side, (side + 1) * (side + 1));
        let problem = format!(
            "{pixels} pixel columns make no square image ({side} x {side} has {below}, {0} x {0} has {above}): is a \
             column missing or left over?",
            side + 1
        );
        Err(DataError::Csv { path: path.to_path_buf(), line: 1, column: None, problem })
    }
}

/// How the pixel columns are named.
#[derive(Clone, Copy, PartialEq)]
enum Position {
    /// `pixel7`.
    Number(usize),
    /// `2x3`: row and column, from 1.
    Cell(usize, usize),
}

fn position(name: &str) -> Option<Position> {
    let lower = name.to_ascii_lowercase();
    if let Some(number) = lower.strip_prefix("pixel") {
        return number.trim_start_matches(['_', ' ']).parse().ok().map(Position::Number);
    }
    let (row, column) = lower.split_once('x')?;
    Some(Position::Cell(row.parse().ok()?, column.parse().ok()?))
}

/// Checks that the pixel columns follow each other without a gap.
fn check_order<'a>(names: &[&'a str]) -> Result<(), (Option<&'a str>, String)> {
    let mut last: Option<(Position, &str)> = None;
    for &name in names {
        let Some(here) = position(name) else {
            return Err((Some(name), "this is neither 'label' nor a pixel such as 'pixel0': remove it".into()));
        };
        let fits = match (last.map(|l| l.0), here) {
            (None, Position::Number(n)) => n <= 1,
            (None, cell) => cell == Position::Cell(1, 1),
            (Some(Position::Number(before)), Position::Number(n)) => before.checked_add(1) == Some(n),
            (Some(Position::Cell(r, c)), Position::Cell(row, column)) => {
                (row == r && Some(column) == c.checked_add(1)) || (Some(row) == r.checked_add(1) && column == 1)
            }
            _ => false,
        };
        if !fits {
            return Err(match (last, here) {
                (None, _) => (Some(name), "the pixel columns before this one are missing: 'pixel0' comes first".into()),
                (Some((Position::Number(before), after)), Position::Number(n)) if before.checked_add(1) < Some(n) => {
                    let missing = format!("pixel{}", before + 1);
                    (Some(name), format!("the column '{missing}' is missing: this one follows on '{after}'"))
                }
                (Some((_, after)), _) => (Some(name), format!("this pixel is out of order: it follows on '{after}'")),
            });
        }
        last = Some((here, name));
    }
    if names.is_empty() {
        return Err((None, "there are no pixel columns: expected 'label,pixel0,pixel1,...'".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Header, String> {
        Header::parse(Path::new("t.csv"), line.as_bytes()).map_err(|e| e.to_string())
    }

    #[test]
    fn the_label_may_stand_anywhere_or_nowhere() {
        assert_eq!(parse("label,pixel0,pixel1").unwrap().label, Some(0));
        assert_eq!(parse("pixel1,pixel2,\"label\"\r").unwrap().label, Some(2));
        assert_eq!(parse("pixel0,Label,pixel1").unwrap().label, Some(1));
        let test = parse("pixel0,pixel1,pixel2,pixel3").unwrap();
        assert_eq!((test.label, test.pixels()), (None, 4));
        assert_eq!(parse("label,1x1,1x2,2x1,2x2").unwrap().shape(Path::new("t"), None).unwrap().height, 2);
    }

    #[test]
    fn missing_and_strange_columns_are_named() {
        let error = |line: &str| parse(line).unwrap_err();
        assert_eq!(
            error("label,pixel0,pixel1,pixel3"),
            "'t.csv', line 1, column 'pixel3': the column 'pixel2' is missing: this one follows on 'pixel1'"
        );
        assert!(error("label,pixel2").contains("'pixel0' comes first"));
        assert!(error("label,pixel0,pixel2,pixel1").contains("'pixel1' is missing"));
        assert!(error("label,pixel0,pixel1,pixel1").contains("out of order"));
        assert!(error("id,label,pixel0").contains("column 'id'"));
        assert!(error("label,label,pixel0").contains("two 'label' columns"));
        assert!(error("5,0,0,255").contains("there is no header"));
        assert!(error("label").contains("no pixel columns"));
        assert!(error("label,1x1,1x3").contains("out of order"));
    }

    #[test]
    fn a_size_makes_an_image_that_is_not_square() {
        let header = parse("label,pixel0,pixel1,pixel2,pixel3,pixel4,pixel5").unwrap();
        let path = Path::new("t.csv");
        assert_eq!(header.shape(path, Some((3, 2))).unwrap(), ImageShape::new(3, 2, 1));
        let error = header.shape(path, None).unwrap_err().to_string();
        assert!(error.contains("6 pixel columns make no square image (2 x 2 has 4, 3 x 3 has 9)"), "{error}");
    }
}
