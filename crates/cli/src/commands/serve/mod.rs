//! `serve`: a model over HTTP.

mod name;

use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs as _};
use std::num::NonZeroUsize;
use std::time::Duration;

use glyphnet_data::ImageLimits;

use crate::args::ServeArgs;
use crate::error::CliError;
use crate::output::say;
use crate::serve::{self, Batching, BodyLimits, Connections, Limits, Settings, Token};
use crate::terminal::Style;

/// Longest side of an image file, in pixels.
const LONGEST_SIDE: u32 = 8192;

pub(crate) fn run(args: &ServeArgs) -> Result<(), CliError> {
    let addresses = addresses(&args.addr)?;
    let token = args.token_file.as_deref().map(Token::read).transpose()?;
    let name = args.name.clone().unwrap_or_else(|| name::of(&args.model));
    // Taken before the model is read: a second server is refused at once.
    let listener = bind(&args.addr, &addresses)?;
    warn_if_open(listener.local_addr()?.ip(), token.is_some());
    let settings = Settings {
        model: args.model.clone(),
        name,
        token_file: args.token_file.clone(),
        token,
        cors: args.cors.clone(),
        limits: limits(args),
        concurrent: args.max_concurrent.get(),
        batching: Batching {
            threads: args.threads.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN),
            largest: args.max_batch,
            delay: Duration::from_micros(args.batch_delay),
        },
        connections: Connections {
            most: args.max_connections.get(),
            patience: args.client_timeout,
            drain: args.drain_timeout,
        },
        log: args.log_format,
    };
    serve::run(settings, listener)
}

fn limits(args: &ServeArgs) -> Limits {
    Limits {
        body: BodyLimits { longest: args.max_body, patience: args.client_timeout },
        images: args.max_images.get(),
        image: ImageLimits::new(LONGEST_SIDE, 1_000_000 * u64::from(args.max_megapixels.get())),
    }
}

/// What a host and a port stand for.
fn addresses(text: &str) -> Result<Vec<SocketAddr>, CliError> {
    let port = text.rsplit_once(':').and_then(|(host, port)| (!host.is_empty()).then(|| port.parse::<u16>().ok())?);
    if port.is_none() {
        return Err(CliError::Usage(format!("--addr {text}: give a host and a port, such as 127.0.0.1:8080")));
    }
    let found = text.to_socket_addrs().map_err(|error| CliError::failed(format!("--addr {text}: {error}")))?;
    Ok(found.collect())
}

fn bind(text: &str, addresses: &[SocketAddr]) -> Result<TcpListener, CliError> {
    TcpListener::bind(addresses).map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AddrInUse => "; another program listens there: end it, or name another port",
            std::io::ErrorKind::PermissionDenied => "; ports below 1024 need special rights: name another port",
            _ => "",
        };
        CliError::failed(format!("cannot listen on {text}: {error}{hint}"))
    })
}

fn warn_if_open(address: IpAddr, token: bool) {
    if !address.is_loopback() && !token {
        let label = Style::stderr().red("warning:");
        say!("{label} anybody who reaches {address} can use this server; --token-file asks them for a token");
    }
}
