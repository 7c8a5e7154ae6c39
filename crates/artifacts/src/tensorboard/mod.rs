//! TensorBoard's event files: scalars and pictures over the steps of a run.
//!
//! An event file is a row of records ([`records`]), each of which holds a message ([`message`]). It grows at its end and
//! is readable at any time: TensorBoard follows it while it is written.

mod message;
mod records;

use std::fs::{self, File, OpenOptions};
use std::io::{Cursor, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use image::ImageDecoder as _;
use image::codecs::png::PngDecoder;

use self::message::{Event, Picture, Value, What};
use crate::error::ArtifactError;

/// TensorBoard reads every file with `tfevents` in its name. One name, so that a run that goes on finds its file.
const NAME: &str = "events.out.tfevents.glyphnet";

/// An event file that is being written. All values of a folder are a run to TensorBoard.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
    last: Option<u64>,
}

impl EventFile {
    /// Opens the event file of `folder`, both of which are made where they are not there, to go on after step `after`:
    /// what is there of later steps, or was not written whole, is cut off.
    ///
    /// # Errors
    /// If folder or file cannot be made, read or written.
    pub fn open(folder: &Path, after: u64) -> Result<EventFile, ArtifactError> {
        let path = folder.join(NAME);
        fs::create_dir_all(folder).map_err(ArtifactError::write(folder))?;
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            read => read.map_err(ArtifactError::write(&path))?,
        };
        let (length, last) = kept(&bytes, after);
        let options = OpenOptions::new().create(true).append(true).open(&path);
        let file = options.and_then(|file| file.set_len(length as u64).map(|()| file));
        let file = file.map_err(ArtifactError::write(&path))?;
        let mut events = EventFile { path, file, last };
        if length == 0 {
            events.append(&Event { time: SystemTime::now(), step: 0, what: What::Version })?;
        }
        Ok(events)
    }

    /// The last step that has values.
    pub fn last_step(&self) -> Option<u64> {
        self.last
    }

    /// Adds numbers to `step`, each under a name; they are stored as f32. Steps must not decrease.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn scalars(&mut self, time: SystemTime, step: u64, scalars: &[(&str, f64)]) -> Result<(), ArtifactError> {
        let values = scalars.iter().map(|&(tag, number)| (tag, Value::Number(number as f32))).collect();
        self.append(&Event { time, step, what: What::Values(values) })
    }

    /// Adds a picture to `step`, the bytes of a PNG file. Steps must not decrease.
    ///
    /// # Errors
    /// If these are not the bytes of a PNG file, or the file cannot be written.
    pub fn picture(&mut self, time: SystemTime, step: u64, tag: &str, png: &[u8]) -> Result<(), ArtifactError> {
        let picture = header(png).map_err(|source| ArtifactError::NotPng { name: tag.to_owned(), source })?;
        self.append(&Event { time, step, what: What::Values(vec![(tag, Value::Picture(picture))]) })
    }

    /// Writes an event in one go, so that a reader finds whole ones.
    fn append(&mut self, event: &Event<'_>) -> Result<(), ArtifactError> {
        if !matches!(event.what, What::Version) {
            self.last = Some(event.step);
        }
        let record = records::record(&event.to_bytes());
        self.file.write_all(&record).map_err(ArtifactError::write(&self.path))
    }
}

/// How many bytes to keep so that all events are whole and of steps up to `after`, and the last of their steps.
fn kept(bytes: &[u8], after: u64) -> (usize, Option<u64>) {
    let (mut length, mut last) = (0, None);
    for (number, (end, data)) in records::whole(bytes).enumerate() {
        match message::step(data) {
            Some(step) if step <= after => last = (number > 0).then_some(step),
            _ => break,
        }
        length = end;
    }
    (length, last)
}

fn header(png: &[u8]) -> Result<Picture<'_>, image::ImageError> {
    let decoder = PngDecoder::new(Cursor::new(png))?;
    let (width, height) = decoder.dimensions();
    Ok(Picture { width, height, channels: decoder.color_type().channel_count(), png })
}

#[cfg(test)]
mod tests;
