//! Clients that are slow, and more of them than are let in.

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::common::{bar_image, png};
use crate::http::{Connection, request};
use crate::server::Server;

const FORM: (&str, &str) = ("Content-Type", "multipart/form-data; boundary=frontier");

/// The form of these files.
fn form(files: &[&[u8]]) -> Vec<u8> {
    let part = |file: &&[u8]| [b"--frontier\r\n\r\n", *file, b"\r\n"].concat();
    [files.iter().flat_map(part).collect(), b"--frontier--\r\n".to_vec()].concat()
}

/// Well below what the client would wait for anything else, well above what the server is told.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn slow_headers_end_the_connection() {
    let server = Server::start(&["--client-timeout", "0.5"]);
    let start = Instant::now();
    let mut silent = server.connect();
    assert!(silent.read().is_none());
    for part in ["GET / HTT", "GET / HTTP/1.1\r\nHost: x\r\nA"] {
        let mut connection = server.connect();
        connection.write(part);
        connection.read().unwrap().refused(408, "headers came too slowly");
        assert!(connection.is_closed());
    }
    assert!(start.elapsed() >= Duration::from_millis(1500) && start.elapsed() < SOON, "{:?}", start.elapsed());
    // A connection that is idle after a request, too.
    let mut idle = server.connect();
    assert_eq!(idle.ask("GET", "/v2", &[], b"").status, 200);
    assert!(idle.read().is_none());
}

