//! Kaggle's CSV, sound and broken.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use glyphnet_data::{ImageShape, OpenOptions, SourceKind, open};

use crate::{Folder, assert_says};

const HEADER: &str = "label,pixel0,pixel1,pixel2,pixel3\n";

fn train(text: &str) -> Result<glyphnet_data::Source, String> {
    let folder = Folder::new();
    folder.write("train.csv", text);
    folder.open("train.csv")
}

#[track_caller]
fn assert_rows_say(rows: &str, parts: &[&str]) {
    assert_says(train(&format!("{HEADER}{rows}")), &[&["train.csv"], parts].concat());
}

#[test]
fn a_train_file_brings_its_test_file_along() {
    let folder = Folder::new();
    folder.write("kaggle/train.csv", format!("{HEADER}5,0,1,2,255\n0,9,8,7,6\n"));
    folder.write("kaggle/test.csv", "pixel0,pixel1,pixel2,pixel3\n1,2,3,4\n");
    let source = folder.open("kaggle/train.csv").unwrap();
    assert_eq!(source.kind, SourceKind::Kaggle);
    assert_eq!(source.shape(), ImageShape::new(2, 2, 1));
    assert_eq!(source.train.images.pixels(), [0, 1, 2, 255, 9, 8, 7, 6]);
    assert_eq!(source.train.labels, Some(vec![5, 0]));
    assert_eq!(source.classes, ["0", "1", "2", "3", "4", "5"]);
    let test = source.test.as_ref().unwrap();
    assert_eq!((test.images.pixels(), &test.labels), (&[1, 2, 3, 4][..], &None));
    assert!(source.notes[0].contains("the test images have no labels"), "{:?}", source.notes);
    assert_eq!(folder.open("kaggle").unwrap().fingerprint(), source.fingerprint());
}

