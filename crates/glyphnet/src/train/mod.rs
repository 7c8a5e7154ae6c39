//! Training: the loop and all that happens around it.

pub mod callbacks;
mod checkpoint;
mod data;
mod ensemble;
mod epoch;
mod events;
mod exact;
mod finish;
mod fit;
pub mod history;
mod lr_find;
mod run;
mod run_folder;
mod same_run;
mod save;
pub mod schedule;
mod watchers;

pub use checkpoint::{Checkpoint, CheckpointError, Latest};
pub use data::TrainingData;
pub use ensemble::{Averaged, average, member_recipe};
pub use events::{Event, FitOptions, Observer, Outcome};
pub use fit::{ResumeFrom, fit, resume};
pub use lr_find::{RangeEnd, RangeTest, RatePoint, RateRange, SUGGESTION_RULE, find_learning_rate, range_test};
pub use run_folder::{Extension, MemberMetrics, Metrics, RunFolder};
pub(crate) use watchers::best_epoch;
