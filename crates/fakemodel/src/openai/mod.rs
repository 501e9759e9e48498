//! The Responses API of OpenAI, as far as coding agents use it.

mod check;
mod read;
mod wire;

use serde_json::json;

use crate::dialect::{Answer, Asked, Dialect};
use crate::record::Request;
use crate::script::{Book, Move};

pub use read::{thread_of, user_texts};

/// The dialect.
pub(crate) struct OpenAi;

const RESPONSES: &str = "/v1/responses";

/// What is answered where a title of the conversation is asked for.
const TITLE: &str = "A fake title";

/// What is answered where a summary of the conversation is asked for.
const SUMMARY: &str = "What was said before, in short.";

impl Dialect for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn read(&self, request: &Request, book: &Book) -> Option<Asked> {
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", RESPONSES) => Some(read_turn(request, book)),
            _ => None,
        }
    }

    fn play(&self, request: &Request, moves: &[Move]) -> Answer {
        wire::answer(request, moves)
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
    let metadata = read::metadata(request);
    if metadata["thread_source"] == "thread_title" {
        let title = json!({ "title": TITLE }).to_string();
        return Asked::Plain(wire::answer(request, &[Move::Say(title)]));
    }
    if metadata["request_kind"] == "compaction" {
        return Asked::Plain(wire::answer(request, &[Move::Say(SUMMARY.to_owned())]));
    }
    match read::step(request, &body, book) {
        Ok((key, step)) => Asked::Turn { key, step },
        Err(fault) => Asked::Malformed(vec![fault]),
    }
}

/// The variable in which a client that was set up by [`client_config`] looks for its key; any word will do.
pub const KEY_VARIABLE: &str = "FAKE_MODEL_KEY";

/// A `config.toml` for a client of this protocol that talks to the server at `url` and to nobody else.
pub fn client_config(url: &str) -> String {
    format!(
        r#"model = "gpt-5.5"
model_provider = "fake"
check_for_update_on_startup = false
web_search = "disabled"

[features]
plugins = false
daemon_auto_start = false

[model_providers.fake]
name = "fake"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "{KEY_VARIABLE}"
requires_openai_auth = false
supports_websockets = false
request_max_retries = 1
stream_max_retries = 1
stream_idle_timeout_ms = 60000

[analytics]
enabled = false

[feedback]
enabled = false

[notice.model_migrations]
"gpt-5.5" = "gpt-6-sol"
"#
    )
}
