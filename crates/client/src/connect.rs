//! One connection to the daemon.

use std::io;
use std::path::{Path, PathBuf};

use adjutant_api::protocol::{PROTOCOL, PROTOCOL_HEADER, VERSION, VERSION_HEADER};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout};

use crate::backoff::Backoff;
use crate::error::ClientError;
use crate::{Client, limits};

/// An open connection that carries one call at a time.
pub(crate) struct Link {
    sender: SendRequest<Full<Bytes>>,
    /// It has carried an answer, so that the other side is known to be alive and of our protocol.
    pub(crate) proven: bool,
}

impl Link {
    pub(crate) async fn over(stream: UnixStream) -> Result<Self, ClientError> {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error, false))?;
        tokio::spawn(async move {
            // Its end is seen by whoever waits for an answer.
            let _ = connection.with_upgrades().await;
        });
        Ok(Self { sender, proven: false })
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, ClientError> {
        self.sender.ready().await.map_err(|error| lost(&error, false))?;
        self.sender.send_request(request).await.map_err(|error| lost(&error, !error.is_canceled()))
    }

    /// Whether it can carry another call.
    pub(crate) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }
}

/// A broken connection; `in_doubt` when the other side may have read the request.
pub(crate) fn lost(error: &dyn std::error::Error, in_doubt: bool) -> ClientError {
    let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    ClientError::Lost { detail: cause, in_doubt }
}

impl Client {
    /// Takes the open connection, or opens one, starting the daemon if none listens and that is allowed.
    pub(crate) async fn take_link(&mut self) -> Result<Link, ClientError> {
        if let Some(link) = self.link.take().filter(Link::is_open) {
            return Ok(link);
        }
        self.reap();
        match self.open().await? {
            Some(link) => Ok(link),
            None if self.options.autostart => self.start_and_open().await,
            None => Err(ClientError::NotRunning { socket: self.options.home.socket.display().to_string() }),
        }
    }

    /// Opens a connection to the daemon of this home; `None` when nothing listens.
    pub(crate) async fn open(&self) -> Result<Option<Link>, ClientError> {
        if let Some(stream) = connect(&self.options.home.socket).await? {
            return Link::over(stream).await.map(Some);
        }
        let Some(elsewhere) = self.pointed_socket() else {
            return Ok(None);
        };
        match connect(&elsewhere).await? {
            Some(stream) => Link::over(stream).await.map(Some),
            None => Ok(None),
        }
    }

    /// The next call opens a connection of its own.
    pub(crate) fn forget_link(&mut self) {
        self.link = None;
    }

    /// Where the running daemon says that it listens, if that is another place than ours.
    fn pointed_socket(&self) -> Option<PathBuf> {
        let pointer = std::fs::read_to_string(self.options.home.socket_pointer()).ok()?;
        let socket = PathBuf::from(pointer.trim_end());
        (socket.is_absolute() && socket != self.options.home.socket).then_some(socket)
    }

    /// Checks what the daemon says of its protocol and version.
    pub(crate) fn check_version(&mut self, response: &Response<Incoming>) -> Result<(), ClientError> {
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("unknown");
        let (protocol, version) = (header(PROTOCOL_HEADER), header(VERSION_HEADER));
        if protocol.parse() != Ok(PROTOCOL) {
            return Err(ClientError::Mismatch { daemon: version.to_owned(), protocol: protocol.to_owned() });
        }
        if version != VERSION && !self.warned {
            self.warned = true;
            let remark = format!(
                "The daemon has version {version}, and this is {VERSION}. They understand each other; sessions go on \
                 when the daemon is stopped, and the next command starts the new one."
            );
            (self.options.warn)(&remark, "adj daemon stop");
        }
        Ok(())
    }
}

/// Connects; `None` when nothing listens there.
pub(crate) async fn connect(socket: &Path) -> Result<Option<UnixStream>, ClientError> {
    let mut backoff = Backoff::until(Instant::now() + limits::CONNECT);
    loop {
        let error = match timeout(limits::CONNECT, UnixStream::connect(socket)).await {
            Ok(Ok(stream)) => return Ok(Some(stream)),
            Ok(Err(error)) => error,
            Err(_) => io::Error::from(io::ErrorKind::TimedOut),
        };
        use io::ErrorKind::{ConnectionRefused, NotADirectory, NotFound};
        if matches!(error.kind(), NotFound | NotADirectory | ConnectionRefused) {
            return Ok(None);
        }
        // The queue of a listening socket may be full for a moment.
        if error.kind() != io::ErrorKind::WouldBlock || !backoff.pause().await {
            return Err(unconnectable(socket, &error));
        }
    }
}

fn unconnectable(socket: &Path, error: &io::Error) -> ClientError {
    ClientError::Unconnectable { socket: socket.display().to_string(), detail: error.to_string() }
}
