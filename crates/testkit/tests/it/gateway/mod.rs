//! The gateway: what callers outside may do, what they may not, and what is tried against it.

mod attacks;
mod authority;
mod bound;
mod container;
mod directory;
mod service;
mod streams;

use std::io::{Read, Write};
use std::net::TcpStream;

use adjutant_testkit::{Running, World};
use rustix::process::Signal;
use serde_json::Value;

use crate::SOON;

/// A gateway that runs, and its world.
pub(crate) struct Gate {
    running: Option<Running>,
    pub(crate) port: u16,
}

impl Gate {
    /// Starts one on a free port.
    #[track_caller]
    pub(crate) fn new(world: &World) -> Self {
        Self::with(world, &["--port", "0"])
    }

    #[track_caller]
    pub(crate) fn with(world: &World, words: &[&str]) -> Self {
        let running = world.start([&["gateway", "run"], words].concat());
        running.await_stdout("it listens", SOON, |said| said.contains("Gateway listening on "));
        let status = world.adj(["--json", "gateway", "status"]).expect_code(0).json();
        let port = status["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
        Self { running: Some(running), port }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the gateway listens");
        stream.set_read_timeout(Some(SOON)).expect("a socket has a timeout");
        stream
    }

    /// A call with a token.
    #[track_caller]
    pub(crate) fn call(&self, token: &str, verb: &str, path: &str, body: &str) -> (u16, Value) {
        self.raw(verb, path, &[&format!("authorization: Bearer {token}"), "host: localhost"], body.as_bytes())
    }

    /// A call with these headers alone.
    #[track_caller]
    pub(crate) fn raw(&self, verb: &str, path: &str, headers: &[&str], body: &[u8]) -> (u16, Value) {
        let mut stream = self.connect();
        let mut head = format!("{verb} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        headers.iter().for_each(|header| head.push_str(&format!("{header}\r\n")));
        head.push_str("\r\n");
        // A body that nobody wants may be cut off.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        answer(stream)
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        self.running.as_ref().map_or_else(String::new, Running::stdout_so_far)
    }

    /// Ends it.
    pub(crate) fn end(mut self) -> String {
        let running = self.running.take().expect("it runs");
        running.signal(Signal::TERM);
        running.end().expect_code(0).stdout
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.signal(Signal::KILL);
            let _ = running.end();
        }
    }
}

/// The status of an answer, and its JSON.
#[track_caller]
pub(crate) fn answer(mut stream: impl Read) -> (u16, Value) {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let code = text.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (code, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// A new token.
#[track_caller]
pub(crate) fn token(world: &World, words: &[&str]) -> String {
    world.adj([&["gateway", "token", "create"], words].concat()).expect_code(0).word().to_owned()
}

/// The body of a create of a shell session in a directory.
pub(crate) fn shell_in(path: &std::path::Path) -> String {
    serde_json::json!({"cli": "shell", "path": path}).to_string()
}

/// The name of the session that a create has made.
#[track_caller]
pub(crate) fn created(answer: &(u16, Value)) -> String {
    assert_eq!(answer.0, 200, "{:#}", answer.1);
    answer.1["id"].as_str().expect("a session has a name").to_owned()
}

/// The word for what went wrong.
pub(crate) fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}
