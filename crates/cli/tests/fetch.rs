//! `fetch` from a mirror on this machine.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;

use common::{Bench, files_in, write_idx_bars};

/// The real MNIST, as it lies in this repository.
const MNIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/mnist");

/// A web server of one folder, whose files `change` may alter; gives its address. It lives as long as the test.
fn serve(change: fn(Vec<u8>) -> Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/mnist/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = String::new();
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            while lines.read_line(&mut request).unwrap() > 2 {}
            let name = request.split(' ').nth(1).unwrap().rsplit('/').next().unwrap().to_owned();
            let (status, body) = match std::fs::read(Path::new(MNIST).join(name)) {
                Ok(body) => ("200 OK", change(body)),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            // The client may hang up on what it does not like.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        }
    });
    address
}

#[test]
fn a_dataset_arrives_whole() {
    let bench = Bench::new();
    let mirror = serve(|body| body);
    let ran = bench.run(&["fetch", "mnist", "--mirror", &mirror]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(ran.stdout.contains("cache/glyphnet/mnist"), "{}", ran.stdout);
    assert_eq!(files_in(&bench.path("cache/glyphnet/mnist")).len(), 4);
    let digest = |source: &str| {
        let json = bench.ok(&["inspect", "--json", "--data", source]);
        serde_json::from_str::<serde_json::Value>(&json).unwrap()["fingerprint"].clone()
    };
    assert_eq!(digest("cache/glyphnet/mnist"), digest("mnist"), "the fetched digits are the embedded ones");
}

#[test]
fn what_is_not_the_published_file_is_not_kept() {
    let bench = Bench::new();
    let altered = serve(|mut body| {
        let middle = body.len() / 2;
        body[middle] ^= 1;
        body
    });
    bench.fails(&["fetch", "mnist", "--mirror", &altered], 1, &[&altered, "SHA-256"]);
    assert_eq!(files_in(&bench.path("cache")), [] as [&str; 0]);
    let other = altered.replace("/mnist/", "/fashion/");
    bench.fails(&["fetch", "kmnist", "--mirror", &other], 1, &[&other]);
    assert_eq!(files_in(&bench.path("cache")), [] as [&str; 0]);
}

#[test]
fn what_is_not_fetched_yet_says_how_it_is() {
    let bench = Bench::new();
    for name in ["fashion-mnist", "kmnist"] {
        let message = format!("'{name}' is not fetched yet: run `glyphnet fetch {name}`");
        for command in [["inspect", "--data", name], ["train", "--data", name]] {
            bench.fails(&command, 1, &[&message]);
        }
    }
    // A name that is in no catalogue is a path.
    bench.fails(&["inspect", "--data", "emnist"], 1, &["no data found at 'emnist'"]);
    // A folder of that name comes first.
    write_idx_bars(&bench, "kmnist", 9, 3);
    bench.ok(&["inspect", "--data", "kmnist"]);
}

#[test]
fn wrong_names_are_wrong_usage() {
    let bench = Bench::new();
    bench.fails(&["fetch", "emnist"], 2, &["emnist", "fashion-mnist"]);
    bench.fails(&["fetch", "mnist", "--mirror", "here"], 2, &["here", "http"]);
}
