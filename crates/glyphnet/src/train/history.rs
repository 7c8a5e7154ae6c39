//! What each epoch brought: `history.csv`.

use crate::evaluate::Score;
use crate::recipe::Monitor;
use glyphnet_data::atomic::write_atomic;
use serde::{Deserialize, Serialize, Serializer};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// One epoch. The fields are the columns of `history.csv`, in this order; what does not exist is left empty there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRecord {
    /// From 1.
    pub epoch: u32,
    /// Mean loss over the training images as the epoch went, augmented and with dropout.
    pub train_loss: f64,
    /// Share of training images classified right, likewise.
    pub train_accuracy: f64,
    /// Mean loss over the validation images after the epoch; `None` without a validation split.
    pub val_loss: Option<f64>,
    /// Share of validation images classified right after the epoch; `None` without a validation split.
    pub val_accuracy: Option<f64>,
    /// The learning rate of the epoch's last step.
    pub learning_rate: f32,
    /// Wall-clock time of the epoch, validation included; written to the millisecond.
    #[serde(serialize_with = "to_milliseconds")]
    pub seconds: f64,
}

impl EpochRecord {
    /// On the validation split; `None` without one.
    pub fn validation(&self) -> Option<Score> {
        Some(Score { loss: self.val_loss?, accuracy: self.val_accuracy? })
    }

    /// The value that a callback watches; `None` if there is no validation split.
    pub fn value(&self, monitor: Monitor) -> Option<f64> {
        match monitor {
            Monitor::TrainLoss => Some(self.train_loss),
            Monitor::TrainAccuracy => Some(self.train_accuracy),
            Monitor::ValLoss => self.val_loss,
            Monitor::ValAccuracy => self.val_accuracy,
        }
    }
}

fn to_milliseconds<S: Serializer>(seconds: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((seconds * 1e3).round() / 1e3)
}

/// The columns of `history.csv`.
const COLUMNS: [&str; 7] =
    ["epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"];

/// The epochs of a run so far, from the first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    records: Vec<EpochRecord>,
}

/// A history that cannot be written or read.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not the rows of a history; the source says which line.
    #[error("{}: not a history: {source}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// What the CSV reader says.
        source: csv::Error,
    },
    /// Other columns.
    #[error("{}: line 1: not a history: expected the columns {}, found {found}", path.display(), COLUMNS.join(","))]
    Columns {
        /// The file.
        path: PathBuf,
        /// Its header.
        found: String,
    },
    /// An epoch is missing or out of place.
    #[error("{}: line {line}: not a history: expected epoch {expected}, found {found}", path.display())]
    Epoch {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The epoch that should follow.
        expected: usize,
        /// The epoch that is there.
        found: u32,
    },
}

impl History {
    /// Adds the next epoch.
    pub fn push(&mut self, record: EpochRecord) {
        self.records.push(record);
    }

    /// All epochs, the first first.
    pub fn records(&self) -> &[EpochRecord] {
        &self.records
    }

    /// The last epoch.
    pub fn last(&self) -> Option<&EpochRecord> {
        self.records.last()
    }

    /// What the network was worth on validation after an epoch; `None` without such a split, or such an epoch.
    pub fn validation(&self, epoch: u32) -> Option<Score> {
        self.records.iter().find(|record| record.epoch == epoch)?.validation()
    }

    /// The text of `history.csv`.
    pub fn to_csv(&self) -> String {
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        // Into memory and from plain numbers: neither can fail.
        let rows = self.records.iter().try_for_each(|record| writer.serialize(record));
        let bytes = rows.ok().and_then(|()| writer.into_inner().ok()).unwrap_or_default();
        COLUMNS.join(",") + "\n" + &String::from_utf8_lossy(&bytes)
    }

    /// Writes `history.csv` whole: beside its place, synced, then renamed.
    ///
    /// # Errors
    /// The file cannot be written; what was there before is still there.
    pub fn write_csv(&self, path: &Path) -> Result<(), HistoryError> {
        write_atomic(path, self.to_csv().as_bytes())
            .map_err(|source| HistoryError::Io { path: path.to_owned(), source })
    }

