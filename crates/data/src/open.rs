//! Finding out what a source is: detected from what is there, never from a flag.

use std::fs;
use std::path::Path;

use crate::error::DataError;
use crate::fetch;
use crate::formats::{self, folder, idx, kaggle, npz};
use crate::resize;
use crate::source::{OpenOptions, Source};
use crate::types::ImageShape;

/// What [`open`] accepts, in the words of its error messages.
const LOOKED_FOR: &str = "'mnist', the name of a fetched dataset, a folder of IDX files (train-images-idx3-ubyte, ...), \
    train.csv, an .npz archive, or a folder of images (train/<class>/*.png)";

/// Opens a source.
///
/// `source` is `mnist` (embedded), the name of a dataset that was fetched, a folder of IDX files, `train.csv` or the
/// folder it lies in, an `.npz` archive, or an image folder; IDX and CSV files may be gzipped. A file or folder that
/// happens to be called `mnist` is opened as `./mnist`.
///
/// # Errors
/// If there is no such thing, what was looked for and what was found; else what is wrong with it, and where.
pub fn open(source: &str, options: &OpenOptions) -> Result<Source, DataError> {
    check(options)?;
    let mut opened = find(source, options)?;
    if opened.test.as_ref().is_some_and(|test| test.labels.is_none()) {
        opened.notes.push("the test images have no labels: they can be predicted, but not evaluated".to_string());
    }
    conform(&mut opened, options);
    Ok(opened)
}

/// Brings a source to the size and channels that were asked for, where its format did not already.
fn conform(source: &mut Source, options: &OpenOptions) {
    let from = source.shape();
    let (height, width) = options.size.unwrap_or((from.height, from.width));
    let to = ImageShape { height, width, channels: options.channels.unwrap_or(from.channels) };
    if from == to {
        return;
    }
    let parts = [Some(&mut source.train), source.validation.as_mut(), source.test.as_mut()];
    for data in parts.into_iter().flatten() {
        data.images = resize::conform(&data.images, to, options.resize);
    }
    source.notes.push(format!("converted images of {from} to {to}"));
}

fn check(options: &OpenOptions) -> Result<(), DataError> {
    if let Some((height, width)) = options.size
        && (height == 0 || width == 0 || height.max(width) > 8192)
    {
        let problem = format!("size {height} x {width} is impossible: give a height and a width of 1 to 8192 pixels");
        return Err(DataError::Setting(problem));
    }
    match options.channels {
        None | Some(1 | 3) => Ok(()),
        Some(c) => Err(DataError::Setting(format!("{c} channels are impossible: give 1 (grey) or 3 (RGB)"))),
    }
}

fn find(source: &str, options: &OpenOptions) -> Result<Source, DataError> {
    #[cfg(feature = "embedded-mnist")]
    if source == "mnist" {
        return crate::embedded::mnist();
    }
    let path = Path::new(source);
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => open_folder(source, path, options),
        Ok(_) => open_file(source, path, options),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => match fetch::cached(source) {
            Some(folder) => open_folder(source, &folder, options),
            None => Err(match fetch::entry(source) {
                // This one can be built in as well, and its message says so.
                Ok(entry) if entry.name != "mnist" => DataError::NotFetched { name: entry.name },
                _ => not_found(source, "nothing of that name"),
            }),
        },
        Err(e) => Err(DataError::read(path)(e)),
    }
}

fn not_found(source: &str, found: &str) -> DataError {
    let mut found = found.to_string();
    if source == "mnist" {
        found.push_str(
            " (this build does not embed MNIST: run `glyphnet fetch mnist`, or build with feature 'embedded-mnist')",
        );
    }
    DataError::NotFound { wanted: source.to_string(), looked_for: LOOKED_FOR.to_string(), found }
}

fn open_folder(source: &str, folder: &Path, options: &OpenOptions) -> Result<Source, DataError> {
    let listing = Listing::read(folder)?;
    let files = idx::Files::find(folder, &listing.files)?;
    if files.any() {
        return idx::read_folder(source, folder, &files);
    }
    if let Some(name) = ["train.csv", "train.csv.gz"].into_iter().find(|n| listing.files.iter().any(|f| f == n)) {
        return kaggle::read_source(source, &folder.join(name), options);
    }
    if !listing.folders.is_empty() {
        return folder::read_source(source, folder, options);
    }
    Err(not_found(source, &listing.describe()))
}

fn open_file(source: &str, path: &Path, options: &OpenOptions) -> Result<Source, DataError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_string();
    if idx::is_idx_name(&name) {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return open_folder(source, folder, options);
    }
    if kaggle::is_csv_name(&name) {
        return kaggle::read_source(source, path, options);
    }
    if npz::is_npz(path)? {
        return npz::read_source(source, path);
    }
    Err(not_found(source, &format!("a file called '{name}', which is none of these")))
}

/// The visible entries of a folder, sorted.
pub(crate) struct Listing {
    pub(crate) files: Vec<String>,
    pub(crate) folders: Vec<String>,
}

impl Listing {
    /// Lists `folder`, following links and leaving out hidden entries.
    pub(crate) fn read(folder: &Path) -> Result<Listing, DataError> {
        let mut listing = Listing { files: vec![], folders: vec![] };
        for entry in fs::read_dir(folder).map_err(DataError::read(folder))? {
            let entry = entry.map_err(DataError::read(folder))?;
            let name = entry.file_name().into_string().map_err(|name| {
                let problem = format!("the name of '{}' is not valid Unicode: rename it", name.to_string_lossy());
                DataError::folder(folder, problem)
            })?;
            if name.starts_with('.') {
                continue;
            }
            let path = entry.path();
            let meta = fs::metadata(&path).map_err(DataError::read(&path))?;
            if meta.is_dir() { listing.folders.push(name) } else { listing.files.push(name) }
        }
        listing.files.sort_unstable();
        listing.folders.sort_unstable();
        Ok(listing)
    }

    fn describe(&self) -> String {
        if self.files.is_empty() && self.folders.is_empty() {
            return "an empty folder".to_string();
        }
        let folders = self.folders.iter().map(|f| format!("{f}/"));
        let names: Vec<String> = folders.chain(self.files.iter().cloned()).collect();
        format!("a folder with {}", formats::some_of(&names))
    }
}