#[test]
fn gzip_carriage_returns_marks_quotes_and_spaces_change_nothing() {
    let plain = train(&format!("{HEADER}5,0,1,2,255\n0,9,8,7,6\n")).unwrap().fingerprint();
    let fingerprint = |text: &str| train(text).unwrap().fingerprint();
    let crlf = format!("\u{feff}{HEADER}5,0,1,2,255\n0,9,8,7,6").replace('\n', "\r\n");
    assert_eq!(fingerprint(&crlf), plain);
    assert_eq!(fingerprint(&format!("{HEADER}5,0,1,2,255\n0,9,8,7,6\n\n \r\n")), plain);
    let quoted = "\"label\",\"pixel0\",pixel1,pixel2,pixel3\n\"5\", 0,1 ,2,255\r\n0,9,8,007,6\n";
    assert_eq!(fingerprint(quoted), plain);
    assert_eq!(fingerprint("pixel0,pixel1,label,pixel2,pixel3\n0,1,5,2,255\n9,8,0,7,6\n"), plain);

    let folder = Folder::new();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(crlf.as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    folder.write("train.csv.gz", &bytes);
    assert_eq!(folder.open("train.csv.gz").unwrap().fingerprint(), plain);
    folder.write("train.csv.gz", &bytes[..bytes.len() - 9]);
    assert_says(folder.open(""), &["train.csv.gz", "gzip decompression fails"]);
}

#[test]
fn many_lines_keep_their_order_and_errors_their_line() {
    let mut text = HEADER.to_string();
    let rows = 700_000;
    for i in 0..rows {
        text.push_str(&format!("{},{},{},0,1\n", i % 7, i % 256, i / 256 % 256));
    }
    let source = train(&text).unwrap();
    assert_eq!(source.train.len(), rows);
    let right = |i: usize| source.train.images.get(i) == [(i % 256) as u8, (i / 256 % 256) as u8, 0, 1];
    assert!((0..rows).all(right));
    assert!(source.train.labels.unwrap().iter().enumerate().all(|(i, &l)| l as usize == i % 7));
    text.push_str("1,2,3,x,5\n1,2\n");
    assert_says(train(&text), &[&format!("line {}", rows + 2), "column 'pixel2'", "'x' is not a number"]);
}

#[test]
fn a_size_asked_for_gives_images_that_are_not_square() {
    let folder = Folder::new();
    let path = folder.write("train.csv", "label,pixel0,pixel1\n0,1,2\n1,3,4\n");
    let options = OpenOptions { size: Some((2, 1)), ..OpenOptions::default() };
    assert_eq!(open(path.to_str().unwrap(), &options).unwrap().shape(), ImageShape::new(2, 1, 1));
    assert_says(folder.open("train.csv"), &["line 1", "2 pixel columns make no square image"]);
}

#[test]
fn values_that_are_no_bytes_are_refused_with_line_and_column() {
    assert_rows_say("1,0,0,0,0\n1,0,256,0,0\n", &["line 3, column 'pixel1'", "256 is out of range"]);
    assert_rows_say("1,0,0,-1,0\n", &["line 2, column 'pixel2'", "-1 is out of range", "whole number of 0 to 255"]);
    assert_rows_say("1,0,zero,0,0\n", &["line 2, column 'pixel1'", "'zero' is not a number"]);
    assert_rows_say("1,0,0,0,0.5\n", &["line 2, column 'pixel3'", "0.5 will not do"]);
    assert_rows_say("1,0,,0,0\n", &["line 2, column 'pixel1'", "there is no value"]);
    assert_rows_say("-3,0,0,0,0\n", &["line 2, column 'label'", "-3 is out of range"]);
    assert_rows_say("70000,0,0,0,0\n", &["line 2, column 'label'", "70000 is out of range"]);
    assert_rows_say(
        "1,99999999999999999999999,0,0,0\n",
        &["column 'pixel0'", "99999999999999999999... is out of range"],
    );
    assert_rows_say("seven,0,0,0,0\n", &["line 2, column 'label'", "'seven' is not a number"]);
}

#[test]
fn ragged_and_blank_lines_are_refused() {
    assert_rows_say("1,0,0,0,0\n1,0,0,0\n", &["line 3", "4 values, but the header names 5 columns"]);
    assert_rows_say("1,0,0,0,0,\n", &["line 2", "6 values, but the header names 5 columns"]);
    assert_rows_say("1,0,0,0,0\n\n1,0,0,0,0\n", &["line 3", "blank: remove it"]);
}

#[test]
fn text_that_is_no_text_is_refused() {
    let folder = Folder::new();
    folder.write("train.csv", [HEADER.as_bytes(), b"1,0,\xff,0,0\n"].concat());
    assert_says(folder.open("train.csv"), &["line 2", "no text"]);
    folder.write("train.csv", b"\xff\xfe\xfd\n1,2\n");
    assert_says(folder.open("train.csv"), &["line 1", "no text"]);
}

#[test]
fn files_without_images_are_refused() {
    assert_says(train(""), &["train.csv", "empty (0 bytes)"]);
    assert_says(train(HEADER), &["line 1", "there are no images"]);
    assert_says(train(HEADER.trim_end()), &["line 1", "there are no images"]);
    assert_says(train("\n\n"), &["line 1"]);
}

#[test]
fn missing_columns_are_named() {
    assert_says(train("label,pixel0,pixel1,pixel3\n1,0,0,0\n"), &["line 1, column 'pixel3'", "'pixel2' is missing"]);
    assert_says(train("label,pixel0,pixel1,pixel2\n1,0,0,0\n"), &["line 1", "3 pixel columns make no square image"]);
    let unlabelled = train("pixel0,pixel1,pixel2,pixel3\n1,0,0,0\n");
    assert_says(unlabelled, &["line 1, column 'label'", "a file to predict"]);
    assert_says(train("1,0,0,0\n1,0,0,0\n"), &["line 1", "there is no header"]);
}

#[test]
fn a_test_file_of_another_shape_is_refused() {
    let folder = Folder::new();
    folder.write("train.csv", format!("{HEADER}5,0,1,2,255\n"));
    folder.write("test.csv", "pixel0\n1\n");
    assert_says(folder.open("train.csv"), &["test.csv' holds images of 1 x 1 x 1", "train.csv' of 2 x 2 x 1"]);
}

#[test]
fn no_damage_makes_the_reader_panic() {
    let folder = Folder::new();
    let whole = format!("\u{feff}{HEADER}5,0,1,2,255\r\n\"3\",9,8,7,6\n").into_bytes();
    for at in 0..whole.len() {
        for byte in [0, b'\n', b'\r', b',', b'"', b'-', b'9', b'x', 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            folder.write("train.csv", bytes);
            drop(folder.open("train.csv"));
        }
        folder.write("train.csv", &whole[..at]);
        // A cut at the end of a line leaves a sound file, as does one inside a last number (which nobody can notice).
        let lines = whole[..at].split(|&b| b == b'\n').skip(1).filter(|line| !line.trim_ascii().is_empty());
        let sound = lines.clone().count() > 0
            && lines.clone().all(|line| line.split(|&b| b == b',').count() == 5 && !line.ends_with(b","));
        assert_eq!(folder.open("train.csv").is_ok(), sound, "cut to {at} of {} bytes", whole.len());
    }
}

#[test]
fn what_no_csv_of_images_has_is_refused_before_it_costs_memory() {
    let folder = Folder::new();
    let too_long = vec![b'1'; (1 << 24) + 1];
    folder.write("train.csv", &too_long);
    assert_says(folder.open("train.csv"), &["line 1", "longer than 16 MiB"]);
    folder.write("train.csv", [format!("{HEADER}5,0,1,2,255\n").as_bytes(), &too_long].concat());
    assert_says(folder.open("train.csv"), &["line 3", "longer than 16 MiB"]);
    folder.write("train.csv", ",".repeat((1 << 20) + 1));
    assert_says(folder.open("train.csv"), &["1048578 columns", "1048576 pixels"]);
    // Each of these lines would be an image of 64 KiB: 16 GiB.
    let names: Vec<String> = (0..65_536).map(|i| format!("pixel{i}")).collect();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(format!("label,{}{}", names.join(","), "\n".repeat(1 << 18)).as_bytes()).unwrap();
    encoder.write_all(b"1").unwrap();
    folder.write("train.csv", encoder.finish().unwrap());
    assert_says(folder.open("train.csv"), &["line 2: the line is blank"]);
}
