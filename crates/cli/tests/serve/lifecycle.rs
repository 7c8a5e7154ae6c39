//! Starting, reloading and ending.

use std::fs;
use std::net::TcpListener;

use serde_json::json;

use crate::common::{BARS_RECIPE, Bench, bar_image};
use crate::http::request;
use crate::server::{SHAPE, Server, numbers, write_model};

#[test]
fn wrong_usage_and_what_cannot_be_served_is_named() {
    let bench = Bench::new();
    write_model(&bench, "digits.safetensors", SHAPE, 1);
    let serve = |more: &[&str], code: i32, words: &[&str]| {
        bench.fails(&[&["serve", "--model", "digits.safetensors"], more].concat(), code, words);
    };
    bench.fails(&["serve"], 2, &["--model"]);
    serve(&["--addr", "8080"], 2, &["--addr 8080", "127.0.0.1:8080"]);
    serve(&["--addr", "127.0.0.1:x"], 2, &["--addr"]);
    serve(&["--name", "a/b"], 2, &["--name", "letters"]);
    serve(&["--max-body", "1MB"], 2, &["--max-body", "MiB"]);
    serve(&["--max-images", "0"], 2, &["--max-images"]);
    serve(&["--cors", "example.org"], 2, &["--cors", "https://"]);
    serve(&["--client-timeout", "0"], 2, &["--client-timeout"]);
    serve(&["--log-format", "xml"], 2, &["xml", "json"]);
    serve(&["--token-file", "none"], 1, &["--token-file none"]);
    bench.write("empty", "\n");
    serve(&["--token-file", "empty"], 1, &["empty", "put a token"]);
    bench.fails(&["serve", "--model", "none", "--addr", "127.0.0.1:0"], 1, &["none", "no such file"]);
    let whole = fs::read(bench.path("digits.safetensors")).unwrap();
    bench.write("half.safetensors", &whole[..whole.len() / 2]);
    bench.fails(&["serve", "--model", "half.safetensors", "--addr", "127.0.0.1:0"], 1, &["half.safetensors"]);
}

#[test]
fn two_servers_cannot_share_a_port() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let bench = Bench::new();
    write_model(&bench, "digits.safetensors", SHAPE, 1);
    bench.fails(&["serve", "--model", "digits.safetensors", "--addr", &address], 1, &[&address, "another program"]);
}

#[test]
fn a_run_is_served_under_the_name_of_its_recipe() {
    let bench = Bench::bars();
    bench.write("my bars.toml", BARS_RECIPE);
    bench.ok(&["train", "--recipe", "my bars.toml", "--out", "run", "--epochs", "1"]);
    let server = Server::start_with(bench, "run", &[]);
    assert_eq!(server.get("/v2/models/my-bars").status, 200);
}

#[test]
fn a_server_on_all_addresses_without_a_token_warns() {
    let bench = Bench::new();
    write_model(&bench, "digits.safetensors", SHAPE, 1);
    let mut command = bench.command(&["serve", "--model", "digits.safetensors", "--addr", "0.0.0.0:0"]);
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let first = lines.next().unwrap().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(first.contains("warning:") && first.contains("--token-file"), "{first}");
}

/// Requests that wait while the signal comes are answered, and nobody else is let in.
#[test]
fn sigterm_finishes_what_is_in_flight() {
    for signal in ["-TERM", "-INT"] {
        let server = Server::start(&["--batch-delay", "10000000", "--max-batch", "100"]);
        let body = json!({ "pixels": bar_image(0, 0) }).to_string();
        let mut waiting = server.connect();
        waiting.write(request("POST", "/api/predict", &[("Content-Type", "application/json")], body.as_bytes()));
        server.wait_until("it waits", |server| server.metric("glyphnet_waiting_images") == 1.0);
        let mut idle = server.connect();
        assert_eq!(idle.ask("GET", "/v2", &[], b"").status, 200);
        server.signal(signal);
        assert!(idle.is_closed());
        assert!(std::net::TcpStream::connect(server.address).is_err(), "a connection was accepted");
        let response = waiting.read().unwrap();
        assert_eq!((response.status, response.header("connection")), (200, Some("close")));
        server.line("all requests are finished");
        let (code, _) = server.end();
        assert_eq!(code, Some(0), "{signal}");
    }
}

