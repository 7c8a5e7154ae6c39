//! `/v2/models/NAME/infer` with JSON and with binary tensors.

use serde_json::{Value, json};

use crate::common::bar_image;
use crate::http::Response;
use crate::server::{CLASSES, Server, numbers};

const INFER: &str = "/v2/models/digits/infer";

/// Twelve images, one behind the other.
fn images() -> Vec<u8> {
    (0..12).flat_map(|number| bar_image(number % 3, number)).collect()
}

/// A request with the tensor behind the JSON.
fn binary(server: &Server, request: &Value, tensor: &[u8]) -> Response {
    let json = request.to_string();
    let length = json.len().to_string();
    let headers = [("Inference-Header-Content-Length", &*length), ("Content-Type", "application/octet-stream")];
    server.ask("POST", INFER, &headers, &[json.as_bytes(), tensor].concat())
}

/// The JSON and the rest of a response.
fn split(response: &Response) -> (Value, Vec<u8>) {
    assert_eq!(response.status, 200, "{}", response.text());
    let length: usize = response.header("inference-header-content-length").unwrap().parse().unwrap();
    let (json, rest) = response.body.split_at(length);
    (serde_json::from_slice(json).unwrap(), rest.to_vec())
}

fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn json_tensors_go_in_and_out() {
    let server = Server::start(&[]);
    let images = images();
    let nested: Vec<Vec<Vec<[u8; 1]>>> =
        images.chunks(64).map(|i| i.chunks(8).map(|row| row.iter().map(|&v| [v]).collect()).collect()).collect();
    for data in [json!(images), json!(nested)] {
        let input = json!({ "name": "images", "shape": [12, 8, 8, 1], "datatype": "UINT8", "data": data });
        let request = json!({ "id": "abc \u{e9}", "inputs": [input], "parameters": { "unknown": 1 }, "further": [] });
        let answer = server.post(INFER, "application/json", request.to_string());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let mut answer = answer.json();
        let data = answer["outputs"][0].as_object_mut().unwrap().remove("data").unwrap();
        assert_eq!(numbers(&data), server.expected(&images));
        let expected = json!({
            "model_name": "digits", "model_version": "1", "id": "abc \u{e9}",
            "outputs": [{ "name": "probabilities", "datatype": "FP32", "shape": [12, 3] }],
        });
        assert_eq!(answer, expected);
    }
    let input = json!({ "name": "images", "shape": [1, 8, 8, 1], "datatype": "UINT8", "data": &images[..64] });
    let answer = server.post("/v2/models/digits/versions/1/infer", "", json!({ "inputs": [input] }).to_string()).json();
    assert!(answer.get("id").is_none());
}

#[test]
fn binary_tensors_go_in_and_out() {
    let server = Server::start(&[]);
    let images = images();
    let expected = server.expected(&images);
    let size = json!({ "binary_data_size": images.len() });
    let input = json!({ "name": "images", "shape": [12, 8, 8, 1], "datatype": "UINT8", "parameters": size });
    for request in [
        json!({ "inputs": [input], "parameters": { "binary_data_output": true } }),
        json!({ "inputs": [input], "outputs": [{ "name": "probabilities", "parameters": { "binary_data": true } }] }),
    ] {
        let response = binary(&server, &request, &images);
        assert_eq!(response.header("content-type"), Some("application/octet-stream"));
        let (json, tensor) = split(&response);
        assert_eq!(json["outputs"][0]["parameters"]["binary_data_size"], 4 * 36);
        assert_eq!(json["outputs"][0]["shape"], json!([12, 3]));
        assert!(json["outputs"][0].get("data").is_none());
        assert_eq!(tensor, bytes(&expected));
    }
    // What is said of the output itself goes before what is said of all.
    let output = json!({ "name": "probabilities", "parameters": { "binary_data": false } });
    let request = json!({ "inputs": [input], "outputs": [output], "parameters": { "binary_data_output": true } });
    let answer = binary(&server, &request, &images);
    assert_eq!(numbers(&answer.json()["outputs"][0]["data"]), expected);
}

