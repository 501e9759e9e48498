//! A person sits down at a Claude Code that is held without a terminal, and gives the conversation back.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use adjutant_testkit::fakemodel::anthropic::user_texts;
use adjutant_testkit::{AGENT_MAX, ClaudeWorld, Process, Running, await_fact};
use rustix::process::Signal;
use serde_json::Value;

use crate::SOON;
use crate::look::events;

const BACK: &str = "the conversation is given back";

fn headless(world: &ClaudeWorld, more: &[&str]) -> String {
    let words = ["create", "-q", "--cli", "claude", "--headless"].iter().chain(more);
    world.adj(words).expect_code(0).word().to_owned()
}

fn status(world: &ClaudeWorld, session: &str) -> Value {
    world.adj(["--json", "status", session]).expect_code(0).json()
}

/// The texts of the user in the newest request that tells of a whole conversation, as the model got them.
fn newest_texts(world: &ClaudeWorld) -> Vec<String> {
    let (request, _) = world.model().recorder().requests().pop().expect("a request");
    user_texts(&request)
}

/// The processes that run Claude Code, by their command lines.
fn programs(world: &ClaudeWorld) -> Vec<String> {
    let claude = |(_, line): (u32, String)| (line.contains("--permission-mode")).then_some(line);
    world.processes().into_iter().filter_map(claude).collect()
}

/// The one process that runs Claude Code.
#[track_caller]
fn agent(world: &ClaudeWorld) -> u32 {
    let all = world.processes().into_iter().filter(|(_, line)| line.contains("--permission-mode"));
    let [agent] = all.map(|(pid, _)| pid).collect::<Vec<_>>()[..] else { panic!("{:#?}", programs(world)) };
    agent
}

/// A terminal in which a person sits, whose screen stays when `adj attach` has ended.
struct Person<'a> {
    world: &'a ClaudeWorld,
    socket: PathBuf,
}

impl<'a> Person<'a> {
    fn sits_down(world: &'a ClaudeWorld, session: &str, more: &str) -> Self {
        let mut sockets = (0..).map(|nth| world.root().join(format!("person{nth}")));
        let socket = sockets.find(|socket| !socket.try_exists().expect("the world can be looked at"));
        let person = Self { world, socket: socket.expect("a name is free") };
        let line = format!("'{}' attach {more} {session}; echo left with $?; exec cat", world.adj_path().display());
        person.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "110", "-y", "40", "--", "sh", "-c", &line]);
        person
    }

    /// One who sits at the conversation.
    fn at(world: &'a ClaudeWorld, session: &str) -> Self {
        let person = Self::sits_down(world, session, "");
        person.awaits("❯");
        person
    }

    #[track_caller]
    fn tmux(&self, words: &[&str]) -> String {
        let mut command = self.world.command("tmux");
        command.args(["-u", "-S"]).arg(&self.socket).env("TERM", "xterm-256color").args(words);
        Running::start(command).end().expect_code(0).stdout
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-S", "-100"])
    }

    #[track_caller]
    fn awaits(&self, words: &str) {
        let mut screen = String::new();
        let deadline = Instant::now() + SOON;
        await_fact(words, SOON + AGENT_MAX, || {
            screen = self.screen();
            assert!(Instant::now() < deadline, "no {words:?}:\n{screen}");
            screen.contains(words)
        });
    }

    #[track_caller]
    fn types(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
        self.awaits(text);
        self.tmux(&["send-keys", "Enter"]);
    }

    /// Types a whole message, which the model gets.
    #[track_caller]
    fn says(&self, text: &str) {
        let before = self.world.model().recorder().count();
        self.types(text);
        await_fact("the model is asked", SOON, || self.world.model().recorder().count() > before);
    }

    /// Presses the keys by which a viewer leaves.
    fn detaches(&self) {
        self.tmux(&["send-keys", "C-]"]);
        self.tmux(&["send-keys", "d"]);
    }

    /// The terminal is closed under `adj attach`, as by a window that is closed.
    fn vanishes(&self) {
        self.tmux(&["kill-server"]);
    }
}

