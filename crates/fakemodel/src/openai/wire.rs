//! Moves as an answer of this dialect: a stream of events.

use serde_json::{Value, json};

use crate::dialect::{Answer, Frame, event, refused, wait};
use crate::record::Request;
use crate::script::{Move, Usage};

/// The answer to a request, by its moves.
pub(super) fn answer(request: &Request, moves: &[Move]) -> Answer {
    if let Some(refused) = refused(moves, |code| error(code, "the script says so")) {
        return refused;
    }
    let mut response = Response::new(request);
    moves.iter().for_each(|made| response.take(made));
    response.end();
    Answer::events(response.frames)
}

/// An error with its HTTP status.
pub(super) fn error(status: u16, words: &str) -> Answer {
    let kind = match status {
        401 => "authentication_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    };
    Answer::json(status, &json!({"error": {"message": words, "type": kind, "code": kind, "param": null}}))
}

/// A response while it is written.
struct Response {
    frames: Vec<Frame>,
    /// The text of the message that is being written.
    open: Option<String>,
    items: usize,
    /// Nothing more is said: an error or a cut was.
    broken: bool,
    stop: Option<String>,
    usage: Usage,
    id: String,
}

impl Response {
    fn new(request: &Request) -> Self {
        // Unlike any of an earlier server of the same conversation.
        let id = format!("{:x}{:04x}", request.at_ms, request.number);
        let mut response =
            Self { frames: Vec::new(), open: None, items: 0, broken: false, stop: None, usage: Usage::default(), id };
        response.say("response.created", json!({"response": {"id": response.name()}}));
        response
    }

    fn name(&self) -> String {
        format!("resp_{}", self.id)
    }

    fn say(&mut self, kind: &str, mut document: Value) {
        document["type"] = json!(kind);
        self.frames.push(event(kind, &document));
    }

    fn take(&mut self, made: &Move) {
        if self.broken {
            return;
        }
        match made {
            Move::Say(text) => self.text(text),
            Move::Think(text) => {
                self.close();
                let id = format!("rs_{}_{}", self.id, self.items);
                let summary = json!([{"type": "summary_text", "text": text}]);
                self.item(&json!({"type": "reasoning", "id": id, "summary": summary, "encrypted_content": "ZmFrZQ=="}));
            }
            Move::Tool { name, input } => self.tool(name, input),
            Move::Pause(_) | Move::Hold(_) | Move::Hang => self.frames.extend(wait(made)),
            Move::StreamError { kind, .. } => {
                let error = json!({"code": kind, "message": "the script says so"});
                let failed = json!({"id": self.name(), "status": "failed", "error": error});
                self.say("response.failed", json!({ "response": failed }));
                self.broken = true;
            }
            Move::Drop { .. } => {
                self.frames.push(Frame::Drop);
                self.broken = true;
            }
            Move::Stop(reason) => self.stop = Some(reason.clone()),
            Move::Usage(usage) => self.usage = *usage,
            // A report has become a text, and the answer of a status has no stream.
            Move::Report | Move::Status { .. } => {}
        }
    }

    fn message_id(&self) -> String {
        format!("msg_{}_{}", self.id, self.items)
    }

    fn text(&mut self, text: &str) {
        if self.open.is_none() {
            let item = json!({
                "type": "message", "role": "assistant", "id": self.message_id(), "status": "in_progress", "content": [],
            });
            self.say("response.output_item.added", json!({"output_index": self.items, "item": item}));
            self.open = Some(String::new());
        }
        let delta = json!({
            "item_id": self.message_id(), "output_index": self.items, "content_index": 0, "delta": text,
        });
        self.say("response.output_text.delta", delta);
        if let Some(open) = &mut self.open {
            open.push_str(text);
        }
    }

    fn close(&mut self) {
        let Some(text) = self.open.take() else { return };
        let content = json!([{"type": "output_text", "text": text, "annotations": []}]);
        let id = self.message_id();
        self.item(&json!({
            "type": "message", "role": "assistant", "id": id, "status": "completed", "content": content,
        }));
    }

    fn item(&mut self, item: &Value) {
        self.say("response.output_item.done", json!({"output_index": self.items, "item": item}));
        self.items += 1;
    }

    /// A tool whose input is a text is a custom one; of a name such as `space/tool` the first part is the tool's namespace.
    fn tool(&mut self, name: &str, input: &Value) {
        self.close();
        let call_id = format!("call_{}_{}", self.id, self.items);
        let (space, name) = name.split_once('/').map_or((None, name), |(space, name)| (Some(space), name));
        let mut item = match input {
            Value::String(text) => {
                let id = format!("ctc_{}_{}", self.id, self.items);
                json!({"type": "custom_tool_call", "id": id, "call_id": call_id, "name": name, "input": text})
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                let (id, arguments) = (format!("fc_{}_{}", self.id, self.items), input.to_string());
                json!({"type": "function_call", "id": id, "call_id": call_id, "name": name, "arguments": arguments})
            }
        };
        if let Some(space) = space {
            item["namespace"] = json!(space);
        }
        self.item(&item);
    }

    fn end(&mut self) {
        if self.broken {
            return;
        }
        self.close();
        let mut response = json!({"id": self.name(), "usage": self.used()});
        match self.stop.take() {
            Some(reason) => {
                response["status"] = json!("incomplete");
                response["incomplete_details"] = json!({ "reason": reason });
                self.say("response.incomplete", json!({ "response": response }));
            }
            None => self.say("response.completed", json!({ "response": response })),
        }
    }

    fn used(&self) -> Value {
        let Usage { input, output, cache_read, cache_write } = self.usage;
        let whole = input + cache_read + cache_write;
        json!({
            "input_tokens": whole, "input_tokens_details": {"cached_tokens": cache_read},
            "output_tokens": output, "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": whole + output,
        })
    }
}
