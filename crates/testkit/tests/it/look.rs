//! How tests look at a session: its events, messages and record; and how they hold a command that runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use adjutant_testkit::{Bell, Process, World};
use serde_json::Value;

use crate::SOON;

/// The events of a session from the beginning, of these types.
#[track_caller]
pub(crate) fn events(world: &World, session: &str, types: &str) -> Vec<Value> {
    let told = world.adj(["--json", "watch", session, "--since", "0", "--types", types]).expect_code(0);
    told.stdout.lines().map(|line| serde_json::from_str(line).expect("an event per line")).collect()
}

/// The types of a session's events, in order.
#[track_caller]
pub(crate) fn event_types(world: &World, session: &str, types: &str) -> Vec<String> {
    let events = events(world, session, types);
    events.iter().map(|event| event["type"].as_str().unwrap_or_default().to_owned()).collect()
}

/// All messages of a session, in the order in which they were sent.
#[track_caller]
pub(crate) fn messages(world: &World, session: &str) -> Vec<Value> {
    let listed = world.adj(["--json", "queue", "list", "-a", session]).expect_code(0).json();
    listed.as_array().cloned().unwrap_or_default()
}

/// One message.
#[track_caller]
pub(crate) fn message(world: &World, session: &str, id: &str) -> Value {
    let found = messages(world, session).into_iter().find(|message| message["id"] == id);
    found.unwrap_or_else(|| panic!("no message {id} in {session}"))
}

/// How many waits and watches the daemon is asked for.
#[track_caller]
pub(crate) fn streams(world: &World) -> u64 {
    let status = world.adj(["--json", "daemon", "status"]).expect_code(0).json();
    status["streams"].as_u64().unwrap_or_else(|| panic!("no count: {status:#}"))
}

/// The texts of these values of a field.
pub(crate) fn texts(values: &[Value], field: &str) -> Vec<String> {
    values.iter().map(|value| value[field].as_str().unwrap_or_default().to_owned()).collect()
}

/// What `inspect` says.
#[track_caller]
pub(crate) fn record(world: &World, session: &str) -> Value {
    world.adj(["inspect", session]).expect_code(0).json()
}

/// The runner and the shell of a session.
#[track_caller]
pub(crate) fn processes(world: &World, session: &str) -> [Process; 2] {
    let record = record(world, session);
    ["runner", "agent"].map(|which| {
        let pid = record[which]["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        pid.and_then(Process::open).unwrap_or_else(|| panic!("{which} lives: {record:#}"))
    })
}

/// The state of a session in a word.
#[track_caller]
pub(crate) fn status(world: &World, session: &str) -> String {
    world.adj(["status", session]).expect_code(0).word().to_owned()
}

/// A world in which the `adj` of its sessions is the one under test, whatever else the machine has.
pub(crate) fn world_with_adj() -> World {
    let world = World::new();
    let dir = world.adj_path().parent().expect("a file lies in a directory").display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    world.with_variable("PATH", &format!("{dir}:{path}"))
}

/// Sends a message to a session that is free, and returns when its turn has begun.
#[track_caller]
pub(crate) fn begin(world: &World, session: &str, text: &str) -> String {
    world.adj(["send", "-q", "--confirm", session, text]).expect_code(0).word().to_owned()
}

/// The place at which a session's command stands still until it is let go.
pub(crate) struct Hold {
    name: String,
    begun: Bell,
    gate: Bell,
}

impl Hold {
    pub(crate) fn new(world: &World, name: &str) -> Self {
        let (begun, gate) = (world.bell(&format!("begun-{name}")), world.bell(&format!("gate-{name}")));
        Self { name: name.to_owned(), begun, gate }
    }

    /// What a script does to stand still here.
    pub(crate) fn script(&self) -> String {
        format!("echo x > begun-{0}; read -r _ < gate-{0}", self.name)
    }

    /// Waits until a command stands here.
    #[track_caller]
    pub(crate) fn await_begun(&mut self) {
        self.begun.line(SOON);
    }

    /// Lets one command go on.
    pub(crate) fn let_go(&self) {
        self.gate.release(1);
    }
}

/// The records of a stream of the daemon's, one after the other; what only says that it lives is passed over.
pub(crate) fn records(world: &World, path: &str) -> impl FnMut() -> Option<Value> + use<> {
    let mut stream = UnixStream::connect(world.socket()).expect("the daemon listens");
    stream.set_read_timeout(Some(SOON)).expect("a socket has a timeout");
    let head = format!("GET {path} HTTP/1.1\r\nhost: adj\r\naccept: application/x-ndjson\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("the daemon reads");
    // Between the records stand the lengths of the chunks, which are no JSON objects.
    let mut lines = BufReader::new(stream).lines();
    move || {
        let records = lines.by_ref().map_while(Result::ok).filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        records.filter(Value::is_object).find(|record| record["type"] != "alive")
    }
}

/// What the daemon's socket says to one GET until it ends, whatever it is.
pub(crate) fn streamed(world: &World, path: &str, headers: &[&str]) -> String {
    let mut stream = UnixStream::connect(world.socket()).expect("the daemon listens");
    stream.set_read_timeout(Some(SOON)).expect("a socket has a timeout");
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let head = format!("GET {path} HTTP/1.1\r\nhost: adj\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).expect("the daemon reads");
    let mut told = Vec::new();
    stream.read_to_end(&mut told).expect("the answer ends");
    String::from_utf8_lossy(&told).into_owned()
}

/// What the daemon's socket answers to one HTTP call: the status and the body.
pub(crate) fn http(world: &World, verb: &str, path: &str, headers: &[&str], body: &[u8]) -> (u16, Value) {
    let mut stream = UnixStream::connect(world.socket()).expect("the daemon listens");
    stream.set_read_timeout(Some(SOON)).expect("a socket has a timeout");
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "{verb} {path} HTTP/1.1\r\nhost: adj\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).expect("the daemon reads");
    // A daemon that has refused a body by its size need not read it.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{read:?}: {answer}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    assert!(head.to_ascii_lowercase().contains("content-type: application/json"), "JSON and nothing else: {answer}");
    (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
}