    /// Reads a `history.csv` back.
    ///
    /// # Errors
    /// The file cannot be read, or is not what [`History::write_csv`] writes; the line is named.
    pub fn read_csv(path: &Path) -> Result<History, HistoryError> {
        let io = |source| HistoryError::Io { path: path.to_owned(), source };
        History::from_csv(&std::fs::read(path).map_err(io)?, path)
    }

    /// The history in the bytes of a `history.csv`; `path` names them in errors.
    pub(crate) fn from_csv(bytes: &[u8], path: &Path) -> Result<History, HistoryError> {
        let row = |source| HistoryError::Row { path: path.to_owned(), source };
        let mut reader = csv::Reader::from_reader(bytes);
        let headers = reader.headers().map_err(row)?;
        if headers != COLUMNS.as_slice() {
            let found = headers.iter().take(COLUMNS.len() + 1).collect::<Vec<_>>().join(",");
            return Err(HistoryError::Columns { path: path.to_owned(), found });
        }
        let headers = headers.clone();
        let mut history = History::default();
        for record in reader.records() {
            let record = record.map_err(row)?;
            let line = record.position().map_or(0, csv::Position::line);
            let epoch: EpochRecord = record.deserialize(Some(&headers)).map_err(row)?;
            let expected = history.records.len() + 1;
            if usize::try_from(epoch.epoch) != Ok(expected) {
                return Err(HistoryError::Epoch { path: path.to_owned(), line, expected, found: epoch.epoch });
            }
            history.push(epoch);
        }
        Ok(history)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(epoch: u32, val_loss: Option<f64>) -> EpochRecord {
        EpochRecord {
            epoch,
            train_loss: 0.1 + 0.2,
            train_accuracy: 0.96875,
            val_loss,
            val_accuracy: val_loss.map(|_| 0.9841666),
            learning_rate: 1e-3,
            seconds: 3.1234567,
        }
    }

    #[test]
    fn the_file_has_the_promised_columns_and_leaves_absent_values_empty() {
        let mut history = History::default();
        history.push(record(1, Some(0.0821)));
        history.push(record(2, None));
        assert_eq!(
            history.to_csv(),
            "epoch,train_loss,train_accuracy,val_loss,val_accuracy,learning_rate,seconds\n\
             1,0.30000000000000004,0.96875,0.0821,0.9841666,0.001,3.123\n\
             2,0.30000000000000004,0.96875,,,0.001,3.123\n"
        );
        assert_eq!(History::default().to_csv().lines().count(), 1);
    }

    #[test]
    fn a_history_reads_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.csv");
        let mut history = History::default();
        for epoch in 1..=3 {
            let odd = [f64::INFINITY, 1e-300, 12345678.9][epoch as usize - 1];
            history.push(EpochRecord { seconds: 0.5, learning_rate: 1.0e-7, ..record(epoch, Some(odd)) });
        }
        history.write_csv(&path).unwrap();
        assert_eq!(History::read_csv(&path).unwrap(), history);
        let nan = EpochRecord { train_loss: f64::NAN, ..record(4, None) };
        history.push(nan);
        history.write_csv(&path).unwrap();
        assert!(History::read_csv(&path).unwrap().last().unwrap().train_loss.is_nan());
    }

    #[test]
    fn a_damaged_history_is_named_and_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.csv");
        let header = COLUMNS.join(",");
        let refusal = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let message = History::read_csv(&path).unwrap_err().to_string();
            assert!(message.starts_with(&path.display().to_string()), "{message}");
            message
        };
        assert!(refusal("epoch,loss\n1,2\n").contains("expected the columns epoch,train_loss"));
        assert!(refusal("").contains("expected the columns"));
        let gap = format!("{header}\n1,1,1,,,1,1\n3,1,1,,,1,1\n");
        assert!(refusal(&gap).contains("line 3: not a history: expected epoch 2, found 3"));
        assert!(refusal(&format!("{header}\n1,1,x,,,1,1\n")).contains("line: 2"));
        assert!(refusal(&format!("{header}\n1,1,1\n")).contains("line: 2"));
        let missing = History::read_csv(&folder.path().join("none.csv")).unwrap_err().to_string();
        assert!(missing.contains("none.csv"), "{missing}");
    }
}
