//! IDX files, sound and broken.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use glyphnet_data::ImageShape;

use crate::{Folder, assert_says};

/// Three images of 2 x 2.
fn images() -> Vec<u8> {
    [&[0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2][..], &(0..12).collect::<Vec<u8>>()].concat()
}

fn labels() -> Vec<u8> {
    vec![0, 0, 8, 1, 0, 0, 0, 3, 1, 0, 4]
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn folder(images: &[u8], labels: &[u8]) -> Folder {
    let folder = Folder::new();
    folder.write("train-images-idx3-ubyte", images);
    folder.write("train-labels-idx1-ubyte", labels);
    folder
}

#[test]
fn plain_and_gzipped_files_of_any_usual_name_are_read() {
    let folder = Folder::new();
    folder.write("train-images.idx3-ubyte", images());
    folder.write("train-labels-idx1-ubyte.gz", gz(&labels()));
    folder.write("test-images-idx3-ubyte.gz", gz(&images()));
    folder.write("t10k-labels.idx1-ubyte", labels());
    folder.write("README", "not data");
    let source = folder.open("").unwrap();
    assert_eq!(source.shape(), ImageShape::new(2, 2, 1));
    assert_eq!(source.train.images.get(1), [4, 5, 6, 7]);
    assert_eq!(source.train.labels, Some(vec![1, 0, 4]));
    assert_eq!(source.test.as_ref().unwrap().labels, Some(vec![1, 0, 4]));
    assert_eq!(source.classes, ["0", "1", "2", "3", "4"]);
    let by_file = folder.open("train-images.idx3-ubyte").unwrap();
    assert_eq!(by_file.fingerprint(), source.fingerprint());
}

#[test]
fn colour_images_and_wide_labels_are_read() {
    let images = [&[0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3][..], &[1, 2, 3, 4, 5, 6]].concat();
    let source = folder(&images, &[0, 0, 12, 1, 0, 0, 0, 1, 0, 0, 1, 2]).open("").unwrap();
    assert_eq!(source.shape(), ImageShape::new(1, 2, 3));
    assert_eq!(source.train.labels, Some(vec![258]));
}

#[test]
fn a_file_of_class_names_is_used_and_checked() {
    let folder = folder(&images(), &labels());
    folder.write("classes.txt", "a\nb\nc\r\nd\ne\n");
    assert_eq!(folder.open("").unwrap().classes, ["a", "b", "c", "d", "e"]);
    folder.write("classes.txt", "a\nb\n");
    assert_says(folder.open(""), &["classes.txt", "2 names, but the labels go up to 4: name all 5 classes"]);
    folder.write("classes.txt", "a\nb\na\nd\ne\n");
    assert_says(folder.open(""), &["classes.txt", "line 3 repeats the name 'a' of line 1"]);
}

#[test]
fn a_wrong_magic_number_is_refused() {
    let mut bad = images();
    bad[3] = 1;
    assert_says(folder(&bad, &labels()).open(""), &["train-images-idx3-ubyte", "byte 0", "00000801", "00000803"]);
    assert_says(folder(&images(), &images()).open(""), &["train-labels", "byte 0", "00000803", "not that of labels"]);
    assert_says(folder(b"PK\x03\x04rest", &labels()).open(""), &["byte 0", "zip archive: unpack it"]);
    assert_says(folder(&[0, 0, 8], &labels()).open(""), &["byte 3", "ends inside its magic number"]);
    assert_says(folder(&[0, 0, 13, 3, 0, 0, 0, 0], &labels()).open(""), &["byte 0", "00000d03"]);
}

#[test]
fn an_empty_file_is_refused() {
    assert_says(folder(b"", &labels()).open(""), &["train-images-idx3-ubyte", "empty (0 bytes)"]);
    assert_says(folder(&images(), b"").open(""), &["train-labels-idx1-ubyte", "empty (0 bytes)"]);
}

#[test]
fn truncated_and_overlong_files_are_refused_at_the_byte() {
    let whole = images();
    assert_says(
        folder(&whole[..25], &labels()).open(""),
        &["train-images-idx3-ubyte", "byte 25", "promises 28 bytes", "truncated"],
    );
    assert_says(folder(&whole[..10], &labels()).open(""), &["byte 10", "ends inside its header"]);
    let long = [&whole[..], &[9]].concat();
    assert_says(folder(&long, &labels()).open(""), &["byte 28", "goes on, but its header promises 28 bytes"]);
    let few = &labels()[..10];
    assert_says(folder(&whole, few).open(""), &["train-labels-idx1-ubyte", "byte 10", "promises 11 bytes"]);
}

#[test]
fn impossible_sizes_are_refused_before_any_memory_is_asked_for() {
    let sizes = |n: u32, h: u32, w: u32| {
        [&[0, 0, 8, 3][..], &n.to_be_bytes(), &h.to_be_bytes(), &w.to_be_bytes(), &[1, 2, 3]].concat()
    };
    let open = |bytes: Vec<u8>| folder(&bytes, &labels()).open("");
    assert_says(open(sizes(u32::MAX, u32::MAX, u32::MAX)), &["byte 4", "4294967295", "cannot be"]);
    assert_says(open(sizes(1 << 16, 1 << 13, 1 << 10)), &["byte 19", "promises 549755813904 bytes", "truncated"]);
    assert_says(open(sizes(0, 2, 2)), &["byte 4", "size of zero"]);
    assert_says(open(sizes(3, 0, 2)), &["byte 8", "size of zero"]);
}

#[test]
fn images_and_labels_of_different_number_are_refused() {
    let result = folder(&images(), &[0, 0, 8, 1, 0, 0, 0, 2, 1, 0]).open("");
    assert_says(result, &["train-images-idx3-ubyte' holds 3 images", "train-labels-idx1-ubyte' holds 2 labels"]);
}

#[test]
fn gzip_damage_is_refused_at_the_byte() {
    let whole = gz(&images());
    let open = |bytes: &[u8]| {
        let folder = Folder::new();
        folder.write("train-images-idx3-ubyte.gz", bytes);
        folder.write("train-labels-idx1-ubyte", labels());
        folder.open("")
    };
    assert!(open(&whole).is_ok());
    assert_says(open(&whole[..whole.len() - 12]), &["train-images-idx3-ubyte.gz", "gzip decompression fails after"]);
    let mut flipped = whole.clone();
    let checksum = whole.len() - 8;
    flipped[checksum] ^= 1;
    assert_says(open(&flipped), &["gzip decompression fails after 28 decompressed bytes"]);
    assert_says(open(&[&whole[..], b"tail"].concat()), &["gzip decompression fails after 28 decompressed bytes"]);
}

#[test]
fn a_folder_without_training_files_says_which_are_missing() {
    let folder = Folder::new();
    folder.write("t10k-images-idx3-ubyte", images());
    assert_says(folder.open(""), &["no images-idx3-ubyte", "'train-images-idx3-ubyte'"]);
    folder.write("train-images-idx3-ubyte", images());
    assert_says(folder.open(""), &["no labels-idx1-ubyte"]);
}

#[test]
fn splits_of_different_shapes_are_refused() {
    let folder = folder(&images(), &labels());
    folder.write("t10k-images-idx3-ubyte", [&[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2][..], &[1, 2]].concat());
    assert_says(folder.open(""), &["t10k-images-idx3-ubyte' holds images of 1 x 2 x 1", "of 2 x 2 x 1"]);
}

#[test]
fn no_damage_makes_the_reader_panic() {
    let (whole, labels) = (images(), labels());
    let folder = Folder::new();
    folder.write("train-labels-idx1-ubyte", &labels);
    for at in 0..whole.len() {
        folder.write("train-images-idx3-ubyte", &whole[..at]);
        assert!(folder.open("").is_err(), "cut to {at} bytes");
        for byte in [0, 1, 4, 0x7f, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            let changed_header = at < 16 && bytes != whole;
            folder.write("train-images-idx3-ubyte", bytes);
            assert_eq!(folder.open("").is_err(), changed_header, "byte {at} set to {byte}");
        }
    }
}
