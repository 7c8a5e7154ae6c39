//! What the terminal can do: colours, and pictures out of half blocks.

use std::env;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};

use glyphnet_data::ImageShape;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Emphasis, or none where it would only be noise.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    enabled: bool,
}

impl Style {
    /// For standard output.
    pub(crate) fn stdout() -> Style {
        Style { enabled: io::stdout().is_terminal() && wants_colour() }
    }

    /// For standard error.
    pub(crate) fn stderr() -> Style {
        Style { enabled: io::stderr().is_terminal() && wants_colour() }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.enabled { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Whether progress may be drawn and redrawn on standard error.
pub(crate) fn is_live() -> bool {
    io::stderr().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// `NO_COLOR` (<https://no-color.org>) and terminals without escape sequences.
fn wants_colour() -> bool {
    env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// `text` for people who read standard error: on a terminal broken between words where a line would be too long for it,
/// and indented from there on.
pub(crate) fn folded(text: &str) -> String {
    if !is_live() {
        return text.to_owned();
    }
    let columns = console::Term::stderr().size_checked().map_or(USUAL_WIDTH, |(_rows, columns)| columns);
    fold(text, usize::from(columns))
}

/// `text` as far as the terminal on standard error has room for it, after so many columns that are taken; all of it
/// where that is none.
pub(crate) fn cut(text: &str, taken: usize) -> String {
    if !is_live() {
        return text.to_owned();
    }
    let columns = console::Term::stderr().size_checked().map_or(USUAL_WIDTH, |(_rows, columns)| columns);
    let room = usize::from(columns).saturating_sub(taken);
    if text.width() <= room { text.to_owned() } else { clipped(text, room) }
}

/// `text` cut off with an ellipsis, `columns` wide.
fn clipped(text: &str, columns: usize) -> String {
    let mut used = 1;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= columns
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

fn fold(text: &str, columns: usize) -> String {
    let (mut folded, mut used) = (String::with_capacity(text.len()), 0);
    for word in text.split(' ') {
        if used > 0 && used + 1 + word.width() > columns {
            folded += "\n  ";
            used = 2;
        } else if !folded.is_empty() {
            folded.push(' ');
            used += 1;
        }
        folded += word;
        used += word.width();
    }
    folded
}

/// Columns of a terminal that does not tell its size.
const USUAL_WIDTH: u16 = 80;

/// Columns of the terminal on standard output, if pictures can be shown there: it must say that it knows 24-bit colour.
pub(crate) fn picture_width() -> Option<usize> {
    let truecolor = env::var("COLORTERM").is_ok_and(|v| v == "truecolor" || v == "24bit");
    if !(io::stdout().is_terminal() && wants_colour() && truecolor) {
        return None;
    }
    let columns = console::Term::stdout().size_checked().map_or(USUAL_WIDTH, |(_rows, columns)| columns);
    Some(usize::from(columns).max(20))
}

/// An image is not shown narrower than this, in columns, unless it has fewer pixels.
const LEAST_WIDTH: usize = 12;

/// Images with their labels above, `width` columns in all, as many as fit side by side but at most `per_row`. Two
/// pixels share a character: the upper half block in the foreground colour, the lower half in the background's.
pub(crate) fn picture_grid(shape: ImageShape, tiles: &[(&[u8], &str)], per_row: usize, width: usize) -> String {
    let per_row = per_row.max(1);
    let wanted = (width.saturating_sub(per_row - 1) / per_row).max(LEAST_WIDTH);
    let tile_width = shape.width.min(wanted);
    let tile_height = (shape.height * tile_width).div_ceil(shape.width.max(1)).max(1);
    let per_row = per_row.min((width + 1) / (tile_width + 1)).max(1);
    let mut text = String::new();
    for row in tiles.chunks(per_row) {
        let labels: Vec<String> = row.iter().map(|(_, label)| centre(label, tile_width)).collect();
        text += labels.join(" ").trim_end();
        text.push('\n');
        let small: Vec<Vec<[u8; 3]>> = row.iter().map(|(p, _)| shrink(shape, p, tile_width, tile_height)).collect();
        for y in (0..tile_height).step_by(2) {
            for (column, image) in small.iter().enumerate() {
                if column > 0 {
                    text.push(' ');
                }
                half_blocks(&mut text, image, tile_width, y);
            }
            text.push('\n');
        }
    }
    text
}

/// One line of half blocks: rows `y` and `y + 1` of `image`.
fn half_blocks(text: &mut String, image: &[[u8; 3]], width: usize, y: usize) {
    for x in 0..width {
        let [r, g, b] = image[y * width + x];
        let _ = write!(text, "\u{1b}[38;2;{r};{g};{b}m");
        if let Some([r, g, b]) = image.get((y + 1) * width + x) {
            let _ = write!(text, "\u{1b}[48;2;{r};{g};{b}m");
        }
        text.push('▀');
    }
    text.push_str("\u{1b}[0m");
}

/// `text` in the middle of `width` columns, cut off with an ellipsis if it is longer.
fn centre(text: &str, width: usize) -> String {
    let shown = if text.width() > width { clipped(text, width) } else { text.to_owned() };
    let space = width.saturating_sub(shown.width());
    format!("{}{shown}{}", " ".repeat(space / 2), " ".repeat(space - space / 2))
}

/// The image at `width x height`, each pixel the mean of the area that it covers; grey becomes RGB.
fn shrink(shape: ImageShape, pixels: &[u8], width: usize, height: usize) -> Vec<[u8; 3]> {
    let span = |i: usize, small: usize, large: usize| {
        let start = i * large / small;
        start..((i + 1) * large / small).max(start + 1).min(large)
    };
    let mut out = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            let (rows, columns) = (span(y, height, shape.height), span(x, width, shape.width));
            let area = (rows.len() * columns.len()).max(1);
            let mean = |channel: usize| {
                let at = |y: usize, x: usize| usize::from(pixels[(y * shape.width + x) * shape.channels + channel]);
                let sum: usize = rows.clone().flat_map(|y| columns.clone().map(move |x| at(y, x))).sum();
                (sum / area) as u8
            };
            out.push(if shape.channels == 3 { [mean(0), mean(1), mean(2)] } else { [mean(0); 3] });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_fits_the_terminal() {
        let pixels = vec![200; 28 * 28];
        let tiles: Vec<(&[u8], &str)> = vec![(&pixels, "a class name that is longer than the image is wide"); 18];
        for width in [40, 80, 100, 300] {
            let text = picture_grid(ImageShape::new(28, 28, 1), &tiles, 6, width);
            for line in text.lines() {
                let mut escape = false;
                let mut seen = String::new();
                for c in line.chars() {
                    match (escape, c) {
                        (false, '\u{1b}') => escape = true,
                        (true, 'm') => escape = false,
                        (false, c) => seen.push(c),
                        (true, _) => {}
                    }
                }
                assert!(seen.width() <= width, "{} columns of {width}", seen.width());
            }
            assert_eq!(text.matches('…').count(), 18);
        }
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(fold("one two three", 13), "one two three");
        assert_eq!(fold("one two three", 12), "one two\n  three");
        assert_eq!(fold("one two three four five", 9), "one two\n  three\n  four\n  five");
        assert_eq!(fold("a/path/that/is/long a", 5), "a/path/that/is/long\n  a");
        assert_eq!((fold("", 5), fold("déjà vu", 7)), (String::new(), "déjà vu".to_owned()));
    }

    #[test]
    fn shrinking_averages_areas() {
        let shape = ImageShape::new(2, 4, 1);
        assert_eq!(shrink(shape, &[0, 100, 10, 10, 200, 100, 30, 30], 2, 1), [[100; 3], [20; 3]]);
        let colour = ImageShape::new(1, 1, 3);
        assert_eq!(shrink(colour, &[1, 2, 3], 1, 1), [[1, 2, 3]]);
    }
}
