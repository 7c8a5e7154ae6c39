//! What a source is, is found out from what is there.

use glyphnet_data::{ImageShape, OpenOptions, open};

use crate::{Folder, assert_says, fixture};

#[test]
fn what_is_not_there_says_what_was_looked_for() {
    let folder = Folder::new();
    assert_says(
        folder.open("missing.csv"),
        &["missing.csv'", "looked for 'mnist'", "IDX files", "train.csv", ".npz", "found nothing of that name"],
    );
}

#[test]
fn a_folder_that_is_no_source_says_what_was_found() {
    let folder = Folder::new();
    assert_says(folder.open(""), &["looked for", "found an empty folder"]);
    for i in 0..8 {
        folder.write(&format!("song{i}.mp3"), "");
    }
    assert_says(folder.open(""), &["song0.mp3, song1.mp3, song2.mp3, song3.mp3, song4.mp3 and 3 more"]);
    assert_says(folder.open("song1.mp3"), &["song1.mp3' is empty (0 bytes)"]);
    folder.write("song1.mp3", "la la");
    assert_says(folder.open("song1.mp3"), &["found a file called 'song1.mp3', which is none of these"]);
}

#[test]
fn any_source_is_brought_to_the_size_and_channels_asked_for() {
    let path = fixture("grey.npz");
    let options = OpenOptions { size: Some((2, 6)), channels: Some(3), ..OpenOptions::default() };
    let source = open(path.to_str().unwrap(), &options).unwrap();
    assert_eq!(source.shape(), ImageShape::new(2, 6, 3));
    assert_eq!(source.test.unwrap().images.shape(), ImageShape::new(2, 6, 3));
    assert_eq!(source.notes, ["converted images of 4 x 3 x 1 to 2 x 6 x 3"]);
    let impossible = OpenOptions { channels: Some(2), ..OpenOptions::default() };
    assert!(open("mnist", &impossible).unwrap_err().to_string().contains("2 channels are impossible"));
    let impossible = OpenOptions { size: Some((0, 28)), ..OpenOptions::default() };
    assert!(open("mnist", &impossible).unwrap_err().to_string().contains("size 0 x 28 is impossible"));
}

#[cfg(not(feature = "embedded-mnist"))]
#[test]
fn without_embedded_mnist_its_name_says_where_to_get_it() {
    let message = open("mnist", &OpenOptions::default()).unwrap_err().to_string();
    assert!(message.contains("run `glyphnet fetch mnist`") && message.contains("embedded-mnist"), "{message}");
}
