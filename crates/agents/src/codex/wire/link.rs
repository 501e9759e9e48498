//! A connection to an app-server.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::Duration;

use adjutant_core::process::Incarnation;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::frame::{Incoming, Refusal, RequestKey, answer_text, notification_text, refusal_text, request_text};
use crate::codex::limits::{ANSWER_MS_MAX, EARLY_MESSAGES_MAX, MESSAGE_BYTES_MAX, OPEN_MS_MAX, WRITE_MS_MAX};
use crate::process::incarnation_of;

/// The name by which the app-server knows us.
const CLIENT: &str = "adjutant";

/// Why a request got no result.
#[derive(Debug)]
pub(in crate::codex) enum AskError {
    /// The app-server refused it: nothing was done.
    Refused(Refusal),
    /// It could not be sent whole, so it never will be heard.
    Unsent(io::Error),
    /// The connection broke, or no answer came in time: nobody knows what was done.
    Lost(io::Error),
}

impl From<io::Error> for AskError {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

/// A connection that has been introduced. Dropping it leaves everything as it is.
#[derive(Debug)]
pub(in crate::codex) struct Link {
    socket: WebSocketStream<UnixStream>,
    early: VecDeque<Incoming>,
    last_id: u64,
    answer_ms_max: u64,
    server: Incarnation,
    version: Option<String>,
}

impl Link {
    /// Connects to the app-server that listens at `path`, and introduces ourselves.
    ///
    /// # Errors
    /// When nobody listens there, or whoever does does not answer in time, or not as an app-server does.
    pub(in crate::codex) async fn open(path: &Path) -> io::Result<Self> {
        // The name is a link to a path that is short enough for a socket.
        let path = tokio::fs::canonicalize(path).await?;
        let stream = UnixStream::connect(path).await?;
        let server = peer(&stream)?;
        let opening = client_async_with_config("ws://localhost/", stream, Some(bounds()));
        let (socket, _) = in_time(OPEN_MS_MAX, "the handshake", opening).await?.map_err(io::Error::other)?;
        let mut link =
            Self { socket, early: VecDeque::new(), last_id: 0, answer_ms_max: OPEN_MS_MAX, server, version: None };
        link.introduce().await?;
        link.answer_ms_max = ANSWER_MS_MAX;
        Ok(link)
    }

    async fn introduce(&mut self) -> io::Result<()> {
        let params = json!({
            "clientInfo": {"name": CLIENT, "title": "Adjutant", "version": env!("CARGO_PKG_VERSION")},
            "capabilities": {"experimentalApi": true, "optOutNotificationMethods": [
                "item/agentMessage/delta", "item/commandExecution/outputDelta", "item/reasoning/textDelta",
                "item/reasoning/summaryTextDelta", "item/plan/delta", "turn/diff/updated",
            ]},
        });
        let answer = self.ask("initialize", params).await.map_err(|error| match error {
            AskError::Refused(refusal) => io::Error::other(refusal.message),
            AskError::Unsent(error) | AskError::Lost(error) => error,
        })?;
        self.version = answer["userAgent"].as_str().and_then(version_of);
        self.write(notification_text("initialized")).await
    }

    /// The process at the other end.
    pub(in crate::codex) fn server(&self) -> &Incarnation {
        &self.server
    }

    /// Its version, such as `0.169.0`, where it tells.
    pub(in crate::codex) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// From now on answers are awaited for this long only, in milliseconds.
    pub(in crate::codex) fn hurry(&mut self, answer_ms_max: u64) {
        self.answer_ms_max = answer_ms_max;
    }

    /// Asks something, and waits for the answer. Whatever else comes meanwhile is kept for [`Self::next`], in order.
    pub(in crate::codex) async fn ask(&mut self, method: &str, params: Value) -> Result<Value, AskError> {
        self.last_id += 1;
        let id = self.last_id;
        self.write(request_text(id, method, &params)).await.map_err(AskError::Unsent)?;
        in_time(self.answer_ms_max, method, self.answer_to(id)).await?
    }

