//! What is broken, hostile or far too much is refused with a reason, at once, and without much memory.

use glyphnet_kernels::random::{Purpose, Stream};
use serde_json::json;

use crate::common::png;
use crate::http::Connection;
use crate::server::Server;

/// More than the program and its largest request here take, far less than any of the images would.
const MEMORY: u64 = 200 << 20;

/// A PNG that claims this size, with a sound checksum and nothing else.
fn header_only(width: u32, height: u32) -> Vec<u8> {
    let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = [b"IHDR", &sides[..], &[8, 2, 0, 0, 0]].concat();
    let mut checksum = flate2::Crc::new();
    checksum.update(&header);
    let data = [b"IDAT", &[0x78, 0x9c, 3, 0, 0, 0, 0, 1][..]].concat();
    let mut of_data = flate2::Crc::new();
    of_data.update(&data);
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\x0d",
        &header[..],
        &checksum.sum().to_be_bytes(),
        b"\0\0\0\x08",
        &data,
        &of_data.sum().to_be_bytes(),
        b"\0\0\0\0IEND\xaeB`\x82",
    ]
    .concat()
}

#[test]
fn broken_images_are_refused() {
    let server = Server::start(&[]);
    let sound = png(28, 28, &[77; 784]);
    server.post("/api/predict", "image/png", &sound[..sound.len() - 20]).refused(400, "not a readable image");
    server.post("/api/predict", "image/png", &sound[..40]).refused(400, "not a readable image");
    server.post("/api/predict", "image/png", "no picture").refused(400, "not a readable image");
    server.post("/api/predict", "image/png", "").refused(400, "empty");
    let mut flipped = sound;
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0xff;
    assert_eq!(server.post("/api/predict", "image/png", &flipped).status, 400);
}

#[test]
fn huge_images_are_refused_by_their_headers() {
    let server = Server::start(&[]);
    for (width, height) in [(20_000, 20_000), (8193, 1), (8000, 8000), (u32::MAX >> 1, u32::MAX >> 1)] {
        let response = server.post("/api/predict", "image/png", header_only(width, height));
        response.refused(413, "too large an image");
    }
    server.post("/api/predict", "image/png", header_only(40, 40)).refused(400, "not a readable image");
    let form = [&b"--b\r\n\r\n"[..], &header_only(20_000, 20_000), b"\r\n--b--"].concat();
    server.post("/api/predict", "multipart/form-data; boundary=b", form).refused(413, "too large an image");
    assert!(server.peak_memory() < MEMORY, "{} bytes", server.peak_memory());
    let narrow = Server::start(&["--max-megapixels", "1"]);
    narrow.post("/api/predict", "image/png", header_only(1001, 1000)).refused(413, "1000000 pixels");
}

#[test]
fn broken_json_is_refused_with_its_place() {
    let server = Server::start(&[]);
    let deep = "[".repeat(200_000);
    let wrong =
        |shape: &str| json!({ "pixels": serde_json::from_str::<serde_json::Value>(shape).unwrap() }).to_string();
    for (body, words) in [
        ("", "EOF"),
        ("{", "EOF"),
        ("{\"pixels\": [1, 2", "EOF"),
        ("{\"pixels\": [01]}", "line 1"),
        ("{\"pixels\": [1e999]}", "number out of range"),
        ("{\"pixels\": [NaN]}", "line 1"),
        ("{\"pixels\": [1]}{}", "trailing"),
        ("{\"pixel\": []}", "unknown field `pixel`"),
        ("{}", "either pixels"),
        ("{\"pixels\": [], \"images\": []}", "either pixels"),
        ("{\"pixels\": [], \"pixels\": []}", "duplicate field"),
        ("{\"images\": []}", "empty"),
        ("[]", "JSON"),
        ("null", "JSON"),
        (&*format!("{{\"pixels\": {deep}"), "nested deeper"),
        (&*deep, "JSON"),
        (&*format!("{{\"other\": {deep}"), "unknown field"),
        (&*wrong("[1,2,3]"), "64 numbers"),
        (&*wrong("[[1,2],[3]]"), "entries"),
    ] {
        server.post("/api/predict", "application/json", body).refused(400, words);
    }
    let utf8 = [&b"{\"pi\xffxels\": [1]}"[..], b"{\"pixels\": [\xc3\x28]}", b"\xef\xbb\xbf{}"];
    for body in utf8 {
        server.post("/api/predict", "application/json", body).refused(400, "JSON");
    }
    let infer = "/v2/models/digits/infer";
    let id = b"{\"id\": \"\xff\", \"inputs\": []}";
    server.post(infer, "application/json", id).refused(400, "JSON");
    server.post(infer, "application/json", format!("{{\"x\": {deep}")).refused(400, "JSON");
    server.post(infer, "application/json", format!("{{\"inputs\": [{{\"data\": {deep}")).refused(400, "nested deeper");
}

