//! The real server: `glyphnet serve` is started and asked by a client that writes bytes to a socket, so that what is wrong
//! can be sent too.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "../common/mod.rs"]
mod common;
mod http;
mod lifecycle;
mod limits;
mod malformed;
mod predict;
mod protocol;
mod routes;
mod server;
