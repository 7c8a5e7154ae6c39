//! The HTTP server of `glyphnet serve`.
//!
//! The way of a request: [`listen`] reads it from a connection within its limits, of which [`seats`] are taken from
//! clients that are idle or slow when there are too many, [`gate`] names it, asks for the token
//! and logs it, [`app`] has the paths, [`predict`] and [`protocol`] make images of its body, [`engine`] predicts them
//! together with those of other requests. `openapi.json` describes every path.

mod app;
mod auth;
mod body;
mod budget;
mod engine;
mod error;
mod gate;
mod listen;
mod loaded;
mod log;
mod metrics;
mod multipart;
mod openapi;
mod page;
mod pixels;
mod predict;
mod protocol;
mod reload;
mod run;
mod seats;
mod signals;
mod transport;

pub(crate) use self::run::{Settings, run};
pub(crate) use self::{app::Limits, auth::Token, body::BodyLimits, engine::Batching, listen::Connections};
