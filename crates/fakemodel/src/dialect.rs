//! What a model's protocol has to say for itself.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::record::Request;
use crate::script::{Book, Move, Step};

/// One protocol: which requests are its own, what they ask for, and how moves look on its wire.
pub(crate) trait Dialect: Send + Sync {
    /// What people call it.
    fn name(&self) -> &'static str;

    /// Reads a request; `None` where it is not of this dialect.
    fn read(&self, request: &Request, book: &Book) -> Option<Asked>;

    /// The moves of one step as the answer's head and frames. `request` is what was asked.
    fn play(&self, request: &Request, moves: &[Move]) -> Answer;

    /// An error answer with this status, in the dialect's own words.
    fn refuse(&self, status: u16, words: &str) -> Answer;
}

/// What a request asks for.
pub(crate) enum Asked {
    /// A model's turn: this step of this script is to be played.
    Turn {
        /// What tells this step from every other for counting tries: conversation, script and number.
        key: String,
        /// What to play.
        step: Step,
    },
    /// Something else that needs no script; answered at once.
    Plain(Answer),
    /// It breaks the protocol; each fault in one sentence.
    Malformed(Vec<String>),
}

/// An answer: its head, and what is written afterwards.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) frames: Vec<Frame>,
}

/// One thing that is done while an answer is written. Waits before the first bytes hold back the head as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// These bytes.
    Bytes(Bytes),
    /// Nothing for so many milliseconds.
    Pause(u64),
    /// Nothing until the gate of this name is opened.
    Gate(String),
    /// Nothing until the client goes away.
    Hang,
    /// The connection is cut.
    Drop,
}

impl Answer {
    /// A JSON document.
    pub(crate) fn json(status: u16, document: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            frames: vec![Frame::Bytes(document.to_string().into())],
        }
    }

    /// A stream of server-sent events.
    pub(crate) fn events(frames: Vec<Frame>) -> Self {
        Self { status: 200, headers: vec![("content-type", "text/event-stream".to_owned())], frames }
    }

    /// With a header more.
    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// One server-sent event with its type and its document.
pub(crate) fn event(kind: &str, document: &Value) -> Frame {
    Frame::Bytes(format!("event: {kind}\ndata: {document}\n\n").into())
}

/// Every dialect of this build.
pub(crate) fn all() -> Vec<Arc<dyn Dialect>> {
    vec![Arc::new(crate::anthropic::Anthropic), Arc::new(crate::openai::OpenAi)]
}

/// The answer of a script that refuses, made by `error` from its HTTP status, behind all that is waited for before.
pub(crate) fn refused(moves: &[Move], error: impl Fn(u16) -> Answer) -> Option<Answer> {
    let mut refused = error(moves.iter().find_map(status)?);
    let waits = moves.iter().take_while(|made| status(made).is_none()).filter_map(wait);
    refused.frames = waits.chain(refused.frames).collect();
    Some(refused)
}

fn status(made: &Move) -> Option<u16> {
    if let Move::Status { code, .. } = made { Some(*code) } else { None }
}

/// The frame of a move that only waits.
pub(crate) fn wait(made: &Move) -> Option<Frame> {
    match made {
        Move::Pause(ms) => Some(Frame::Pause(*ms)),
        Move::Hold(gate) => Some(Frame::Gate(gate.clone())),
        Move::Hang => Some(Frame::Hang),
        Move::Say(_)
        | Move::Report
        | Move::Think(_)
        | Move::Tool { .. }
        | Move::Status { .. }
        | Move::StreamError { .. }
        | Move::Drop { .. }
        | Move::Stop(_)
        | Move::Usage(_) => None,
    }
}