#[test]
fn classes_may_be_asked_for_instead() {
    let server = Server::start(&[]);
    let image = bar_image(1, 1);
    let expected = server.expected(&image);
    let mut order = [0, 1, 2];
    order.sort_by(|&a, &b| expected[b].total_cmp(&expected[a]));
    let texts = order.map(|label| format!("{}:{label}:{}", expected[label], CLASSES[label]));
    let input = json!({ "name": "images", "shape": [1, 8, 8, 1], "datatype": "UINT8", "data": image });
    let request = |count: u64, binary: bool| {
        let parameters = json!({ "classification": count, "binary_data": binary });
        json!({ "inputs": [input], "outputs": [{ "name": "probabilities", "parameters": parameters }] }).to_string()
    };
    let answer = server.post(INFER, "application/json", request(2, false)).json();
    let output = &answer["outputs"][0];
    assert_eq!((&output["datatype"], &output["shape"]), (&json!("BYTES"), &json!([1, 2])));
    assert_eq!(output["data"], json!(texts[..2]));
    let (json, tensor) = split(&server.post(INFER, "application/json", request(9, true)));
    assert_eq!(json["outputs"][0]["shape"], json!([1, 3]));
    let framed = texts.iter().flat_map(|text| [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat());
    assert_eq!(tensor, framed.collect::<Vec<u8>>());
}

#[test]
fn what_the_model_does_not_take_is_refused_by_name() {
    let server = Server::start(&["--max-images", "12"]);
    let input = |change: Value| {
        let mut input = json!({ "name": "images", "shape": [1, 8, 8, 1], "datatype": "UINT8", "data": vec![0; 64] });
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        input
    };
    for (change, status, words) in [
        (json!({ "name": "image" }), 400, "no input 'image'"),
        (json!({ "datatype": "FP32" }), 400, "takes UINT8"),
        (json!({ "shape": [1, 8, 8] }), 400, "[n, 8, 8, 1]"),
        (json!({ "shape": [64] }), 400, "[n, 8, 8, 1]"),
        (json!({ "shape": [1, 1, 8, 8] }), 400, "[n, 8, 8, 1]"),
        (json!({ "shape": [0, 8, 8, 1], "data": [] }), 400, "n from 1"),
        (json!({ "shape": [-1, 8, 8, 1] }), 400, "n from 1"),
        (json!({ "shape": [13, 8, 8, 1] }), 413, "--max-images"),
        (json!({ "shape": [i64::MAX, 8, 8, 1] }), 413, "--max-images"),
        (json!({ "shape": [2, 8, 8, 1] }), 400, "makes 128"),
        (json!({ "shape": [1.5, 8, 8, 1] }), 400, "JSON"),
        (json!({ "data": vec![0; 63] }), 400, "63 numbers"),
        (json!({ "data": vec![vec![0; 8]; 8] }), 400, "[8, 8]"),
        (json!({ "data": vec![256; 64] }), 400, "number 0 is 256"),
        (json!({ "data": null }), 400, "no data"),
        (json!({ "data": "AAAA" }), 400, "JSON"),
        (json!({ "parameters": { "binary_data_size": 64 } }), 400, "both"),
        (json!({ "parameters": { "shared_memory_region": "r" } }), 400, "shared memory"),
    ] {
        let request = json!({ "inputs": [input(change.clone())] }).to_string();
        let response = server.post(INFER, "application/json", request);
        response.refused(status, words);
    }
    let sound = input(json!({}));
    for (request, words) in [
        (json!({ "inputs": [] }), "0 inputs"),
        (json!({ "inputs": [sound, sound] }), "2 inputs"),
        (json!({}), "inputs"),
        (json!({ "inputs": vec![&sound; 9] }), "at most 8"),
        (json!({ "inputs": [sound], "outputs": vec![json!({ "name": "" }); 9] }), "at most 8"),
        (json!({ "inputs": [input(json!({ "shape": vec![1; 9] }))] }), "at most 8"),
        (json!([]), "JSON"),
        (json!({ "inputs": [sound], "outputs": [{ "name": "logits" }] }), "logits"),
        (json!({ "inputs": [sound], "id": 7 }), "JSON"),
    ] {
        server.post(INFER, "application/json", request.to_string()).refused(400, words);
    }
}

#[test]
fn binary_tensors_must_be_as_long_as_they_say() {
    let server = Server::start(&[]);
    let request = |size: u64| {
        let size = json!({ "binary_data_size": size });
        json!({ "inputs": [{ "name": "images", "shape": [1, 8, 8, 1], "datatype": "UINT8", "parameters": size }] })
    };
    for (size, sent) in [(64, 63), (64, 65), (64, 0), (63, 63), (u64::MAX, 64)] {
        binary(&server, &request(size), &vec![0; sent]).refused(400, "binary_data_size");
    }
    let json = request(64).to_string();
    for (length, words) in [("x", "no number"), ("-1", "no number"), ("9999", "9999"), ("5", "JSON")] {
        let headers = [("Inference-Header-Content-Length", length)];
        let body = [json.as_bytes(), &[0; 64]].concat();
        server.ask("POST", INFER, &headers, &body).refused(400, words);
    }
    let flat =
        json!({ "inputs": [{ "name": "images", "shape": [1, 8, 8, 1], "datatype": "UINT8", "data": vec![0; 64] }] });
    binary(&server, &flat, b"more").refused(400, "no input claims");
}

#[test]
fn null_is_as_good_as_nothing() {
    let server = Server::start(&[]);
    let images = images();
    let input = json!({
        "name": "images", "shape": [12, 8, 8, 1], "datatype": "UINT8", "parameters": null, "data": images,
    });
    let output = json!({ "name": "probabilities", "parameters": null });
    for outputs in [Value::Null, json!([output])] {
        let request = json!({ "id": null, "parameters": null, "inputs": [input], "outputs": outputs });
        let answer = server.post(INFER, "application/json", request.to_string());
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(numbers(&answer.json()["outputs"][0]["data"]), server.expected(&images));
    }
}
