//! Event files against those of TensorBoard's own writer, and how they go on.

use std::time::Duration;

use super::*;

/// Written by TensorBoard: see `parity/tensorboard_golden.py`.
const GOLDEN: &[u8] = include_bytes!("../../../../parity/golden/tensorboard.tfevents");
/// The picture in it.
const PICTURE: &[u8] = include_bytes!("../../../../parity/golden/tensorboard.png");

fn seconds(seconds: f64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds)
}

/// The same events as in the golden file, in its order.
fn golden_events() -> Vec<u8> {
    let picture = header(PICTURE).unwrap();
    assert_eq!((picture.height, picture.width, picture.channels), (2, 3, 3));
    let scalar = |tag, number: f64| (tag, Value::Number(number as f32));
    let events = [
        Event { time: seconds(1_700_000_000.25), step: 0, what: What::Version },
        Event {
            time: seconds(1_700_000_001.5),
            step: 1,
            what: What::Values(vec![
                scalar("epoch_loss", 0.337_984_5),
                scalar("epoch_accuracy", 0.0),
                scalar("epoch_learning_rate", 1e-3),
            ]),
        },
        Event { time: seconds(1_700_000_002.0), step: 300, what: What::Values(vec![scalar("epoch_loss", f64::NAN)]) },
        Event {
            time: seconds(1_700_000_003.0),
            step: 1 << 40,
            what: What::Values(vec![("confusion", Value::Picture(picture))]),
        },
    ];
    events.iter().flat_map(|event| records::record(&event.to_bytes())).collect()
}

#[test]
fn files_are_those_of_tensorboard_byte_for_byte() {
    assert_eq!(golden_events(), GOLDEN);
}

/// The steps of the events in a file, without the one that names the version.
fn steps(folder: &Path) -> Vec<u64> {
    let bytes = fs::read(folder.join(NAME)).unwrap();
    let records: Vec<_> = records::whole(&bytes).collect();
    assert_eq!(records.last().unwrap().0, bytes.len(), "something behind the last whole event");
    assert!(records[0].1.windows(13).any(|window| window == b"brain.Event:2"));
    records[1..].iter().map(|(_, data)| message::step(data).unwrap()).collect()
}

fn write(events: &mut EventFile, steps: std::ops::RangeInclusive<u64>) {
    for step in steps {
        events.scalars(SystemTime::now(), step, &[("epoch_loss", 1.0 / step as f64)]).unwrap();
        assert_eq!(events.last_step(), Some(step));
    }
}

#[test]
fn a_file_goes_on_after_the_step_that_is_named() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("tensorboard/train");
    let mut events = EventFile::open(&folder, 0).unwrap();
    assert_eq!((events.last_step(), steps(&folder)), (None, vec![]));
    write(&mut events, 1..=5);
    assert_eq!(steps(&folder), [1, 2, 3, 4, 5], "each event is there at once");
    let mut events = EventFile::open(&folder, 3).unwrap();
    assert_eq!(events.last_step(), Some(3));
    write(&mut events, 4..=6);
    assert_eq!(steps(&folder), [1, 2, 3, 4, 5, 6]);
    assert_eq!(EventFile::open(&folder, 99).unwrap().last_step(), Some(6));
    assert_eq!(EventFile::open(&folder, 0).unwrap().last_step(), None);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn what_was_not_written_whole_is_cut_off() {
    let place = tempfile::tempdir().unwrap();
    let (folder, path) = (place.path(), place.path().join(NAME));
    write(&mut EventFile::open(folder, 0).unwrap(), 1..=2);
    let whole = fs::read(&path).unwrap();
    for end in (0..whole.len()).step_by(7) {
        fs::write(&path, &whole[..end]).unwrap();
        let mut events = EventFile::open(folder, 2).unwrap();
        let next = events.last_step().unwrap_or(0) + 1;
        write(&mut events, next..=2);
        assert_eq!(steps(folder), [1, 2], "cut at {end}");
    }
}

#[test]
fn pictures_are_png_and_places_are_named() {
    let place = tempfile::tempdir().unwrap();
    let mut events = EventFile::open(place.path(), 0).unwrap();
    let refused = events.picture(SystemTime::now(), 1, "curves", b"GIF89a").unwrap_err().to_string();
    assert!(refused.contains("curves") && refused.contains("PNG"), "{refused}");
    assert_eq!(steps(place.path()), [0_u64; 0]);
    events.picture(SystemTime::now(), 1, "curves", PICTURE).unwrap();
    assert_eq!(steps(place.path()), [1]);
    fs::write(place.path().join("file"), "in the way").unwrap();
    let refused = EventFile::open(&place.path().join("file/train"), 0).unwrap_err().to_string();
    assert!(refused.contains("file/train"), "{refused}");
}
