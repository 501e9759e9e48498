//! The records of a stream, one line of JSON each.

use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use crate::connect::lost;
use crate::error::ClientError;
use crate::limits;

/// Reads a body line by line.
pub(crate) struct Lines {
    body: Incoming,
    held: BytesMut,
    /// How far `held` has been searched for a line feed.
    searched: usize,
}

impl Lines {
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body, held: BytesMut::new(), searched: 0 }
    }

    /// The next record; a stream that ends or falls silent before `until` is a lost connection, `None` is `until` itself.
    pub(crate) async fn next<T: DeserializeOwned>(&mut self, until: Option<Instant>) -> Result<Option<T>, ClientError> {
        loop {
            if let Some(line) = self.take_line() {
                if line.is_empty() {
                    continue;
                }
                let record = serde_json::from_slice(&line);
                return record.map(Some).map_err(|error| ClientError::Malformed { detail: error.to_string() });
            }
            if !self.fill(until).await? {
                return Ok(None);
            }
        }
    }

    fn take_line(&mut self) -> Option<BytesMut> {
        let found = self.held[self.searched..].iter().position(|byte| *byte == b'\n');
        let Some(offset) = found else {
            self.searched = self.held.len();
            return None;
        };
        let line = self.held.split_to(self.searched + offset);
        self.held.advance(1);
        self.searched = 0;
        Some(line)
    }

    /// Waits for more bytes; false when `until` has come.
    async fn fill(&mut self, until: Option<Instant>) -> Result<bool, ClientError> {
        if self.held.len() > limits::RECORD_BYTES_MAX {
            return Err(ClientError::Malformed { detail: "a record that does not end".to_owned() });
        }
        let silence = Instant::now() + limits::STREAM_SILENCE;
        let wake = until.map_or(silence, |until| until.min(silence));
        match timeout_at(wake, self.body.frame()).await {
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    self.held.extend_from_slice(&data);
                }
                Ok(true)
            }
            Ok(Some(Err(error))) => Err(lost(&error, false)),
            Ok(None) => Err(broken("the stream ended")),
            Err(_) if until.is_some_and(|until| until <= silence) => Ok(false),
            Err(_) => Err(broken("the stream fell silent")),
        }
    }
}

fn broken(detail: &str) -> ClientError {
    ClientError::Lost { detail: detail.to_owned(), in_doubt: false }
}
