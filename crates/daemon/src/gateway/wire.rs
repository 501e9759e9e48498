//! A caller's connection, as the server sees it: one that takes nothing for too long is given up, and what the server itself
//! says of a request that it cannot read gets a body.

use std::future::{Pending, pending};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use adjutant_api::{ErrorBody, ErrorCode, ErrorDocument};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Timeout;

/// How long a caller may take nothing of what is there for it. A stream in which nothing happens is not meant.
const TAKEN_MAX: Duration = Duration::from_secs(30);

/// Longest head that the server writes by itself, in bytes.
const BARE_BYTES_MAX: usize = 512;

/// The connection.
pub(super) struct Wire<S> {
    stream: S,
    taken_max: Duration,
    /// Runs while the caller takes nothing.
    waiting: Option<Pin<Box<Timeout<Pending<()>>>>>,
    /// What is written in the place of a refusal without a body, and how much of it is written.
    instead: Option<(Vec<u8>, usize)>,
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, taken_max: TAKEN_MAX, waiting: None, instead: None }
    }

    /// What came of a step, unless nothing comes of any for too long.
    fn within<T>(&mut self, context: &mut Context<'_>, step: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if step.is_ready() {
            self.waiting = None;
            return step;
        }
        let limit = self.taken_max;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::timeout(limit, pending())));
        waiting.as_mut().poll(context).map(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    fn write_instead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((bytes, written)) = &mut self.instead {
            let step = pin!(&mut self.stream).poll_write(context, &bytes[*written..]);
            if let Poll::Ready(Ok(more)) = &step {
                *written += more;
                if *written == bytes.len() || *more == 0 {
                    self.instead = None;
                }
            }
            ready!(self.within(context, step))?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.instead.is_none() {
            self.instead = with_body(bytes).map(|whole| (whole, 0));
        }
        if self.instead.is_some() {
            return self.write_instead(cx).map_ok(|()| bytes.len());
        }
        let step = pin!(&mut self.stream).poll_write(cx, bytes);
        self.within(cx, step)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let step = pin!(&mut self.stream).poll_flush(cx);
        self.within(cx, step)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let step = pin!(&mut self.stream).poll_shutdown(cx);
        self.within(cx, step)
    }
}

/// The answer with a body, where the server refuses a request by a head alone. Whatever else is written that begins and ends
/// like a head has a body, and no line of a body ends like this.
fn with_body(bytes: &[u8]) -> Option<Vec<u8>> {
    let head = std::str::from_utf8(bytes.get(..bytes.len().min(BARE_BYTES_MAX))?).ok()?;
    let is_refusal = head.starts_with("HTTP/1.1 4") && head.ends_with("\r\n\r\n") && head.len() == bytes.len();
    let (before, after) = head.split_once("content-length: 0\r\n").filter(|_| is_refusal)?;
    let said = head.lines().next()?.trim_start_matches("HTTP/1.1 ");
    let message = format!("the request cannot be read: {said}");
    let body = serde_json::to_string(&ErrorDocument { error: ErrorBody::new(ErrorCode::Usage, message) }).ok()?;
    let length = body.len();
    let whole = format!("{before}content-type: application/json\r\ncontent-length: {length}\r\n{after}{body}");
    Some(whole.into_bytes())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const BARE: &[u8] = b"HTTP/1.1 431 Too Large\r\nconnection: close\r\ncontent-length: 0\r\ndate: today\r\n\r\n";

    #[tokio::test]
    async fn a_refusal_of_the_servers_gets_a_body_in_however_small_pieces() {
        let (near, mut far) = duplex(7);
        let mut wire = Wire::new(near);
        let written = tokio::spawn(async move { wire.write_all(BARE).await });
        let mut told = String::new();
        far.read_to_string(&mut told).await.unwrap();
        written.await.unwrap().unwrap();
        let (head, body) = told.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len())) && head.ends_with("date: today"),
            "{told}"
        );
        let document: ErrorDocument = serde_json::from_str(body).unwrap();
        assert_eq!(document.error.message, "the request cannot be read: 431 Too Large");
        for other in
            [&b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"[..], b"HTTP/1.1 400 B\r\ncontent-length: 2\r\n\r\n"]
        {
            assert_eq!(with_body(other), None);
        }
        assert_eq!(with_body(&[BARE, b"{}"].concat()), None);
    }

    #[tokio::test]
    async fn who_takes_nothing_is_given_up() {
        let (near, mut far) = duplex(10);
        let mut wire = Wire { taken_max: Duration::from_millis(20), ..Wire::new(near) };
        assert_eq!(wire.write_all(b"some and more").await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        far.read_exact(&mut [0; 10]).await.unwrap();
        wire.write_all(b"the next").await.unwrap();
    }
}