#[test]
fn too_much_is_refused_before_it_is_read() {
    let server = Server::start(&["--max-body", "1MiB", "--max-images", "10"]);
    let json = "application/json";
    // Announced.
    let zeros = vec![b' '; 2 << 20];
    server.post("/api/predict", json, &zeros).refused(413, "1048576 bytes");
    let mut connection = server.connect();
    connection.write("POST /api/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n");
    connection.read().unwrap().refused(413, "1048576 bytes");
    // In chunks, without an end in sight.
    let mut connection = server.connect();
    connection.write("POST /api/predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..40 {
        connection.write([b"10000\r\n", &zeros[..65_536], b"\r\n"].concat());
    }
    connection.read().unwrap().refused(413, "1048576 bytes");
    // As long as is allowed, of numbers that are no images.
    let numbers = format!("{{\"images\": [[{}0]]}}", "0,".repeat(500_000));
    server.post("/api/predict", json, numbers).refused(400, "500001");
    let images = json!({ "images": vec![vec![0; 64]; 11] }).to_string();
    server.post("/api/predict", json, images).refused(413, "--max-images");
    let parts = "--b\r\n\r\n\r\n".repeat(11) + "--b--";
    server.post("/api/predict", "multipart/form-data; boundary=b", parts).refused(400, "--max-images");
    assert!(server.peak_memory() < MEMORY, "{} bytes", server.peak_memory());
}

#[test]
fn what_is_not_read_here_is_said() {
    let server = Server::start(&[]);
    for kind in ["application/x-www-form-urlencoded", "text/plain", "application/xml", "multipart/mixed; boundary=x"] {
        server.post("/api/predict", kind, "x").refused(415, kind.split(';').next().unwrap());
    }
    for path in ["/api/predict", "/v2/models/digits/infer"] {
        let headers = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
        server.ask("POST", path, &headers, b"\x1f\x8b").refused(415, "gzip");
    }
    let form = "multipart/form-data; boundary=b";
    server.post("/api/predict", "multipart/form-data", "x").refused(400, "boundary");
    server.post("/api/predict", form, "x").refused(400, "boundary");
    server.post("/api/predict", form, "--b--").refused(400, "no file");
    server.post("/api/predict", form, "--b\r\n\r\nno picture\r\n--b--").refused(400, "not a readable image");
    server.post("/api/predict?top=none", "application/json", "{}").refused(400, "top");
    server.post("/api/predict?invert=maybe", "application/json", "{}").refused(400, "auto, yes or no");
    server.post("/api/predict?tip=3", "application/json", "{}").refused(400, "query");
}

/// What is no HTTP gets a status and the end of its connection.
#[test]
fn broken_http_is_refused() {
    let server = Server::start(&[]);
    let status = |bytes: &[u8]| {
        let mut connection = server.connect();
        connection.write(bytes);
        let status = connection.read().map(|response| response.status);
        assert!(connection.is_closed() || status.is_none());
        status
    };
    assert_eq!(status(b"nonsense\r\n\r\n"), Some(400));
    assert_eq!(status(b"GET / HTTP/9.9\r\n\r\n"), Some(400));
    assert_eq!(status(b"GET / HTTP/1.1\r\nA B: c\r\n\r\n"), Some(400));
    assert_eq!(status(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n"), Some(400));
    assert_eq!(status(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), Some(400));
    assert_eq!(status(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"), Some(400));
    let long = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(40_000));
    assert_eq!(status(long.as_bytes()), Some(431));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(200));
    assert_eq!(status(many.as_bytes()), Some(431));
    let uri = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000));
    assert!(matches!(status(uri.as_bytes()), Some(414 | 431)));
    // Another request is answered as if nothing had been.
    assert_eq!(server.get("/v2").status, 200);
}

