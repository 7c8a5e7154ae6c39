//! Every format: read, written, read back; and every way it can be broken, with the message that names the place.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod convert;
mod csv;
mod folder;
mod idx;
mod images;
mod npz;
mod open;

use std::fs;
use std::path::{Path, PathBuf};

use glyphnet_data::{Dataset, ImageShape, Images, OpenOptions, Source, SourceKind};
use tempfile::TempDir;

/// A folder that is removed at the end of a test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, making the folders on the way to it; returns its path.
    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Some file systems flush a file that is overwritten, but not one that is new.
        drop(fs::remove_file(&path));
        fs::write(&path, bytes).unwrap();
        path
    }

    fn open(&self, name: &str) -> Result<Source, String> {
        open(&self.path(name))
    }

    /// Names of everything in the folder.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(self.0.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn open(path: &Path) -> Result<Source, String> {
    glyphnet_data::open(path.to_str().unwrap(), &OpenOptions::default()).map_err(|e| e.to_string())
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// What NumPy and Pillow say about the fixtures.
fn expected() -> serde_json::Value {
    serde_json::from_slice(&fs::read(fixture("expected.json")).unwrap()).unwrap()
}

fn bytes(value: &serde_json::Value) -> Vec<u8> {
    value.as_array().unwrap().iter().map(|v| u8::try_from(v.as_u64().unwrap()).unwrap()).collect()
}

/// `n` images of noise, all different.
fn images(n: usize, shape: ImageShape, salt: u8) -> Images {
    let value = |i: usize| (i as u32).wrapping_mul(2_654_435_761).rotate_left(11) as u8 ^ salt;
    Images::new(shape, (0..n * shape.len()).map(value).collect()).unwrap()
}

/// A source with all three splits and three classes, one of which validation and test lack.
fn sample(shape: ImageShape, classes: [&str; 3]) -> Source {
    let data =
        |n: usize, salt: u8, labels: &[u32]| Dataset { images: images(n, shape, salt), labels: Some(labels.to_vec()) };
    Source {
        name: "sample".to_string(),
        kind: SourceKind::Idx,
        classes: classes.map(str::to_string).to_vec(),
        train: data(7, 0, &[2, 0, 1, 1, 0, 2, 0]),
        validation: Some(data(3, 1, &[1, 0, 1])),
        test: Some(data(4, 2, &[0, 0, 1, 1])),
        notes: vec![],
    }
}

#[track_caller]
fn assert_says(result: Result<Source, String>, parts: &[&str]) {
    let message = result.map(|s| format!("opened {s:?}")).unwrap_err();
    for part in parts {
        assert!(message.contains(part), "'{part}' is missing in: {message}");
    }
}
