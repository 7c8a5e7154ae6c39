//! Single images in the modes and formats they come in, against Pillow.

use std::fs;
use std::path::Path;

use glyphnet_data::{DataError, ImageLimits, ImageShape, ResizeFilter, decode_image, decode_image_within, read_image};

use crate::{Folder, bytes, expected, fixture};

#[test]
fn every_mode_is_what_pillow_makes_of_it() {
    for (name, value) in expected()["images"].as_object().unwrap() {
        let image = read_image(&fixture(name)).unwrap();
        let sizes: Vec<usize> = (0..3).map(|i| value[i].as_u64().unwrap() as usize).collect();
        assert_eq!(image.shape(), ImageShape::new(sizes[0], sizes[1], sizes[2]), "{name}");
        let (pixels, wanted) = (image.pixels(), bytes(&value[3]));
        if name.ends_with(".jpg") {
            // Decoders may differ by rounding.
            assert!(pixels.iter().zip(&wanted).all(|(a, b)| a.abs_diff(*b) <= 2), "{name}");
        } else {
            assert_eq!(pixels, wanted, "{name}");
        }
    }
}

#[test]
fn grey_is_what_pillow_makes_of_colour() {
    let expected = &expected()["grey"];
    let rgb = bytes(&expected["rgb"]);
    let mut ppm = format!("P6 1 {} 255\n", rgb.len() / 3).into_bytes();
    ppm.extend(&rgb);
    let image = decode_image(&ppm, "t.ppm").unwrap();
    let shape = ImageShape { channels: 1, ..image.shape() };
    assert_eq!(image.to_input(shape, ResizeFilter::Triangle), bytes(&expected["grey"]));
}

#[test]
fn damaged_images_are_named_and_never_panic() {
    let folder = Folder::new();
    for name in ["colour.png", "turned.jpg", "colour.bmp", "palette.gif", "lossless.webp"] {
        let whole = fs::read(fixture(name)).unwrap();
        for length in 0..whole.len() {
            drop(decode_image(&whole[..length], name));
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            drop(decode_image(&bytes, name));
        }
    }
    let whole = fs::read(fixture("colour.png")).unwrap();
    let path = folder.write("broken.png", &whole[..whole.len() / 2]);
    let message = read_image(&path).unwrap_err().to_string();
    assert!(message.contains("broken.png' is not a readable image"), "{message}");
    let path = folder.write("text.png", "hello, this is text");
    assert!(read_image(&path).unwrap_err().to_string().contains("text.png' is not a readable image"));
    let path = folder.write("empty.png", "");
    assert!(read_image(&path).unwrap_err().to_string().contains("empty (0 bytes)"));
    let message = read_image(Path::new("no/such.png")).unwrap_err().to_string();
    assert!(message.contains("cannot read 'no/such.png'"), "{message}");
}

#[test]
fn an_image_beyond_the_limit_is_refused_by_its_header() {
    let image = b"P5 8193 1 255\n".to_vec();
    let message = decode_image(&image, "wide.pgm").unwrap_err().to_string();
    assert!(message.contains("wide.pgm") && message.contains("8192 pixels along a side"), "{message}");
}

#[test]
fn images_too_large_to_decode_are_refused_by_their_headers() {
    let problem = |header: &str| decode_image(header.as_bytes(), "t.ppm").unwrap_err().to_string();
    assert!(problem("P6 8192 6145 255\n").contains("8192 x 6145 pixels are too many"));
    assert!(problem("P6 8192 6144 65535\n").contains("8192 x 6144 pixels are too many"));
    assert!(!problem("P6 8192 6144 255\n").contains("too many"));
    assert!(!problem("P6 8193 1 255\n").is_empty());
}

#[test]
fn narrower_limits_can_be_asked_for() {
    let within = |side: u32, pixels: u64| {
        decode_image_within(b"P5 4 3 255\n123412341234", "t.pgm", ImageLimits::new(side, pixels))
    };
    assert_eq!(within(4, 12).unwrap().shape(), ImageShape::new(3, 4, 1));
    for limited in [within(3, 12), within(4, 11)] {
        assert!(matches!(limited, Err(DataError::ImageTooLarge { .. })), "{limited:?}");
    }
}

/// `png` 0.18 panics where a palette is no whole number of colours.
#[test]
fn a_decoder_that_panics_is_an_error() {
    let file = [
        &b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x04\0\0\0\x05\x04\x03\0\0\0\x90\x83P\xe8"[..],
        b"\0\0\0\x10PLTE\xc9\x9a2147%48364\0\0\0\0\x96\xf7\xaa)",
        b"\0\0\0\x17IDATx\x9ccd\x0add\xe3e\x89}\xcc\xa8\xf8\x9fE\x85\x11\0\x13d\x02\xf7\xb3\x04\xd4l\0\0\0\0IEND\xaeB`\x82",
    ];
    let message = decode_image(&file.concat(), "t.png").unwrap_err().to_string();
    assert!(message.contains("'t.png' is not a readable image"), "{message}");
}
