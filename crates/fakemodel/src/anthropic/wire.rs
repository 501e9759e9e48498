//! Moves as an answer of this dialect: a stream of events, or one message where none was asked for.

use serde_json::{Value, json};

use crate::dialect::{Answer, Frame, event, refused, wait};
use crate::record::Request;
use crate::script::{Move, Usage};

/// The answer to a request, by its moves.
pub(super) fn answer(request: &Request, body: &Value, moves: &[Move]) -> Answer {
    if let Some(refused) = refused(moves, |code| error(code, "the script says so")) {
        return refused;
    }
    let mut message = Message::new(request, body);
    moves.iter().for_each(|made| message.take(made));
    message.end();
    if body["stream"] == true { Answer::events(message.frames) } else { message.whole(moves) }
}

/// An error with its HTTP status.
pub(super) fn error(status: u16, words: &str) -> Answer {
    let document = json!({"type": "error", "error": {"type": kind_of(status), "message": words}});
    let answer = Answer::json(status, &document);
    // Told to come back at once, so that tests need not wait.
    if status == 429 { answer.with_header("retry-after", "0") } else { answer }
}

fn kind_of(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

/// A message while it is written: as events, and as the blocks that it will have.
struct Message {
    frames: Vec<Frame>,
    blocks: Vec<Value>,
    /// The kind of the block that is being written.
    open: Option<&'static str>,
    /// The head has been written.
    begun: bool,
    /// Nothing more is said: an error or a cut was.
    broken: bool,
    stop: Option<String>,
    usage: Usage,
    id: String,
    model: Value,
}

impl Message {
    fn new(request: &Request, body: &Value) -> Self {
        Self {
            frames: Vec::new(),
            blocks: Vec::new(),
            open: None,
            begun: false,
            broken: false,
            stop: None,
            usage: Usage::default(),
            // Unlike any of an earlier server of the same conversation.
            id: format!("{:x}{:04x}", request.at_ms, request.number),
            model: body["model"].clone(),
        }
    }

    fn take(&mut self, made: &Move) {
        if self.broken {
            return;
        }
        match made {
            Move::Say(text) => {
                self.open("text", json!({"type": "text", "text": ""}));
                self.add("text", text, &json!({"type": "text_delta", "text": text}));
            }
            Move::Think(text) => {
                self.open("thinking", json!({"type": "thinking", "thinking": "", "signature": ""}));
                self.add("thinking", text, &json!({"type": "thinking_delta", "thinking": text}));
            }
            Move::Tool { name, input } => self.tool(name, input),
            Move::Pause(_) | Move::Hold(_) | Move::Hang => self.frames.extend(wait(made)),
            Move::StreamError { kind, .. } => {
                self.begin();
                let document = json!({"type": "error", "error": {"type": kind, "message": "the script says so"}});
                self.frames.push(event("error", &document));
                self.broken = true;
            }
            Move::Drop { .. } => {
                self.frames.push(Frame::Drop);
                self.broken = true;
            }
            Move::Stop(reason) => self.stop = Some(reason.clone()),
            Move::Usage(usage) => self.usage = *usage,
            // A report has become a text, and the answer of a status has no message.
            Move::Report | Move::Status { .. } => {}
        }
    }

    fn begin(&mut self) {
        if self.begun {
            return;
        }
        self.begun = true;
        let mut message = self.head();
        message["content"] = json!([]);
        message["usage"]["output_tokens"] = json!(1);
        self.frames.push(event("message_start", &json!({"type": "message_start", "message": message})));
    }

    fn head(&self) -> Value {
        json!({
            "id": format!("msg_{}", self.id), "type": "message", "role": "assistant", "model": self.model,
            "content": self.blocks, "stop_reason": null, "stop_sequence": null, "usage": self.used(),
        })
    }

    fn used(&self) -> Value {
        let Usage { input, output, cache_read, cache_write } = self.usage;
        json!({
            "input_tokens": input, "cache_creation_input_tokens": cache_write, "cache_read_input_tokens": cache_read,
            "output_tokens": output, "service_tier": "standard",
        })
    }

    /// Begins a block of a kind, unless one is open already.
    fn open(&mut self, kind: &'static str, block: Value) {
        if self.open == Some(kind) {
            return;
        }
        self.begin();
        self.close();
        self.frames.push(event(
            "content_block_start",
            &json!({"type": "content_block_start", "index": self.blocks.len(), "content_block": block}),
        ));
        self.blocks.push(block);
        self.open = Some(kind);
    }

    fn add(&mut self, field: &str, text: &str, delta: &Value) {
        let index = self.blocks.len().saturating_sub(1);
        if let Some(Value::String(said)) = self.blocks.last_mut().map(|block| &mut block[field]) {
            said.push_str(text);
        }
        self.delta(index, delta);
    }

    fn delta(&mut self, index: usize, delta: &Value) {
        let document = json!({"type": "content_block_delta", "index": index, "delta": delta});
        self.frames.push(event("content_block_delta", &document));
    }

    fn tool(&mut self, name: &str, input: &Value) {
        self.close();
        let id = format!("toolu_{}{:02}", self.id, self.blocks.len());
        self.open("tool_use", json!({"type": "tool_use", "id": id, "name": name, "input": {}}));
        let index = self.blocks.len().saturating_sub(1);
        self.delta(index, &json!({"type": "input_json_delta", "partial_json": input.to_string()}));
        if let Some(block) = self.blocks.last_mut() {
            block["input"] = input.clone();
        }
        self.close();
        self.stop.get_or_insert_with(|| "tool_use".to_owned());
    }

    fn close(&mut self) {
        let Some(kind) = self.open.take() else { return };
        let index = self.blocks.len().saturating_sub(1);
        if kind == "thinking" {
            self.delta(index, &json!({"type": "signature_delta", "signature": "ZmFrZQ=="}));
            if let Some(block) = self.blocks.last_mut() {
                block["signature"] = json!("ZmFrZQ==");
            }
        }
        self.frames.push(event("content_block_stop", &json!({"type": "content_block_stop", "index": index})));
    }

    fn end(&mut self) {
        if self.broken {
            return;
        }
        self.begin();
        self.close();
        let reason = self.stop.clone().unwrap_or_else(|| "end_turn".to_owned());
        let delta = json!({"stop_reason": reason, "stop_sequence": null});
        let document = json!({"type": "message_delta", "delta": delta, "usage": self.used()});
        self.frames.push(event("message_delta", &document));
        self.frames.push(event("message_stop", &json!({"type": "message_stop"})));
    }

    /// The message in one piece, after all its waits.
    fn whole(self, moves: &[Move]) -> Answer {
        if let Some(kind) =
            moves.iter().find_map(|made| if let Move::StreamError { kind, .. } = made { Some(kind) } else { None })
        {
            return error(529, kind);
        }
        let mut message = self.head();
        message["stop_reason"] = json!(self.stop.unwrap_or_else(|| "end_turn".to_owned()));
        let mut answer = Answer::json(200, &message);
        let cut = moves.iter().any(|made| matches!(made, Move::Drop { .. })).then_some(Frame::Drop);
        answer.frames = moves.iter().filter_map(wait).chain(cut).chain(answer.frames).collect();
        answer
    }
}
