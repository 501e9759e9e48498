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
    /// Sits down, in a terminal that closes when `adj attach` has ended, and has joined when `seen`, something of the
    /// conversation, is there: Codex shows its prompt before that.
    #[track_caller]
    fn sits_down(codex: &'a Codex, session: &str, seen: &str) -> Self {
        let person = Self::sits_down_with(codex, session, &[], seen);
        person.awaits("Ask Codex");
        person
    }

    #[track_caller]
    fn sits_down_with(codex: &'a Codex, session: &str, words: &[&str], seen: &str) -> Self {
        // One that is just being closed takes nobody.
        let socket = (0..).map(|nth| codex.world.root().join(format!("tmux{nth}")));
        let socket = socket.into_iter().find(|socket| !socket.try_exists().expect("the world can be looked at"));
        let person = Self { codex, socket: socket.expect("a name is free") };
        let adj = codex.world.adj_path().display().to_string();
        let exit = person.exit_file().display().to_string();
        // The shell writes down how `adj` ended, and ends with it.
        let script = format!("{adj} attach \"$@\"; echo $? > {exit}");
        let new = ["-f", "/dev/null", "new-session", "-d", "-x", "110", "-y", "40", "sh", "-c", &script, "sh", session];
        person.tmux(&[&new, words].concat());
        person.awaits(seen);
        person
    }

    fn exit_file(&self) -> PathBuf {
        self.socket.with_extension("exit")
    }

    /// The terminal has closed by itself, and `adj attach` has ended with this code.
    #[track_caller]
    fn ends(self, code: u8) {
        await_fact("the terminal is closed", SOON, || {
            let mut command = self.codex.world.command("tmux");
            command.arg("-S").arg(&self.socket).arg("has-session");
            Running::start(command).end().code != 0
        });
        let told = std::fs::read_to_string(self.exit_file()).expect("it is written down");
        assert_eq!(told, format!("{code}\n"));
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
    let person = Person::sits_down(&codex, &x, "[[say one]]");
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
    let person = Person::sits_down(&codex, &x, "[[say one]]");
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
    let person = Person::sits_down(&codex, &x, "[[say one]]");
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
fn who_leaves_codexs_screen_finds_it_again_and_the_end_of_the_session_closes_it() {
    let codex = Codex::new();
    let x = codex.native();
    assert_eq!(codex.ask(&x, "[[say one]]"), "one\n");
    let person = Person::sits_down(&codex, &x, "[[say one]]");
    person.tmux(&["send-keys", "-l", "half a thought"]);
    person.awaits("half a thought");
    person.tmux(&["send-keys", "C-b", "d"]);
    person.ends(0);
    assert_eq!(codex.ask(&x, "[[say two]]"), "two\n");
    let person = Person::sits_down_with(&codex, &x, &[], "half a thought");
    person.awaits("two");
    person.leaves();
    // Who only looks types nothing.
    let person = Person::sits_down_with(&codex, &x, &["--read-only"], "half a thought");
    person.tmux(&["send-keys", "-l", " and more"]);
    assert_eq!(codex.ask(&x, "[[say three]]"), "three\n");
    person.awaits("three");
    assert!(!person.screen().contains("and more"), "{}", person.screen());
    let screens = || codex.world.processes().iter().filter(|(_, shown)| shown.contains("resume --remote")).count();
    assert_ne!(screens(), 0, "its screen is open");
    let _ = codex.world.adj(["kill", &x]).expect_code(0);
    person.ends(4);
    await_fact("nothing of it is left", SOON, || screens() == 0);
}

#[test]
fn who_quits_codexs_screen_changes_nothing() {
    let codex = Codex::new();
    let x = codex.native();
    begin(&codex.world, &x, "[[hold gate]] [[say on it goes]]");
    assert!(codex.model.await_held("gate", SOON));
    let person = Person::sits_down(&codex, &x, "[[hold gate]]");
    person.types("/quit");
    person.ends(0);
    codex.model.open("gate");
    assert_eq!(codex.world.adj(["wait", "--print", &x]).expect_code(0).stdout, "on it goes\n");
    codex.assert_sound();
}

#[test]
fn a_person_who_stops_a_turn_there_is_seen() {
    let codex = Codex::new();
    let x = codex.native();
    assert_eq!(codex.ask(&x, "[[say one]]"), "one\n");
    let person = Person::sits_down(&codex, &x, "[[say one]]");
    // While the model writes, Codex does not show that it works.
    begin(&codex.world, &x, "[[hold gate]] [[say never]]");
    assert!(codex.model.await_held("gate", SOON));
    person.awaits("esc to interrupt");
    person.presses("Escape");
    let _ = codex.world.adj(["wait", &x]).expect_code(130);
    assert_eq!(codex.ask(&x, "[[say two]]"), "two\n");
    person.leaves();
    codex.assert_sound();
}

/// A command that a turn waits in, until the gate is opened.
const WAITING: &str = "[[tool exec_command {\"cmd\":\"echo x > begun; read -r _ < gate\",\"yield_time_ms\":30000}]] \
                       [[then]] [[say not this]]";

/// The second message was handed over, and Codex has it: what is asked behind it is answered behind it.
#[track_caller]
fn await_steered(codex: &Codex, session: &str) {
    codex.await_events(session, "message.handed", 2);
    let _ = codex.world.adj(["goal", session]).expect_code(0);
}

#[test]
fn what_was_put_into_a_turn_is_in_it_once_whoever_dies_meanwhile() {
    for is_late in [false, true] {
        let codex = Codex::new();
        let x = codex.native();
        let (mut begun, gate) = (codex.world.bell("begun"), codex.world.bell("gate"));
        begin(&codex.world, &x, WAITING);
        begun.line(SOON);
        let steered =
            codex.world.adj(["send", "-q", "--steer", &x, "[[say steered]]"]).expect_code(0).word().to_owned();
        await_steered(&codex, &x);
        codex.world.kill_daemon();
        if is_late {
            // The turn goes on to its end while nobody looks.
            gate.release(1);
            assert!(
                codex
                    .model
                    .recorder()
                    .await_found(SOON, |request, _| {
                        adjutant_fakemodel::openai::user_texts(request).pop().filter(|text| text == "[[say steered]]")
                    })
                    .is_some()
            );
        } else {
            let _ = codex.world.adj(["status", &x]).expect_code(0);
            await_fact("the new daemon has looked", SOON, || status(&codex.world, &x) == "working");
            assert_eq!(message(&codex.world, &x, &steered)["state"], "delivering", "it is under way, and nothing else");
            gate.release(1);
        }
        await_fact("it is settled", SOON, || message(&codex.world, &x, &steered)["state"] == "done");
        assert_eq!(message(&codex.world, &x, &steered)["turn"], 1, "late: {is_late}");
        let _ = codex.world.adj(["wait", &x]).expect_code(0);
        assert_eq!(codex.newest_texts(), [WAITING, "[[say steered]]"], "late: {is_late}");
        codex.assert_sound();
    }
}

#[test]
fn what_did_not_get_into_a_turn_that_was_stopped_is_not_lost() {
    let codex = Codex::new();
    let x = codex.native();
    let (mut begun, _gate) = (codex.world.bell("begun"), codex.world.bell("gate"));
    begin(&codex.world, &x, WAITING);
    begun.line(SOON);
    let steered = codex.world.adj(["send", "-q", "--steer", &x, "[[say steered]]"]).expect_code(0).word().to_owned();
    codex.await_events(&x, "message.handed", 2);
    let _ = codex.world.adj(["interrupt", &x]).expect_code(0);
    let state = || message(&codex.world, &x, &steered)["state"].clone();
    await_fact("it is settled", SOON, || state() != "delivering");
    assert_eq!(state(), "queued", "{:#}", message(&codex.world, &x, &steered));
    assert_eq!(codex.ask(&x, "[[say next]]"), "next\n");
    assert_eq!(codex.newest_texts(), [WAITING, "[[say steered]]", "[[say next]]"]);
    codex.assert_sound();
}

#[test]
fn g13_text_for_a_running_turn_is_put_into_it_on_purpose() {
    let codex = Codex::new();
    let x = codex.native();
    // No command: Codex waits for none longer than 30 s, and a turn ends where its model has nothing to add.
    begin(&codex.world, &x, "[[hold gate]] [[say not this]]");
    assert!(codex.model.await_held("gate", SOON));
    let _ = codex.world.adj(["send", "-q", "--steer", &x, "[[say steered]]"]).expect_code(0);
    await_steered(&codex, &x);
    codex.model.open("gate");
    assert_eq!(codex.world.adj(["wait", "--print", &x]).expect_code(0).stdout, "steered\n");
    assert_eq!(origins(&codex, &x).len(), 1, "one turn");
    let told = codex.world.adj(["send", "--steer", &x, "[[say a turn of its own]]"]).expect_code(0);
    assert_eq!(told.stderr, format!("adj: m3 is no part of a running turn; it is the next turn of {x}\n"));
    assert_eq!(codex.world.adj(["wait", "--print", &x]).expect_code(0).stdout, "a turn of its own\n");
    codex.assert_sound();
}