/// Requests that are sound but for a few bytes: each is answered or refused, whatever comes of it.
#[test]
fn mutated_requests_are_answered_or_refused() {
    let server = Server::start(&[]);
    let file = png(9, 7, &[77; 63]);
    let form =
        [&b"--b\r\nContent-Disposition: form-data; name=f; filename=\"a\"\r\n\r\n"[..], &file, b"\r\n--b--"].concat();
    let size = json!({ "binary_data_size": 64 });
    let input = json!({ "name": "images", "shape": [1, 8, 8, 1], "datatype": "UINT8", "parameters": size });
    let head = json!({ "id": "7", "inputs": [input], "parameters": { "binary_data_output": true } }).to_string();
    let length = head.len().to_string();
    let infer = "/v2/models/digits/infer";
    let sound = [
        ("/api/predict", ("Content-Type", "image/png"), file),
        ("/api/predict", ("Content-Type", "multipart/form-data; boundary=b"), form),
        ("/api/predict", ("Content-Type", "application/json"), json!({ "pixels": vec![[7; 8]; 8] }).to_string().into()),
        (infer, ("Inference-Header-Content-Length", &*length), [head.as_bytes(), &[9; 64]].concat()),
    ];
    let mut random = Stream::new(7, Purpose::Sample, 0, 0);
    for (path, header, body) in sound {
        let mut connection = server.connect();
        assert_eq!(connection.ask("POST", path, &[header], &body).status, 200, "{path}");
        let mut refused = 0;
        for _ in 0..150 {
            let mut mutant = body.clone();
            for _ in 0..1 + random.below(3) {
                let at = random.below(mutant.len() as u32) as usize;
                match random.below(3) {
                    0 => mutant[at] ^= 1 << random.below(8),
                    1 => mutant.truncate(at.max(1)),
                    _ => mutant.insert(at, random.below(256) as u8),
                }
            }
            let status = connection.ask("POST", path, &[header], &mutant).status;
            assert!(matches!(status, 200 | 400 | 413), "{path}: {status} for {mutant:?}");
            refused += u32::from(status != 200);
        }
        assert!(refused > 20, "{path}: {refused} mutants of 150 were refused");
    }
}

#[test]
fn a_client_that_leaves_disturbs_nobody() {
    let server = Server::start(&[]);
    for part in ["G", "GET / HTTP/1.1\r\nHost", "POST /api/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{"]
    {
        let mut connection: Connection = server.connect();
        connection.write(part);
    }
    server.wait_until("all connections but one are gone", |server| server.metric("glyphnet_connections") == 1.0);
    assert_eq!(server.metric("glyphnet_active_requests"), 1.0);
}

/// What a client wrote is told back in part, however long it is.
#[test]
fn reasons_are_short() {
    let server = Server::start(&[]);
    let long = "\u{1}\u{20ac}".repeat(300_000);
    let infer = "/v2/models/digits/infer";
    let input = |name: &str, kind: &str| json!({ "name": name, "shape": [1, 8, 8, 1], "datatype": kind, "data": [] });
    let output = |outputs: serde_json::Value| json!({ "inputs": [input("images", "UINT8")], "outputs": outputs });
    let shape = json!({ "name": "images", "shape": vec![1; 100_000], "datatype": "UINT8", "data": [] });
    for (path, body) in [
        ("/api/predict", json!({ &*long: 1 })),
        (infer, json!({ "inputs": [input(&long, "UINT8")] })),
        (infer, json!({ "inputs": [input("images", &long)] })),
        (infer, json!({ "inputs": [shape] })),
        (infer, output(json!([{ "name": &long }]))),
        (infer, output(json!([{ "name": &long }, { "name": &long }]))),
    ] {
        let response = server.post(path, "application/json", body.to_string());
        response.refused(400, "");
        assert!(response.body.len() < 2000, "{} bytes", response.body.len());
    }
}
