//! The Messages API of Anthropic, as far as coding agents use it.

mod check;
mod read;
mod wire;

use serde_json::{Value, json};

use crate::dialect::{Answer, Asked, Dialect};
use crate::record::Request;
use crate::script::{Book, Move};

pub use read::user_texts;

/// The dialect.
pub(crate) struct Anthropic;

const MESSAGES: &str = "/v1/messages";
const COUNT: &str = "/v1/messages/count_tokens";

/// Bytes of a request that are called a token when tokens are counted.
const BYTES_PER_TOKEN: usize = 4;

impl Dialect for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn read(&self, request: &Request, book: &Book) -> Option<Asked> {
        match (request.method.as_str(), request.path.as_str()) {
            // Older clients look whether anybody is there.
            ("HEAD", "/") => Some(Asked::Plain(Answer { status: 200, headers: Vec::new(), frames: Vec::new() })),
            ("POST", MESSAGES) => Some(read_turn(request, book)),
            ("POST", COUNT) => Some(read_count(request)),
            _ => None,
        }
    }

    fn play(&self, request: &Request, moves: &[Move]) -> Answer {
        let body = request.json();
        let answer = wire::answer(request, &body, moves);
        answer.with_header("request-id", format!("req_fake_{:x}_{}", request.at_ms, request.number))
    }

    fn refuse(&self, status: u16, words: &str) -> Answer {
        wire::error(status, words)
    }
}

fn read_turn(request: &Request, book: &Book) -> Asked {
    let body = request.json();
    let faults = check::faults(request, &body);
    if !faults.is_empty() {
        return Asked::Malformed(faults);
    }
    if is_probe(&body) {
        return Asked::Plain(wire::answer(request, &body, &[Move::Say("Hi".to_owned())]));
    }
    match read::step(request, &body, book) {
        Ok((key, step)) => Asked::Turn { key, step },
        Err(fault) => Asked::Malformed(vec![fault]),
    }
}

/// A call that only asks whether a model is there.
fn is_probe(body: &Value) -> bool {
    body["max_tokens"] == 1 && body.get("tools").is_none_or(|tools| tools.as_array().is_none_or(Vec::is_empty))
}

fn read_count(request: &Request) -> Asked {
    let body = request.json();
    let mut faults = check::head_faults(request);
    faults.extend(check::message_faults(&body));
    if faults.is_empty() {
        Asked::Plain(Answer::json(200, &json!({"input_tokens": request.body.len() / BYTES_PER_TOKEN})))
    } else {
        Asked::Malformed(faults)
    }
}
