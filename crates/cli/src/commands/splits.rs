//! Which images a split means: for the data of a run those that the run itself learned from and held out.

use std::borrow::Cow;

use glyphnet::train::TrainingData;
use glyphnet_data::{Dataset, Part, Source};

use super::run_data::Run;
use crate::error::CliError;

/// The splits of some data as a model sees them.
pub(crate) struct Splits<'a> {
    source: &'a Source,
    origin: Origin<'a>,
}

/// What the data are to the model.
enum Origin<'a> {
    /// What its run was trained on, split as the run did.
    Run(Box<TrainingData<'a>>),
    /// Other data than its run's.
    Other,
    /// Nobody knows: no run comes with the model.
    NoRun,
}

impl<'a> Splits<'a> {
    /// `named` says that the data were asked for, whatever the run was trained on.
    pub(crate) fn new(source: &'a Source, run: Option<&Run>, wanted: &[Part], named: bool) -> Result<Self, CliError> {
        let Some(run) = run else { return Ok(Splits { source, origin: Origin::NoRun }) };
        let only_test = wanted.iter().all(|&part| part == Part::Test);
        // The test images are whole: where they will do, the fingerprint is not needed, which takes a moment.
        if only_test && source.test.as_ref().is_some_and(|test| test.labels.is_some()) {
            return Ok(Splits { source, origin: Origin::Other });
        }
        let origin = if run.fingerprint() == Some(&source.fingerprint()) {
            Origin::Run(Box::new(TrainingData::new(&run.recipe, source)?))
        } else if named || only_test {
            Origin::Other
        } else {
            return Err(CliError::failed(format!(
                "{} holds other images than those that the run was trained on (the data_fingerprint in {} differs), so \
                 what it learned from and held out cannot be told; --data {0} measures on them as they are",
                source.name, run.file
            )));
        };
        Ok(Splits { source, origin })
    }

    /// The images of a split, or why there are none.
    pub(crate) fn get(&self, part: Part) -> Result<Cow<'_, Dataset>, String> {
        if let (Origin::Run(data), Part::Train) = (&self.origin, part) {
            return Ok(Cow::Owned(data.train.to_dataset()));
        }
        if let (Origin::Run(data), Part::Validation) = (&self.origin, part) {
            return data
                .validation
                .as_ref()
                .map(Cow::Borrowed)
                .ok_or_else(|| "the run held out no validation images".to_owned());
        }
        let own = self.source.parts().find(|(own, _)| *own == part).map(|(_, data)| Cow::Borrowed(data));
        own.ok_or_else(|| {
            let name = &self.source.name;
            match (part, &self.origin) {
                (Part::Validation, Origin::NoRun) => format!(
                    "{name} has no validation images of its own; to measure on those that a run held out, name the run's \
                     folder with --model instead of the model file alone"
                ),
                (Part::Validation, _) => format!(
                    "{name} has no validation images of its own, and the run held out images of other data (those are \
                     measured without --data)"
                ),
                _ => format!("{name} has no {part} images"),
            }
        })
    }

    /// The splits that have labelled images.
    pub(crate) fn labelled(&self) -> Vec<String> {
        let parts = [Part::Train, Part::Validation, Part::Test].into_iter();
        let labelled = |part: &Part| self.get(*part).is_ok_and(|data| data.labels.is_some() && !data.is_empty());
        parts.filter(labelled).map(|part| part.to_string()).collect()
    }
}
