//! The server under test, and the models that it serves.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use glyphnet::model_file::{self, ModelParts};
use glyphnet::nn::{Activation, Conv2d, Dense, Flatten, Sequential};
use glyphnet::{ImageShape, Model, Preprocess};
use glyphnet_data::{Images, Polarity};
use serde_json::Value;

use crate::common::Bench;
use crate::http::{Connection, Response};

/// Longer than anything here takes; a test that hangs fails.
const PATIENCE: Duration = Duration::from_secs(60);
/// The size of the images that most models here take.
pub(crate) const SHAPE: ImageShape = ImageShape::new(8, 8, 1);
/// Their classes.
pub(crate) const CLASSES: [&str; 3] = ["left", "middle, \"quoted\"", "right"];

/// Writes a model of weights that only the seed tells, for images of `shape`.
pub(crate) fn write_model(bench: &Bench, name: &str, shape: ImageShape, seed: u64) {
    let network = Sequential::new()
        .add(Conv2d::new(4, 3).activation(Activation::Relu))
        .add(Flatten {})
        .add(Dense::new(CLASSES.len()).activation(Activation::Softmax));
    let network = network.build(shape, CLASSES.len(), seed).unwrap();
    let preprocess = Preprocess { polarity: Some(Polarity::LightOnDark), ..Preprocess::default() };
    let parts = ModelParts { networks: network.into(), classes: CLASSES.map(str::to_owned).to_vec(), preprocess };
    model_file::save(&parts, &bench.path(name)).unwrap();
}

/// A server with a folder of its own.
pub(crate) struct Server {
    pub(crate) bench: Bench,
    child: Child,
    pub(crate) address: SocketAddr,
    lines: Mutex<Receiver<String>>,
}

impl Server {
    /// Serves `digits.safetensors` with these further arguments.
    pub(crate) fn start(arguments: &[&str]) -> Server {
        let bench = Bench::new();
        write_model(&bench, "digits.safetensors", SHAPE, 1);
        Server::start_in(bench, arguments)
    }

    /// The same, asking for the token in the file `token`.
    pub(crate) fn with_token(token: &str, arguments: &[&str]) -> Server {
        let bench = Bench::new();
        write_model(&bench, "digits.safetensors", SHAPE, 1);
        bench.write("token", token);
        Server::start_in(bench, &[&["--token-file", "token"], arguments].concat())
    }

    /// The same in a folder that holds `digits.safetensors` already.
    pub(crate) fn start_in(bench: Bench, arguments: &[&str]) -> Server {
        Server::start_with(bench, "digits.safetensors", arguments)
    }

    /// The same with another model.
    pub(crate) fn start_with(bench: Bench, model: &str, arguments: &[&str]) -> Server {
        let usual = ["serve", "--model", model, "--addr", "127.0.0.1:0", "--threads", "2"];
        let mut child = bench.command(&[&usual, arguments].concat()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        let lines = Mutex::new(lines);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut server = Server { bench, child, address: SocketAddr::from(([127, 0, 0, 1], 0)), lines };
        let line = server.line("http://");
        let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap();
        server.address = address.parse().unwrap();
        server
    }

    /// The next line on standard error that holds `words`.
    pub(crate) fn line(&self, words: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.lines.lock().unwrap().recv_timeout(PATIENCE) {
                Ok(line) if line.contains(words) => return line,
                Ok(line) => seen.push(line),
                Err(_) => panic!("'{words}' is not in: {seen:#?}"),
            }
        }
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// A request on a connection of its own.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        self.connect().ask(method, path, headers, body)
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.ask("GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, content_type: &str, body: impl AsRef<[u8]>) -> Response {
        self.ask("POST", path, &[("Content-Type", content_type)], body.as_ref())
    }

    /// The value of a line of `/metrics`.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in:\n{text}")).parse().unwrap()
    }

    /// Asks the server until `done` is content with what it finds.
    pub(crate) fn wait_until(&self, what: &str, done: impl Fn(&Server) -> bool) {
        let start = std::time::Instant::now();
        while !done(self) {
            assert!(start.elapsed() < PATIENCE, "waited for: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// The exit code, once the server has ended by itself, and what it said since.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        let said = self.lines.lock().unwrap().iter().collect::<Vec<_>>().join("\n");
        (code, said)
    }

    /// Most memory that the server has taken, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        1024 * line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    }

    /// What the library says of images that lie together, `images x 3`.
    pub(crate) fn expected(&self, pixels: &[u8]) -> Vec<f32> {
        let model = Model::load(self.bench.path("digits.safetensors")).unwrap();
        let images = Images::new(model.input(), pixels.to_vec()).unwrap();
        model.predict(&images).unwrap().probabilities().to_vec()
    }
}

/// The numbers of a JSON array, as 32-bit numbers.
pub(crate) fn numbers(array: &Value) -> Vec<f32> {
    array.as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32).collect()
}

/// Nothing that was asked may have made it panic, and nothing stays behind.
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            let said: Vec<String> = self.lines.lock().unwrap().iter().collect();
            assert!(!said.iter().any(|line| line.contains("panicked")), "{said:#?}");
        }
    }
}
