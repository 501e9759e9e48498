//! A person at Codex's own screen, joined to a session that Adjutant holds.

use std::path::PathBuf;

use adjutant_testkit::{Running, await_fact};
use serde_json::Value;

use super::Codex;
use crate::SOON;
use crate::look::{begin, events, message, status};

/// A terminal in which a person sits at a session.
struct Person<'a> {
    codex: &'a Codex,
    socket: PathBuf,
}

impl<'a> Person<'a> {
    #[track_caller]
    fn sits_down(codex: &'a Codex, session: &str) -> Self {
        let person = Self { codex, socket: codex.world.root().join("tmux") };
        let adj = codex.world.adj_path().display().to_string();
        person.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "110", "-y", "40", &adj, "attach", session]);
        person.awaits("Ask Codex");
        person
    }

    #[track_caller]
    fn tmux(&self, words: &[&str]) -> String {
        let mut command = self.codex.world.command("tmux");
        command.arg("-S").arg(&self.socket).env("TERM", "xterm-256color").args(words);
        Running::start(command).end().expect_code(0).stdout
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    #[track_caller]
    fn awaits(&self, words: &str) {
        await_fact(words, SOON, || self.screen().contains(words));
    }

    fn types(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
        self.awaits(text);
        // Together they would be a paste.
        self.tmux(&["send-keys", "Enter"]);
    }

    fn presses(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    fn leaves(self) {
        self.tmux(&["kill-server"]);
    }
}

/// Who opened each turn of a session.
#[track_caller]
fn origins(codex: &Codex, session: &str) -> Vec<Value> {
    events(&codex.world, session, "turn.started").iter().map(|event| event["data"]["origin"].clone()).collect()
}

#[test]
fn a_persons_turn_is_a_persons_and_messages_wait_for_its_end() {
    let codex = Codex::new();
    let x = codex.native();
    assert_eq!(codex.ask(&x, "[[say one]]"), "one\n");
    let person = Person::sits_down(&codex, &x);
    person.types("[[hold gate]] [[say to the person]]");
    assert!(codex.model.await_held("gate", SOON));
    assert_eq!(status(&codex.world, &x), "working");
    for text in ["[[say two]]", "[[say three]]"] {
        codex.world.send(&x, text);
    }
    codex.model.open("gate");
    let _ = codex.world.adj(["wait", &x]).expect_code(0);
    let expected = ["[[say one]]", "[[hold gate]] [[say to the person]]", "[[say two]]", "[[say three]]"];
    assert_eq!(codex.newest_texts(), expected, "in this order, and none within another");
    let origins = origins(&codex, &x);
    assert_eq!(origins.len(), 4, "{origins:#?}");
    assert!(origins[1].to_string().contains("person"), "{origins:#?}");
    assert!(!origins[2].to_string().contains("person"), "{origins:#?}");
    person.awaits("three");
    person.leaves();
    assert_eq!(codex.ask(&x, "[[say still here]]"), "still here\n");
    assert_eq!(status(&codex.world, &x), "idle");
    codex.assert_sound();
}

#[test]
fn what_a_person_types_into_a_turn_of_ours_is_told_as_a_persons() {
    let codex = Codex::new();
    let x = codex.native();
    assert_eq!(codex.ask(&x, "[[say one]]"), "one\n");
    let person = Person::sits_down(&codex, &x);
    let script = "[[tool exec_command {\"cmd\":\"echo x > begun; read -r _ < gate\"}]] [[then]] [[say not this]]";
    let (mut begun, gate) = (codex.world.bell("begun"), codex.world.bell("gate"));
    let ours = begin(&codex.world, &x, script);
    begun.line(SOON);
    let behind = codex.world.send(&x, "[[say behind]]");
    person.types("[[say to the person]]");
    person.awaits("say to the person");
    gate.release(1);
    let _ = codex.world.adj(["wait", &x]).expect_code(0);
    let expected = ["[[say one]]", script, "[[say to the person]]", "[[say behind]]"];
    assert_eq!(codex.newest_texts(), expected, "in this order");
    let origins: Vec<Value> = origins(&codex, &x);
    assert_eq!(origins.len(), 3, "no turn of its own: {origins:#?}");
    assert!(!serde_json::json!(origins).to_string().contains("person"), "the turn stays ours: {origins:#?}");
    let notices = events(&codex.world, &x, "session.notice");
    let told = "a person has put this into the running turn: [[say to the person]]";
    assert_eq!(notices.iter().filter(|notice| notice["data"]["text"] == told).count(), 1, "{notices:#?}");
    assert_eq!(message(&codex.world, &x, &ours)["receipt"]["outcome"], "completed");
    assert_eq!(message(&codex.world, &x, &behind)["turn"], 3, "what waited ran afterwards, in a turn of its own");
    person.leaves();
    codex.assert_sound();
}

#[test]
fn an_answer_that_a_person_gives_there_is_seen() {
    let codex = Codex::new();
    let x = codex.guarded();
    assert_eq!(codex.ask(&x, "[[say one]]"), "one\n");
    let person = Person::sits_down(&codex, &x);
    let input =
        serde_json::json!({"cmd": "echo x > ran", "sandbox_permissions": "require_escalated", "justification": "so"});
    begin(&codex.world, &x, &format!("[[tool exec_command {input}]] [[then]] [[say done]]"));
    let _ = codex.request(&x);
    person.awaits("Yes, proceed");
    await_fact("the answer is taken", SOON, || {
        // A key that comes as soon as the question is there is not taken for an answer.
        person.presses("y");
        !events(&codex.world, &x, "request.closed").is_empty()
    });
    assert_eq!(codex.world.adj(["wait", "--print", &x]).expect_code(0).stdout, "done\n");
    assert_eq!(codex.world.lines_of("ran"), ["x"]);
    let closed = events(&codex.world, &x, "request.closed");
    assert_eq!(closed[0]["data"]["how"], "answered_there", "{closed:#?}");
    person.leaves();
    codex.assert_sound();
}

#[test]
fn a_person_who_stops_a_turn_there_is_seen() {
    let codex = Codex::new();
    let x = codex.native();
    assert_eq!(codex.ask(&x, "[[say one]]"), "one\n");
    let person = Person::sits_down(&codex, &x);
    begin(&codex.world, &x, "[[say working]] [[hold gate]]");
    assert!(codex.model.await_held("gate", SOON));
    person.awaits("esc to interrupt");
    person.presses("Escape");
    let _ = codex.world.adj(["wait", &x]).expect_code(130);
    assert_eq!(codex.ask(&x, "[[say two]]"), "two\n");
    person.leaves();
    codex.assert_sound();
}

#[test]
fn g13_text_for_a_running_turn_is_put_into_it_on_purpose() {
    let codex = Codex::new();
    let x = codex.native();
    begin(
        &codex.world,
        &x,
        "[[tool exec_command {\"cmd\":\"echo x > begun; read -r _ < gate\"}]] [[then]] [[say not this]]",
    );
    let (mut begun, gate) = (codex.world.bell("begun"), codex.world.bell("gate"));
    begun.line(SOON);
    let _ = codex.world.adj(["send", "-q", "--steer", &x, "[[say steered]]"]).expect_code(0);
    codex.await_events(&x, "message.handed", 2);
    gate.release(1);
    assert_eq!(codex.world.adj(["wait", "--print", &x]).expect_code(0).stdout, "steered\n");
    assert_eq!(origins(&codex, &x).len(), 1, "one turn");
    codex.assert_sound();
}
