//! NPZ archives as NumPy writes them, and broken ones.

use std::fs;

use glyphnet_data::{ImageShape, Source, SourceKind};

use crate::{Folder, assert_says, bytes, expected, fixture, open};

#[test]
fn kerass_layout_is_read() {
    let source = open(&fixture("grey.npz")).unwrap();
    let expected = &expected()["npz"];
    assert_eq!(source.kind, SourceKind::Npz);
    assert_eq!(source.shape(), ImageShape::new(4, 3, 1));
    assert_eq!(source.train.images.pixels(), bytes(&expected["train"]));
    assert_eq!(source.train.labels, Some(vec![0, 3, 1, 3, 2]));
    let test = source.test.unwrap();
    assert_eq!(test.images.pixels(), bytes(&expected["test"]));
    assert_eq!(test.labels, Some(vec![1, 0, 3]));
    assert_eq!(source.classes, ["0", "1", "2", "3"]);
}

#[test]
fn colour_big_endian_columns_of_labels_and_stored_members_are_read() {
    let source = open(&fixture("colour.npz")).unwrap();
    assert_eq!(source.shape(), ImageShape::new(2, 2, 3));
    assert_eq!(source.train.labels, Some(vec![1, 0, 2, 300]));
    assert_eq!(source.classes.len(), 301);
    assert_eq!(source.test.unwrap().labels, None);
}

#[test]
fn medmnists_names_validation_and_class_names_are_read() {
    let source = open(&fixture("named.npz")).unwrap();
    assert_eq!(source.classes, ["T-shirt", "trousers", "Füße", "bag"]);
    assert_eq!(source.validation.unwrap().labels, Some(vec![1, 0, 3]));
    assert_eq!(source.test.unwrap().labels, Some(vec![3, 0, 1]));
}

#[test]
fn arrays_that_do_not_fit_are_refused_by_name() {
    let says = |name: &str, parts: &[&str]| assert_says(open(&fixture(name)), &[&[name], parts].concat());
    says("float.npz", &["array 'x_train'", "'<f8'", "uint8"]);
    says("column_major.npz", &["array 'x_train'", "ascontiguousarray"]);
    says("one_hot.npz", &["array 'y_train'", "5 x 4 looks one-hot"]);
    says("counts.npz", &["array 'y_train'", "4 labels, but 'x_train' holds 5 images"]);
}

#[test]
fn an_archive_is_known_by_its_content_too() {
    let folder = Folder::new();
    folder.write("data.bin", fs::read(fixture("grey.npz")).unwrap());
    assert_eq!(folder.open("data.bin").unwrap().kind, SourceKind::Npz);
    folder.write("empty.npz", "");
    assert_says(folder.open("empty.npz"), &["empty.npz", "empty (0 bytes)"]);
    folder.write("text.npz", "nothing of the kind");
    assert_says(folder.open("text.npz"), &["text.npz", "no whole zip archive"]);
}

/// No cut and no flipped byte may panic, and none may change what is read.
#[test]
fn damage_is_an_error_and_never_a_panic() {
    let folder = Folder::new();
    for name in ["grey.npz", "colour.npz", "named.npz"] {
        let whole = fs::read(fixture(name)).unwrap();
        let original = open(&fixture(name)).unwrap();
        for length in 0..whole.len() {
            folder.write("cut.npz", &whole[..length]);
            assert!(folder.open("cut.npz").is_err(), "{name} cut to {length} bytes");
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            folder.write("flipped.npz", bytes);
            if let Ok(source) = folder.open("flipped.npz") {
                assert_part_of(&source, &original, &format!("{name} flipped at {at}"));
            }
        }
    }
}

/// A flip may hit the name of an array that need not be there: then that array is missing, and all else is the same.
#[track_caller]
fn assert_part_of(source: &Source, original: &Source, what: &str) {
    assert_eq!(source.train, original.train, "{what}");
    for (found, wanted) in [(&source.validation, &original.validation), (&source.test, &original.test)] {
        if let (Some(found), Some(wanted)) = (found, wanted) {
            assert_eq!(found.images, wanted.images, "{what}");
            assert!(found.labels.is_none() || found.labels == wanted.labels, "{what}");
        } else {
            assert!(found.is_none(), "{what}");
        }
    }
    assert!(source.classes == original.classes || source.classes == ["0", "1", "2", "3"], "{what}");
}
