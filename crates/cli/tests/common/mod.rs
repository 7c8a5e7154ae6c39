//! Running the real binary in a folder of its own, and small data to run it on.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder of its own for one test; the binary runs in it.
pub(crate) struct Bench {
    folder: TempDir,
}

/// What a run of the binary left: its exit code, standard output and standard error.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench { folder: tempfile::tempdir().unwrap() }
    }

    /// With the bars in `bars/` and a recipe for them, `bars.toml`.
    pub(crate) fn bars() -> Bench {
        let bench = Bench::new();
        write_idx_bars(&bench, "bars", 120, 30);
        bench.write("bars.toml", BARS_RECIPE);
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, with its folders.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The binary with these arguments, ready to be started here without a terminal or colours.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_glyphnet"));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env_remove("COLORTERM").env("XDG_CACHE_HOME", self.path("cache")).env("HOME", self.path("home"));
        command
    }

    /// Runs the binary to its end. Whatever happens, it must not panic.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let Output { status, stdout, stderr } = self.command(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let ran = Ran { code: status.code(), stdout: text(stdout), stderr: text(stderr) };
        assert!(!ran.stderr.contains("panicked"), "{args:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains('\u{1b}') && !ran.stderr.contains('\r'), "control characters: {:?}", ran.stderr);
        ran
    }

    /// Runs the binary, which must succeed, and gives its standard output.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stderr);
        ran.stdout
    }

    /// Runs the binary, which must fail with `code` and a message that holds every one of `words`.
    pub(crate) fn fails(&self, args: &[&str], code: i32, words: &[&str]) {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(code), "{args:?}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("error:"), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?} printed results");
        for word in words {
            assert!(ran.stderr.contains(word), "{args:?}: '{word}' is not in: {}", ran.stderr);
        }
    }

    /// Runs the binary with `stdout` closed after its first line.
    pub(crate) fn run_into_closed_pipe(&self, args: &[&str]) -> Ran {
        let mut child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        Ran { code: output.status.code(), stdout: String::new(), stderr }
    }
}

/// An IDX file of unsigned bytes.
pub(crate) fn idx(dimensions: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dimensions.len() as u8];
    for dimension in dimensions {
        bytes.extend(dimension.to_be_bytes());
    }
    bytes.extend(data);
    bytes
}

/// A folder `name` of IDX files: `train` and `test` images of 8 x 8 in three classes, a bright bar at the left, in the
/// middle or at the right.
pub(crate) fn write_idx_bars(bench: &Bench, name: &str, train: u32, test: u32) {
    for (part, count) in [("train", train), ("t10k", test)] {
        let labels: Vec<u8> = (0..count).map(|i| (i % 3) as u8).collect();
        let pixels: Vec<u8> = (0..count).flat_map(|i| bar_image(i % 3, i)).collect();
        bench.write(&format!("{name}/{part}-images-idx3-ubyte"), idx(&[count, 8, 8], &pixels));
        bench.write(&format!("{name}/{part}-labels-idx1-ubyte"), idx(&[count], &labels));
    }
}

/// 8 x 8 pixels: a vertical bar for `class`, over a background that differs from image to image.
pub(crate) fn bar_image(class: u32, number: u32) -> Vec<u8> {
    let column = 1 + 2 * class;
    let noise = |y: u32, x: u32| ((number * 31 + y * 17 + x * 7) % 23) as u8;
    let pixels = (0..64).map(|i| (i / 8, i % 8));
    pixels.map(|(y, x)| if x == column || x == column + 1 { 230 + noise(y, x) } else { noise(y, x) }).collect()
}

/// A grey PNG.
pub(crate) fn png(height: u32, width: u32, pixels: &[u8]) -> Vec<u8> {
    let image = image::GrayImage::from_raw(width, height, pixels.to_vec()).unwrap();
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// An RGB PNG.
pub(crate) fn colour_png(height: u32, width: u32, pixels: &[u8]) -> Vec<u8> {
    let image = image::RgbImage::from_raw(width, height, pixels.to_vec()).unwrap();
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Kaggle's CSV: a label (unless there are none) and the pixels of 8 x 8 bars.
pub(crate) fn csv_bars(count: u32, labels: bool) -> String {
    let mut text: Vec<String> = Vec::new();
    let heading = (0..64).map(|i| format!("pixel{i}"));
    text.push(labels.then(|| "label".to_owned()).into_iter().chain(heading).collect::<Vec<_>>().join(","));
    for i in 0..count {
        let pixels = bar_image(i % 3, i).into_iter().map(|v| v.to_string());
        text.push(labels.then(|| (i % 3).to_string()).into_iter().chain(pixels).collect::<Vec<_>>().join(","));
    }
    text.join("\n") + "\n"
}

/// `bytes` gzipped.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A recipe of a network that learns the bars in a moment.
pub(crate) const BARS_RECIPE: &str = r#"
[data]
source = "bars"
validation = 0.2
[train]
batch_size = 16
epochs = 3
[optimizer]
kind = "adam"
learning_rate = 0.01
[[layer]]
kind = "conv2d"
filters = 4
kernel = 3
activation = "relu"
[[layer]]
kind = "max_pool2d"
[[layer]]
kind = "flatten"
[[layer]]
kind = "dense"
units = "classes"
activation = "softmax"
"#;

/// All files below `folder`, relative, sorted.
pub(crate) fn files_in(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let inner = files_in(&path);
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            names.extend(inner.into_iter().map(|file| format!("{name}/{file}")));
        } else {
            names.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    names.sort();
    names
}
