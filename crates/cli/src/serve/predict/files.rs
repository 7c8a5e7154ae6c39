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

/// Decodes files with their names, where they have some; none further once the client has left. Until then its memory, its
/// place and its decoder are taken, whether or not somebody still waits for the answer.
///
/// # Errors
/// 400 if one is no image or damaged; 413 if one, or all together, have too many pixels, which their headers tell; 503 if
/// too many requests wait to be decoded.
pub(super) async fn decode(
    app: &Arc<App>,
    loaded: &Arc<Loaded>,
    files: Vec<(Option<String>, Bytes)>,
    invert: Invert,
    mut admitted: Admitted,
) -> Result<(Admitted, Prepared), ApiError> {
    admitted.held.grow(files.len() * loaded.model().input().len())?;
    let fault = |_| ApiError::fault("decoding failed; the server's log says why");
    let busy = |_| ApiError::busy("too many image files wait to be unpacked (half of --max-concurrent); try again");
    let upload = Arc::clone(&app.uploads).try_acquire_owned().map_err(busy)?;
    let decoder =
        Arc::clone(&app.decoders).acquire_owned().await.map_err(|_| ApiError::busy("the server is about to end"))?;
    let (loaded, limits) = (Arc::clone(loaded), app.limits.image);
    let client = Arc::new(());
    let waiting = Arc::downgrade(&client);
    let work = move || {
        let _taken = (upload, decoder);
        let mut left = limits.pixels;
        let (mut pixels, mut names) = (Vec::new(), Vec::with_capacity(files.len()));
        for (name, file) in files {
            if waiting.strong_count() == 0 {
                return Err(ApiError::bad("the client has left"));
            }
            let shown = name.as_deref().filter(|name| !name.is_empty()).unwrap_or("the body");
            let image = decode_image_within(&file, shown, ImageLimits { pixels: left, ..limits });
            let image = image.map_err(|error| refusal(&error, limits))?;
            // Within `left`, as the decoder has seen.
            left -= (image.shape().height * image.shape().width) as u64;
            pixels.extend(to_input(loaded.model(), &image));
            names.push(name);
        }
        Ok((admitted, Prepared::new(loaded.model(), invert, pixels, names)))
    };
    let decoded = tokio::task::spawn_blocking(work).await;
    drop(client);
    decoded.map_err(fault)?
}

fn refusal(error: &DataError, limits: ImageLimits) -> ApiError {
    match error {
        DataError::ImageTooLarge { .. } => ApiError::large(format!(
            "{error}; all images of a request together may have {} pixels (--max-megapixels)",
            limits.pixels
        )),
        error => ApiError::bad(error.to_string()),
    }
}
