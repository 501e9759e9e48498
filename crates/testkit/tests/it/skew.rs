//! Daemons that are not what they should be: of another protocol, deaf, or gone in the middle of an answer.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use adjutant_testkit::{Running, World};
use serde_json::json;

use crate::SOON;

/// Calls that a fake daemon remembers before it takes no more.
const CALLS_MAX: usize = 1_000;

/// A call as it was heard.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) line: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// How a fake daemon goes on after a call.
pub(crate) enum Then {
    Stay,
    HangUp,
}

/// Listens where the world's daemon would, and answers every call with `answer`.
pub(crate) fn serve(
    world: &World,
    answer: impl Fn(usize, &Heard, &mut UnixStream) -> Then + Send + Sync + 'static,
) -> Receiver<Heard> {
    std::fs::create_dir_all(world.state().join("run")).expect("a directory");
    let listener = UnixListener::bind(world.socket()).expect("a socket");
    let (tell, heard) = sync_channel(CALLS_MAX);
    let answer = std::sync::Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (answer, tell) = (std::sync::Arc::clone(&answer), tell.clone());
            std::thread::spawn(move || converse(stream, &*answer, &tell));
        }
    });
    heard
}

fn converse(stream: UnixStream, answer: &impl Fn(usize, &Heard, &mut UnixStream) -> Then, tell: &SyncSender<Heard>) {
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    let mut count = 0;
    while let Some(heard) = hear(&mut reader) {
        // The test may have ended.
        let _ = tell.try_send(heard.clone());
        count += 1;
        if matches!(answer(count, &heard, &mut writer), Then::HangUp) {
            let _ = writer.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
}

fn hear(reader: &mut BufReader<UnixStream>) -> Option<Heard> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let headers: BTreeMap<String, String> = lines
        .iter()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(n, v)| (n.to_lowercase(), v.to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Heard { line: lines.into_iter().next()?, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

pub(crate) fn say(stream: &mut UnixStream, protocol: u32, status: &str, body: &str) -> Then {
    let length = body.len();
    let version = if protocol == 1 { env!("CARGO_PKG_VERSION") } else { "9.8.7" };
    let head = format!(
        "HTTP/1.1 {status}\r\nadj-protocol: {protocol}\r\nadj-version: {version}\r\ncontent-type: application/json"
    );
    let _ = write!(stream, "{head}\r\ncontent-length: {length}\r\n\r\n{body}");
    Then::Stay
}

/// What every call of this version may say to a daemon of another protocol: nothing but its end.
fn changes_something(heard: &Heard) -> bool {
    heard.line.starts_with("POST") && !heard.line.contains("/v1/daemon/stop")
}

#[test]
fn a_daemon_of_another_protocol_is_told_with_what_to_do() {
    let world = World::new();
    let heard = serve(&world, |_, _, stream| say(stream, 99, "200 OK", "{}"));
    for words in [
        vec!["--json", "list"],
        vec!["--json", "send", "fizz-top", "true"],
        vec!["--json", "create", "--cli", "shell"],
        vec!["--json", "wait", "fizz-top"],
    ] {
        let refused = world.adj(words).expect_error(255, "version_mismatch");
        let error = refused.error();
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains("9.8.7") && message.contains("99"), "it names both sides: {refused:#?}");
        assert_eq!(error["hint"], "adj daemon stop", "{refused:#?}");
    }
    let calls: Vec<Heard> = heard.try_iter().filter(changes_something).collect();
    let creates = calls.iter().filter(|call| call.line.contains("/v1/sessions ")).count();
    assert!(
        calls.len() == creates,
        "a call that cannot be repeated is not made before the protocol is known: {calls:#?}"
    );
}

/// The hint must help: stopping is understood by daemons of every protocol.
#[test]
fn a_daemon_of_another_protocol_can_be_stopped() {
    let world = World::new();
    let socket = world.socket();
    let heard = serve(&world, move |_, heard, stream| {
        if heard.line.contains("/v1/daemon/stop") {
            let _ = std::fs::remove_file(&socket);
            return say(stream, 99, "200 OK", &json!({"pid": 1, "sessions": 3}).to_string());
        }
        say(stream, 99, "200 OK", "{}")
    });
    let stopped = world.adj(["daemon", "stop"]).expect_code(0);
    assert!(heard.try_iter().any(|call| call.line.contains("/v1/daemon/stop")), "{stopped:#?}");
}

/// A caller of another protocol is told so by the daemon, and may stop it.
#[test]
fn a_caller_of_another_protocol_is_refused_and_may_stop() {
    let world = World::new();
    let daemon = world.start_daemon(&[]);
    let call = |verb: &str, path: &str| {
        let mut stream = UnixStream::connect(world.socket()).expect("the daemon listens");
        let head = "host: localhost\r\nadj-protocol: 99\r\nadj-version: 9.8.7\r\nconnection: close";
        write!(stream, "{verb} {path} HTTP/1.1\r\n{head}\r\ncontent-length: 0\r\n\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    };
    let refused = call("GET", "/v1/sessions");
    assert!(refused.starts_with("HTTP/1.1 426") && refused.contains("version_mismatch"), "{refused}");
    assert!(refused.contains("9.8.7") && refused.contains("adj daemon stop"), "it names both sides: {refused}");
    let stopped = call("POST", "/v1/daemon/stop");
    assert!(stopped.starts_with("HTTP/1.1 200"), "{stopped}");
    assert!(daemon.ends_within(SOON), "{stopped}");
}

/// A daemon that accepts connections and says nothing: every call ends by its deadline, and what may have happened is not
/// denied. This takes the deadline's half minute, and no work.
#[test]
fn a_deaf_daemon_is_given_up() {
    let world = World::new();
    let _heard = serve(&world, |_, _, _| Then::Stay);
    let calls: Vec<(Running, &[i32])> = vec![
        (world.start(["--json", "list"]), &[255]),
        (world.start(["--json", "status", "fizz-top"]), &[255]),
        (world.start(["--json", "send", "fizz-top", "true"]), &[255]),
        (world.start(["--json", "daemon", "status"]), &[255]),
        (world.start(["--json", "wait", "fizz-top", "-t", "none"]), &[255]),
        (world.start(["--json", "wait", "fizz-top", "-t", "1"]), &[124, 255]),
    ];
    for (running, codes) in calls {
        let ended = running.end();
        assert!(codes.contains(&ended.code), "{ended:#?}");
        if ended.code == 255 {
            assert_eq!(ended.error()["code"], "daemon_unreachable", "{ended:#?}");
        }
    }
}

/// A wait whose daemon goes away in the middle asks the next one to go on where it was.
#[test]
fn a_wait_goes_on_after_its_stream_broke() {
    let world = World::new();
    let version = env!("CARGO_PKG_VERSION");
    let stream_head = format!(
        "HTTP/1.1 200 OK\r\nadj-protocol: 1\r\nadj-version: {version}\r\ncontent-type: application/x-ndjson\r\n\
         connection: close\r\n\r\n"
    );
    let heard = serve(&world, move |_, heard, stream| {
        if !heard.line.contains("/v1/wait") {
            return say(
                stream,
                1,
                "200 OK",
                &json!({"ok": true, "version": env!("CARGO_PKG_VERSION"), "protocol": 1}).to_string(),
            );
        }
        let _ = stream.write_all(stream_head.as_bytes());
        let record = match heard.headers.get("last-event-id") {
            None => json!({"type": "waiting", "cursor": "here"}),
            Some(_) => json!({"type": "result", "ended_by": "done", "results": [result("fizz-top", 7)]}),
        };
        let _ = writeln!(stream, "{record}");
        Then::HangUp
    });
    let ended = world.adj(["--no-autostart", "wait", "--print", "fizz-top"]).expect_code(7);
    assert_eq!(ended.stdout, "the answer\n", "{ended:#?}");
    let waits: Vec<Heard> = heard.try_iter().filter(|call| call.line.contains("/v1/wait")).collect();
    let cursors: Vec<Option<&str>> =
        waits.iter().map(|call| call.headers.get("last-event-id").map(String::as_str)).collect();
    assert_eq!(cursors, [None, Some("here")], "{waits:#?}");
}

fn result(session: &str, exit_code: i32) -> serde_json::Value {
    json!({"session": session, "outcome": "failed", "turn": 1, "messages": ["m1"], "started_at": null, "ended_at": null,
           "duration_ms": null, "exit_code": exit_code, "reason": "command_failed", "error": null,
           "answer": "the answer", "answer_cut_bytes": 0, "pending": []})
}

/// A message whose connection breaks before the answer is not sent a second time.
#[test]
fn a_send_in_doubt_is_not_repeated() {
    let world = World::new();
    let heard = serve(&world, |_, heard, stream| {
        if heard.line.starts_with("GET") {
            return say(
                stream,
                1,
                "200 OK",
                &json!({"ok": true, "version": env!("CARGO_PKG_VERSION"), "protocol": 1}).to_string(),
            );
        }
        Then::HangUp
    });
    let ended = world.adj(["--json", "send", "fizz-top", "rm it"]).expect_error(5, "outcome_unknown");
    let sends: Vec<Heard> = heard.try_iter().filter(|call| call.line.starts_with("POST")).collect();
    assert_eq!(sends.len(), 1, "{ended:#?} {sends:#?}");
    assert!(sends[0].body.contains("rm it"), "{sends:#?}");
}
