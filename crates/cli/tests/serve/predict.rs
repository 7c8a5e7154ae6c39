//! `/api/predict`: what it makes of files, forms and numbers is what the command `predict` makes of them.

use serde_json::{Value, json};

use crate::common::{bar_image, colour_png, png};
use crate::server::{CLASSES, SHAPE, Server, numbers, write_model};

/// The form of these files.
fn form(files: &[(&str, &[u8])]) -> Vec<u8> {
    let part = |(name, content): &(&str, &[u8])| {
        let head = format!(
            "--frontier\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: image/png\r\n\r\n"
        );
        [head.as_bytes(), content, b"\r\n"].concat()
    };
    [files.iter().flat_map(part).collect(), b"--frontier--\r\n".to_vec()].concat()
}

const FORM: &str = "multipart/form-data; boundary=frontier";

/// Probabilities of a prediction.
fn probabilities(prediction: &Value) -> Vec<f32> {
    numbers(&prediction["probabilities"])
}

#[test]
fn files_are_what_the_command_makes_of_them() {
    let server = Server::start(&[]);
    let dark: Vec<u8> = bar_image(1, 5).iter().map(|value| 255 - value).collect();
    let colour: Vec<u8> = (0..300).map(|i| (i * 7 % 256) as u8).collect();
    let files = [
        ("light.png", png(8, 8, &bar_image(0, 3))),
        ("dark.png", png(8, 8, &dark)),
        ("large.png", png(20, 30, &vec![90; 600])),
        ("colour.png", colour_png(10, 10, &colour)),
    ];
    let mut arguments = vec!["predict", "--model", "digits.safetensors", "--format", "json"];
    for (name, content) in &files {
        server.bench.write(name, content);
        arguments.push(name);
    }
    for invert in ["auto", "yes", "no"] {
        let command: Value =
            serde_json::from_str(&server.bench.ok(&[&arguments[..], &["--invert", invert]].concat())).unwrap();
        let path = format!("/api/predict?invert={invert}");
        let sent: Vec<(&str, &[u8])> = files.iter().map(|(name, content)| (*name, &content[..])).collect();
        let together = server.post(&path, FORM, form(&sent)).json();
        assert_eq!(together["model"], "digits");
        for (i, (name, content)) in files.iter().enumerate() {
            let expected = &command["predictions"][i];
            let alone = server.post(&path, "image/png", content).json()["predictions"][0].clone();
            assert_eq!(alone["input"], Value::Null);
            assert_eq!(together["predictions"][i]["input"], *name);
            for found in [&alone, &together["predictions"][i]] {
                for key in ["inverted", "class", "label", "probability", "top"] {
                    assert_eq!(found[key], expected[key], "{name}, {invert}: {key}");
                }
                let label = found["label"].as_u64().unwrap() as usize;
                assert_eq!(probabilities(found)[label], found["probability"].as_f64().unwrap() as f32);
                assert_eq!(found["class"], CLASSES[label]);
            }
        }
    }
}

#[test]
fn numbers_may_be_flat_or_nested_and_alone_or_many() {
    let server = Server::start(&[]);
    let image = bar_image(2, 1);
    let rows: Vec<&[u8]> = image.chunks(8).collect();
    let values: Vec<Vec<[u8; 1]>> = image.chunks(8).map(|row| row.iter().map(|&value| [value]).collect()).collect();
    let expected = server.expected(&image);
    for body in [
        json!({ "pixels": image }),
        json!({ "pixels": rows }),
        json!({ "pixels": values }),
        json!({ "images": [image] }),
        json!({ "images": [rows] }),
        json!({ "images": [values] }),
    ] {
        let answer = server.post("/api/predict", "application/json", body.to_string()).json();
        assert_eq!(answer["predictions"].as_array().unwrap().len(), 1);
        assert_eq!(probabilities(&answer["predictions"][0]), expected);
    }
    let many: Vec<Vec<u8>> = (0..100).map(|number| bar_image(number % 3, number)).collect();
    let answer = server.post("/api/predict?top=1", "application/json", json!({ "images": many }).to_string()).json();
    let found: Vec<f32> = answer["predictions"].as_array().unwrap().iter().flat_map(probabilities).collect();
    assert_eq!(found, server.expected(&many.concat()));
    assert_eq!(answer["predictions"][99]["top"].as_array().unwrap().len(), 1);
}

