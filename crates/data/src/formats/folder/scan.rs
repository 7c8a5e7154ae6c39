//! What lies where in a folder of images: splits, classes, files.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::formats::some_of;
use crate::open::Listing;

const TRAIN: &str = "train";
const VALIDATION: [&str; 3] = ["validation", "valid", "val"];
const TEST: &str = "test";
const EXTENSIONS: [&str; 10] = ["png", "jpg", "jpeg", "bmp", "gif", "webp", "pgm", "ppm", "pbm", "pnm"];

/// One image file and its class, if that is known.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) class: Option<u32>,
}

/// Everything that was found.
pub(super) struct Scan {
    pub(super) classes: Vec<String>,
    pub(super) train: Vec<Entry>,
    pub(super) validation: Option<Vec<Entry>>,
    pub(super) test: Option<Vec<Entry>>,
    pub(super) notes: Vec<String>,
}

/// Looks through a folder of images.
pub(super) fn scan(folder: &Path) -> Result<Scan, DataError> {
    let top = Listing::read(folder)?;
    let has = |name: &str| top.folders.iter().any(|f| f == name);
    let validation = VALIDATION.into_iter().find(|n| has(n));
    let mut notes = Vec::new();
    if !has(TRAIN) {
        if has(TEST) || validation.is_some() {
            let found = if has(TEST) { TEST } else { VALIDATION[0] };
            return Err(DataError::folder(
                folder,
                format!("there is '{found}/', but no '{TRAIN}/<class>/' to learn from"),
            ));
        }
        let classes = class_folders(folder, &top)?;
        let train = labelled(folder, &top, &classes, true, &mut notes)?;
        return Ok(Scan { classes, train, validation: None, test: None, notes });
    }
    let others = top.folders.iter().filter(|f| ![Some(TRAIN), Some(TEST), validation].contains(&Some(f)));
    note_ignored(folder, "folders", others.cloned().collect(), &mut notes);
    note_ignored(folder, "files", top.files.clone(), &mut notes);
    let path = folder.join(TRAIN);
    let listing = Listing::read(&path)?;
    let classes = class_folders(&path, &listing)?;
    let train = labelled(&path, &listing, &classes, true, &mut notes)?;
    let validation = match validation.map(|name| folder.join(name)) {
        Some(path) => Some(labelled(&path, &Listing::read(&path)?, &classes, false, &mut notes)?),
        None => None,
    };
    let test = if has(TEST) { test(&folder.join(TEST), &classes, &mut notes)? } else { None };
    Ok(Scan { classes, train, validation: validation.filter(|v| !v.is_empty()), test, notes })
}

/// The class names of a folder of class folders: sorted, by number if all are numbers.
fn class_folders(path: &Path, listing: &Listing) -> Result<Vec<String>, DataError> {
    let mut classes = listing.folders.clone();
    if classes.len() < 2 {
        let found = match classes.first() {
            Some(only) => format!("only one class, '{only}'"),
            None => "no class folders".to_string(),
        };
        let problem = format!("there is {found}: put each class's images into a folder of its own, at least two");
        return Err(DataError::folder(path, problem));
    }
    let number = |name: &String| name.parse::<u64>().ok();
    if classes.iter().all(|c| number(c).is_some()) {
        classes.sort_by_key(|c| (number(c), c.clone()));
    }
    Ok(classes)
}

