//! Round trips through every format, and what a format cannot hold.

use std::fs;

use glyphnet_data::convert::{Format, Resplit, Summary, convert};
use glyphnet_data::{ImageShape, Part, Source};

use crate::{Folder, open, sample};

const GREY: ImageShape = ImageShape::new(5, 5, 1);
const COLOUR: ImageShape = ImageShape::new(4, 6, 3);
const PLAIN: [&str; 3] = ["0", "1", "2"];
const NAMED: [&str; 3] = ["Bücher", "apple", "zebra crossing"];

fn run(source: &Source, folder: &Folder, name: &str, to: Format) -> Result<Summary, String> {
    convert(source, &folder.path(name), to, None, &mut |_, _| {}).map_err(|e| e.to_string())
}

#[track_caller]
fn assert_refused(source: &Source, to: Format, part: &str) {
    let folder = Folder::new();
    let message = run(source, &folder, "out", to).unwrap_err();
    assert!(message.contains(part), "'{part}' is missing in: {message}");
    assert!(folder.names().is_empty(), "left behind: {:?}", folder.names());
}

#[test]
fn what_was_written_reads_back_the_same() {
    for to in [Format::Idx, Format::Npz, Format::Folder] {
        for shape in [GREY, COLOUR] {
            for classes in [PLAIN, NAMED] {
                let folder = Folder::new();
                let source = sample(shape, classes);
                let name = if to == Format::Npz { "out.npz" } else { "out" };
                let mut reports = Vec::new();
                let place = folder.path(name);
                let summary = convert(&source, &place, to, None, &mut |done, all| reports.push((done, all))).unwrap();
                assert_eq!(reports.last(), Some(&(14, 14)), "{to}");
                assert_eq!(summary.images, [(Part::Train, 7), (Part::Validation, 3), (Part::Test, 4)]);
                let back = open(&place).unwrap();
                assert_eq!(back.fingerprint(), source.fingerprint(), "{to} {shape} {classes:?}");
                assert_eq!(folder.names(), [name]);
            }
        }
    }
}

#[test]
fn an_unlabelled_test_set_and_many_classes_survive() {
    let mut source = sample(GREY, PLAIN);
    source.classes = (0..700).map(|i| i.to_string()).collect();
    source.train.labels.as_mut().unwrap()[3] = 651;
    source.test.as_mut().unwrap().labels = None;
    for to in [Format::Idx, Format::Npz] {
        let folder = Folder::new();
        run(&source, &folder, "out.npz", to).unwrap();
        assert_eq!(folder.open("out.npz").unwrap().fingerprint(), source.fingerprint(), "{to}");
    }
    let mut source = sample(GREY, NAMED);
    source.test.as_mut().unwrap().labels = None;
    let folder = Folder::new();
    run(&source, &folder, "out", Format::Folder).unwrap();
    assert_eq!(folder.open("out").unwrap().fingerprint(), source.fingerprint());
}

#[test]
fn kaggles_test_file_has_no_labels_and_all_else_survives() {
    for classes in [PLAIN, NAMED] {
        let mut source = sample(GREY, classes);
        source.validation = None;
        let folder = Folder::new();
        let summary = run(&source, &folder, "out", Format::Kaggle).unwrap();
        assert!(summary.notes[0].contains("test.csv has no labels"));
        source.test.as_mut().unwrap().labels = None;
        assert_eq!(folder.open("out/train.csv").unwrap().fingerprint(), source.fingerprint());
        let test = fs::read_to_string(folder.path("out/test.csv")).unwrap();
        assert!(test.starts_with("pixel0,pixel1,") && test.lines().count() == 5 && !test.contains("label"));
    }
}

#[test]
fn what_a_format_cannot_hold_is_refused() {
    let without_validation = |shape| Source { validation: None, ..sample(shape, PLAIN) };
    assert_refused(&without_validation(COLOUR), Format::Kaggle, "3 channels, and a CSV holds grey images only");
    assert_refused(&without_validation(ImageShape::new(5, 4, 1)), Format::Kaggle, "5 x 4, and a CSV holds square");
    assert_refused(&sample(GREY, PLAIN), Format::Kaggle, "a validation split, which CSV files lack");
    assert_refused(&sample(GREY, ["a/b", "c", "d"]), Format::Folder, "'a/b', which cannot be a folder's name");
    assert_refused(&sample(GREY, ["..", "c", "d"]), Format::Folder, "'..', which cannot be a folder's name");
    assert_refused(&sample(GREY, ["A", "a", "d"]), Format::Folder, "two classes are named 'a'");
    assert_refused(&sample(GREY, ["a\nb", "c", "d"]), Format::Idx, "does not fit on a line of its own");
    assert_refused(&sample(GREY, PLAIN), Format::Npz, "does not end in '.npz'");
}

