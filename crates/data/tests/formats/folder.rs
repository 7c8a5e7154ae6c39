//! Folders of images, one folder per class.

use std::fs;

use glyphnet_data::{ImageShape, OpenOptions, ResizeFilter, SourceKind, open};

use crate::{Folder, assert_says, fixture};

/// A grey image of one value as a PGM file (which needs no encoder).
fn grey(height: usize, width: usize, value: u8) -> Vec<u8> {
    [format!("P5 {width} {height} 255\n").as_bytes(), &vec![value; height * width]].concat()
}

fn colour(height: usize, width: usize, rgb: [u8; 3]) -> Vec<u8> {
    [format!("P6 {width} {height} 255\n").as_bytes(), &rgb.repeat(height * width)].concat()
}

#[test]
fn splits_classes_and_order_come_from_the_names() {
    let folder = Folder::new();
    for (name, value) in [
        ("train/10/2.pgm", 1),
        ("train/10/10.pgm", 2),
        ("train/9/2.pgm", 3),
        ("train/9/.hidden.pgm", 99),
        ("validation/9/a.pgm", 4),
        ("test/7.pgm", 5),
        ("test/11.pgm", 6),
    ] {
        folder.write(name, grey(3, 2, value));
    }
    folder.write("train/9/notes.txt", "about these");
    folder.write("README.md", "about all");
    let source = folder.open("").unwrap();
    assert_eq!(source.kind, SourceKind::Folder);
    assert_eq!(source.classes, ["9", "10"]);
    assert_eq!(source.shape(), ImageShape::new(3, 2, 1));
    let values = |d: &glyphnet_data::Dataset| (0..d.len()).map(|i| d.images.get(i)[0]).collect::<Vec<_>>();
    assert_eq!((values(&source.train), &source.train.labels), (vec![3, 1, 2], &Some(vec![0, 1, 1])));
    assert_eq!(source.validation.as_ref().unwrap().labels, Some(vec![0]));
    let test = source.test.as_ref().unwrap();
    assert_eq!((values(test), &test.labels), (vec![5, 6], &None));
    let notes = source.notes.join("\n");
    assert!(notes.contains("notes.txt") && notes.contains("README.md") && !notes.contains("hidden"), "{notes}");
    assert!(notes.contains("cannot be evaluated") || notes.contains("not evaluated"), "{notes}");
}

#[test]
fn class_folders_alone_are_a_training_set() {
    let folder = Folder::new();
    folder.write("cat/1.pgm", grey(2, 2, 1));
    folder.write("dog/1.pgm", grey(2, 2, 2));
    let source = folder.open("").unwrap();
    assert_eq!(source.classes, ["cat", "dog"]);
    assert_eq!(source.train.labels, Some(vec![0, 1]));
    assert!(source.validation.is_none() && source.test.is_none() && source.notes.is_empty());
}

#[test]
fn a_labelled_test_set_may_lack_classes_but_not_add_any() {
    let folder = Folder::new();
    folder.write("train/a/1.pgm", grey(2, 2, 1));
    folder.write("train/b/1.pgm", grey(2, 2, 2));
    folder.write("test/b/1.pgm", grey(2, 2, 3));
    assert_eq!(folder.open("").unwrap().test.unwrap().labels, Some(vec![1]));
    folder.write("test/c/1.pgm", grey(2, 2, 3));
    assert_says(folder.open(""), &["test'", "class 'c' that the training images do not have"]);
}

#[test]
fn sizes_are_kept_or_brought_together_and_said() {
    let folder = Folder::new();
    folder.write("a/1.pgm", grey(40, 64, 7));
    folder.write("b/1.pgm", grey(40, 64, 9));
    assert_eq!(folder.open("").unwrap().shape(), ImageShape::new(40, 64, 1));
    folder.write("b/2.pgm", grey(80, 100, 11));
    let source = folder.open("").unwrap();
    assert_eq!(source.shape(), ImageShape::new(32, 32, 1));
    assert!(source.notes[0].contains("resized images of 2 sizes (40 x 64, 80 x 100) to 32 x 32"), "{:?}", source.notes);
    assert!(source.train.images.get(2).iter().all(|&v| v == 11));
    let options =
        OpenOptions { size: Some((5, 4)), channels: Some(3), resize: ResizeFilter::Lanczos3, ..OpenOptions::default() };
    let source = open(folder.path("").to_str().unwrap(), &options).unwrap();
    assert_eq!(source.shape(), ImageShape::new(5, 4, 3));
}

#[test]
fn one_colour_image_makes_all_colour_unless_grey_is_asked_for() {
    let folder = Folder::new();
    folder.write("a/1.pgm", grey(1, 1, 7));
    folder.write("a/2.ppm", colour(1, 1, [8, 8, 8]));
    folder.write("b/1.pgm", grey(1, 1, 9));
    assert_eq!(folder.open("").unwrap().shape().channels, 1);
    folder.write("b/2.ppm", colour(1, 1, [255, 0, 0]));
    let source = folder.open("").unwrap();
    assert_eq!(source.train.images.pixels(), [7, 7, 7, 9, 9, 9, 8, 8, 8, 255, 0, 0]);
    let options = OpenOptions { channels: Some(1), ..OpenOptions::default() };
    let source = open(folder.path("").to_str().unwrap(), &options).unwrap();
    assert_eq!(source.train.images.pixels(), [7, 9, 8, 76]);
    assert!(source.notes.contains(&"turned colour images grey".to_string()));
}

#[test]
fn a_corrupt_png_is_named() {
    let folder = Folder::new();
    let png = fs::read(fixture("colour.png")).unwrap();
    folder.write("a/1.png", &png);
    folder.write("b/broken.png", &png[..60]);
    assert_says(folder.open(""), &["broken.png' is not a readable image"]);
    for i in 0..100 {
        folder.write(&format!("a/later{i}.png"), &png[..60]);
    }
    assert_says(folder.open(""), &["broken.png' is not a readable image"]);
    folder.write("b/broken.png", "");
    assert_says(folder.open(""), &["broken.png' is empty (0 bytes)"]);
}

#[test]
fn layouts_that_cannot_be_learned_from_are_refused() {
    let folder = Folder::new();
    folder.write("train/only/1.pgm", grey(2, 2, 1));
    assert_says(folder.open(""), &["train'", "only one class, 'only'"]);
    fs::create_dir(folder.path("train/bare")).unwrap();
    assert_says(folder.open(""), &["bare'", "this class has no images"]);

    let folder = Folder::new();
    folder.write("train/1.pgm", grey(2, 2, 1));
    assert_says(folder.open(""), &["train'", "no class folders"]);

    let folder = Folder::new();
    folder.write("test/a/1.pgm", grey(2, 2, 1));
    assert_says(folder.open(""), &["there is 'test/', but no 'train/<class>/'"]);

    let folder = Folder::new();
    folder.write("train/a/1.pgm", grey(2, 2, 1));
    folder.write("train/b/1.pgm", grey(2, 2, 1));
    folder.write("test/1.pgm", grey(2, 2, 1));
    folder.write("test/b/1.pgm", grey(2, 2, 1));
    assert_says(folder.open(""), &["test'", "images beside folders (b)"]);
}
