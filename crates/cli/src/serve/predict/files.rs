//! Image files, decoded on threads that may block, a few at a time.

use std::sync::Arc;

use axum::body::Bytes;
use glyphnet_data::{DataError, ImageLimits, decode_image_within};

use super::super::app::{Admitted, App};
use super::super::error::ApiError;
use super::super::loaded::Loaded;
use super::Prepared;
use crate::args::Invert;
use crate::classify::to_input;

/// What is decoded on the thread that serves the connection, since handing it over would take as long: so many bytes of
/// files, of so many pixels.
const BRIEF_BYTES: usize = 16 << 10;
const BRIEF_PIXELS: u64 = 128 * 128;

/// Files with their names, where they have some.
type Files = Vec<(Option<String>, Bytes)>;

/// Decodes files; none further once the client has left. Until then its memory, its place and its decoder are taken,
/// whether or not somebody still waits for the answer.
///
/// # Errors
/// 400 if one is no image or damaged; 413 if one, or all together, have too many pixels, which their headers tell; 503 if
/// too many requests wait to be decoded.
pub(super) async fn decode(
    app: &Arc<App>,
    loaded: &Arc<Loaded>,
    files: Files,
    invert: Invert,
    mut admitted: Admitted,
) -> Result<(Admitted, Prepared), ApiError> {
    admitted.held.grow(files.len() * loaded.model().input().len())?;
    let limits = app.limits.image;
    if files.iter().map(|(_, file)| file.len()).sum::<usize>() <= BRIEF_BYTES {
        let brief = ImageLimits { pixels: limits.pixels.min(BRIEF_PIXELS), ..limits };
        match unpack(&files, loaded, invert, brief, || true) {
            Err(Stopped::Error(DataError::ImageTooLarge { .. })) => {}
            unpacked => return Ok((admitted, unpacked.map_err(|stopped| stopped.told(limits))?)),
        }
    }
    let fault = |_| ApiError::fault("decoding failed; the server's log says why");
    let busy = |_| ApiError::busy("too many image files wait to be unpacked (half of --max-concurrent); try again");
    let upload = Arc::clone(&app.uploads).try_acquire_owned().map_err(busy)?;
    let decoder =
        Arc::clone(&app.decoders).acquire_owned().await.map_err(|_| ApiError::busy("the server is about to end"))?;
    let loaded = Arc::clone(loaded);
    let client = Arc::new(());
    let waiting = Arc::downgrade(&client);
    let work = move || {
        let _taken = (upload, decoder);
        let unpacked = unpack(&files, &loaded, invert, limits, || waiting.strong_count() > 0);
        Ok((admitted, unpacked.map_err(|stopped| stopped.told(limits))?))
    };
    let decoded = tokio::task::spawn_blocking(work).await;
    drop(client);
    decoded.map_err(fault)?
}

/// Why files were not decoded.
enum Stopped {
    /// The client has left.
    Left,
    Error(DataError),
}

/// Decodes files that have at most `limits.pixels` together, as long as they are `wanted`.
fn unpack(
    files: &Files,
    loaded: &Loaded,
    invert: Invert,
    limits: ImageLimits,
    wanted: impl Fn() -> bool,
) -> Result<Prepared, Stopped> {
    let mut left = limits.pixels;
    let (mut pixels, mut names) = (Vec::new(), Vec::with_capacity(files.len()));
    for (name, file) in files {
        if !wanted() {
            return Err(Stopped::Left);
        }
        let shown = name.as_deref().filter(|name| !name.is_empty()).unwrap_or("the body");
        let image = decode_image_within(file, shown, ImageLimits { pixels: left, ..limits }).map_err(Stopped::Error)?;
        // Within `left`, as the decoder has seen.
        left -= (image.shape().height * image.shape().width) as u64;
        pixels.extend(to_input(loaded.model(), &image));
        names.push(name.clone());
    }
    Ok(Prepared::new(loaded.model(), invert, pixels, names))
}

impl Stopped {
    /// What the client is told. `limits` are those of whole requests.
    fn told(self, limits: ImageLimits) -> ApiError {
        match self {
            Stopped::Left => ApiError::bad("the client has left"),
            Stopped::Error(error @ DataError::ImageTooLarge { .. }) => ApiError::large(format!(
                "{error}; all images of a request together may have {} pixels (--max-megapixels)",
                limits.pixels
            )),
            Stopped::Error(error) => ApiError::bad(error.to_string()),
        }
    }
}
