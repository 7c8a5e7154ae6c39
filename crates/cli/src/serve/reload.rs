//! Reading the model and the token again while requests go on.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, oneshot};
use tokio::time::sleep;

use super::app::App;
use super::auth::Token;
use super::loaded::{Loaded, Stamp};
use crate::error::CliError;

/// How often the model file is looked at.
const INTERVAL: Duration = Duration::from_secs(1);
/// Held while a model is read, so that what was read first is not swapped in last.
static READING: Mutex<()> = Mutex::const_new(());

/// Looks at the model file forever and reads it again once it has changed and then stayed as it is for a moment.
pub(crate) async fn watch(app: Arc<App>) {
    let (mut seen, mut tried): (Option<Stamp>, Option<Stamp>) = (None, None);
    loop {
        sleep(INTERVAL).await;
        let changed = app.current.changed();
        // Still being written, or read before and found damaged.
        if changed.is_some() && changed == seen && changed != tried {
            tried = changed;
            model(&app, "the file changed").await;
        }
        seen = changed;
    }
}

/// Reads model and token again, because somebody asked for it.
pub(crate) async fn all(app: Arc<App>) {
    model(&app, "SIGHUP").await;
    let Some(file) = app.token_file.clone() else { return };
    match apart(move || Token::read(&file)).await {
        Ok(token) => {
            *app.token.write().unwrap_or_else(PoisonError::into_inner) = Some(token);
            app.log.event("reload", "the token was read again");
        }
        Err(error) => app.log.event("reload failed", &format!("the old token stays: {error}")),
    }
}

async fn model(app: &Arc<App>, why: &str) {
    let _one = READING.lock().await;
    let reading = Arc::clone(app);
    let result: Result<Arc<Loaded>, String> = apart(move || reading.current.reload()).await;
    app.metrics.reload(result.is_ok());
    match result {
        Ok(loaded) => {
            let (input, classes) = (loaded.model().input(), loaded.model().classes().len());
            let message = format!("{why}: the model was read again, images of {input} in {classes} classes");
            app.log.event("reload", &message);
        }
        Err(error) => app.log.event("reload failed", &format!("{why}: the old model stays: {error}")),
    }
}

/// Reads on a thread of its own, which waits behind no request and holds up no end.
async fn apart<T: Send + 'static>(read: impl FnOnce() -> Result<T, CliError> + Send + 'static) -> Result<T, String> {
    let (send, received) = oneshot::channel();
    let reader = move || {
        let _ = send.send(read().map_err(|error| error.told()));
    };
    std::thread::Builder::new().name("reload".to_owned()).spawn(reader).map_err(|error| error.to_string())?;
    received.await.unwrap_or_else(|_| Err("reading it failed, as said above".to_owned()))
}
