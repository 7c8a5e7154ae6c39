//! A connection whose client must go on reading, and that is closed so that the client sees its last response or why it
//! gets none.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use super::seats::{For, Seat};

/// How long a client may go on sending after it was answered and the answer's end was sent.
const LINGER: Duration = Duration::from_secs(2);

/// What a client is told that did not send its headers in time.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nConnection: close\r\n\
    Content-Length: 80\r\n\r\n{\"error\":\"the request's headers came too slowly; the limit is --client-timeout\"}";

/// A TCP stream.
///
/// Writing fails once the client has taken nothing for as long as it may. Shutting down sends the end and then reads on
/// for a moment: closing a socket with unread data resets the connection, and a client that is still sending would lose
/// the response that says why its request was refused.
pub(crate) struct Transport {
    stream: TcpStream,
    patience: Duration,
    seat: Arc<Seat>,
    /// Whether the client has sent something that nothing was answered to.
    unanswered: bool,
    /// When to give up writing; nothing while writing goes on.
    stalled: Option<Pin<Box<Sleep>>>,
    /// When to stop waiting for the client's end, once ours is sent.
    lingering: Option<Pin<Box<Sleep>>>,
}

impl Transport {
    pub(crate) fn new(stream: TcpStream, patience: Duration, seat: Arc<Seat>) -> Transport {
        Transport { stream, patience, seat, unanswered: false, stalled: None, lingering: None }
    }

    /// Passes on what writing says, but fails where it has been pending for too long.
    fn watch<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            (self.stalled, self.unanswered) = (None, false);
            return written;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (own, before) = (self.get_mut(), buffer.filled().len());
        let read = Pin::new(&mut own.stream).poll_read(context, buffer);
        own.unanswered |= buffer.filled().len() > before;
        read
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let own = self.get_mut();
        let written = Pin::new(&mut own.stream).poll_write(context, bytes);
        own.watch(context, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let own = self.get_mut();
        let written = Pin::new(&mut own.stream).poll_write_vectored(context, slices);
        own.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let own = self.get_mut();
        if own.lingering.is_none() {
            ready!(Pin::new(&mut own.stream).poll_shutdown(context))?;
            own.lingering = Some(Box::pin(sleep(LINGER)));
        }
        let mut waste = [0; 8192];
        while let Some(deadline) = &mut own.lingering {
            if deadline.deadline() <= Instant::now() || deadline.as_mut().poll(context).is_ready() {
                break;
            }
            let mut buffer = ReadBuf::new(&mut waste);
            match ready!(Pin::new(&mut own.stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Where the end is not an orderly one and a request has only begun, its headers did not come in time. Nobody is left to
/// wait for, so the answer is written if the system takes it at once.
impl Drop for Transport {
    fn drop(&mut self) {
        if self.unanswered && self.lingering.is_none() && self.seat.waits_for(For::Headers) {
            let _ = self.stream.try_write(TOO_SLOW);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_slow_headers_is_as_long_as_it_says() {
        let text = std::str::from_utf8(TOO_SLOW).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())));
        assert!(serde_json::from_str::<serde_json::Value>(body).unwrap()["error"].is_string());
    }
}
