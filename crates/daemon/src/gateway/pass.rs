//! Passing a request on to the daemon, and its answer back.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use adjutant_api::ErrorCode;
use adjutant_api::methods;
use adjutant_api::protocol::{GATEWAY_HEADER, LAST_EVENT_ID_HEADER, PROTOCOL_HEADER, TOKEN_HEADER, VERSION_HEADER};
use axum::body::Body;
use axum::http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderName, Method, Request, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::serve::not_read;
use super::{Gateway, unread};
use crate::http::error::Failure;

/// Time for the daemon to take a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Time for an answer to begin: somebody may wait for the end of a goal.
const ANSWER_MAX: Duration = Duration::from_secs(25 * 3_600);

/// Time for the daemon to say whether a token is good.
const VERIFY_MAX: Duration = Duration::from_secs(10);

/// What is passed on of a request's head; all else stays here.
const REQUEST_HEADERS: [HeaderName; 6] = [
    ACCEPT,
    AUTHORIZATION,
    CONTENT_TYPE,
    HeaderName::from_static(LAST_EVENT_ID_HEADER),
    HeaderName::from_static(PROTOCOL_HEADER),
    HeaderName::from_static(VERSION_HEADER),
];

/// What is passed back of an answer's head.
const ANSWER_HEADERS: [HeaderName; 5] = [
    CONTENT_TYPE,
    CACHE_CONTROL,
    HeaderName::from_static(PROTOCOL_HEADER),
    HeaderName::from_static(VERSION_HEADER),
    HeaderName::from_static(TOKEN_HEADER),
];

impl Gateway {
    /// Passes a request on. Its answer is counted as unread by its token until it is read.
    pub(super) async fn pass(&self, head: &Parts, body: Bytes, token: &str, from: &str) -> Result<Response, Failure> {
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let mut request = Request::builder().method(head.method.clone()).uri(target).header(HOST, "localhost");
        for name in REQUEST_HEADERS {
            if let Some(value) = head.headers.get(&name) {
                request = request.header(name, value);
            }
        }
        let request = request.header(GATEWAY_HEADER, from).body(Full::new(body));
        let request = request.map_err(|error| Failure::new(ErrorCode::Usage, error.to_string()))?;
        let reads = head.method == Method::GET;
        let answer = self.ask(request, ANSWER_MAX, reads).await?;
        let (parts, body) = answer.into_parts();
        let body = match unread::size(&body) {
            Some(bytes) => self.unread.take(token, bytes, reads).ok_or_else(not_read)?.counted(body),
            None => Body::new(body),
        };
        let mut back = Response::builder().status(parts.status);
        for name in ANSWER_HEADERS {
            if let Some(value) = parts.headers.get(&name) {
                back = back.header(name, value);
            }
        }
        back.body(body).map_err(|error| Failure::internal(error.to_string()))
    }

    /// Whether the daemon finds a token good.
    pub(super) async fn is_good(&self, token: &str, from: &str) -> Result<bool, Failure> {
        let request = Request::get(methods::WHOAMI.path)
            .header(HOST, "localhost")
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header(GATEWAY_HEADER, from)
            .body(Full::default());
        let request = request.map_err(|error| Failure::new(ErrorCode::Usage, error.to_string()))?;
        let answer = self.ask(request, VERIFY_MAX, true).await?;
        Ok(answer.status() != StatusCode::UNAUTHORIZED)
    }

    async fn ask(
        &self,
        request: Request<Full<Bytes>>,
        limit: Duration,
        reads: bool,
    ) -> Result<axum::http::Response<hyper::body::Incoming>, Failure> {
        let mut daemon = self.connected().await?;
        let sent = tokio::time::timeout(limit, daemon.send_request(request)).await;
        let lost = |why: String| match reads {
            true => Failure::new(ErrorCode::DaemonUnreachable, format!("the daemon did not answer: {why}")),
            false => Failure::new(ErrorCode::OutcomeUnknown, format!("the daemon ended before it answered: {why}")),
        };
        match sent {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(lost(error.to_string())),
            Err(_) => Err(lost(format!("not within {limit:?}"))),
        }
    }

    /// A connection to the daemon, which is started where none runs. Nothing is said on it yet.
    async fn connected(&self) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let stream = match self.connect().await {
            Some(stream) => stream,
            None => self.connect_to_new().await?,
        };
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(&error))?;
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn connect(&self) -> Option<UnixStream> {
        match open(&self.home.socket).await {
            Some(stream) => Some(stream),
            None => open(&self.pointed()?).await,
        }
    }

    /// Where the running daemon says that it listens.
    fn pointed(&self) -> Option<PathBuf> {
        let pointer = std::fs::read_to_string(self.home.socket_pointer()).ok()?;
        let socket = PathBuf::from(pointer.trim_end());
        (socket.is_absolute() && socket != self.home.socket).then_some(socket)
    }

    async fn connect_to_new(&self) -> Result<UnixStream, Failure> {
        let _alone = self.waking.lock().await;
        if let Some(stream) = self.connect().await {
            return Ok(stream);
        }
        let wake = Arc::clone(&self.wake);
        let woken = tokio::task::spawn_blocking(move || wake()).await;
        woken.map_err(|error| unreachable(&error))??;
        let gone = io::Error::from(io::ErrorKind::ConnectionRefused);
        self.connect().await.ok_or_else(|| unreachable(&gone))
    }
}

async fn open(socket: &Path) -> Option<UnixStream> {
    tokio::time::timeout(CONNECT_MAX, UnixStream::connect(socket)).await.ok()?.ok()
}

fn unreachable(error: &dyn std::error::Error) -> Failure {
    Failure::new(ErrorCode::DaemonUnreachable, format!("the daemon cannot be reached: {error}"))
}