#[test]
fn numbers_are_swapped_as_files_are() {
    let server = Server::start(&[]);
    let dark: Vec<u8> = bar_image(1, 5).iter().map(|value| 255 - value).collect();
    let file = server.post("/api/predict", "image/png", png(8, 8, &dark)).json();
    let numbers = server.post("/api/predict", "application/json", json!({ "pixels": dark }).to_string()).json();
    assert_eq!(file["predictions"][0]["inverted"], true);
    assert_eq!(file, numbers);
}

#[test]
fn any_format_is_told_by_its_content() {
    let server = Server::start(&[]);
    let image = bar_image(0, 2);
    let pgm = [b"P5 8 8 255\n", &image[..]].concat();
    let expected = server.expected(&image);
    for (kind, file) in
        [("image/png", png(8, 8, &image)), ("image/x-portable-graymap", pgm.clone()), ("image/jpeg", pgm)]
    {
        let answer = server.post("/api/predict", kind, file).json();
        assert_eq!(probabilities(&answer["predictions"][0]), expected, "{kind}");
    }
    let untold = server.ask("POST", "/api/predict", &[], &png(8, 8, &image));
    assert_eq!(probabilities(&untold.json()["predictions"][0]), expected);
}

#[test]
fn a_model_for_colours_takes_three_values_a_pixel() {
    let bench = crate::common::Bench::new();
    write_model(&bench, "digits.safetensors", glyphnet::ImageShape { channels: 3, ..SHAPE }, 4);
    let server = Server::start_in(bench, &[]);
    let pixels: Vec<u8> = (0..192).map(|i| (i * 5 % 251) as u8).collect();
    let nested: Vec<Vec<&[u8]>> = pixels.chunks(24).map(|row| row.chunks(3).collect()).collect();
    let expected = server.expected(&pixels);
    for answer in [
        server.post("/api/predict", "application/json", json!({ "pixels": nested }).to_string()),
        server.post("/api/predict", "image/png", colour_png(8, 8, &pixels)),
    ] {
        assert_eq!(probabilities(&answer.json()["predictions"][0]), expected);
    }
    let grey = json!({ "pixels": vec![0; 64] }).to_string();
    server.post("/api/predict", "application/json", grey).refused(400, "192 numbers");
}

/// Whoever is predicted together with others gets the bits that it would get alone.
#[test]
fn companions_do_not_change_an_answer() {
    let server = Server::start(&["--batch-delay", "2000", "--max-batch", "64"]);
    let images: Vec<Vec<u8>> = (0..48).map(|number| bar_image(number % 3, number)).collect();
    std::thread::scope(|scope| {
        for (number, image) in images.iter().enumerate() {
            let server = &server;
            scope.spawn(move || {
                let mut connection = server.connect();
                for round in 0..10 {
                    let other = &images_of(image, round);
                    let body = json!({ "images": other }).to_string();
                    let answer = connection.ask("POST", "/api/predict?invert=no", &JSON, body.as_bytes()).json();
                    let found: Vec<f32> =
                        answer["predictions"].as_array().unwrap().iter().flat_map(probabilities).collect();
                    assert_eq!(found, server.expected(&other.concat()), "image {number}, round {round}");
                }
            });
        }
    });
    let (batches, predicted) =
        (server.metric("glyphnet_batch_images_count"), server.metric("glyphnet_batch_images_sum"));
    assert_eq!(predicted, 48.0 * (1..=10).sum::<u64>() as f64);
    assert!(batches < 480.0, "{batches} batches of 480 requests: nothing was predicted together");
}

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

/// An image and some that differ from it a little, one more each round.
fn images_of(image: &[u8], round: u8) -> Vec<Vec<u8>> {
    (0..=round).map(|more| image.iter().map(|value| value.wrapping_add(more)).collect()).collect()
}
