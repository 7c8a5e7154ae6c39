//! Opening data for any command.

use glyphnet::recipe::Recipe;
use glyphnet_data::{OpenOptions, Source};

use crate::args::ImageArgs;
use crate::error::CliError;
use crate::output::say;
use crate::progress;

impl ImageArgs {
    /// What was typed, for the data crate.
    pub(crate) fn options(&self) -> OpenOptions {
        let channels = self.channels.as_deref().and_then(|c| c.parse().ok());
        OpenOptions { size: self.size, channels, ..OpenOptions::default() }
    }
}

/// Opens `name` with a sign of life, and says aloud what a person should know about how it was read.
pub(crate) fn open(name: &str, options: &OpenOptions) -> Result<Source, CliError> {
    let source = open_silently(name, options)?;
    for note in &source.notes {
        say!("note: {note}");
    }
    Ok(source)
}

/// As [`open`], for commands that show the notes themselves.
pub(crate) fn open_silently(name: &str, options: &OpenOptions) -> Result<Source, CliError> {
    let spinner = progress::spinner(format!("reading {name}"));
    let source = glyphnet_data::open(name, options);
    spinner.finish_and_clear();
    Ok(source?)
}

/// How a recipe wants its images.
pub(crate) fn options_of(recipe: &Recipe) -> OpenOptions {
    OpenOptions {
        size: recipe.data.image_size.map(|[height, width]| (height, width)),
        channels: recipe.data.channels,
        resize: recipe.preprocess.resize,
        ..OpenOptions::default()
    }
}
