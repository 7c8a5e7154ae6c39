//! The fast way and the careful way through a file agree, and so does any number of threads.

use std::path::Path;

use glyphnet_kernels::Isa;
use glyphnet_kernels::random::{Purpose, Stream};

use super::blocks::BLOCK;
use super::careful;
use super::header::Header;
use super::plain::Plain;
use super::rows::parse_plain;

const PIXELS: usize = 49;

fn header(label: Option<usize>) -> Header {
    let mut names: Vec<String> = (0..PIXELS).map(|i| format!("pixel{i}")).collect();
    if let Some(at) = label {
        names.insert(at, "label".to_string());
    }
    Header::parse(Path::new("t.csv"), names.join(",").as_bytes()).unwrap()
}

/// A sound line with many zeros and a few larger labels.
fn line(header: &Header, random: &mut Stream) -> Vec<u8> {
    let limit = [10, 300, 65_536][random.below(3) as usize];
    let fields: Vec<String> = (0..header.names.len())
        .map(|column| match random.below(4) {
            _ if header.label == Some(column) => random.below(limit).to_string(),
            0 => random.below(256).to_string(),
            1 => random.below(20).to_string(),
            _ => "0".to_string(),
        })
        .collect();
    fields.join(",").into_bytes()
}

/// Label and pixels of a line, if it is sound.
type Parsed = Option<(u32, Vec<u8>)>;

/// Both parsers' answers to a line.
fn both(header: &Header, plain: &mut Plain, line: &[u8]) -> (Parsed, Parsed) {
    let (mut fast, mut slow) = (vec![0; PIXELS], vec![0; PIXELS]);
    let fast_label = parse_plain(header, plain, line, &mut fast);
    let slow_label = careful::parse_line(header, line, &mut slow).ok();
    (fast_label.map(|label| (label, fast)), slow_label.map(|label| (label, slow)))
}

#[test]
fn plain_and_careful_parser_agree_on_sound_and_on_damaged_lines() {
    let mut random = Stream::new(1, Purpose::Sample, 0, 0);
    for label in [None, Some(0), Some(20), Some(PIXELS)] {
        let (header, mut plain) = (header(label), Plain::new(PIXELS));
        for _ in 0..1000 {
            let sound = line(&header, &mut random);
            let (fast, slow) = both(&header, &mut plain, &sound);
            assert!(slow.is_some());
            if label != Some(20) {
                assert_eq!(fast, slow, "{}", String::from_utf8_lossy(&sound));
            }
            for _ in 0..20 {
                let mut damaged = sound.clone();
                for _ in 0..=random.below(2) {
                    let at = random.below(damaged.len() as u32) as usize;
                    let byte = b"0123456789,,\r\" -x\xff"[random.below(18) as usize];
                    match random.below(3) {
                        0 => drop(damaged.remove(at)),
                        1 => damaged.insert(at, byte),
                        _ => damaged[at] = byte,
                    }
                }
                let (fast, slow) = both(&header, &mut plain, &damaged);
                assert!(fast.is_none() || fast == slow, "{}", String::from_utf8_lossy(&damaged));
            }
        }
    }
}

#[test]
fn every_place_and_value_of_a_pixel_is_read() {
    let (header, mut plain) = (header(None), Plain::new(PIXELS));
    for place in 0..PIXELS {
        for value in 0..1100 {
            let mut fields = vec!["0".to_string(); PIXELS];
            fields[place] = value.to_string();
            let (fast, slow) = both(&header, &mut plain, fields.join(",").as_bytes());
            assert_eq!(fast.is_some(), value < 256, "{value} at {place}");
            assert_eq!(fast, slow);
        }
    }
}

#[test]
fn any_number_of_threads_and_any_instruction_set_read_the_same_and_find_the_first_error() {
    let header = header(Some(0));
    let mut random = Stream::new(2, Purpose::Sample, 0, 0);
    let mut lines = vec![header.names.join(",").into_bytes()];
    let mut size = 0;
    while size < 12 * BLOCK {
        lines.push(line(&header, &mut random));
        size += lines.last().unwrap().len();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.csv");
    let read_by = |isa: Isa, lines: &[Vec<u8>], threads: usize| {
        std::fs::write(&path, lines.join(&b'\n')).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| super::read_csv(&path, None, isa)).map_err(|e| e.to_string())
    };
    let read = |lines: &[Vec<u8>], threads: usize| read_by(Isa::detect(), lines, threads);
    let sound = read(&lines, 1).unwrap();
    assert_eq!(sound.len(), lines.len() - 1);
    let mut broken = lines.clone();
    for at in [lines.len() / 3, lines.len() / 2, lines.len() - 1] {
        broken[at].push(b'x');
    }
    let mut blank = lines.clone();
    blank.splice(lines.len() / 4..lines.len() / 4, vec![Vec::new(); 2 * BLOCK]);
    // From the middle of a block on: whoever has the next block fails at its first line, before the first error is found.
    let mut ruined = lines.clone();
    ruined[3 * lines.len() / 8..].iter_mut().for_each(|line| line.push(b'x'));
    for isa in Isa::available() {
        assert_eq!(read_by(isa, &lines, 2).unwrap(), sound, "{isa}");
        assert_eq!(read_by(isa, &broken, 2), read(&broken, 1), "{isa}");
    }
    for threads in [1, 2, 5] {
        assert_eq!(read(&lines, threads).unwrap(), sound);
        for _ in 0..10 {
            let error = read(&ruined, threads).unwrap_err();
            assert!(error.contains(&format!("line {}, column 'pixel48'", 3 * lines.len() / 8 + 1)), "{error}");
        }
        let error = read(&broken, threads).unwrap_err();
        assert!(error.contains(&format!("line {}, column 'pixel48'", lines.len() / 3 + 1)), "{error}");
        let error = read(&blank, threads).unwrap_err();
        assert!(error.contains(&format!("line {}: the line is blank", lines.len() / 4 + 1)), "{error}");
    }
}
