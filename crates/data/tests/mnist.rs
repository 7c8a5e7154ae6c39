//! The embedded MNIST is the real one.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![cfg(feature = "embedded-mnist")]

use std::fmt::Write;
use std::path::Path;

use glyphnet_data::{
    CentredBy, Dataset, Drawn, ImageShape, Images, OpenOptions, Polarity, ResizeFilter, Source, SourceKind, conform,
    duplicates, open, stats,
};
use sha2::{Digest, Sha256};

fn mnist() -> Source {
    open("mnist", &OpenOptions::default()).unwrap()
}

/// The checksum that `data/mnist/SHA256SUMS` lists for an uncompressed IDX file.
fn published(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/mnist/SHA256SUMS");
    let text = std::fs::read_to_string(path).unwrap();
    let line = text.lines().find(|l| l.ends_with(file)).unwrap();
    line.split_whitespace().next().unwrap().to_string()
}

fn checksum(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|p| hash.update(p));
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Rebuilds the two IDX files of a dataset and compares their checksums with the published ones.
fn assert_published(data: &Dataset, prefix: &str) {
    let count = (data.len() as u32).to_be_bytes();
    let size = 28_u32.to_be_bytes();
    let images = [&[0, 0, 8, 3][..], &count, &size, &size, data.images.pixels()];
    assert_eq!(checksum(&images), published(&format!("{prefix}-images-idx3-ubyte")));
    let labels: Vec<u8> = data.labels.iter().flatten().map(|&l| u8::try_from(l).unwrap()).collect();
    assert_eq!(checksum(&[&[0, 0, 8, 1], &count, &labels]), published(&format!("{prefix}-labels-idx1-ubyte")));
}

#[test]
fn every_byte_is_that_of_the_published_files() {
    let source = mnist();
    assert_published(&source.train, "train");
    assert_published(source.test.as_ref().unwrap(), "t10k");
}

#[test]
fn counts_shape_and_classes_are_known() {
    let source = mnist();
    assert_eq!(source.kind, SourceKind::Embedded);
    assert_eq!(source.shape(), ImageShape::new(28, 28, 1));
    assert_eq!((source.train.len(), source.test.as_ref().unwrap().len()), (60_000, 10_000));
    assert!(source.validation.is_none());
    assert_eq!(source.classes, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    let counts = |data: &Dataset| stats::class_counts(data.labels.iter().flatten().copied(), 10);
    assert_eq!(counts(&source.train), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    assert_eq!(counts(source.test.as_ref().unwrap()), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    assert_eq!(duplicates::find(&source).groups, Vec::<Vec<_>>::new());
    let pixels = stats::pixel_statistics(&source.train.images)[0];
    assert_eq!((pixels.min, pixels.max), (0, 255));
    // NumPy: x_train.mean(), x_train.std(); and np.unique finds 70,000 different images, as above.
    assert!(
        (pixels.mean - 33.318_421_449_829_93).abs() < 1e-9 && (pixels.std - 78.567_489_983_397_98).abs() < 1e-9,
        "{pixels:?}"
    );
    assert_eq!(Polarity::estimate(source.train.images.iter(), source.shape()), Polarity::LightOnDark);
}

#[test]
fn the_folder_of_gzipped_idx_files_is_the_same_source() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/mnist");
    let idx = open(folder.to_str().unwrap(), &OpenOptions::default()).unwrap();
    assert_eq!(idx.kind, SourceKind::Idx);
    assert_eq!(idx.fingerprint(), mnist().fingerprint());
    let mut other = mnist();
    other.train.labels.as_mut().unwrap()[0] = 4;
    assert_ne!(other.fingerprint(), idx.fingerprint());
}

fn drawn(images: &Images) -> Option<Drawn> {
    Drawn::estimate(images.iter(), images.shape(), Polarity::estimate(images.iter(), images.shape()))
}

#[test]
fn it_is_drawn_as_its_makers_say() {
    // "Centered in a 28x28 image by computing the center of mass", of digits that fit into 20 x 20 pixels. The grid
    // moves a centre of mass by up to half a pixel; the outermost rows and columns are rarely full.
    let drawn = drawn(&mnist().train.images).unwrap();
    let near = |value: f32, wanted: f32, by: f32| (value - wanted).abs() <= by;
    assert_eq!(drawn.centred_by, CentredBy::Mass);
    assert!(drawn.centre.iter().all(|&c| near(c, 14.5, 0.05)), "{drawn:?}");
    assert!(near(drawn.size, 20.0, 0.2) && near(drawn.stroke, 2.5, 0.05) && near(drawn.edge, 1.65, 0.05), "{drawn:?}");
    assert!(drawn.ground == 0.0 && near(drawn.ink, 255.0, 0.2), "{drawn:?}");
}

#[test]
fn it_is_drawn_in_any_size_and_colour() {
    let images = mnist().train.images.select(&(0..60_000).step_by(60).collect::<Vec<u32>>());
    let original = drawn(&images).unwrap();
    for side in [14, 20, 56] {
        let shape = ImageShape::new(side, side, 1);
        let scale = side as f32 / 28.0;
        let other = drawn(&conform(&images, shape, ResizeFilter::Triangle)).unwrap();
        assert_eq!(other.centred_by, CentredBy::Mass, "{side}");
        let near = |value: f32, wanted: f32| (value - wanted * scale).abs() <= 0.1 * wanted * scale;
        assert!(near(other.centre[0], original.centre[0]) && near(other.centre[1], original.centre[1]), "{other:?}");
        assert!(near(other.size, original.size), "{side}: {other:?}");
        // A stroke that is thinner than two pixels reads as more.
        assert!(side < 28 || near(other.stroke, original.stroke), "{side}: {other:?}");
    }
    let inverted = images.pixels().iter().map(|&v| 255 - v).collect();
    let inverted = drawn(&Images::new(images.shape(), inverted).unwrap()).unwrap();
    // Both are rounded to thousandths.
    assert!((inverted.ink + original.ink - 255.0).abs() < 0.001, "{inverted:?}");
    assert_eq!(inverted, Drawn { ground: 255.0, ink: inverted.ink, ..original });
    let colour = conform(&images, ImageShape::new(28, 28, 3), ResizeFilter::Triangle);
    assert_eq!(drawn(&colour), None);
}