impl Drop for Person<'_> {
    fn drop(&mut self) {
        let mut command = self.world.command("tmux");
        command.arg("-S").arg(&self.socket).arg("kill-server");
        let _ = Running::start(command).end();
    }
}

/// The conversation is back, and the queue has run.
#[track_caller]
fn is_back(world: &ClaudeWorld, session: &str) {
    let _ = world.adj(["wait", session]).expect_code(0);
    let status = status(world, session);
    assert_eq!((&status["status"], &status["lent"]), (&"idle".into(), &false.into()), "{status:#}");
    let programs = programs(world);
    assert!(programs.len() == 1 && programs[0].contains("--input-format"), "{programs:#?}");
}

#[test]
fn a20_a_person_sits_down_at_a_session_without_a_terminal_and_gives_it_back() {
    let world = ClaudeWorld::new();
    let x = headless(&world, &["--mode", "guarded", "--model", "claude-haiku-4-5"]);
    assert_eq!(world.answer(&x, "[[say before]]"), "before");
    let conversation = status(&world, &x)["agent_session"].clone();
    let person = Person::at(&world, &x);
    person.awaits("before");
    let programs = programs(&world);
    let words =
        format!("--permission-mode manual --resume {} --model claude-haiku-4-5", conversation.as_str().unwrap());
    assert!(programs.len() == 1 && programs[0].contains(&words), "one program, as the session was made: {programs:#?}");

    // A message waits, and everybody is told for whom.
    let sent = world.adj(["send", &x, "[[say after]]"]).expect_code(0);
    assert!(sent.stderr.contains("a person has the conversation"), "{}", sent.stderr);
    let explained = world.adj(["status", "--explain", &x]).expect_code(0).stdout;
    assert!(explained.contains("working") && explained.contains("a person has had the conversation"), "{explained}");
    let waited = world.adj(["wait", &x, "--timeout", "0s"]).expect_code(124);
    assert!(waited.stderr.contains("a person has the conversation"), "{}", waited.stderr);
    assert_eq!(status(&world, &x)["lent"], true);
    // What was meant for the turn that runs is no part of a person's; it is the first behind it.
    let _ = world.adj(["send", "--steer", &x, "[[say steered]]"]).expect_code(0);

    person.says("[[say to the person]]");
    person.tmux(&["send-keys", "-l", "half a line"]);
    person.awaits("half a line");
    person.detaches();
    person.awaits("what was typed there and not sent is gone");
    person.awaits("left with 0");
    is_back(&world, &x);
    let said = world.adj(["last-message", "-n", "3", &x]).expect_code(0).stdout;
    assert_eq!(said, "to the person\n\nsteered\n\nafter\n");
    assert_eq!(newest_texts(&world), ["[[say before]]", "[[say to the person]]", "[[say steered]]", "[[say after]]"]);
    let origins: Vec<Value> =
        events(&world, &x, "turn.started").iter().map(|event| event["data"]["origin"].clone()).collect();
    assert_eq!(origins[1], "person", "{origins:#?}");
    assert_eq!(origins.len(), 4, "{origins:#?}");
    let log = world.adj(["logs", &x]).expect_code(0).stdout;
    assert!(log.contains("to the person"), "{log}");
    assert_eq!(status(&world, &x)["agent_session"], conversation);
    assert_eq!(world.answer(&x, "[[say again]]"), "again");
}

#[test]
fn a_conversation_in_which_nothing_was_said_is_lent_too() {
    let world = ClaudeWorld::new();
    let x = headless(&world, &[]);
    let person = Person::at(&world, &x);
    person.types("/exit");
    person.awaits(BACK);
    person.awaits("left with 0");
    is_back(&world, &x);
    assert_eq!(world.answer(&x, "[[say one]]"), "one");
    // Who only looks changes nothing of what was said last.
    let person = Person::at(&world, &x);
    person.awaits("one");
    person.vanishes();
    is_back(&world, &x);
    assert_eq!(world.adj(["last-message", &x]).expect_code(0).stdout, "one\n");
}

