//! Progress on standard error: bars on a terminal, plain lines elsewhere.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

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
        Unit::Images => "{prefix} [{wide_bar}] {human_pos}/{human_len}, {speed}, {left} left",
        Unit::Bytes => "{prefix} [{wide_bar}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
    };
    styled(ProgressBar::with_draw_target(Some(total), target()), template).with_prefix(what)
}

/// The bar of an epoch of so many images that began `elapsed` ago; its message is the running loss and accuracy. It fits
/// into 80 columns up to epoch 999 of 999.
pub(crate) fn epoch_bar(what: String, images: u64, elapsed: Duration) -> ProgressBar {
    let template = "{prefix} [{wide_bar}] {msg}, {speed}, {left} left";
    let bar = ProgressBar::with_draw_target(Some(images), target()).with_elapsed(elapsed);
    styled(bar, template).with_prefix(what)
}

/// The bar of a search; its message is the best so far and the time left.
pub(crate) fn trials_bar(total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), target());
    styled(bar, "{prefix} [{wide_bar}] {msg}").with_prefix("searching")
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
    // Means since the bar began: images come at an even pace, in batches that a momentary speed would jump with.
    let speed = |state: &ProgressState, text: &mut dyn Write| {
        let _ = match state.pos() {
            0 => write!(text, "? images/s"),
            _ => write!(text, "{} images/s", grouped(mean_speed(state) as u64)),
        };
    };
    let left = |state: &ProgressState, text: &mut dyn Write| {
        let images = state.len().unwrap_or(0).saturating_sub(state.pos());
        let seconds = Duration::try_from_secs_f64((images as f64 / mean_speed(state)).ceil());
        let _ = match seconds {
            Ok(seconds) => write!(text, "{:#}", HumanDuration(seconds)),
            Err(_) => write!(text, "?"),
        };
    };
    bar.with_style(style.progress_chars("=> ").with_key("speed", speed).with_key("left", left))
}

/// Images a second since the bar began.
fn mean_speed(state: &ProgressState) -> f64 {
    state.pos() as f64 / state.elapsed().as_secs_f64().max(1e-9)
}

/// Standard error if it is a live terminal, else nowhere.
fn target() -> ProgressDrawTarget {
    if terminal::is_live() { ProgressDrawTarget::stderr_with_hz(REDRAWS) } else { ProgressDrawTarget::hidden() }
}