#[test]
fn slow_bodies_are_refused() {
    let server = Server::start(&["--client-timeout", "0.5"]);
    let head = "POST /api/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 5000\r\n\r\n";
    let mut silent = server.connect();
    silent.write(head);
    silent.read().unwrap().refused(408, "too slowly");
    // A byte now and then does not help: all of them would take minutes.
    let mut trickle = server.connect();
    trickle.write(head);
    let mut sender = trickle.sender();
    let sending = std::thread::spawn(move || {
        while sender.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    trickle.read().unwrap().refused(408, "too slowly");
    drop((server, trickle));
    sending.join().unwrap();
}

/// What was sent at once buys no silence: by its average alone this body might pause for a minute.
#[test]
fn bodies_that_stall_are_refused() {
    let server = Server::start(&["--client-timeout", "0.5"]);
    let length = 4 << 20;
    let mut stalled = server.connect();
    stalled.write(format!("POST /api/predict HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"));
    let start = Instant::now();
    stalled.write(vec![b'x'; length - 4]);
    stalled.read().unwrap().refused(408, "too slowly");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

/// A client that asks and asks but never reads is left alone once it has taken nothing for a while.
#[test]
fn a_client_that_reads_nothing_is_left() {
    let server = Server::start(&["--client-timeout", "0.5"]);
    let mut deaf = server.connect();
    // More answers than the system keeps on the way.
    let question = request("GET", "/openapi.json", &[], b"");
    deaf.write(question.repeat(2000));
    server.wait_until("its connection is gone", |server| server.metric("glyphnet_connections") == 1.0);
    drop(deaf);
}

/// Clients that send slowly hold no place that others want.
#[test]
fn slow_clients_hold_no_place() {
    let server = Server::start(&["--max-concurrent", "1"]);
    let head = "POST /api/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 5000\r\n\r\nx";
    let slow: Vec<Connection> = (0..20)
        .map(|_| {
            let mut connection = server.connect();
            connection.write(head);
            connection
        })
        .collect();
    server.wait_until("all are being read", |server| server.metric("glyphnet_active_requests") == 21.0);
    let body = json!({ "pixels": bar_image(0, 0) }).to_string();
    assert_eq!(server.post("/api/predict", "application/json", body).status, 200);
    drop(slow);
}

/// An image is unpacked to its end but holds its place until then, so that clients who leave cannot pile up work; images
/// after it are left.
#[test]
fn work_for_clients_who_left_is_counted_and_ends() {
    let server = Server::start(&["--max-concurrent", "1", "--max-megapixels", "10000", "--max-body", "64MiB"]);
    let image = png(8192, 8192, &vec![0; 8192 * 8192]);
    let start = Instant::now();
    assert_eq!(server.post("/api/predict", "image/png", &image).status, 200);
    let (one, peak) = (start.elapsed(), server.peak_memory());
    for _ in 0..8 {
        let mut leaving = server.connect();
        leaving.write(request("POST", "/api/predict", &[FORM], &form(&[&image[..]; 24])));
        // A part of the time that it takes.
        std::thread::sleep(one / 6);
    }
    let start = Instant::now();
    let body = json!({ "pixels": bar_image(0, 0) }).to_string();
    server
        .wait_until("the place is free", |server| server.post("/api/predict", "application/json", &body).status == 200);
    assert!(start.elapsed() < 20 * one, "{:?}, {one:?} for an image", start.elapsed());
    assert!(server.metric(r#"glyphnet_request_seconds_count{route="/api/predict",status="499"}"#) >= 1.0);
    // Two at once would take another image, 64 MiB, at least.
    assert!(server.peak_memory() < peak + (64 << 20), "{} bytes, {peak} for an image", server.peak_memory());
}

/// Small files can be large images: together they may be no larger than one.
#[test]
fn images_of_a_request_share_the_pixels() {
    let server = Server::start(&["--max-megapixels", "1"]);
    let image = png(1000, 600, &vec![0; 600_000]);
    let ask = |files: &[&[u8]]| server.ask("POST", "/api/predict", &[FORM], &form(files));
    assert_eq!(ask(&[&image]).status, 200);
    ask(&[&image, &image]).refused(413, "together may have 1000000 pixels");
    let other = png(400, 1000, &vec![0; 400_000]);
    assert_eq!(ask(&[&image, &other]).status, 200);
}

#[test]
fn uploads_leave_places_to_others() {
    let server = Server::start(&["--max-concurrent", "4", "--max-megapixels", "100"]);
    let image = png(8192, 8192, &vec![0; 8192 * 8192]);
    let body = json!({ "pixels": bar_image(0, 0) }).to_string();
    let mut uploads: Vec<Connection> = (0..8)
        .map(|_| {
            let mut connection = server.connect();
            connection.write(request("POST", "/api/predict", &[("Content-Type", "image/png")], &image));
            connection
        })
        .collect();
    // Two are unpacked, the others wait or are refused; either way others are served meanwhile.
    for _ in 0..20 {
        assert_eq!(server.post("/api/predict", "application/json", &body).status, 200);
    }
    let statuses: Vec<u16> = uploads.iter_mut().map(|upload| upload.read().unwrap().status).collect();
    assert!(statuses.iter().all(|status| [200, 503].contains(status)) && statuses.contains(&200), "{statuses:?}");
}

/// A batch delay keeps requests at work for as long as the test needs; the end of the server ends it.
#[test]
fn beyond_capacity_the_answer_is_503() {
    let server = Server::start(&["--max-concurrent", "2", "--batch-delay", "10000000", "--max-batch", "100"]);
    let body = json!({ "pixels": bar_image(0, 0) }).to_string();
    let bytes = request("POST", "/api/predict", &[("Content-Type", "application/json")], body.as_bytes());
    let mut first: Vec<Connection> = (0..2)
        .map(|_| {
            let mut connection = server.connect();
            connection.write(&bytes);
            connection
        })
        .collect();
    server.wait_until("both wait", |server| server.metric("glyphnet_waiting_images") == 2.0);
    let refused = server.post("/api/predict", "application/json", &body);
    refused.refused(503, "--max-concurrent");
    assert_eq!(refused.header("retry-after"), Some("1"));
    // Everything else is answered.
    assert_eq!(server.get("/v2/health/ready").status, 200);
    server.signal("-TERM");
    for connection in &mut first {
        assert_eq!(connection.read().unwrap().status, 200);
    }
}

/// Idle and slow clients lose their places to those who ask something; whoever waits for an answer keeps it.
#[test]
fn beyond_the_most_connections_the_idlest_one_goes() {
    let server = Server::start(&["--max-connections", "3", "--batch-delay", "10000000", "--client-timeout", "600"]);
    let json = [("Content-Type", "application/json")];
    let body = json!({ "pixels": bar_image(0, 0) }).to_string();
    let mut waiting = server.connect();
    waiting.write(request("POST", "/api/predict", &json, body.as_bytes()));
    server.wait_until("it waits", |server| server.metric("glyphnet_waiting_images") == 1.0);
    let mut slow = server.connect();
    slow.write("POST /api/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{");
    server.wait_until("its body is being read", |server| server.metric("glyphnet_active_requests") == 3.0);
    let mut idle = server.connect();
    idle.write("GET /");
    for _ in 0..10 {
        assert_eq!(server.get("/v2").status, 200);
    }
    // What it sent may not have been looked at yet.
    assert!(idle.read().is_none_or(|response| response.status == 408));
    let mut connections: Vec<Connection> = (0..2).map(|_| server.connect()).collect();
    assert_eq!(connections[1].ask("GET", "/v2", &[], b"").status, 200);
    server.signal("-TERM");
    assert_eq!(waiting.read().unwrap().status, 200);
}
