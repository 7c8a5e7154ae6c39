//! What `predict` was given: image files, folders of them, and CSV files.

use std::fs;
use std::path::{Path, PathBuf};

use glyphnet_data::DataError;

use crate::error::CliError;

/// Names of image files end so, in any case.
const IMAGE_ENDINGS: [&str; 12] =
    ["png", "jpg", "jpeg", "jfif", "gif", "bmp", "webp", "pbm", "pgm", "ppm", "pnm", "pam"];

/// One file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    /// One image, its format told from its content.
    Image(PathBuf),
    /// Kaggle's CSV: an image a line.
    Csv(PathBuf),
}

impl Input {
    /// The file.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Input::Image(path) | Input::Csv(path) => path,
        }
    }
}

/// The files that `given` stands for: a folder's images in the order of their names, its sub-folders' too; everything
/// else as it is.
pub(crate) fn gather(given: &[PathBuf]) -> Result<Vec<Input>, CliError> {
    let mut inputs = Vec::new();
    for path in given {
        if path.is_dir() {
            let before = inputs.len();
            walk(path, &mut inputs)?;
            if inputs.len() == before {
                let problem = format!("no image in it (looked for names that end in {})", IMAGE_ENDINGS.join(", "));
                return Err(DataError::Folder { path: path.clone(), problem }.into());
            }
        } else if is_csv(path) {
            inputs.push(Input::Csv(path.clone()));
        } else {
            inputs.push(Input::Image(path.clone()));
        }
    }
    Ok(inputs)
}

fn walk(folder: &Path, inputs: &mut Vec<Input>) -> Result<(), DataError> {
    let unreadable = |source| DataError::Read { path: folder.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    paths.retain(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
    paths.sort_unstable();
    for path in paths {
        if path.is_dir() {
            // A link may lead back up; what is behind links has a place of its own.
            if !path.is_symlink() {
                walk(&path, inputs)?;
            }
        } else if has_ending(&path, &IMAGE_ENDINGS) {
            inputs.push(Input::Image(path));
        }
    }
    Ok(())
}

fn is_csv(path: &Path) -> bool {
    has_ending(path, &["csv"]) || (has_ending(path, &["gz"]) && path.file_stem().is_some_and(|s| is_csv(Path::new(s))))
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    path.extension().is_some_and(|own| endings.iter().any(|ending| own.eq_ignore_ascii_case(ending)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_become_their_images_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.PNG", "a.jpeg", "notes.txt", ".hidden.png", "deeper/c.png", "deeper/table.csv"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let given = [folder.path().to_owned(), "x.CSV.gz".into(), "no-ending".into()];
        let inputs = gather(&given).map_err(|_| "refused").unwrap();
        let image = |name: &str| Input::Image(folder.path().join(name));
        let others = [Input::Csv("x.CSV.gz".into()), Input::Image("no-ending".into())];
        assert_eq!(inputs, [&[image("a.jpeg"), image("b.PNG"), image("deeper/c.png")], &others[..]].concat());
        assert!(gather(&[folder.path().join("deeper")]).is_ok_and(|i| i.len() == 1));
        fs::create_dir(folder.path().join("empty")).unwrap();
        assert!(gather(&[folder.path().join("empty")]).is_err());
    }
}
