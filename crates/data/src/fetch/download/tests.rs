//! Against a loopback mirror that serves the real MNIST files, and misbehaves on demand.

use std::collections::HashMap;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::*;
use crate::fetch::{CATALOGUE, cached_in};

/// What the mirror does when it is asked for a file.
#[derive(Clone)]
enum Answer {
    Whole(Vec<u8>),
    /// Without saying how long it is: the body ends where the connection does.
    Unannounced(Vec<u8>),
    /// Announces the whole, sends so many bytes, and closes.
    Truncated(Vec<u8>, usize),
    /// Sends so many bytes and resets the connection.
    Reset(Vec<u8>, usize),
    /// Announces more than it should.
    Announced(usize),
    /// Sends without end.
    Endless,
    Missing,
    Redirect(String),
}

/// A server on the loopback interface, with the paths it was asked for.
struct Mirror {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Mirror {
    fn start(answers: impl IntoIterator<Item = (&'static str, Answer)>) -> Mirror {
        let answers: HashMap<_, _> = answers.into_iter().map(|(name, answer)| (format!("/m/{name}"), answer)).collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/m", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        // The thread ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // That a client hangs up on an endless body is no failure of the mirror.
                let _ = answer(stream, &answers, &log);
            }
        });
        Mirror { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// One line of a request, read byte by byte so that nothing after it is taken from the socket.
fn line_of(stream: &mut TcpStream) -> io::Result<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn answer(mut stream: TcpStream, answers: &HashMap<String, Answer>, log: &Mutex<Vec<String>>) -> io::Result<()> {
    let path = line_of(&mut stream)?.split(' ').nth(1).unwrap_or_default().to_owned();
    let answer = answers.get(&path).cloned().unwrap_or(Answer::Missing);
    log.lock().unwrap().push(path);
    // A connection that is closed with something unread is reset.
    while !matches!(answer, Answer::Reset(..)) && line_of(&mut stream)? != "\r\n" {}
    let head = |status: &str, header: String| format!("HTTP/1.1 {status}\r\n{header}Connection: close\r\n\r\n");
    let ok = |bytes: usize| head("200 OK", format!("Content-Length: {bytes}\r\n")).into_bytes();
    let bytes = match answer {
        Answer::Whole(body) => [ok(body.len()), body].concat(),
        Answer::Unannounced(body) => [head("200 OK", String::new()).into_bytes(), body].concat(),
        Answer::Truncated(body, sent) | Answer::Reset(body, sent) => [&ok(body.len()), &body[..sent]].concat(),
        Answer::Announced(bytes) => ok(bytes),
        Answer::Missing => head("404 Not Found", "Content-Length: 0\r\n".to_owned()).into_bytes(),
        Answer::Redirect(to) => head("302 Found", format!("Location: {to}\r\nContent-Length: 0\r\n")).into_bytes(),
        Answer::Endless => {
            stream.write_all(head("200 OK", String::new()).as_bytes())?;
            loop {
                stream.write_all(&[0x1f; 4096])?;
            }
        }
    };
    stream.write_all(&bytes)
}

/// A small dataset of one file of the real MNIST, as published: its digest is that of the file itself.
fn labels() -> Vec<u8> {
    repository_file("t10k-labels-idx1-ubyte.gz")
}

fn repository_file(name: &str) -> Vec<u8> {
    fs::read(format!("{}/../../data/mnist/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

const NAME: &str = "t10k-labels-idx1-ubyte.gz";

fn small_entry() -> Entry {
    let mut digest = Sha256::new();
    digest.update(labels());
    let sha256: &'static str = hexadecimal(digest).leak();
    let files = vec![RemoteFile { name: NAME, bytes: labels().len() as u64, sha256, content: None }].leak();
    Entry { name: "small", files, classes: &["zero", "one"], mirrors: &[], ..CATALOGUE[0] }
}

/// Everything in the cache, as paths relative to it.
fn files_in(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            found.extend(files_in(&entry.path()).into_iter().map(|inner| format!("{name}/{inner}")));
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}

/// Fetches the small dataset where the mirror gives `answer`; on failure the cache must hold no file at all.
fn fetch_small(answer: Answer) -> Result<PathBuf, FetchError> {
    let cache = tempfile::tempdir().unwrap();
    let mirror = Mirror::start([(NAME, answer)]);
    let result = fetch_into(cache.path(), &small_entry(), Some(&mirror.url), &mut |_, _| {});
    match &result {
        Ok(_) => assert_eq!(files_in(cache.path()), ["small/classes.txt", "small/t10k-labels-idx1-ubyte.gz"]),
        Err(_) => assert_eq!(files_in(cache.path()), [""; 0]),
    }
    result
}

#[test]
fn mnist_comes_whole_from_a_mirror_with_progress_and_is_not_fetched_twice() {
    let entry = entry("mnist").unwrap();
    let mirror = Mirror::start(entry.files.iter().map(|file| (file.name, Answer::Whole(repository_file(file.name)))));
    let cache = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    let folder =
        fetch_into(cache.path(), entry, Some(&mirror.url), &mut |done, total| seen.push((done, total))).unwrap();
    assert_eq!(cached_in(cache.path(), entry), Some(folder.clone()));
    assert_eq!(files_in(&folder), sorted(entry.files.iter().map(|file| file.name.to_owned())));
    for file in entry.files {
        assert_eq!(fs::read(folder.join(file.name)).unwrap(), repository_file(file.name));
    }
    let bytes: u64 = entry.files.iter().map(|file| repository_file(file.name).len() as u64).sum();
    assert_eq!(*seen.last().unwrap(), (bytes, bytes));
    assert!(seen.len() > 100 && seen.is_sorted_by_key(|(done, _)| *done));
    assert!(seen.iter().all(|(done, total)| done <= total));
    assert_eq!(mirror.asked().len(), 4);
    let opened = crate::open(folder.to_str().unwrap(), &crate::OpenOptions::default()).unwrap();
    assert_eq!((opened.train.len(), opened.test.unwrap().len(), opened.classes.len()), (60_000, 10_000, 10));
    // Whole files are kept; a damaged one is fetched again.
    fs::write(folder.join(NAME), b"damaged").unwrap();
    fetch_into(cache.path(), entry, Some(&format!("{}/", mirror.url)), &mut |_, _| {}).unwrap();
    assert_eq!(mirror.asked()[4..], [format!("/m/{NAME}")]);
    assert_eq!(fs::read(folder.join(NAME)).unwrap(), labels());
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_published_file_comes_with_or_without_its_length_and_after_a_redirect() {
    fetch_small(Answer::Whole(labels())).unwrap();
    fetch_small(Answer::Unannounced(labels())).unwrap();
    let elsewhere = Mirror::start([("moved.gz", Answer::Whole(labels()))]);
    fetch_small(Answer::Redirect(format!("{}/moved.gz", elsewhere.url))).unwrap();
}

#[test]
fn what_breaks_off_leaves_nothing() {
    for (answer, sent) in [
        (Answer::Truncated(labels(), 1000), 1000),
        (Answer::Truncated(labels(), 0), 0),
        (Answer::Reset(labels(), 1000), 1000),
        (Answer::Reset(labels(), 0), 0),
    ] {
        let error = fetch_small(answer).unwrap_err();
        let FetchError::Connection { url, received, problem } = &error else { panic!("{error}") };
        assert!(url.ends_with(NAME) && *received <= sent && !problem.is_empty(), "{error}");
    }
    // Where no length was announced, a body that ends too soon can be told by its digest alone.
    let error = fetch_small(Answer::Unannounced(labels()[..1000].to_vec())).unwrap_err();
    assert!(matches!(error, FetchError::Checksum { bytes: 1000, .. }), "{error}");
}

#[test]
fn what_is_not_the_file_leaves_nothing() {
    let mut damaged = labels();
    damaged[2000] ^= 1;
    let error = fetch_small(Answer::Whole(damaged)).unwrap_err();
    let FetchError::Checksum { found, expected, .. } = &error else { panic!("{error}") };
    assert!(found != expected && found.len() == 64);
    let error = fetch_small(Answer::Missing).unwrap_err();
    assert!(matches!(error, FetchError::Status { status: 404, .. }), "{error}");
    let length = labels().len() as u64;
    for answer in [
        Answer::Whole([labels(), vec![0]].concat()),
        Answer::Unannounced([labels(), vec![0]].concat()),
        Answer::Announced(usize::MAX / 4),
        Answer::Endless,
    ] {
        let error = fetch_small(answer).unwrap_err();
        assert!(matches!(error, FetchError::TooLong { limit, .. } if limit == length), "{error}");
    }
}

/// A mirror may compress anew, so MNIST's content counts; but neither other content nor a bomb passes.
#[test]
fn a_file_of_another_compression_must_hold_the_same() {
    let file = *entry("mnist").unwrap().files.iter().find(|file| file.name == NAME).unwrap();
    let accepts = |bytes: &[u8]| {
        let mut check = Check::new(&file);
        bytes.chunks(700).for_each(|chunk| check.update(chunk));
        check.finish().is_ok()
    };
    assert!(accepts(&labels()));
    let mut content = Vec::new();
    flate2::read::GzDecoder::new(&labels()[..]).read_to_end(&mut content).unwrap();
    let gzip = |content: &[u8], level| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    };
    for level in 0..=9 {
        let packed = gzip(&content, level);
        assert!(accepts(&packed), "level {level}");
        assert!(packed.len() as u64 <= longest(&file));
    }
    assert!(!accepts(&labels()[..labels().len() - 1]), "a missing last byte");
    assert!(!accepts(&[labels(), vec![0]].concat()), "a byte after the end");
    assert!(!accepts(&gzip(&vec![0; 50_000_000], 9)), "a bomb");
    assert!(!accepts(&gzip(&[&content[..], &[0]].concat(), 9)), "one byte more");
    content[5000] ^= 1;
    assert!(!accepts(&gzip(&content, 9)), "another label");
    assert!(!accepts(&content), "not gzip");
    assert!(!accepts(&[]), "nothing");
}

#[test]
fn mirrors_are_tried_in_turn_and_all_are_named_when_all_fail() {
    let broken = Mirror::start([(NAME, Answer::Truncated(labels(), 10))]);
    let missing = Mirror::start([]);
    let good = Mirror::start([(NAME, Answer::Whole(labels()))]);
    let mirrors = |urls: &[&Mirror]| -> &'static [&'static str] {
        urls.iter().map(|mirror| -> &'static str { format!("{}/", mirror.url).leak() }).collect::<Vec<_>>().leak()
    };
    let cache = tempfile::tempdir().unwrap();
    let entry = Entry { mirrors: mirrors(&[&broken, &missing]), ..small_entry() };
    let error = fetch_into(cache.path(), &entry, None, &mut |_, _| {}).unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with(&format!("no mirror has {NAME}:\n  '{}/{NAME}' after", broken.url)), "{message}");
    assert!(message.contains(&format!("'{}/{NAME}': the server answers with status 404", missing.url)), "{message}");
    assert_eq!(files_in(cache.path()), [""; 0]);
    let entry = Entry { mirrors: mirrors(&[&broken, &missing, &good]), ..entry };
    let mut last = (0, 0);
    fetch_into(cache.path(), &entry, None, &mut |done, total| last = (done, total)).unwrap();
    assert_eq!(last, (labels().len() as u64, labels().len() as u64));
    assert_eq!(fs::read_to_string(cache.path().join("small/classes.txt")).unwrap(), "zero\none\n");
}

#[test]
fn impossible_mirrors_and_caches_are_named() {
    let cache = tempfile::tempdir().unwrap();
    let fetch =
        |cache: &Path, mirror: &str| fetch_into(cache, &small_entry(), Some(mirror), &mut |_, _| {}).unwrap_err();
    for mirror in ["", "ftp://example.org/", "/some/folder", "example.org/mnist"] {
        let error = fetch(cache.path(), mirror);
        assert!(matches!(error, FetchError::Mirror { .. }), "{error}");
    }
    // Nobody listens on port 1.
    let error = fetch(cache.path(), "http://127.0.0.1:1/m");
    assert!(matches!(error, FetchError::Connection { received: 0, .. }), "{error}");
    assert_eq!(files_in(cache.path()), [""; 0]);
    let file = cache.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = fetch(&file, "http://127.0.0.1:1/m");
    assert!(matches!(error, FetchError::Write { .. }), "{error}");
}
