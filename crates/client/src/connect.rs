//! One connection to the daemon, by whichever way.

use std::io;
use std::path::{Path, PathBuf};

use adjutant_api::protocol::{PROTOCOL, PROTOCOL_HEADER, VERSION, VERSION_HEADER};
use adjutant_api::types::dial::Far;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout};

use crate::backoff::Backoff;
use crate::endpoint::{Endpoint, Local};
use crate::error::ClientError;
use crate::start::Started;
use crate::{Client, limits};

/// An open connection that carries one call at a time.
pub(crate) struct Link {
    sender: SendRequest<Full<Bytes>>,
    /// What `Host` says.
    pub(crate) authority: String,
    /// It has carried an answer, so that the other side is known to be alive and of our protocol.
    pub(crate) proven: bool,
}

impl Link {
    /// A connection over any stream of bytes.
    pub(crate) async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        authority: impl Into<String>,
    ) -> Result<Self, ClientError> {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error, false))?;
        tokio::spawn(async move {
            // Its end is seen by whoever waits for an answer.
            let _ = connection.with_upgrades().await;
        });
        Ok(Self { sender, authority: authority.into(), proven: false })
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

/// What is said of a protocol or a version of which nothing is known.
pub(crate) const UNKNOWN: &str = "unknown";

/// What `Host` says where there is no name.
pub(crate) const LOCALHOST: &str = "localhost";

impl Client {
    /// Takes the open connection, or opens one, starting the daemon if none listens and that is allowed.
    pub(crate) async fn take_link(&mut self) -> Result<Link, ClientError> {
        if let Some(link) = self.link.take().filter(Link::is_open) {
            return Ok(link);
        }
        let Self { options, started, far, .. } = self;
        match &options.endpoint {
            Endpoint::Socket(local) => Link::over(local.stream(options.autostart, started).await?, LOCALHOST).await,
            Endpoint::Gateway(gateway) => gateway.link().await,
            Endpoint::Ssh(ssh) => {
                let (line, found) = ssh.dial(options.autostart).await?;
                *far = Some(found);
                Link::over(line, LOCALHOST).await
            }
        }
    }

    /// The next call opens a connection of its own.
    pub(crate) fn forget_link(&mut self) {
        self.link = None;
    }

    /// A stream of bytes to the daemon of this machine, for whoever speaks with it from elsewhere.
    ///
    /// # Errors
    /// Why there is no daemon.
    pub async fn dial(&mut self) -> Result<UnixStream, ClientError> {
        match &self.options.endpoint {
            Endpoint::Socket(local) => local.stream(self.options.autostart, &mut self.started).await,
            Endpoint::Gateway(_) | Endpoint::Ssh(_) => {
                Err(ClientError::Malformed { detail: "there is no socket on this machine".to_owned() })
            }
        }
    }

    /// What a session finds on the other machine; `None` where the daemon is not on another one.
    ///
    /// # Errors
    /// Why it cannot be reached.
    pub async fn far(&mut self) -> Result<Option<&Far>, ClientError> {
        if matches!(self.options.endpoint, Endpoint::Ssh(_)) && self.far.is_none() {
            let link = self.take_link().await?;
            self.link = Some(link);
        }
        Ok(self.far.as_ref())
    }

    /// Waits until no daemon listens and none holds the home any more; false when one still does after a while.
    pub async fn gone(&mut self) -> bool {
        self.forget_link();
        let mut backoff = Backoff::until(Instant::now() + limits::RECONNECT);
        while self.is_there().await {
            if !backoff.pause().await {
                return false;
            }
        }
        true
    }

    async fn is_there(&mut self) -> bool {
        match &self.options.endpoint {
            Endpoint::Socket(local) => matches!(local.open().await, Ok(Some(_))) || local.is_home_held(),
            Endpoint::Gateway(gateway) => gateway.link().await.is_ok(),
            Endpoint::Ssh(ssh) => !matches!(ssh.dial(false).await, Err(ClientError::NotRunning { .. })),
        }
    }

    /// Checks what the daemon says of its protocol and version.
    pub(crate) fn check_version(&mut self, response: &Response<Incoming>) -> Result<(), ClientError> {
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or(UNKNOWN);
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
            let hint = self.options.endpoint.stop_hint();
            (self.options.warn)(&remark, &hint);
        }
        Ok(())
    }
}

impl Local {
    /// An open connection, to a daemon that is started if none listens and that is allowed.
    async fn stream(&self, autostart: bool, started: &mut Started) -> Result<UnixStream, ClientError> {
        started.reap();
        match self.open().await? {
            Some(stream) => Ok(stream),
            None if autostart => self.start_and_open(started).await,
            None => Err(ClientError::NotRunning { socket: self.home.socket.display().to_string() }),
        }
    }

    /// Opens a connection to the daemon of this home; `None` when nothing listens.
    pub(crate) async fn open(&self) -> Result<Option<UnixStream>, ClientError> {
        if let Some(stream) = connect(&self.home.socket).await? {
            return Ok(Some(stream));
        }
        match self.pointed_socket() {
            Some(elsewhere) => connect(&elsewhere).await,
            None => Ok(None),
        }
    }

    /// Where the running daemon says that it listens, if that is another place than ours.
    fn pointed_socket(&self) -> Option<PathBuf> {
        let pointer = std::fs::read_to_string(self.home.socket_pointer()).ok()?;
        let socket = PathBuf::from(pointer.trim_end());
        (socket.is_absolute() && socket != self.home.socket).then_some(socket)
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
