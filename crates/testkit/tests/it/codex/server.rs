//! Another client of the app-server, which sees what it says itself.

use std::os::unix::net::UnixStream;

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use super::Codex;
use crate::SOON;
use crate::look::record;

/// A connection to the app-server of a session, and what was told over it.
pub(super) struct Server {
    socket: WebSocket<UnixStream>,
    thread: String,
    last_id: u64,
    statuses: Vec<Value>,
}

impl Server {
    /// Connects beside whoever else is connected, and listens to no thread.
    #[track_caller]
    pub(super) fn of(codex: &Codex, session: &str) -> Self {
        let words = std::fs::read(format!("/proc/{}/cmdline", codex.server(session).pid())).expect("its command line");
        let words = String::from_utf8_lossy(&words).into_owned();
        let path = words.split('\0').find_map(|word| word.strip_prefix("unix://")).expect("it listens at a socket");
        // The name may be longer than the name of a socket can be, and leads to one that is not.
        let stream = UnixStream::connect(std::fs::canonicalize(path).expect("a socket")).expect("it listens");
        stream.set_read_timeout(Some(SOON)).expect("a socket has a timeout");
        let (socket, _) = tungstenite::client("ws://localhost/", stream).expect("it speaks WebSocket");
        let thread = record(&codex.world, session)["agent_session"].as_str().expect("a thread").to_owned();
        let mut server = Self { socket, thread, last_id: 0, statuses: Vec::new() };
        server.ask("initialize", &json!({"clientInfo": {"name": "watcher", "version": "0"}}));
        server.write(&json!({"method": "initialized"}));
        server
    }

    fn write(&mut self, message: &Value) {
        self.socket.send(Message::text(message.to_string())).expect("it reads");
    }

    /// The next message; changes of the thread's status are kept.
    fn read(&mut self) -> Value {
        let Message::Text(text) = self.socket.read().expect("it says something") else { return Value::Null };
        let said: Value = serde_json::from_str(&text).expect("JSON");
        if said["method"] == "thread/status/changed" && said["params"]["threadId"] == self.thread.as_str() {
            self.statuses.push(said["params"]["status"].clone());
        }
        said
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.last_id += 1;
        self.write(&json!({"id": self.last_id, "method": method, "params": params}));
        loop {
            let said = self.read();
            if said["id"] == self.last_id && said["method"].is_null() {
                return said["result"].clone();
            }
        }
    }

    /// Begins a thread of its own, in which everything is permitted, and waits for the end of its first turn.
    pub(super) fn begin_thread(&mut self, directory: &std::path::Path, text: &str) -> String {
        let rights = json!({"cwd": directory, "sandbox": "danger-full-access", "approvalPolicy": "never"});
        let thread = self.ask("thread/start", &rights)["thread"]["id"].as_str().expect("a thread").to_owned();
        self.ask("turn/start", &json!({"threadId": thread, "input": [{"type": "text", "text": text}]}));
        while self.read()["method"] != "turn/completed" {}
        thread
    }

    /// The status of the thread, as the app-server has it now.
    pub(super) fn status(&mut self) -> Value {
        let thread = self.thread.clone();
        self.ask("thread/read", &json!({"threadId": thread}))["thread"]["status"].clone()
    }

    /// The statuses that it has told of, until now.
    pub(super) fn statuses(&self) -> &[Value] {
        &self.statuses
    }
}