#[test]
fn a_conversation_that_a_person_begins_anew_is_gone_on_with() {
    let world = ClaudeWorld::new();
    let x = headless(&world, &[]);
    assert_eq!(world.answer(&x, "[[say before]]"), "before");
    let conversation = status(&world, &x)["agent_session"].clone();
    let person = Person::at(&world, &x);
    person.types("/clear");
    await_fact("it is told of", SOON, || status(&world, &x)["agent_session"] != conversation);
    // The daemon that takes it back knows of it from the record alone.
    world.kill_daemon();
    person.says("[[say anew]]");
    person.detaches();
    person.awaits("left with 0");
    is_back(&world, &x);
    assert_eq!(world.answer(&x, "[[say after]]"), "after");
    let texts = newest_texts(&world);
    assert!(texts.ends_with(&["[[say anew]]".to_owned(), "[[say after]]".to_owned()]), "{texts:#?}");
    assert!(!texts.iter().any(|text| text.contains("before")), "{texts:#?}");
}

#[test]
fn what_is_asked_at_the_start_is_asked_of_the_person() {
    let world = ClaudeWorld::new();
    world.write_home(".claude.json", r#"{"hasCompletedOnboarding":true}"#);
    let x = headless(&world, &["--mode", "guarded"]);
    assert_eq!(world.answer(&x, "[[say before]]"), "before");
    let person = Person::sits_down(&world, &x, "");
    person.awaits("No, exit");
    // A dialog that has only just opened takes no key, and of keys that come too fast none. Its first choice is to leave.
    await_fact("the person declines", SOON, || {
        person.tmux(&["send-keys", "Enter"]);
        let looked = Instant::now();
        await_fact("a second", AGENT_MAX, || {
            person.screen().contains(BACK) || looked.elapsed() > Duration::from_secs(1)
        });
        person.screen().contains(BACK)
    });
    // A program that was not let in has ended badly.
    person.awaits("left with 1");
    let _ = world.adj(["wait", &x]).expect_code(1);
    let person = Person::sits_down(&world, &x, "");
    person.awaits("No, exit");
    person.vanishes();
    is_back(&world, &x);
    assert_eq!(world.answer(&x, "[[say after]]"), "after");
}

#[test]
fn what_works_or_asks_is_not_lent() {
    let world = ClaudeWorld::new();
    let x = headless(&world, &["--mode", "guarded"]);
    let message =
        world.send(&x, r#"[[tool Bash {"command":"touch made","description":"make a file"}]] [[then]] [[say ok]]"#);
    let _ = world.adj(["wait", &x]).expect_code(3);
    let person = Person::sits_down(&world, &x, "");
    person.awaits("it waits for an answer");
    person.awaits("left with 1");
    let _ = world.adj(["respond", &x, "--allow"]).expect_code(0);
    let _ = world.adj(["wait", &x, "--for", &message]).expect_code(0);
    let _ = world.send(&x, "[[hold gate]] [[say held]]");
    assert!(world.model().await_held("gate", SOON));
    let person = Person::sits_down(&world, &x, "");
    person.awaits("it is at work");
    person.awaits("left with 1");
    world.model().open("gate");
    let _ = world.adj(["wait", &x]).expect_code(0);
    let person = Person::sits_down(&world, &x, "--read-only");
    person.awaits("none to look at");
    person.awaits("left with 2");
    is_back(&world, &x);
}

/// There is no shell behind it to which its person could go, and nobody who would bring it back.
#[test]
fn what_a_person_suspends_comes_back() {
    let world = ClaudeWorld::new();
    let x = headless(&world, &[]);
    assert_eq!(world.answer(&x, "[[say before]]"), "before");
    let person = Person::at(&world, &x);
    person.awaits("before");
    person.tmux(&["send-keys", "C-z"]);
    person.says("[[say not gone]]");
    person.awaits("not gone");
    // The same key as newer terminals say it.
    person.tmux(&["send-keys", "-l", "\u{1b}[122;5u"]);
    person.awaits("suspended");
    // The key itself goes to the terminal as it was.
    person.tmux(&["send-keys", "-l", "x"]);
    person.awaits("not gone");
    person.tmux(&["send-keys", "C-u"]);
    person.says("[[say here again]]");
    person.awaits("here again");
    person.tmux(&["send-keys", "-l", "\u{1b}[122;5u"]);
    person.awaits("suspended");
    person.vanishes();
    let message = world.send(&x, "[[say after]]");
    let _ = world.adj(["wait", &x, "--for", &message]).expect_code(0);
    is_back(&world, &x);
}

#[test]
fn what_a_person_leaves_at_work_goes_on_and_two_see_the_same() {
    let world = ClaudeWorld::new();
    let x = headless(&world, &[]);
    assert_eq!(world.answer(&x, "[[say before]]"), "before");
    let one = Person::at(&world, &x);
    let other = Person::sits_down(&world, &x, "");
    other.awaits("before");
    let looker = Person::sits_down(&world, &x, "--read-only");
    looker.awaits("before");
    assert_eq!(programs(&world).len(), 1, "{:#?}", programs(&world));
    one.types("[[hold gate]] [[say done alone]]");
    assert!(world.model().await_held("gate", SOON));
    other.awaits("done alone");
    let message = world.send(&x, "[[say next]]");
    one.detaches();
    one.awaits("left with 0");
    assert_eq!(status(&world, &x)["lent"], true, "one is still there");
    other.vanishes();
    // Nobody is there who could type; what was begun is not cut off.
    await_fact("it is seen that they have left", SOON, || {
        world.model().open("gate");
        status(&world, &x)["lent"] == false
    });
    looker.awaits("left with 0");
    let _ = world.adj(["wait", &x, "--for", &message]).expect_code(0);
    assert_eq!(world.adj(["last-message", "-n", "2", &x]).expect_code(0).stdout, "done alone\n\nnext\n");
    is_back(&world, &x);
}

#[test]
fn a_question_that_its_person_leaves_is_cut_off_and_so_is_what_somebody_interrupts() {
    let world = ClaudeWorld::new();
    let x = headless(&world, &["--mode", "guarded"]);
    assert_eq!(world.answer(&x, "[[say before]]"), "before");
    let person = Person::at(&world, &x);
    person.types(r#"[[tool Bash {"command":"touch made","description":"make a file"}]] [[then]] [[say ok]]"#);
    person.awaits("Do you want");
    person.vanishes();
    let _ = world.adj(["wait", "--through-input", &x]).expect_code(130);
    assert!(!world.has_file("made"));
    assert_eq!(world.answer(&x, "[[say after]]"), "after");
    let person = Person::at(&world, &x);
    let message = world.send(&x, "[[say in between]]");
    let _ = world.adj(["interrupt", &x]).expect_code(0);
    person.awaits(BACK);
    person.awaits("left with 0");
    assert_eq!(status(&world, &x)["lent"], false);
    let _ = world.adj(["queue", "release", &x]).expect_code(0);
    let _ = world.adj(["wait", &x, "--for", &message]).expect_code(0);
    is_back(&world, &x);
}

#[test]
fn a_daemon_that_is_killed_does_not_take_the_terminal_along() {
    let world = ClaudeWorld::new();
    let x = headless(&world, &[]);
    assert_eq!(world.answer(&x, "[[say before]]"), "before");
    let person = Person::at(&world, &x);
    let message = world.send(&x, "[[say after]]");
    world.kill_daemon();
    person.says("[[say still there]]");
    assert_eq!(status(&world, &x)["lent"], true);
    // Killed when nobody sits there any more, it is the next one that takes the conversation back.
    world.kill_daemon();
    person.vanishes();
    let _ = world.adj(["wait", &x, "--for", &message]).expect_code(0);
    assert_eq!(newest_texts(&world), ["[[say before]]", "[[say still there]]", "[[say after]]"]);
    is_back(&world, &x);
}

#[test]
fn a_daemon_that_is_killed_on_the_way_there_or_back_is_replaced() {
    let world = ClaudeWorld::new();
    let x = headless(&world, &[]);
    assert_eq!(world.answer(&x, "[[say before]]"), "before");
    for round in 1..=3 {
        let person = Person::sits_down(&world, &x, "");
        await_fact("the person gets it", SOON, || status(&world, &x)["lent"] == true);
        world.kill_daemon();
        person.awaits("before");
        person.awaits("❯");
        let message = world.send(&x, &format!("[[say round {round}]]"));
        person.detaches();
        person.awaits("left with 0");
        let starts = 2 * round + 1;
        await_fact("it is on its way back", SOON, || events(&world, &x, "session.started").len() >= starts);
        world.kill_daemon();
        let _ = world.adj(["wait", &x, "--for", &message]).expect_code(0);
        assert_eq!(newest_texts(&world).len(), 1 + round);
    }
    is_back(&world, &x);
}

#[test]
fn what_is_killed_under_a_person_loses_nothing() {
    let world = ClaudeWorld::new();
    let x = headless(&world, &[]);
    assert_eq!(world.answer(&x, "[[say before]]"), "before");
    let person = Person::at(&world, &x);
    let message = world.send(&x, "[[say after]]");
    Process::open(agent(&world)).expect("it lives").signal(Signal::KILL);
    person.awaits("signal 9");
    person.awaits("left with 1");
    let _ = world.adj(["wait", &x, "--for", &message]).expect_code(0);
    assert_eq!(newest_texts(&world), ["[[say before]]", "[[say after]]"]);
    is_back(&world, &x);
    // The end of the session is told as that.
    let person = Person::at(&world, &x);
    let _ = world.adj(["kill", &x]).expect_code(0);
    person.awaits("left with 4");
    assert!(programs(&world).is_empty(), "{:#?}", programs(&world));
}

#[test]
fn a_conversation_that_another_session_has_is_left_to_it() {
    let world = ClaudeWorld::new();
    let (a, b) = (headless(&world, &[]), headless(&world, &[]));
    assert_eq!(world.answer(&a, "[[say in a]]"), "in a");
    assert_eq!(world.answer(&b, "[[say in b]]"), "in b");
    let conversation = |of: &str| status(&world, of)["agent_session"].as_str().expect("it has one").to_owned();
    let (of_a, of_b) = (conversation(&a), conversation(&b));
    let person = Person::at(&world, &a);
    person.types(&format!("/resume {of_b}"));
    let told = || events(&world, &a, "session.notice").iter().any(|event| event.to_string().contains(&of_b));
    await_fact("it is told of", SOON, told);
    person.detaches();
    person.awaits("left with 0");
    let _ = world.adj(["wait", &a]).expect_code(0);
    assert_eq!((conversation(&a), conversation(&b)), (of_a.clone(), of_b));
    assert_eq!(world.answer(&a, "[[say again in a]]"), "again in a");
    assert_eq!(newest_texts(&world), ["[[say in a]]", "[[say again in a]]"]);
    assert_eq!(world.answer(&b, "[[say again in b]]"), "again in b");
    assert_eq!(newest_texts(&world), ["[[say in b]]", "[[say again in b]]"]);
    assert!(programs(&world).iter().any(|line| line.contains(&format!("--resume {of_a}"))));
}

#[test]
fn what_is_not_to_be_seen_from_here_is_not_lent() {
    let world = ClaudeWorld::new();
    let elsewhere = world.root().join("elsewhere").display().to_string();
    wrapper(&world, &format!("export CLAUDE_CONFIG_DIR='{elsewhere}'\nclaude \"$@\""));
    let x = headless(&world, &["--mode", "docker"]);
    let refused = || {
        let person = Person::sits_down(&world, &x, "");
        person.awaits("not to be seen from here");
        person.awaits("left with 2");
    };
    refused();
    assert_eq!(world.answer(&x, "[[say before]]"), "before");
    refused();
    assert_eq!(world.answer(&x, "[[say after]]"), "after");
}

#[test]
fn the_next_program_waits_for_all_that_the_last_one_was() {
    let world = ClaudeWorld::new();
    let path = |name: &str| world.root().join(name).display().to_string();
    let (last, two, never) = (path("last"), path("two"), path("never"));
    // What is behind the wrapper hears no signal and does not end by itself.
    let inside = format!("echo $$ > \"{last}\"; trap \"\" TERM HUP; claude \"$@\"; read line < \"{never}\"");
    let lives = format!("[ -e '{last}' ] && grep -q 'State:.[^ZX]' \"/proc/$(cat '{last}')/status\"");
    let script = format!("mkfifo '{never}'\nif {lives}; then touch '{two}'; fi\nsh -c '{inside}' sh \"$@\"\nexit 0");
    wrapper(&world, &script);
    let x = headless(&world, &["--mode", "docker"]);
    assert_eq!(world.answer(&x, "[[say before]]"), "before");
    let person = Person::at(&world, &x);
    person.says("[[say to the person]]");
    let _ = world.adj(["interrupt", &x]).expect_code(0);
    person.awaits(BACK);
    let _ = world.adj(["wait", &x]).expect_code(130);
    let _ = world.adj(["queue", "release", &x]).expect_code(0);
    assert_eq!(world.answer(&x, "[[say after]]"), "after");
    assert_eq!(newest_texts(&world), ["[[say before]]", "[[say to the person]]", "[[say after]]"]);
    assert!(!world.root().join("two").try_exists().expect("a directory"), "two programs at once");
}

/// Puts a wrapper in the place of Claude Code.
fn wrapper(world: &ClaudeWorld, script: &str) {
    let file = world.root().join("bin/clauded");
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("a file in the world");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("a mode that can be set");
}

#[test]
fn a_turn_that_is_killed_or_lost_from_sight_is_not_done() {
    let world = ClaudeWorld::new();
    let x = headless(&world, &[]);
    assert_eq!(world.answer(&x, "[[say before]]"), "before");
    let person = Person::at(&world, &x);
    person.types("[[hold never]]");
    assert!(world.model().await_held("never", SOON));
    Process::open(agent(&world)).expect("it lives").signal(Signal::KILL);
    person.awaits("left with 1");
    let waited = world.adj(["wait", &x]);
    let last = status(&world, &x)["last_turn"].clone();
    assert!(waited.code != 0 && last["outcome"] == "exited", "{waited:?} {last:#}");
    let ends = events(&world, &x, "turn.exited");
    assert!(ends.last().is_some_and(|end| end.to_string().contains("signal 9")), "{ends:#?}");
    // Nobody can say what a program is at that does not say it any more.
    let person = Person::at(&world, &x);
    person.types("[[hold again]]");
    assert!(world.model().await_held("again", SOON));
    let of = agent(&world);
    await_fact("it says that it works", SOON, || said(&world, of).contains("busy"));
    world.write_home(&format!(".claude/sessions/{of}.json"), "");
    person.vanishes();
    await_fact("it is taken back", SOON, || status(&world, &x)["lent"] == false);
    assert_eq!(status(&world, &x)["last_turn"]["outcome"], "unknown");
    assert_eq!(world.answer(&x, "[[say after]]"), "after");
}

/// What a program says that it is at.
fn said(world: &ClaudeWorld, agent: u32) -> String {
    let file = world.root().join(format!("home/.claude/sessions/{agent}.json"));
    std::fs::read_to_string(file).unwrap_or_default()
}

#[test]
fn rules_hold_at_the_terminal_and_what_is_asked_there_is_told() {
    let world = ClaudeWorld::new();
    let x = headless(&world, &["--mode", "guarded", "--allow-tool", "Bash(mkdir *)"]);
    assert_eq!(world.answer(&x, "[[say before]]"), "before");
    let person = Person::at(&world, &x);
    person.types(r#"[[tool Bash {"command":"mkdir permitted","description":"make it"}]] [[then]] [[say made]]"#);
    person.awaits("● made");
    assert!(world.has_file("permitted"));
    person.types(r#"[[tool Bash {"command":"touch asked","description":"make it"}]] [[then]] [[say asked for]]"#);
    person.awaits("Do you want");
    let _ = world.adj(["wait", &x]).expect_code(3);
    let asks = status(&world, &x);
    assert_eq!((&asks["status"], &asks["pending"][0]["tool"]), (&"waiting_for_input".into(), &"terminal".into()));
    // The next daemon knows as much.
    world.kill_daemon();
    let _ = world.adj(["wait", &x]).expect_code(3);
    person.tmux(&["send-keys", "Enter"]);
    person.awaits("● asked for");
    assert!(world.has_file("asked"));
    await_fact("nothing is asked any more", SOON, || status(&world, &x)["pending"] == serde_json::json!([]));
    person.detaches();
    person.awaits("left with 0");
    is_back(&world, &x);
}
