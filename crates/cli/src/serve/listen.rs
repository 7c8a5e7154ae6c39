//! Accepting connections, speaking HTTP/1 on them, and letting them end.

use std::convert::Infallible;
use std::future::Future;
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::app::App;
use super::metrics::{Counted, Gauge};
use super::seats::{For, Seat, Seats};
use super::transport::Transport;

/// Bytes of a request's line and headers; more are answered with 431.
const LONGEST_HEAD: usize = 16 << 10;
/// Headers of a request; more are answered with 431.
const MOST_HEADERS: usize = 64;
/// Bytes that a connection buffers.
const BUFFER: usize = 64 << 10;
/// How long to wait where the system has no more files to give.
const OUT_OF_FILES: Duration = Duration::from_millis(100);

/// How long clients may take, and how many they may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connections {
    pub(crate) most: usize,
    /// For the headers of the next request, and for taking a response.
    pub(crate) patience: Duration,
    /// For requests in flight once the server is to end.
    pub(crate) drain: Duration,
}

/// Serves until `end`, then closes the listener and lets requests in flight end. Says whether all of them did.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    router: Router,
    connections: Connections,
    end: impl Future<Output = ()>,
) -> bool {
    let graceful = GracefulShutdown::new();
    let accept = accept(listener, &app, router, connections, &graceful);
    tokio::select! {
        () = end => {}
        () = accept => {}
    }
    app.draining.store(true, Ordering::Relaxed);
    // In this order, so that those whose answers were waited for read in them that their connection ends.
    let (drained, ()) =
        tokio::join!(biased; timeout(connections.drain, graceful.shutdown()), async { app.engine.hurry() });
    drained.is_ok()
}

async fn accept(
    listener: TcpListener,
    app: &Arc<App>,
    router: Router,
    connections: Connections,
    graceful: &GracefulShutdown,
) {
    let seats = Seats::new(connections.most);
    loop {
        match listener.accept().await {
            Ok((stream, _peer)) => {
                let Some(seat) = seats.take().await else { return };
                // Small responses are sent at once.
                let _ = stream.set_nodelay(true);
                let service = Service {
                    router: TowerToHyperService::new(router.clone()),
                    seat,
                    _open: Counted::new(Arc::clone(&app.metrics.connections)),
                };
                tokio::spawn(speak(stream, service, graceful.watcher(), connections.patience));
            }
            // The client went away before it was let in.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
            Err(error) => {
                app.log.event("accept", &format!("no connection can be accepted: {error}"));
                sleep(OUT_OF_FILES).await;
            }
        }
    }
}

/// Speaks HTTP on a connection until it ends, or its seat is lost.
async fn speak(stream: TcpStream, service: Service, watcher: Watcher, patience: Duration) {
    let seat = Arc::clone(&service.seat);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // A connection that is idle between two requests waits for headers too.
        .header_read_timeout(patience)
        .max_buf_size(BUFFER)
        .max_header_size(LONGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(Transport::new(stream, patience, Arc::clone(&seat))), service);
    tokio::select! {
        // What goes wrong on a connection is its client's doing, and its client's to see.
        _ = watcher.watch(connection) => {}
        () = seat.lost() => {}
    }
}

/// The paths, for the requests of one connection.
struct Service {
    router: TowerToHyperService<Router>,
    seat: Arc<Seat>,
    _open: Counted<Arc<Gauge>>,
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let seat = Arc::clone(&self.seat);
        seat.work();
        request.extensions_mut().insert(Arc::clone(&seat));
        let response = self.router.call(request);
        Box::pin(async move {
            let response = response.await;
            seat.wait_for(For::Headers);
            response
        })
    }
}
