//! The sample grid: images in rows and columns, each under its class name.

use std::io::Cursor;
use std::path::Path;

use glyphnet_data::{ImageShape, atomic::write_atomic};
use glyphnet_kernels::random::{Purpose, Stream};
use image::{ImageFormat, Rgb, RgbImage};

use crate::error::ArtifactError;
use crate::text::Typeface;

const PAPER: Rgb<u8> = Rgb([255; 3]);
const INK: Rgb<u8> = Rgb([32, 33, 36]);
const FRAME: Rgb<u8> = Rgb([200, 203, 208]);
const LABEL_HEIGHT: f32 = 18.0;
/// Space between cells and around the grid, in pixels.
const GAP: u32 = 14;
/// Space between a label and its image, in pixels.
const LABEL_GAP: u32 = 4;
/// Images are scaled up by the whole number that brings their longer side nearest to this many pixels from below.
const WANTED_SIDE: usize = 112;
/// Cells are as wide as their images and the longest label need, within these bounds; longer labels are cut.
const LEAST_CELL_WIDTH: u32 = 72;
const MOST_LABEL_WIDTH: u32 = 160;

/// One image of a grid with what is written above it.
#[derive(Debug, Clone, Copy)]
pub struct Tile<'a> {
    /// Height x width x channels, row by row, one byte a value.
    pub pixels: &'a [u8],
    /// The class name, or several lines; empty for an image without a label.
    pub label: &'a str,
}

/// A drawn grid of images of one shape, each under its label.
#[derive(Debug, Clone)]
pub struct SampleGrid {
    picture: RgbImage,
}