    async fn answer_to(&mut self, wanted: u64) -> Result<Value, AskError> {
        loop {
            match self.receive().await? {
                Incoming::Answer { id, result } if id == wanted => return result.map_err(AskError::Refused),
                // The answer to something that was given up.
                Incoming::Answer { .. } => {}
                other @ (Incoming::Request { .. } | Incoming::Notification { .. } | Incoming::Unknown) => {
                    self.keep(other)?
                }
            }
        }
    }

    fn keep(&mut self, heard: Incoming) -> io::Result<()> {
        if self.early.len() >= EARLY_MESSAGES_MAX {
            return Err(io::Error::other("the app-server says more than is looked at"));
        }
        self.early.push_back(heard);
        Ok(())
    }

    /// Waits for one thing more and keeps it for [`Self::next`]; `false` when nothing comes for so many milliseconds.
    ///
    /// # Errors
    /// When the connection is over.
    pub(in crate::codex) async fn hear(&mut self, millis: u64) -> io::Result<bool> {
        match in_time(millis, "a look", self.receive()).await {
            Ok(heard) => self.keep(heard?).map(|()| true),
            Err(_) => Ok(false),
        }
    }

    /// The next thing that it says or asks. Can be broken off and called again.
    ///
    /// # Errors
    /// When the connection is over.
    pub(in crate::codex) async fn next(&mut self) -> io::Result<Incoming> {
        match self.early.pop_front() {
            Some(early) => Ok(early),
            None => self.receive().await,
        }
    }

    /// What came while an answer was awaited, and is not looked at yet.
    pub(in crate::codex) fn early(&self) -> impl Iterator<Item = &Incoming> {
        self.early.iter()
    }

    /// The next of that, without waiting for more.
    pub(in crate::codex) fn take_early(&mut self) -> Option<Incoming> {
        self.early.pop_front()
    }

    /// Answers a request of the app-server's.
    ///
    /// # Errors
    /// When the connection is over.
    pub(in crate::codex) async fn answer(&mut self, id: &RequestKey, result: &Value) -> io::Result<()> {
        self.write(answer_text(id, result)).await
    }

    /// Refuses a request of the app-server's.
    ///
    /// # Errors
    /// When the connection is over.
    pub(in crate::codex) async fn refuse(&mut self, id: &RequestKey, why: &str) -> io::Result<()> {
        self.write(refusal_text(id, why)).await
    }

    async fn write(&mut self, text: String) -> io::Result<()> {
        let sending = self.socket.send(Message::text(text));
        in_time(WRITE_MS_MAX, "taking what it is sent", sending).await?.map_err(io::Error::other)
    }

    async fn receive(&mut self) -> io::Result<Incoming> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(Incoming::read(&text)),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_))) | None => {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the app-server closed the connection"));
                }
                Some(Err(error)) => return Err(io::Error::other(error)),
            }
        }
    }
}

fn bounds() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
        .read_buffer_size(16 * 1024)
        .write_buffer_size(0)
}

fn peer(stream: &UnixStream) -> io::Result<Incarnation> {
    let pid = stream.peer_cred()?.pid().and_then(|pid| u32::try_from(pid).ok());
    let peer = pid.map(incarnation_of).transpose()?.flatten();
    peer.ok_or_else(|| io::Error::other("who listens there cannot be seen"))
}

async fn in_time<T>(millis: u64, what: &str, doing: impl Future<Output = T>) -> io::Result<T> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer to {what} within {millis} ms"));
    timeout(Duration::from_millis(millis), doing).await.map_err(|_| late())
}

/// The version in `adjutant/0.169.0 (…) …`.
fn version_of(user_agent: &str) -> Option<String> {
    let version = user_agent.split_once('/')?.1.split([' ', ';', '(']).next()?;
    version.starts_with(|first: char| first.is_ascii_digit()).then(|| version.to_owned())
}
