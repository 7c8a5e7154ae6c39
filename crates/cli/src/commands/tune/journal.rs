//! What a search has found so far: one line of JSON for every training that is over.

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use glyphnet::evaluate::Score;
use serde::{Deserialize, Serialize};

use crate::error::CliError;

/// A training that is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    /// From 0.
    pub(super) trial: u32,
    /// From 0.
    pub(super) rung: usize,
    /// Epochs that it was to have, those of earlier rungs included.
    pub(super) epochs: u32,
    /// The searched settings, as `--set` takes them; `null` where the drawn kinds do not know the setting.
    pub(super) values: Vec<Option<String>>,
    /// The network that was kept, on the validation images; absent where the training failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) score: Option<Score>,
    /// The epoch of that network.
    #[serde(default)]
    pub(super) best_epoch: u32,
    /// Seconds in the steps of the training, earlier rungs included.
    #[serde(default)]
    pub(super) seconds: f64,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failed: Option<String>,
}

/// The file, open for more.
pub(super) struct Journal {
    file: File,
    lines: Vec<Line>,
}

impl Journal {
    /// Reads what is there. A last line that is not whole, as a crash may leave it, is cut off.
    pub(super) fn open(path: &Path) -> Result<Journal, CliError> {
        let cannot = |why: String| CliError::failed(format!("{}: {why}", path.display()));
        let io = |error: std::io::Error| cannot(error.to_string());
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path).map_err(io)?;
        let bytes = std::fs::read(path).map_err(io)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut lines = Vec::new();
        for (place, text) in bytes[..whole].split_inclusive(|byte| *byte == b'\n').enumerate() {
            let line = serde_json::from_slice(text);
            lines.push(line.map_err(|error| cannot(format!("line {}: not of this program: {error}", place + 1)))?);
        }
        file.set_len(whole as u64).map_err(io)?;
        file.seek(SeekFrom::End(0)).map_err(io)?;
        Ok(Journal { file, lines })
    }

    /// Adds a line, which is on disk when this returns.
    pub(super) fn push(&mut self, line: &Line) -> Result<(), CliError> {
        let text = serde_json::to_string(line)? + "\n";
        self.lines.push(line.clone());
        self.file.write_all(text.as_bytes())?;
        Ok(self.file.sync_data()?)
    }

    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The training of this trial in this rung, if it is over.
    pub(super) fn find(&self, trial: u32, rung: usize) -> Option<&Line> {
        self.lines.iter().find(|line| line.trial == trial && line.rung == rung)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(trial: u32) -> Line {
        let score = Some(Score { loss: 0.1 + 0.2, accuracy: 2.0 / 3.0 });
        let values = vec![Some("0.1".to_owned()), None];
        Line { trial, rung: 0, epochs: 3, values, score, best_epoch: 2, seconds: 1.5, failed: None }
    }

    #[test]
    fn what_a_crash_cut_short_is_dropped_and_the_rest_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        for trial in 0..2 {
            Journal::open(&path).unwrap().push(&line(trial)).unwrap();
        }
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], b"{\"trial\":2,\"ru"].concat()).unwrap();
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        journal.push(&line(2)).unwrap();
        assert_eq!(Journal::open(&path).unwrap().lines(), [line(0), line(1), line(2)]);
        assert!(journal.find(1, 0).is_some() && journal.find(1, 1).is_none());
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        Journal::open(&path).unwrap().push(&line(0)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}nonsense\n{text}")).unwrap();
        let told = Journal::open(&path).err().unwrap().told();
        assert!(told.contains("journal.jsonl: line 2:"), "{told}");
    }
}
