//! Progress on standard error: bars on a terminal, plain lines elsewhere.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::commands::text::grouped;
use crate::terminal;

/// How often a bar is redrawn, times a second.
const REDRAWS: u8 = 10;

/// What a bar counts.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    Images,
    Bytes,
}

/// A bar of `total` units with its speed and the time left; nothing where standard error is no terminal.
pub(crate) fn bar(what: impl Into<Cow<'static, str>>, total: u64, unit: Unit) -> ProgressBar {
    let template = match unit {
        Unit::Images => "{prefix} [{bar:30}] {human_pos}/{human_len}, {images_per_second}, {eta} left",
        Unit::Bytes => "{prefix} [{bar:30}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
    };
    styled(ProgressBar::with_draw_target(Some(total), target()), template).with_prefix(what)
}

/// The bar of an epoch of so many images; its message is the running loss and accuracy.
pub(crate) fn epoch_bar(what: String, images: u64) -> ProgressBar {
    let template = "{prefix} [{bar:20}] {human_pos}/{human_len}, {msg}, {images_per_second}, {eta} left";
    styled(ProgressBar::with_draw_target(Some(images), target()), template).with_prefix(what)
}

/// A sign of life with the seconds gone by, for work whose length is not known; nothing where standard error is no
/// terminal.
pub(crate) fn spinner(what: impl Into<Cow<'static, str>>) -> ProgressBar {
    let spinner = styled(ProgressBar::with_draw_target(None, target()), "{spinner} {prefix} ({elapsed})");
    let spinner = spinner.with_prefix(what);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// The bar of a template; the templates are constants, and one that does not parse falls back to indicatif's own.
fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let speed = |state: &ProgressState, text: &mut dyn Write| {
        let _ = write!(text, "{} images/s", grouped(state.per_sec() as u64));
    };
    bar.with_style(style.progress_chars("=> ").with_key("images_per_second", speed))
}

/// Standard error if it is a live terminal, else nowhere.
fn target() -> ProgressDrawTarget {
    if terminal::is_live() { ProgressDrawTarget::stderr_with_hz(REDRAWS) } else { ProgressDrawTarget::hidden() }
}