#[test]
fn a_destination_in_use_is_left_alone() {
    let source = sample(GREY, PLAIN);
    let folder = Folder::new();
    folder.write("full/precious.txt", "mine");
    folder.write("file.npz", "mine too");
    let error = |name: &str, to: Format| run(&source, &folder, name, to).unwrap_err();
    assert!(error("full", Format::Idx).contains("is not empty: name a new place"));
    assert!(error("file.npz", Format::Npz).contains("exists already"));
    assert!(error("file.npz", Format::Idx).contains("exists and is no folder"));
    assert!(error("file.npz/inside", Format::Folder).contains("cannot write"));
    assert_eq!(fs::read(folder.path("full/precious.txt")).unwrap(), b"mine");
    assert_eq!(folder.names(), ["file.npz", "full"]);
    fs::create_dir(folder.path("empty")).unwrap();
    run(&source, &folder, "empty", Format::Idx).unwrap();
    run(&source, &folder, "new/deep", Format::Folder).unwrap();
    assert_eq!(folder.open("empty").unwrap().fingerprint(), source.fingerprint());
}

#[test]
fn a_new_split_deals_every_image_once_and_the_seed_decides_how() {
    let source = sample(GREY, PLAIN);
    let split = |sizes: &[usize], seed: u64| {
        let folder = Folder::new();
        let resplit = Resplit { sizes: sizes.to_vec(), seed };
        let result = convert(&source, &folder.path("out"), Format::Idx, Some(&resplit), &mut |_, _| {});
        result.map(|summary| (folder.open("out").unwrap(), summary)).map_err(|e| e.to_string())
    };
    let pairs = |source: &Source| {
        let mut pairs = Vec::new();
        for (_, data) in source.parts() {
            let labels = data.labels.as_ref().unwrap();
            pairs.extend((0..data.len()).map(|i| (data.images.get(i).to_vec(), labels[i])));
        }
        pairs
    };
    let sorted = |mut pairs: Vec<(Vec<u8>, u32)>| {
        pairs.sort();
        pairs
    };
    let (first, summary) = split(&[9, 5], 1).unwrap();
    assert_eq!((first.train.len(), first.test.as_ref().unwrap().len()), (9, 5));
    assert!(first.validation.is_none() && summary.notes.is_empty());
    assert_eq!(sorted(pairs(&first)), sorted(pairs(&source)));
    assert_ne!(pairs(&first), pairs(&source));
    assert_eq!(split(&[9, 5], 1).unwrap().0.fingerprint(), first.fingerprint());
    assert_ne!(split(&[9, 5], 2).unwrap().0.fingerprint(), first.fingerprint());
    let (three, summary) = split(&[4, 3, 2], 1).unwrap();
    assert_eq!((three.validation.unwrap().len(), three.test.unwrap().len()), (3, 2));
    assert_eq!(summary.notes, ["left out 5 of 14 images, as the sizes ask"]);
    assert!(split(&[10, 5], 1).unwrap_err().contains("sizes 10,5: there are only 14 images"));
    assert!(split(&[usize::MAX, 5], 1).unwrap_err().contains("there are only 14 images"));
    assert!(split(&[14, 0], 1).unwrap_err().contains("one to three counts above zero"));
    assert!(split(&[], 1).unwrap_err().contains("one to three counts above zero"));
}

#[test]
fn images_without_labels_cannot_be_split_anew() {
    let mut source = sample(GREY, PLAIN);
    source.test.as_mut().unwrap().labels = None;
    let folder = Folder::new();
    let resplit = Resplit { sizes: vec![7, 7], seed: 0 };
    let result = convert(&source, &folder.path("out"), Format::Idx, Some(&resplit), &mut |_, _| {});
    assert!(result.unwrap_err().to_string().contains("its test images have no labels"));
    assert!(folder.names().is_empty());
}
