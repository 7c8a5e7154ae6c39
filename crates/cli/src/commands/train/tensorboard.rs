//! `train --tensorboard`: what TensorBoard shows of a run, in the folder `tensorboard` of the run's own.
//!
//! `train` and `validation` in it are runs of their own to TensorBoard, with Keras's names for their values, so that the
//! two lie in one chart; `pictures` has those of the run folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use glyphnet::train::history::{EpochRecord, History};
use glyphnet::train::{Event, Observer};
use glyphnet_artifacts::{ArtifactError, EventFile};

use super::watch::Watch;
use crate::commands::report::LiveReport;
use crate::error::chain;
use crate::output::say;

const FOLDER: &str = "tensorboard";

const LOSS: &str = "epoch_loss";
const ACCURACY: &str = "epoch_accuracy";
const LEARNING_RATE: &str = "epoch_learning_rate";

/// The folder of event files of the run in `run`, if there is one.
pub(super) fn begun(run: &Path) -> Option<PathBuf> {
    Some(run.join(FOLDER)).filter(|folder| folder.is_dir())
}

/// Writes event files. If they cannot be written, that is said, and the run goes on without them.
pub(super) struct Board {
    run: PathBuf,
    files: Option<Files>,
    failed: bool,
}

struct Files {
    train: EventFile,
    /// If there is such a split.
    validation: Option<EventFile>,
}

impl Board {
    /// For the run in this folder. The folder of event files is made now, so that a run that goes on knows of it.
    pub(super) fn new(run: &Path) -> Board {
        // Where that fails, the first event says so.
        drop(fs::create_dir_all(run.join(FOLDER)));
        Board { run: run.to_owned(), files: None, failed: false }
    }

    /// An epoch is over. At the first one, the files are made to go on where it begins, and what they lack of the epochs
    /// before is put in.
    fn epoch(&mut self, record: &EpochRecord) {
        self.attempt(|board| {
            let earlier = match &board.files {
                None if record.epoch > 1 => earlier(&board.run, record.epoch),
                _ => Vec::new(),
            };
            board.write(record.epoch, &[&earlier[..], std::slice::from_ref(record)].concat())
        });
    }

    /// The run is over after the epochs of `history`, and its pictures are drawn.
    pub(super) fn finish(&mut self, history: &History) {
        let records = history.records();
        let last = records.last().map_or(0, |record| record.epoch);
        self.attempt(|board| {
            if board.files.is_none() {
                board.write(last + 1, records)?;
            }
            board.pictures(last.into())
        });
    }

    fn attempt(&mut self, work: impl FnOnce(&mut Board) -> Result<(), ArtifactError>) {
        if self.failed {
            return;
        }
        if let Err(error) = work(self) {
            self.failed = true;
            say!("note: no more is written for TensorBoard: {}", chain(&error));
        }
    }

    /// Writes those of `records`, the last of which was over just now, that are not there yet; what the files have of
    /// `next` and later epochs, as after a crash, gives way.
    fn write(&mut self, next: u32, records: &[EpochRecord]) -> Result<(), ArtifactError> {
        let files = match &mut self.files {
            Some(files) => files,
            None => {
                let validation = records.iter().any(|record| record.val_loss.is_some());
                self.files.insert(Files::open(&self.run.join(FOLDER), next.saturating_sub(1).into(), validation)?)
            }
        };
        let mut after: f64 = records.iter().map(|record| record.seconds).sum();
        for record in records {
            after -= record.seconds;
            let ago = Duration::try_from_secs_f64(after.max(0.0)).unwrap_or_default();
            files.write(SystemTime::now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH), record)?;
        }
        Ok(())
    }

    /// The pictures that lie in the run's folder, as those of epoch `step`.
    fn pictures(&self, step: u64) -> Result<(), ArtifactError> {
        let mut names: Vec<PathBuf> =
            fs::read_dir(&self.run).into_iter().flatten().flatten().map(|e| e.path()).collect();
        names.retain(|path| path.extension().is_some_and(|extension| extension == "png"));
        names.sort();
        let mut events = EventFile::open(&self.run.join(FOLDER).join("pictures"), step.saturating_sub(1))?;
        for path in names {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            if let Ok(png) = fs::read(&path) {
                events.picture(SystemTime::now(), step, &name, &png)?;
            }
        }
        Ok(())
    }
}

/// The epochs before `epoch` of a run that goes on.
fn earlier(run: &Path, epoch: u32) -> Vec<EpochRecord> {
    let history = History::read_csv(&run.join("history.csv")).unwrap_or_default();
    history.records().iter().filter(|record| record.epoch < epoch).cloned().collect()
}

impl Files {
    fn open(folder: &Path, after: u64, validation: bool) -> Result<Files, ArtifactError> {
        let file = |split: &str| EventFile::open(&folder.join(split), after);
        Ok(Files { train: file("train")?, validation: validation.then(|| file("validation")).transpose()? })
    }

    /// Writes an epoch where it is missing.
    fn write(&mut self, time: SystemTime, record: &EpochRecord) -> Result<(), ArtifactError> {
        let &EpochRecord { train_loss, train_accuracy, val_loss, val_accuracy, .. } = record;
        let step = record.epoch.into();
        let missing = |file: &EventFile| file.last_step().is_none_or(|last| last < step);
        if missing(&self.train) {
            let rate = f64::from(record.learning_rate);
            let values = [(LOSS, train_loss), (ACCURACY, train_accuracy), (LEARNING_RATE, rate)];
            self.train.scalars(time, step, &values)?;
        }
        let validation = self.validation.as_mut().filter(|file| missing(file));
        if let (Some(file), Some(loss), Some(accuracy)) = (validation, val_loss, val_accuracy) {
            file.scalars(time, step, &[(LOSS, loss), (ACCURACY, accuracy)])?;
        }
        Ok(())
    }
}

/// Shows a run to a person, in its report and to TensorBoard if that is wanted.
pub(super) struct Watched {
    pub(super) watch: Watch,
    pub(super) report: Option<LiveReport>,
    pub(super) board: Option<Board>,
    /// Whether the network is measured on the test images.
    pub(super) test: bool,
}

impl Observer for Watched {
    fn event(&mut self, event: &Event<'_>) {
        self.watch.event(event);
        if let Event::Epoch(record) = event {
            self.report.iter_mut().for_each(|report| report.epoch(record));
            self.board.iter_mut().for_each(|board| board.epoch(record));
        }
    }

    fn stop_requested(&self) -> bool {
        self.watch.stop_requested()
    }

    fn test_wanted(&self) -> bool {
        self.test
    }
}