/// The images in class folders. A training set must have each class; other sets may lack some, but add none.
fn labelled(
    path: &Path,
    listing: &Listing,
    classes: &[String],
    complete: bool,
    notes: &mut Vec<String>,
) -> Result<Vec<Entry>, DataError> {
    note_ignored(path, "files outside class folders", listing.files.clone(), notes);
    let mut found = Vec::new();
    for name in &listing.folders {
        let Some(class) = classes.iter().position(|c| c == name) else {
            let problem = format!("there is a class '{name}' that the training images do not have");
            return Err(DataError::folder(path, problem));
        };
        let folder = path.join(name);
        let images = image_names(&folder, &Listing::read(&folder)?, notes);
        if images.is_empty() && complete {
            return Err(DataError::folder(&folder, "this class has no images: add some, or remove the folder"));
        }
        found.extend(images.into_iter().map(|image| (image, class as u32)));
    }
    found.sort_by(|a, b| natural(&a.0, &b.0).then(a.1.cmp(&b.1)));
    let entry = |(name, class): (String, u32)| Entry {
        path: path.join(&classes[class as usize]).join(name),
        class: Some(class),
    };
    Ok(found.into_iter().map(entry).collect())
}

/// The test set: in class folders (labelled), or flat (not labelled).
fn test(path: &Path, classes: &[String], notes: &mut Vec<String>) -> Result<Option<Vec<Entry>>, DataError> {
    let listing = Listing::read(path)?;
    let is_flat = listing.files.iter().any(|f| is_image(f));
    if is_flat && !listing.folders.is_empty() {
        let problem = format!(
            "there are images beside folders ({}): use class folders for a labelled test set, images alone for an \
             unlabelled one",
            some_of(&listing.folders)
        );
        return Err(DataError::folder(path, problem));
    }
    let entries = if is_flat {
        let mut names = image_names(path, &listing, notes);
        names.sort_by(|a, b| natural(a, b));
        names.into_iter().map(|name| Entry { path: path.join(name), class: None }).collect()
    } else {
        labelled(path, &listing, classes, false, notes)?
    };
    Ok(Some(entries).filter(|e| !e.is_empty()))
}

/// The image files of one folder; what else lies there is noted.
fn image_names(folder: &Path, listing: &Listing, notes: &mut Vec<String>) -> Vec<String> {
    let (images, others): (Vec<String>, Vec<String>) = listing.files.iter().cloned().partition(|f| is_image(f));
    note_ignored(folder, "files that are no images", others, notes);
    note_ignored(folder, "folders", listing.folders.clone(), notes);
    images
}

fn note_ignored(folder: &Path, what: &str, names: Vec<String>, notes: &mut Vec<String>) {
    if !names.is_empty() {
        notes.push(format!("ignored {what} in '{}': {}", folder.display(), some_of(&names)));
    }
}

fn is_image(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    EXTENSIONS.contains(&extension.as_str())
}

/// Compares names piece by piece, runs of digits by their value: `2.png` before `10.png`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut x, mut y) = (a, b);
    while !x.is_empty() && !y.is_empty() {
        let (digits_x, rest_x) = x.split_at(x.bytes().take_while(u8::is_ascii_digit).count());
        let (digits_y, rest_y) = y.split_at(y.bytes().take_while(u8::is_ascii_digit).count());
        let order = if digits_x.is_empty() || digits_y.is_empty() {
            let (first_x, first_y) = (x.chars().next(), y.chars().next());
            let skip = |text: &str| text.chars().next().map_or(0, char::len_utf8);
            (x, y) = (&x[skip(x)..], &y[skip(y)..]);
            first_x.cmp(&first_y)
        } else {
            (x, y) = (rest_x, rest_y);
            let (value_x, value_y) = (digits_x.trim_start_matches('0'), digits_y.trim_start_matches('0'));
            value_x.len().cmp(&value_y.len()).then_with(|| value_x.cmp(value_y))
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    x.len().cmp(&y.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_with_their_numbers() {
        let mut names = ["b10.png", "b2.png", "a.png", "b02.png", "10.png", "9.png", "b.png", "\u{e9}1.png"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["9.png", "10.png", "a.png", "b.png", "b02.png", "b2.png", "b10.png", "\u{e9}1.png"]);
    }

    #[test]
    fn endings_decide_what_an_image_is() {
        assert!(is_image("a.PNG") && is_image("b.jpeg") && !is_image("labels.txt") && !is_image("png"));
    }
}