#[test]
fn a_client_that_sends_nothing_more_does_not_hold_up_the_end() {
    let server = Server::start(&["--drain-timeout", "0.3"]);
    let mut slow = server.connect();
    slow.write("POST /api/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{");
    server.wait_until("it is being read", |server| server.metric("glyphnet_active_requests") == 2.0);
    server.signal("-TERM");
    server.line("cut off");
    assert_eq!(server.end().0, Some(0));
}

fn generation(server: &Server) -> u64 {
    let text = server.get("/metrics").text();
    let after = text.split("generation=\"").nth(1).unwrap();
    after.split('"').next().unwrap().parse().unwrap()
}

/// What the server says of an image now.
fn answer(server: &Server) -> Vec<f32> {
    let shape = server.get("/v2/models/digits").json()["inputs"][0]["shape"].clone();
    let pixels: usize = shape.as_array().unwrap()[1..].iter().map(|side| side.as_u64().unwrap() as usize).product();
    let mut shape = shape;
    shape[0] = json!(1);
    let data: Vec<u8> = (0..pixels).map(|i| (i * 3) as u8).collect();
    let input = json!({ "name": "images", "shape": shape, "datatype": "UINT8", "data": data });
    let body = json!({ "inputs": [input] }).to_string();
    let answer = server.post("/v2/models/digits/infer", "application/json", body).json();
    numbers(&answer["outputs"][0]["data"])
}

#[test]
fn sighup_swaps_the_model_or_keeps_it() {
    let server = Server::with_token("first\n", &[]);
    let shown = |token: &str| server.ask("GET", "/v2", &[("Authorization", &format!("Bearer {token}"))], b"").status;
    server.bench.write("token", "second\n");
    assert_eq!((shown("first"), shown("second")), (200, 401));
    server.signal("-HUP");
    server.line("the token was read again");
    assert_eq!((shown("first"), shown("second")), (401, 200));
    server.bench.write("token", "");
    server.signal("-HUP");
    server.line("the old token stays");
    assert_eq!(shown("second"), 200);
}

#[test]
fn a_damaged_file_leaves_the_old_model_in_place() {
    let server = Server::start(&[]);
    let before = answer(&server);
    let etag = server.get("/").header("etag").unwrap().to_owned();
    let sound = fs::read(server.bench.path("digits.safetensors")).unwrap();
    let mut damaged = sound.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    server.bench.write("digits.safetensors", &damaged);
    server.signal("-HUP");
    let line = server.line("reload failed");
    assert!(line.contains("the old model stays") && line.contains("digits.safetensors"), "{line}");
    assert_eq!((answer(&server), generation(&server)), (before.clone(), 0));
    fs::remove_file(server.bench.path("digits.safetensors")).unwrap();
    server.signal("-HUP");
    server.line("the old model stays");
    assert_eq!(answer(&server), before);
    write_model(&server.bench, "digits.safetensors", glyphnet::ImageShape::new(6, 5, 3), 9);
    server.signal("-HUP");
    server.line("images of 6 x 5 x 3");
    let after = answer(&server);
    let data: Vec<u8> = (0..90).map(|i| (i * 3) as u8).collect();
    assert_eq!(after, server.expected(&data));
    assert_ne!(server.get("/").header("etag"), Some(&*etag));
    assert_eq!(server.get("/openapi.json").json()["info"]["x-model"]["input"], json!([6, 5, 3]));
    assert!(server.metric("glyphnet_reloads_total{result=\"failed\"}") >= 2.0);
}

/// Nobody has to send a signal, and while models of different shapes take turns each request is answered by the one it was
/// checked against.
#[test]
fn a_changed_file_is_read_by_itself() {
    let server = Server::start(&[]);
    let other = glyphnet::ImageShape::new(4, 4, 1);
    write_model(&server.bench, "digits.safetensors", other, 2);
    server.line("the file changed");
    let expected = server.expected(&(0..16).map(|i| i * 3).collect::<Vec<u8>>());
    assert_eq!((answer(&server), generation(&server)), (expected, 1));
}

