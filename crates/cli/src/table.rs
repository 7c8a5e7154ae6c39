//! Aligned columns of text for standard output.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;

/// Which side of its column a cell keeps to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows of cells under a heading, written with columns as wide as their widest cell.
pub(crate) struct Table {
    alignment: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new<'a>(columns: impl IntoIterator<Item = (&'a str, Align)>) -> Table {
        let (heading, alignment) = columns.into_iter().map(|(name, align)| (name.to_owned(), align)).unzip();
        Table { alignment, rows: vec![heading] }
    }

    /// Adds a row of as many cells as there are headings.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Writes the rows; two spaces between columns and none at a line's end.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let widest = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|c| c.width()).max();
        let widths: Vec<usize> = (0..self.alignment.len()).map(|column| widest(column).unwrap_or(0)).collect();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, &width), &align) in row.iter().zip(&widths).zip(&self.alignment) {
                if !line.is_empty() {
                    line.push_str("  ");
                }
                let space = " ".repeat(width - cell.width());
                match align {
                    Align::Left => line.extend([cell.as_str(), &space]),
                    Align::Right => line.extend([space.as_str(), cell]),
                }
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_by_display_width() {
        let mut table = Table::new([("class", Align::Left), ("images", Align::Right), ("", Align::Left)]);
        table.row(["お".to_owned(), "5".to_owned(), "x".to_owned()]);
        table.row(["Trouser".to_owned(), "6,000".to_owned(), String::new()]);
        let mut text = Vec::new();
        table.write(&mut text).unwrap();
        let expected = "class    images\nお            5  x\nTrouser   6,000\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
