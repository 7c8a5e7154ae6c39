//! Image files, decoded on threads that may block, a few at a time.

use std::sync::Arc;

use axum::body::Bytes;
use glyphnet_data::{DataError, decode_image_within};

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
/// 400 if one is no image or damaged, 413 if one has too many pixels, which its header tells.
pub(super) async fn decode(
    app: &Arc<App>,
    loaded: &Arc<Loaded>,
    files: Vec<(Option<String>, Bytes)>,
    invert: Invert,
    mut admitted: Admitted,
) -> Result<(Admitted, Prepared), ApiError> {
    admitted.held.grow(files.len() * loaded.model().input().len())?;
    let fault = |_| ApiError::fault("decoding failed; the server's log says why");
    let decoder =
        Arc::clone(&app.decoders).acquire_owned().await.map_err(|_| ApiError::busy("the server is about to end"))?;
    let (loaded, limits) = (Arc::clone(loaded), app.limits.image);
    let client = Arc::new(());
    let waiting = Arc::downgrade(&client);
    let work = move || {
        let _decoder = decoder;
        let (mut pixels, mut names) = (Vec::new(), Vec::with_capacity(files.len()));
        for (name, file) in files {
            if waiting.strong_count() == 0 {
                return Err(ApiError::bad("the client has left"));
            }
            let shown = name.as_deref().filter(|name| !name.is_empty()).unwrap_or("the body");
            let image = decode_image_within(&file, shown, limits).map_err(refusal)?;
            pixels.extend(to_input(loaded.model(), &image));
            names.push(name);
        }
        Ok((admitted, Prepared::new(loaded.model(), invert, pixels, names)))
    };
    let decoded = tokio::task::spawn_blocking(work).await;
    drop(client);
    decoded.map_err(fault)?
}

fn refusal(error: DataError) -> ApiError {
    match error {
        DataError::ImageTooLarge { .. } => ApiError::large(error.to_string()),
        error => ApiError::bad(error.to_string()),
    }
}