/// As `cp -p` and `rsync -t` leave it: of the same length and time.
#[test]
fn another_file_of_the_same_length_and_time_is_read_too() {
    let server = Server::start(&[]);
    let file = server.bench.path("digits.safetensors");
    let before = fs::metadata(&file).unwrap();
    write_model(&server.bench, "new.safetensors", SHAPE, 2);
    let new = server.bench.path("new.safetensors");
    fs::File::options().write(true).open(&new).unwrap().set_modified(before.modified().unwrap()).unwrap();
    assert_eq!(fs::metadata(&new).unwrap().len(), before.len());
    fs::rename(&new, &file).unwrap();
    server.line("the file changed");
    assert_eq!(generation(&server), 1);
}

#[test]
fn requests_in_flight_finish_on_their_model() {
    let server = Server::start(&["--batch-delay", "10000000", "--max-batch", "100"]);
    let image = bar_image(1, 1);
    let expected = server.expected(&image);
    let mut waiting = server.connect();
    let body = json!({ "pixels": image }).to_string();
    waiting.write(request("POST", "/api/predict?invert=no", &[("Content-Type", "application/json")], body.as_bytes()));
    server.wait_until("it waits", |server| server.metric("glyphnet_waiting_images") == 1.0);
    write_model(&server.bench, "digits.safetensors", glyphnet::ImageShape::new(4, 4, 1), 2);
    server.signal("-HUP");
    server.line("images of 4 x 4 x 1");
    let mut new = server.connect();
    let body = json!({ "pixels": vec![3; 16] }).to_string();
    new.write(request("POST", "/api/predict?invert=no", &[("Content-Type", "application/json")], body.as_bytes()));
    server.wait_until("both wait", |server| server.metric("glyphnet_waiting_images") == 2.0);
    server.signal("-TERM");
    assert_eq!(new.read().unwrap().status, 200);
    let old = waiting.read().unwrap().json();
    assert_eq!(numbers(&old["predictions"][0]["probabilities"]), expected);
}

/// Opening a pipe that nobody writes to never ends.
#[test]
fn a_pipe_in_the_place_of_the_model_holds_up_neither_reloads_nor_the_end() {
    let server = Server::start(&[]);
    let file = server.bench.path("digits.safetensors");
    fs::remove_file(&file).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
    server.signal("-HUP");
    let line = server.line("reload failed");
    assert!(line.contains("not a regular file"), "{line}");
    server.signal("-TERM");
    assert_eq!(server.end().0, Some(0));
}

/// Who reads standard error may have stopped while its pipe is full.
#[test]
fn a_log_that_nobody_reads_does_not_hold_up_the_end() {
    let bench = Bench::new();
    write_model(&bench, "digits.safetensors", SHAPE, 1);
    let arguments = ["serve", "--model", "digits.safetensors", "--addr", "127.0.0.1:0", "--threads", "1"];
    let mut child = bench.command(&arguments).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut stderr = std::io::BufReader::with_capacity(1, child.stderr.take().unwrap());
    let mut first = String::new();
    std::io::BufRead::read_line(&mut stderr, &mut first).unwrap();
    let address = first.split("http://").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
    let mut connection = crate::http::Connection::open(address);
    let path = format!("/{}", "x".repeat(900));
    // More than any pipe holds.
    for _ in 0..300 {
        assert_eq!(connection.ask("GET", &path, &[], b"").status, 404);
    }
    drop(connection);
    let sent = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let start = std::time::Instant::now();
    let ended = loop {
        match child.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if start.elapsed().as_secs() > 20 => break None,
            None => std::thread::sleep(std::time::Duration::from_millis(20)),
        }
    };
    let _ = child.kill();
    let _ = child.wait();
    drop(stderr);
    assert_eq!(ended.and_then(|status| status.code()), Some(0));
}
