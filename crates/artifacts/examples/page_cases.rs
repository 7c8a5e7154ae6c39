//! What the tests of the stand-alone page compare it with: pages of every kind of network with the logits that they must
//! find, and images with what the network must be given of them.
//!
//! ```text
//! cargo run --package glyphnet-artifacts --example page_cases -- DIR MODEL DATA
//! ```
//!
//! DIR gets, for each network, `NAME.html` and `NAME.json`; of the trained MODEL, with test images of DATA, as `trained`
//! and, with test-time augmentation, as `test-time-augmentation`.
//! `images.json` has the images.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at the first surprise")]

#[path = "../tests/cases/mod.rs"]
mod cases;

use std::fs;
use std::io::Cursor;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use glyphnet::model_file::ModelParts;
use glyphnet::{ImageShape, Images, Model};
use glyphnet_artifacts::page;
use glyphnet_data::{OpenOptions, Polarity, ResizeFilter, decode_image, open};
use image::{DynamicImage, ImageFormat, RgbaImage};
use serde_json::json;

/// Images for each network, and for the trained one.
const IMAGES: usize = 7;
const REAL_IMAGES: usize = 500;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, model, data] = &arguments[..] else { panic!("page_cases DIR MODEL DATA") };
    let folder = Path::new(folder);
    for case in cases::all() {
        write(folder, &case.name, case.parts.clone(), &cases::images(case.parts.network().input(), IMAGES));
    }
    let trained = Model::load(model).unwrap();
    let test = open(data, &OpenOptions::default()).unwrap().test.expect("test images");
    let images = test.images.select(&(0..REAL_IMAGES as u32).collect::<Vec<u32>>());
    write(folder, "trained", trained.parts().clone(), &images);
    let mut unsure = trained.parts().clone();
    unsure.preprocess.tta_below = Some(0.9);
    write(folder, "test-time-augmentation", unsure, &images);
    fs::write(folder.join("images.json"), serde_json::to_string(&prepared()).unwrap()).unwrap();
}

fn write(folder: &Path, name: &str, parts: ModelParts, images: &Images) {
    fs::write(folder.join(format!("{name}.html")), page::to_html(&parts).unwrap()).unwrap();
    let model = Model::new(parts);
    let (logits, said) = (model.logits(images).unwrap(), model.predict(images).unwrap());
    let expected = json!({
        "images": images.iter().map(|image| STANDARD.encode(image)).collect::<Vec<_>>(),
        "logits": logits.chunks_exact(model.classes().len()).collect::<Vec<_>>(),
        "probabilities": (0..said.len()).map(|i| said.row(i)).collect::<Vec<_>>(),
    });
    fs::write(folder.join(format!("{name}.json")), expected.to_string()).unwrap();
}

/// Images as a browser has them, and what `predict` makes of the same: with every filter, enlarged and shrunk, from and to
/// every number of channels, with transparency, with dark and light as learned and the other way round.
fn prepared() -> Vec<serde_json::Value> {
    let all = images().into_iter().map(|(name, image)| {
        let mut png = Cursor::new(Vec::new());
        DynamicImage::from(image.clone()).write_to(&mut png, ImageFormat::Png).unwrap();
        json!({
            "name": name, "height": image.height(), "width": image.width(),
            "rgba": STANDARD.encode(image.as_raw()), "png": STANDARD.encode(png.get_ref()),
            "becomes": becomes(png.get_ref()),
        })
    });
    all.collect()
}

fn becomes(png: &[u8]) -> Vec<serde_json::Value> {
    let decoded = decode_image(png, "the image").unwrap();
    let filters = [ResizeFilter::Nearest, ResizeFilter::Triangle, ResizeFilter::CatmullRom, ResizeFilter::Lanczos3];
    let inputs = [ImageShape::new(28, 28, 1), ImageShape::new(28, 28, 3), ImageShape::new(7, 40, 1)];
    let learned = [None, Some(Polarity::LightOnDark), Some(Polarity::DarkOnLight), Some(Polarity::Mixed)];
    let mut all = Vec::new();
    for input in inputs {
        for filter in filters {
            for polarity in learned {
                let mut pixels = decoded.to_input(input, filter);
                let opposed = polarity.filter(|polarity| polarity.is_opposite_of(&pixels, input));
                let swapped = opposed.filter(|_| input.channels == 1);
                if let Some(polarity) = swapped {
                    polarity.swap(&mut pixels, input);
                }
                all.push(json!({
                    "input": [input.height, input.width, input.channels], "resize": filter, "polarity": polarity,
                    "pixels": STANDARD.encode(&pixels), "swapped": swapped.is_some(),
                }));
            }
        }
    }
    all
}

/// Some images: photographs, strokes on paper, transparency.
fn images() -> Vec<(&'static str, RgbaImage)> {
    let paint = |width, height, pixel: &dyn Fn(f32, f32) -> [u8; 4]| {
        RgbaImage::from_fn(width, height, |x, y| {
            image::Rgba(pixel((x as f32 + 0.5) / width as f32, (y as f32 + 0.5) / height as f32))
        })
    };
    let is_ink = |x: f32, y: f32| (x - 0.3 - 0.4 * y).abs() < 0.07 && (0.1..0.9).contains(&y);
    let stroke = |ink: [u8; 4], paper: [u8; 4]| move |x: f32, y: f32| if is_ink(x, y) { ink } else { paper };
    let colours = |x: f32, y: f32| {
        let wave = |rate: f32| (127.5 + 127.5 * (rate * x + 7.0 * y * x).sin()) as u8;
        [wave(9.0), wave(23.0), wave(31.0), 255]
    };
    let veil = |x: f32, y: f32| [(255.0 * x) as u8, (255.0 * y) as u8, 99, (255.0 * x * y) as u8];
    vec![
        ("colours", paint(61, 47, &colours)),
        ("colours enlarged", paint(9, 5, &colours)),
        ("dark on paper", paint(100, 80, &stroke([40, 40, 44, 255], [220, 214, 200, 255]))),
        ("light on dark", paint(90, 100, &stroke([250; 4], [12, 12, 12, 255]))),
        ("grey of the input's size", paint(28, 28, &stroke([30, 30, 30, 255], [200, 200, 200, 255]))),
        ("black on nothing", paint(64, 70, &stroke([0, 0, 0, 255], [0; 4]))),
        ("white on nothing", paint(64, 70, &stroke([255; 4], [0; 4]))),
        ("veil", paint(50, 31, &veil)),
        ("a line of pixels", paint(200, 3, &colours)),
        ("one pixel", paint(1, 1, &|_, _| [10, 200, 90, 255])),
    ]
}
