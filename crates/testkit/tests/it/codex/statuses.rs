//! What every client is told of a session, against what the app-server says of its thread, at each step of a run.

use adjutant_testkit::await_fact;
use serde_json::Value;

use super::Codex;
use super::server::Server;
use crate::SOON;
use crate::look::{begin, events, http, status};

const CHANGES: &str = "turn.started,turn.completed,turn.failed,turn.interrupted,request.opened,request.closed";

/// The app-server's word in ours. A thread whose last turn failed takes input as any other that is at rest.
fn word(said: &Value) -> &'static str {
    match (said["type"].as_str(), said["activeFlags"].as_array().map(Vec::is_empty)) {
        (Some("idle" | "systemError"), _) => "idle",
        (Some("active"), Some(true)) => "working",
        (Some("active"), Some(false)) => "waiting_for_input",
        _ => panic!("what is that: {said}"),
    }
}

/// A session that is followed from both sides.
struct Run<'a> {
    codex: &'a Codex,
    session: &'a str,
    server: Server,
    steps: usize,
}

impl Run<'_> {
    /// What each kind of client is told now.
    fn told(&self) -> [String; 4] {
        let (world, x) = (&self.codex.world, self.session);
        let list = world.adj(["--json", "list"]).expect_code(0).json();
        let listed = list.as_array().into_iter().flatten().find(|session| session["id"] == x).cloned();
        let (_, wire) = http(world, "GET", &format!("/v1/sessions/{x}"), &[], b"");
        let text = |value: &Value| value["status"].as_str().unwrap_or_default().to_owned();
        [status(world, x), text(&listed.unwrap_or_default()), text(&wire), self.watched().pop().unwrap_or_default()]
    }

    /// The words that follow from what a watcher sees, each that differs from the one before.
    fn watched(&self) -> Vec<String> {
        let mut words = vec!["idle".to_owned()];
        for event in events(&self.codex.world, self.session, CHANGES) {
            let now = match event["type"].as_str().unwrap_or_default() {
                // It has gone with its turn, of which the end is told next.
                "request.closed" if event["data"]["how"] == "withdrawn" => continue,
                "turn.started" | "request.closed" => "working",
                "request.opened" => "waiting_for_input",
                _ => "idle",
            };
            words.push(now.to_owned());
        }
        words.dedup();
        words
    }

    /// The run stands still in this state: all clients say so, and so does the app-server.
    #[track_caller]
    fn stands(&mut self, step: &str, expected: &str) {
        await_fact(step, SOON, || word(&self.server.status()) == expected && self.told().iter().all(|t| t == expected));
        // Nobody says anything else afterwards.
        assert_eq!((word(&self.server.status()), self.told()), (expected, [(); 4].map(|()| expected.to_owned())));
        self.steps += 1;
    }
}

#[test]
fn every_client_is_told_what_the_app_server_says() {
    let codex = Codex::new();
    let x = codex.guarded();
    let server = Server::of(&codex, &x);
    let mut run = Run { codex: &codex, session: &x, server, steps: 0 };
    let escalation = "{\"cmd\":\"echo x\",\"sandbox_permissions\":\"require_escalated\",\"justification\":\"so\"}";
    run.stands("it is ready", "idle");
    begin(&codex.world, &x, "[[say so]] [[hold text]] [[say  it is]]");
    run.stands("a text is written", "working");
    codex.model.open("text");
    run.stands("the text is whole", "idle");
    begin(&codex.world, &x, "[[tool exec_command {\"cmd\":\"echo x\"}]] [[then]] [[hold tool]] [[say done]]");
    assert!(codex.model.await_held("tool", SOON));
    run.stands("a tool has run", "working");
    codex.model.open("tool");
    run.stands("its turn has ended", "idle");
    begin(&codex.world, &x, &format!("[[tool exec_command {escalation}]] [[then]] [[hold asked]] [[say done]]"));
    run.stands("a permission is asked for", "waiting_for_input");
    codex.world.kill_daemon();
    run.stands("a new daemon looks", "waiting_for_input");
    codex.respond(&x, &["--allow"]);
    assert!(codex.model.await_held("asked", SOON));
    run.stands("it is given", "working");
    codex.model.open("asked");
    run.stands("its turn has ended too", "idle");
    begin(&codex.world, &x, "[[say never]] [[hold never]]");
    run.stands("a turn that is to be stopped", "working");
    let _ = codex.world.adj(["interrupt", &x]).expect_code(0);
    run.stands("it is stopped", "idle");
    begin(&codex.world, &x, &format!("[[tool exec_command {escalation}]]"));
    run.stands("another permission is asked for", "waiting_for_input");
    let _ = codex.world.adj(["interrupt", &x]).expect_code(0);
    run.stands("and its turn is stopped", "idle");
    let _ = codex.world.adj(["ask", &x, "[[status 400]]"]).expect_code(1);
    run.stands("a turn has failed", "idle");
    assert_eq!(run.server.status()["type"], "systemError", "as the app-server says it");
    assert_eq!(codex.ask(&x, "[[say on it goes]]"), "on it goes\n");
    run.stands("the next one has not", "idle");
    let mut said: Vec<&str> = std::iter::once("idle").chain(run.server.statuses().iter().map(word)).collect();
    said.dedup();
    assert_eq!(run.watched(), said, "the same states in the same order, and no other between them");
    println!("{} steps, {} states in a row", run.steps, said.len());
    codex.assert_sound();
}
