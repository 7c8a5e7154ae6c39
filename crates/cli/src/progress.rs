//! Progress on standard error: bars on a terminal, plain lines elsewhere.

use std::borrow::Cow;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

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
        Unit::Images => "{prefix} [{bar:30}] {human_pos}/{human_len} {per_sec:>12}, {eta} left {wide_msg}",
        Unit::Bytes => "{prefix} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec:>12}, {eta} left {wide_msg}",
    };
    styled(ProgressBar::with_draw_target(Some(total), target()), template).with_prefix(what)
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
pub(crate) fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style.progress_chars("=> "))
}

/// Standard error if it is a live terminal, else nowhere.
pub(crate) fn target() -> ProgressDrawTarget {
    if terminal::is_live() { ProgressDrawTarget::stderr_with_hz(REDRAWS) } else { ProgressDrawTarget::hidden() }
}
