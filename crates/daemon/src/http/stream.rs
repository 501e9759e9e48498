//! Streams: records as server-sent events with ids, or as JSON lines.

use std::convert::Infallible;
use std::sync::Arc;

use adjutant_api::protocol::{ALIVE_INTERVAL_MS, EVENT_STREAM, NDJSON};
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, Interval, MissedTickBehavior};

use super::call::Incoming;
use super::error::Failure;

/// Records that may wait for a slow reader; then the writer waits, and reads on from the store when it is heard again.
const RECORDS_WAITING_MAX: usize = 64;

/// In which form the records of a stream are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As server-sent events.
    Events,
    /// As lines of JSON.
    Lines,
}

impl Form {
    /// One record in this form; `id` is the cursor after it.
    pub(crate) fn framed(self, json: &str, id: Option<&str>) -> Vec<u8> {
        let parts = match (self, id) {
            (Self::Lines, _) => ["", "", "", json, "\n"],
            (Self::Events, Some(id)) => ["id: ", id, "\ndata: ", json, "\n\n"],
            (Self::Events, None) => ["", "", "data: ", json, "\n\n"],
        };
        parts.concat().into_bytes()
    }
}

/// The writing end of a stream.
pub(crate) struct Records {
    sender: mpsc::Sender<Bytes>,
    form: Form,
    /// Counts as open as long as it is here.
    _open: Streams,
}

/// The streams that are open: each holds one more of these.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams(Arc<()>);

impl Streams {
    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

/// The reader has gone.
#[derive(Debug)]
pub(crate) struct ReaderGone;

impl Records {
    /// Writes one record; `id` is the cursor after it.
    pub(crate) async fn write<T: Serialize>(&self, record: &T, id: Option<&str>) -> Result<(), ReaderGone> {
        let Ok(json) = serde_json::to_string(record) else { return Err(ReaderGone) };
        self.send(self.form.framed(&json, id)).await
    }

    /// The form of this stream.
    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Sends a piece; an empty one is nothing.
    pub(crate) async fn send(&self, piece: Vec<u8>) -> Result<(), ReaderGone> {
        if piece.is_empty() {
            return Ok(());
        }
        self.sender.send(Bytes::from(piece)).await.map_err(|_| ReaderGone)
    }

    /// Completes when the reader has gone.
    pub(crate) async fn reader_gone(&self) {
        self.sender.closed().await;
    }
}

/// Opens a stream: the response to give, and the end to write to.
pub(crate) fn open(call: &Incoming) -> Result<(Response, Records), Failure> {
    let (sender, mut receiver) = mpsc::channel::<Bytes>(RECORDS_WAITING_MAX);
    let records =
        futures_util::stream::poll_fn(move |context| receiver.poll_recv(context).map(|r| r.map(Ok::<_, Infallible>)));
    let (form, kind) = if call.wants_lines() { (Form::Lines, NDJSON) } else { (Form::Events, EVENT_STREAM) };
    let response = Response::builder()
        .header(CONTENT_TYPE, kind)
        .header(CACHE_CONTROL, "no-store")
        .body(Body::from_stream(records))
        .map_err(|error| Failure::internal(error.to_string()))?;
    Ok((response, Records { sender, form, _open: call.app.streams.clone() }))
}

/// The clock by which a silent stream shows that it lives.
pub(crate) fn alive_clock() -> Interval {
    let period = Duration::from_millis(ALIVE_INTERVAL_MS);
    let mut interval = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Completes when the daemon was told to end.
pub(crate) async fn told_to_end(ending: &mut watch::Receiver<bool>) {
    // What it gives is a guard that must not be held while anything else is awaited.
    drop(ending.wait_for(|ending| *ending).await);
}
