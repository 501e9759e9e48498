//! Streams through the gateway: alive, exact, and taken up again over the end of the daemon.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use adjutant_testkit::{World, await_fact};
use serde_json::Value;

use super::{Gate, created, shell_in, token};
use crate::SOON;
use crate::look::Hold;

/// A stream of records that is being read.
pub(crate) struct Stream {
    reader: BufReader<TcpStream>,
}

impl Stream {
    #[track_caller]
    pub(crate) fn open(gate: &Gate, token: &str, path: &str) -> Self {
        Self::after(gate, token, path, None)
    }

    #[track_caller]
    pub(crate) fn after(gate: &Gate, token: &str, path: &str, cursor: Option<&str>) -> Self {
        let mut stream = gate.connect();
        let cursor = cursor.map_or(String::new(), |cursor| format!("last-event-id: {cursor}\r\n"));
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {token}\r\n{cursor}\r\n"
        );
        stream.write_all(head.as_bytes()).expect("the gateway reads");
        Self { reader: BufReader::new(stream) }
    }

    /// The next line that a record, or its id, stands in; `None` at the end.
    fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line.starts_with("data: ") || line.starts_with("id: ") {
                return Some(line.trim_end().to_owned());
            }
        }
    }

    /// The next record, with the cursor that came with it.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Option<(Option<String>, Value)> {
        let mut id = None;
        loop {
            let line = self.line()?;
            match line.strip_prefix("data: ") {
                Some(json) => return Some((id, serde_json::from_str(json).expect("a record is JSON"))),
                None => id = line.strip_prefix("id: ").map(str::to_owned),
            }
        }
    }

    /// The next record.
    #[track_caller]
    pub(crate) fn record(&mut self) -> Value {
        self.next().expect("the stream goes on").1
    }

    /// Reads on to the end; whether it came.
    pub(crate) fn is_over(&mut self) -> bool {
        while self.next().is_some() {}
        true
    }
}

#[test]
fn c18_c19_d2_h17_a_wait_through_the_gateway_is_typed_exact_and_resumable() {
    let world = World::new();
    let gate = Gate::new(&world);
    let t = token(&world, &["--mode", "native"]);
    let id = created(&gate.call(&t, "POST", "/v1/sessions", &shell_in(&world.work())));
    let mut hold = Hold::new(&world, "x");
    let text = format!("{}; printf 'a\\n\\n\\nb'; exit_with() {{ return 3; }}; exit_with", hold.script());
    let body = serde_json::json!({"text": text}).to_string();
    assert_eq!(gate.call(&t, "POST", &format!("/v1/sessions/{id}/messages"), &body).0, 200);
    hold.await_begun();
    let path = format!("/v1/wait?session={id}&timeout_ms=60000");
    let mut waiting = Stream::open(&gate, &t, &path);
    let (cursor, first) = waiting.next().expect("it waits");
    assert_eq!(first["type"], "waiting");
    // The daemon goes and the next one comes; whoever waits goes on where it was.
    let _ = world.adj(["daemon", "stop", "--force"]).expect_code(0);
    assert_eq!(waiting.record()["type"], "stopping");
    assert!(waiting.is_over());
    let mut again = Stream::after(&gate, &t, &path, cursor.as_deref());
    assert_eq!(again.record()["type"], "waiting");
    hold.let_go();
    let settled = again.record();
    assert_eq!((&settled["type"], &settled["result"]["outcome"]), (&"session".into(), &"failed".into()), "{settled:#}");
    assert_eq!((&settled["result"]["exit_code"], &settled["result"]["answer"]), (&3.into(), &"a\n\n\nb".into()));
    assert_eq!(again.record()["type"], "result");
    // What fails is told as what it is, with its status; a wait that is over is a result.
    let (code, told) = gate.call(&t, "GET", "/v1/wait?session=nobody-top", "");
    assert_eq!((code, &told["error"]["code"], &told["error"]["exit"]), (404, &"session_not_found".into(), &4.into()));
    let mut timed = Stream::open(&gate, &t, &format!("/v1/wait?session={id}&timeout_ms=1500&next_turn=true"));
    let records: Vec<Value> = std::iter::from_fn(|| timed.next().map(|(_, record)| record)).collect();
    let last = records.last().expect("there is a result");
    assert_eq!((&last["type"], &last["ended_by"]), (&"result".into(), &"timeout".into()), "{last:#}");
}

#[test]
fn a_gateway_outlives_its_daemon_and_starts_the_next() {
    let world = World::new();
    let gate = Gate::new(&world);
    let t = token(&world, &["--mode", "native"]);
    let id = created(&gate.call(&t, "POST", "/v1/sessions", &shell_in(&world.work())));
    world.kill_daemon();
    let (code, listed) = gate.call(&t, "GET", "/v1/sessions", "");
    assert_eq!((code, &listed[0]["id"]), (200, &id.as_str().into()), "{listed:#}");
    await_fact("the next daemon sees it", SOON, || world.adj(["status", &id]).stdout == "idle\n");
    let sent = gate.call(&t, "POST", &format!("/v1/sessions/{id}/messages"), r#"{"text":"echo on"}"#);
    assert_eq!(sent.0, 200, "{:#}", sent.1);
    assert_eq!(world.adj(["wait", "--print", &id]).expect_code(0).stdout, "on\n");
    let said = gate.end();
    assert!(said.ends_with("Gateway ended\n") && !said.contains("echo on"), "{said}");
    assert_eq!(world.adj(["gateway", "status"]).expect_code(255).stdout, "Gateway daemon: stopped (port 6767)\n");
}
