//! What the page's script needs to know, as one JSON.

use serde::Serialize;

use super::curves::Curves;
use super::gallery::surely;
use super::page::{Page, Split};

/// Classes that are told of each image, the most probable first.
const TOP: usize = 3;

#[derive(Serialize)]
pub(super) struct ScriptData {
    classes: Vec<String>,
    curves: Option<Curves>,
    splits: Vec<SplitData>,
}

#[derive(Serialize)]
struct SplitData {
    name: String,
    /// Columns and lines of the sheet.
    columns: usize,
    lines: usize,
    /// Width and height of an image, in its own pixels.
    size: (usize, usize),
    /// The images on the sheet, in their order there.
    images: Vec<ImageData>,
}

/// Position in the predictions, number in the dataset, label, how surely that, and the most probable classes with how
/// surely each.
#[derive(Serialize)]
struct ImageData(u32, u32, u32, String, Vec<(u32, String)>);

impl ScriptData {
    pub(super) fn new(page: &Page<'_>, curves: Option<Curves>) -> ScriptData {
        let classes = (0..page.classes.len() as u32).map(|label| page.class(label)).collect();
        ScriptData { classes, curves, splits: page.splits.iter().filter_map(SplitData::new).collect() }
    }
}

impl SplitData {
    /// Nothing where no images are stored.
    fn new(split: &Split<'_>) -> Option<SplitData> {
        let sheet = split.sheet.as_ref()?;
        Some(SplitData {
            name: split.name().to_owned(),
            columns: sheet.columns,
            lines: sheet.lines(),
            size: (sheet.shape.width, sheet.shape.height),
            images: sheet.rows.iter().map(|&row| ImageData::new(split, row)).collect(),
        })
    }
}

impl ImageData {
    fn new(split: &Split<'_>, row: u32) -> ImageData {
        let (index, label) = (split.saved.indices[row as usize], split.saved.labels[row as usize]);
        let sure = |class: u32| surely(split.probability(row, class));
        let top = split.ranked(row).into_iter().take(TOP).map(|class| (class, sure(class))).collect();
        ImageData(row, index, label, sure(label), top)
    }
}
