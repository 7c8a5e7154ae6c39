//! Small images that a linear model can tell apart.

use glyphnet_data::{Dataset, ImageShape, Images, Source, SourceKind};

/// `n` images of 4 x 4 with the bright row that is their label.
pub(crate) fn dataset(n: u32) -> Dataset {
    let pixel = |image: u32, i: u32| if i / 4 == image % 4 { 200 } else { (image * 7 + i * 13) % 90 };
    let pixels = (0..n).flat_map(|image| (0..16).map(move |i| pixel(image, i) as u8)).collect();
    let images = Images::new(ImageShape::new(4, 4, 1), pixels).unwrap();
    Dataset { images, labels: Some((0..n).map(|image| image % 4).collect()) }
}

/// 200 of them to learn from, 30 for the test, of four classes.
pub(crate) fn source() -> Source {
    Source {
        name: "rows".to_owned(),
        kind: SourceKind::Idx,
        classes: (0..4).map(|class| class.to_string()).collect(),
        train: dataset(200),
        validation: None,
        test: Some(dataset(30)),
        notes: Vec::new(),
    }
}