impl SampleGrid {
    /// Draws `tiles` left to right, top to bottom, `columns` in a row. One channel is drawn grey, three RGB, of any
    /// other number the first. Letters that the font lacks appear as boxes; see [`can_draw`].
    ///
    /// # Panics
    /// If a tile has not `shape.len()` values: a bug of the caller.
    pub fn draw(shape: ImageShape, tiles: &[Tile<'_>], columns: usize) -> SampleGrid {
        let face = Typeface::new(LABEL_HEIGHT);
        let layout = Layout::new(shape, tiles, columns.max(1), &face);
        let (width, height) = layout.size();
        let mut picture = RgbImage::from_pixel(width, height, PAPER);
        for (index, tile) in tiles.iter().enumerate() {
            assert_eq!(tile.pixels.len(), shape.len(), "tile {index} has not the {shape} values of its shape");
            let (left, top) = layout.cell(index);
            for (line, text) in tile.label.lines().enumerate() {
                let text = face.fit(text, layout.cell_width as f32);
                let indent = (layout.cell_width as f32 - face.width(&text)) / 2.0;
                let top = top + line as u32 * face.height();
                face.draw(&mut picture, left as f32 + indent.max(0.0), top as f32, &text, INK);
            }
            let image_left = left + (layout.cell_width - layout.image.0) / 2;
            enlarge(&mut picture, shape, tile.pixels, image_left, top + layout.label_height + LABEL_GAP, layout.scale);
        }
        SampleGrid { picture }
    }

    /// The picture.
    pub fn picture(&self) -> &RgbImage {
        &self.picture
    }

    /// Writes the picture as PNG, replacing what is there only once all is written.
    ///
    /// # Errors
    /// When `path` cannot be written.
    pub fn save_png(&self, path: &Path) -> Result<(), ArtifactError> {
        let mut bytes = Cursor::new(Vec::new());
        self.picture
            .write_to(&mut bytes, ImageFormat::Png)
            .map_err(|source| ArtifactError::Encode { path: path.to_owned(), source })?;
        write_atomic(path, bytes.get_ref()).map_err(ArtifactError::write(path))
    }
}

/// Whether the embedded font has every letter of `text` (Latin, Greek and Cyrillic are there).
pub fn can_draw(text: &str) -> bool {
    Typeface::new(LABEL_HEIGHT).covers(text)
}

/// `count` different numbers below `n` (all of them if there are fewer), in random order: a pure function of `seed`.
pub fn choose_samples(n: usize, count: usize, seed: u64) -> Vec<u32> {
    let mut stream = Stream::new(seed, Purpose::Sample, 0, 0);
    let n = u32::try_from(n).unwrap_or(u32::MAX);
    // The beginning of a Fisher-Yates shuffle of 0..n, keeping only the places that it has touched.
    let mut moved = std::collections::HashMap::new();
    let count = u32::try_from(count).unwrap_or(u32::MAX).min(n);
    let mut chosen = Vec::with_capacity(count as usize);
    for place in 0..count {
        let pick = place + stream.below(n - place);
        let here = moved.get(&place).copied().unwrap_or(place);
        chosen.push(moved.insert(pick, here).unwrap_or(pick));
    }
    chosen
}

/// Where everything lies, in pixels.
struct Layout {
    columns: u32,
    rows: u32,
    scale: u32,
    /// Width and height of an enlarged image.
    image: (u32, u32),
    cell_width: u32,
    cell_height: u32,
    label_height: u32,
}

impl Layout {
    fn new(shape: ImageShape, tiles: &[Tile<'_>], columns: usize, face: &Typeface) -> Layout {
        let scale = (WANTED_SIDE / shape.height.max(shape.width).max(1)).max(1) as u32;
        let image = (shape.width as u32 * scale, shape.height as u32 * scale);
        let lines = tiles.iter().flat_map(|tile| tile.label.lines());
        let widest = lines.map(|line| face.width(line).ceil() as u32).max().unwrap_or(0);
        let most_lines = tiles.iter().map(|tile| tile.label.lines().count()).max().unwrap_or(0);
        let label_height = face.height() * most_lines.max(1) as u32;
        Layout {
            columns: columns.min(tiles.len().max(1)) as u32,
            rows: tiles.len().div_ceil(columns).max(1) as u32,
            scale,
            image,
            cell_width: image.0.max(widest.clamp(LEAST_CELL_WIDTH, MOST_LABEL_WIDTH)),
            cell_height: label_height + LABEL_GAP + image.1,
            label_height,
        }
    }

    /// Width and height of the picture.
    fn size(&self) -> (u32, u32) {
        (GAP + self.columns * (self.cell_width + GAP), GAP + self.rows * (self.cell_height + GAP))
    }

    /// Left and top of the cell of tile `index`.
    fn cell(&self, index: usize) -> (u32, u32) {
        let (row, column) = (index as u32 / self.columns, index as u32 % self.columns);
        (GAP + column * (self.cell_width + GAP), GAP + row * (self.cell_height + GAP))
    }
}

/// Draws an image with its upper left corner at `(left, top)`, each pixel as a square of side `scale`, in a thin frame
/// so that white images show their border on white paper.
fn enlarge(picture: &mut RgbImage, shape: ImageShape, pixels: &[u8], left: u32, top: u32, scale: u32) {
    let (width, height) = (shape.width as u32 * scale, shape.height as u32 * scale);
    for y in top - 1..=top + height {
        for x in left - 1..=left + width {
            picture.put_pixel(x, y, FRAME);
        }
    }
    for y in 0..height {
        for x in 0..width {
            let at = ((y / scale) as usize * shape.width + (x / scale) as usize) * shape.channels;
            let colour = match pixels[at..at + shape.channels] {
                [red, green, blue] => [red, green, blue],
                [grey, ..] => [grey; 3],
                [] => [0; 3],
            };
            picture.put_pixel(left + x, top + y, Rgb(colour));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(height: usize, width: usize, channels: usize) -> ImageShape {
        ImageShape { height, width, channels }
    }

    #[test]
    fn samples_differ_from_each_other_and_depend_on_the_seed_alone() {
        let chosen = choose_samples(60_000, 18, 7);
        assert_eq!(chosen, choose_samples(60_000, 18, 7));
        assert_ne!(chosen, choose_samples(60_000, 18, 8));
        let mut all = choose_samples(50, 80, 3);
        assert_ne!(all, (0..50).collect::<Vec<u32>>(), "not shuffled");
        all.sort_unstable();
        assert!(all.iter().copied().eq(0..50), "{all:?}");
        assert!(choose_samples(0, 18, 0).is_empty());
    }

    #[test]
    fn every_image_place_is_chosen_equally_often() {
        let mut counts = [0_u32; 10];
        for seed in 0..5000 {
            for index in choose_samples(10, 3, seed) {
                counts[index as usize] += 1;
            }
        }
        // 15,000 draws over 10 places; five standard deviations of a binomial are about 160.
        assert!(counts.iter().all(|c| c.abs_diff(1500) < 160), "{counts:?}");
    }

    #[test]
    fn pixels_are_enlarged_squares_in_their_own_cells() {
        let black = [0_u8; 12];
        let colours = [255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30];
        let tiles = [Tile { pixels: &black, label: "" }, Tile { pixels: &colours, label: "" }];
        let grid = SampleGrid::draw(shape(2, 2, 3), &tiles, 6);
        let layout = Layout::new(shape(2, 2, 3), &tiles, 6, &Typeface::new(LABEL_HEIGHT));
        assert_eq!(layout.scale, 56);
        assert_eq!(grid.picture().dimensions(), layout.size());
        let (left, cell_top) = layout.cell(1);
        let top = cell_top + layout.label_height + LABEL_GAP;
        let at = |x: u32, y: u32| grid.picture().get_pixel(left + x, top + y).0;
        assert_eq!([at(0, 0), at(55, 55), at(56, 0)], [[255, 0, 0], [255, 0, 0], [0, 255, 0]]);
        assert_eq!([at(55, 56), at(56, 56), at(111, 111)], [[0, 0, 255], [10, 20, 30], [10, 20, 30]]);
        assert_eq!(grid.picture().get_pixel(0, 0).0, PAPER.0);
    }

    /// What is outside the labels' and images' own cells must stay white: nothing overlaps.
    #[test]
    fn long_names_stay_in_their_cells() {
        for side in [8, 28, 300] {
            let pixels = vec![90_u8; side * side];
            let names = ["W".repeat(80), "Ankle boot / Stiefelette\n\u{2192} Sandal".to_owned(), "7".to_owned()];
            let tiles: Vec<Tile<'_>> = (0..7).map(|i| Tile { pixels: &pixels, label: &names[i % 3] }).collect();
            let grid = SampleGrid::draw(shape(side, side, 1), &tiles, 3);
            let layout = Layout::new(shape(side, side, 1), &tiles, 3, &Typeface::new(LABEL_HEIGHT));
            for (x, y, pixel) in grid.picture().enumerate_pixels() {
                let inside = (0..7).any(|i| {
                    let (left, top) = layout.cell(i);
                    let (x, y) = (x + 1, y + 1);
                    x >= left && x <= left + layout.cell_width + 1 && y > top && y <= top + layout.cell_height + 1
                });
                assert!(inside || *pixel == PAPER, "ink between cells at ({x}, {y})");
            }
        }
    }

    #[test]
    fn the_saved_file_is_the_picture() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("samples.png");
        let pixels: Vec<u8> = (0..=255).collect();
        let grid = SampleGrid::draw(shape(16, 16, 1), &[Tile { pixels: &pixels, label: "ramp" }], 6);
        grid.save_png(&path).unwrap();
        assert_eq!(&image::open(&path).unwrap().to_rgb8(), grid.picture());
        let refused = grid.save_png(&folder.path().join("missing/samples.png")).unwrap_err();
        assert!(refused.to_string().contains("missing"), "{refused}");
    }
}
