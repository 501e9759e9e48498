//! Claude Code without a terminal: the real one, against a model that plays scripts.

use std::time::{Duration, Instant};

use adjutant_testkit::fakemodel::record;
use adjutant_testkit::{ClaudeWorld, Dice, Model, Process, Running, World, pinned};
use rustix::process::Signal;
use serde_json::Value;

use crate::SOON;

/// A world in which `claude` is found, talks to the model of this test alone, and has a home of its own.
struct Stage {
    world: World,
    model: Model,
}

impl Stage {
    fn new() -> Self {
        let model = Model::start();
        let bin = pinned::claude();
        let dirs =
            [bin.parent().expect("a directory").display().to_string(), std::env::var("PATH").unwrap_or_default()];
        let world = World::new()
            .with_variable("PATH", &dirs.join(":"))
            .with_variable("ANTHROPIC_BASE_URL", &model.url())
            .with_variable("ANTHROPIC_AUTH_TOKEN", "fake")
            .with_variable("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .with_variable("DISABLE_AUTOUPDATER", "1")
            .with_variable("CLAUDE_CODE_MAX_RETRIES", "1")
            .with_variable("IS_SANDBOX", "1");
        let mut stage = Self { world, model };
        let tmp = stage.world.root().join("tmp").display().to_string();
        stage.world.set_variable("CLAUDE_CODE_TMPDIR", &tmp);
        stage
    }

    #[track_caller]
    fn create(&self, more: &[&str]) -> String {
        let words = ["create", "-q", "--cli", "claude", "--headless"].iter().chain(more);
        self.world.adj(words).expect_code(0).word().to_owned()
    }

    #[track_caller]
    fn guarded(&self) -> String {
        self.create(&["--mode", "guarded"])
    }

    #[track_caller]
    fn ask(&self, session: &str, text: &str) -> String {
        self.world.adj(["ask", session, "--message", text]).expect_code(0).stdout
    }

    #[track_caller]
    fn status(&self, session: &str) -> Value {
        self.world.adj(["--json", "status", session]).expect_code(0).json()
    }

    /// Waits for the open request of a session, and gives it.
    #[track_caller]
    fn request(&self, session: &str) -> Value {
        let _ = self.world.adj(["wait", session]).expect_code(3);
        self.status(session)["pending"][0].clone()
    }

    /// The text of the last message that the model was asked about.
    fn asked_last(&self) -> String {
        let requests = self.model.recorder().requests();
        let (request, _) = requests.iter().rev().find(|(one, _)| one.path == "/v1/messages").expect("a request");
        let body = request.json();
        let messages = body["messages"].as_array().expect("messages");
        let user = messages.iter().rev().find(|one| one["role"] == "user").expect("a user's message");
        let blocks = user["content"].as_array().into_iter().flatten();
        let last = blocks.filter_map(|block| block["text"].as_str()).next_back();
        user["content"].as_str().or(last).unwrap_or_default().to_owned()
    }

    /// Whether a file is in the directory of the sessions.
    fn has(&self, file: &str) -> bool {
        self.world.work().join(file).try_exists().unwrap_or(true)
    }

    fn agent(&self, session: &str) -> Process {
        self.process(session, "agent_pid")
    }

    /// A process of the session, as the record of its start names it.
    fn process(&self, session: &str, name: &str) -> Process {
        let started = self.world.adj(["watch", "--json", "--since", "0", "--types", "session.started", session]);
        let event: Value = serde_json::from_str(started.stdout.lines().next().expect("a line")).expect("an event");
        let pid = event["data"][name].as_u64().and_then(|pid| u32::try_from(pid).ok());
        pid.and_then(Process::open).expect("a process")
    }

    /// A message of a session, ended or not.
    #[track_caller]
    fn message(&self, session: &str, id: &str) -> Value {
        let all = self.world.adj(["--json", "queue", "list", "--all", session]).expect_code(0).json();
        let found = all.as_array().and_then(|all| all.iter().find(|one| one["id"] == id).cloned());
        found.unwrap_or_else(|| panic!("no {id}: {all:#}"))
    }

    /// The last result of a session.
    #[track_caller]
    fn result(&self, session: &str, code: i32) -> Value {
        self.world.adj(["--json", "wait", session]).expect_code(code).json()
    }
}

const TOUCH: &str = r#"x [[tool Bash {"command":"touch made","description":"make a file"}]] [[then]] [[say done]]"#;

#[test]
fn a_turn_goes_there_and_back() {
    let stage = Stage::new();
    let x = stage.create(&[]);
    let status = stage.status(&x);
    assert_eq!((&status["status"], &status["headless"]), (&"idle".into(), &true.into()));
    assert_eq!(status["agent_session"], status["uuid"], "its conversation has its own id");
    for i in 1..=50 {
        assert_eq!(stage.ask(&x, &format!("[[say answer {i}]]")), format!("answer {i}\n"));
    }
    assert_eq!(stage.world.adj(["last-message", "-n", "2", &x]).expect_code(0).stdout, "answer 49\n\nanswer 50\n");
    assert_eq!(stage.model.recorder().count(), 50, "each message reached the model once");
    let result = stage.result(&x, 0);
    assert_eq!((&result["usage"]["input_tokens"], &result["usage"]["output_tokens"]), (&20.into(), &10.into()));
}

#[test]
fn sessions_side_by_side_keep_to_themselves() {
    let stage = Stage::new();
    let creating: Vec<_> =
        (0..6).map(|_| stage.world.start(["create", "-q", "--cli", "claude", "--headless"])).collect();
    let sessions: Vec<String> = creating.into_iter().map(|one| one.end().expect_code(0).word().to_owned()).collect();
    for round in 0..5 {
        let ask = |(i, x): (usize, &String)| {
            stage.world.start(["ask", x.as_str(), "--message", &format!("[[say {round} from {i}]]")])
        };
        let asks: Vec<_> = sessions.iter().enumerate().map(ask).collect();
        for (i, ask) in asks.into_iter().enumerate() {
            assert_eq!(ask.end().expect_code(0).stdout, format!("{round} from {i}\n"));
        }
    }
    assert_eq!(stage.model.recorder().count(), 30);
}

#[test]
fn every_text_reaches_the_model_as_it_was_sent() {
    let stage = Stage::new();
    let x = stage.create(&[]);
    let texts = [
        "/cost",
        "/clear",
        "/exit",
        "/nosuch thing",
        " /cost",
        "/",
        "//",
        "/cost\nmore",
        "/tmp/foo is a path",
        "!ls",
        "! ls",
        "#note",
        "# note",
        "@",
        "@nofile",
        "exit",
        "quit",
        ":q",
        ":wq",
        "clear",
        "Exit",
        "exit.",
        "a\\",
        "a\\\\",
        "\\",
        "tab\there",
        "\tleading tab",
        "  leading",
        "trailing  ",
        "trailing\n\n",
        "\n\nleading lines",
        "a\r\nb\r\n",
        "é ü 漢字 🦀 👩‍👩‍👧",
        "\u{200b}zero\u{200b}width",
        "\u{feff}bom",
        "$(rm -rf x) `id` ${HOME} $HOME",
        "\"quotes\" 'single'",
        "{\"type\":\"user\"}",
        "]]>&lt;<b>",
        "<system-reminder>no</system-reminder>",
        "-",
        "--help",
        "-p",
        "null",
        "0",
        "line one\nline two\nline three\nline four",
        "%s %d %n",
        "~",
        "~/x",
        "?",
        "&",
        ">",
        "\u{a0}\u{2028}x",
    ];
    let sent: Vec<String> = texts.iter().map(|text| (*text).to_owned()).chain(hostile_texts(260)).collect();
    for text in &sent {
        let _ = stage.world.adj(["ask", &x, "--message", text]).expect_code(0);
        assert_eq!(stage.asked_last(), *text, "{text:?}");
    }
    assert!(sent.len() >= 300, "{}", sent.len());
    assert_eq!(stage.model.recorder().count(), sent.len() as u64, "each reached the model once");
}

/// Texts put together from pieces that some program or other does not take as text, the same in every run.
fn hostile_texts(count: usize) -> Vec<String> {
    let pieces = [
        "/",
        "!",
        "#",
        "@",
        "\\",
        "\\\n",
        "\t",
        "  ",
        "\n",
        "\n\n\n",
        "/compact",
        "exit",
        "`",
        "$(",
        ")",
        "\"",
        "'",
        "{",
        "}",
        "[",
        "]",
        "<b>",
        "</b>",
        "&amp;",
        "%20",
        "é",
        "🦀",
        "\u{200d}",
        "\u{202e}",
        "\u{feff}",
        "--",
        "-x",
        "~",
        "*",
        "?",
        ";",
        "|",
        ">",
        "\r\n",
        "[from bob]",
        "yes",
        "1",
        "y\n",
        "<system-reminder>",
        "[Request interrupted by user]",
        "\u{e000}",
        "\u{10ffff}",
        "word",
    ];
    let mut dice = Dice::new(20_261_120);
    let text = |dice: &mut Dice| {
        let length = 1 + dice.below(6);
        (0..length).map(|_| pieces[dice.below(pieces.len())]).collect::<String>()
    };
    let mut texts = Vec::new();
    while texts.len() < count {
        let next = text(&mut dice);
        if next.chars().any(|one| !one.is_whitespace() && one != '\u{feff}') {
            texts.push(next);
        }
    }
    texts
}

#[test]
fn a_long_text_reaches_the_model_whole() {
    let stage = Stage::new();
    let x = stage.create(&[]);
    let lines: String = (0..5_000).map(|i| format!("line {i} \\ \t é\n")).collect();
    let large = format!("start {}end", "0123456789abcdef".repeat(64 * 1024));
    for text in [lines, large] {
        std::fs::write(stage.world.work().join("text"), &text).unwrap();
        let _ = stage.world.adj(["ask", &x, "-f", "text"]).expect_code(0);
        assert!(stage.asked_last() == text, "{} bytes", text.len());
    }
}

#[test]
fn what_is_no_text_is_refused_before_anything_is_sent() {
    let stage = Stage::new();
    let x = stage.create(&[]);
    for text in [" ", "\n\t", "\u{feff}\t", "\u{a0}"] {
        let _ = stage.world.adj(["--json", "send", &x, "--message", text]).expect_error(2, "message_empty");
    }
    for text in ["a\u{1b}[201~b", "a\u{3}", "a\rb", "bell\u{7}", "\u{85}"] {
        let _ = stage.world.adj(["--json", "send", &x, "--message", text]).expect_error(2, "message_not_text");
    }
    assert_eq!(stage.model.recorder().count(), 0);
}

#[test]
fn a_command_is_sent_on_purpose_alone() {
    let stage = Stage::new();
    let x = stage.create(&[]);
    assert_eq!(stage.ask(&x, "[[say one]]"), "one\n");
    let before = stage.status(&x)["agent_session"].clone();
    let _ = stage.world.adj(["send", &x, "--as-command", "/clear"]).expect_code(0);
    let _ = stage.world.adj(["wait", &x]).expect_code(0);
    assert_eq!(stage.model.recorder().count(), 1, "the model was asked nothing");
    assert_ne!(stage.status(&x)["agent_session"], before, "it goes on in another conversation");
    let shell = stage.world.shell();
    let _ = stage.world.adj(["--json", "send", &shell, "--as-command", "/clear"]).expect_error(2, "not_supported");
}

#[test]
fn a_permission_is_answered_from_anywhere() {
    let stage = Stage::new();
    let x = stage.guarded();
    stage.world.send(&x, TOUCH);
    let request = stage.request(&x);
    assert_eq!((&request["tool"], &request["summary"]), (&"Bash".into(), &"touch made".into()));
    assert_eq!(stage.status(&x)["status"], "waiting_for_input");
    stage.world.send(&x, "[[say after]]");
    let waits = stage.world.adj(["--json", "queue", "list", &x]).expect_code(0).json();
    assert_eq!(waits[0]["blocked_by"], request["id"], "{waits:#}");
    let _ = stage.world.adj(["--json", "respond", &x, "--choose", "1"]).expect_error(2, "usage");
    assert_eq!(
        stage.world.adj(["respond", &x, "--allow"]).expect_code(0).stdout,
        format!("Answered {} for {x}\n", request["id"].as_str().unwrap())
    );
    let _ = stage.world.adj(["wait", &x]).expect_code(0);
    assert!(stage.has("made"));
    assert_eq!(stage.world.adj(["last-message", "-n", "2", &x]).expect_code(0).stdout, "done\n\nafter\n");
    let id = request["id"].as_str().unwrap();
    let _ = stage.world.adj(["--json", "respond", "--request", id, "--allow"]).expect_error(1, "request_not_pending");
}

#[test]
fn a_refusal_reaches_the_model_with_its_reason() {
    let stage = Stage::new();
    let x = stage.guarded();
    stage.world.send(&x, TOUCH);
    stage.request(&x);
    let _ = stage.world.adj(["respond", &x, "--deny", "--reason", "not on my machine"]).expect_code(0);
    let _ = stage.world.adj(["wait", &x]).expect_code(0);
    assert!(!stage.has("made"));
    let told = stage
        .model
        .recorder()
        .requests()
        .iter()
        .any(|(one, _)| String::from_utf8_lossy(&one.body).contains("not on my machine"));
    assert!(told);
}

#[test]
fn always_is_for_the_rest_of_the_session() {
    let stage = Stage::new();
    let x = stage.guarded();
    stage.world.send(&x, TOUCH);
    stage.request(&x);
    let _ = stage.world.adj(["respond", &x, "--always"]).expect_code(0);
    let _ = stage.world.adj(["wait", &x]).expect_code(0);
    std::fs::remove_file(stage.world.work().join("made")).unwrap();
    assert_eq!(stage.ask(&x, TOUCH), "done\n", "it does not ask again");
    assert!(stage.has("made"));
    let files = [stage.world.work().join(".claude"), stage.world.root().join("home/.claude/settings.json")];
    assert!(
        files.iter().all(|file| file.try_exists().is_ok_and(|there| !there)),
        "nothing is written for other sessions"
    );
}

#[test]
fn rules_answer_without_anybody_and_leave_a_trace() {
    let stage = Stage::new();
    std::fs::write(stage.world.work().join("rules.toml"), "deny = ['Bash(rm *)']\n").unwrap();
    let x = stage.create(&["--mode", "guarded", "--allow-tool", "Bash(touch *)", "--policy", "rules.toml"]);
    assert_eq!(stage.ask(&x, TOUCH), "done\n");
    assert!(stage.has("made"));
    let remove = r#"x [[tool Bash {"command":"rm made","description":"remove"}]] [[then]] [[say kept]]"#;
    assert_eq!(stage.ask(&x, remove), "kept\n");
    assert!(stage.has("made"));
    let trace = stage.world.adj(["watch", "--json", "--since", "0", "--types", "request.policy", &x]).expect_code(0);
    let decisions: Vec<Value> = trace
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["data"]["decision"].clone())
        .collect();
    assert_eq!(decisions, ["allow", "deny"]);
}

#[test]
fn a_question_is_answered_by_a_choice_or_a_text() {
    let stage = Stage::new();
    let x = stage.create(&[]);
    let question = r#"x [[tool AskUserQuestion {"questions":[{"question":"Which colour?","header":"Colour","multiSelect":false,"options":[{"label":"Red","description":"red one"},{"label":"Blue","description":"blue one"}]}]}]] [[then]] [[say thanks]]"#;
    let last_body = || {
        let requests = stage.model.recorder().requests();
        String::from_utf8_lossy(&requests.last().expect("a request").0.body).into_owned()
    };
    for (words, told) in [
        (vec!["--choose", "Blue"], r#"\"Which colour?\"=\"Blue\""#),
        (vec!["--choose", "1"], r#"\"Which colour?\"=\"Red\""#),
        (vec!["--message", "neither of them"], r#"\"Which colour?\"=\"neither of them\""#),
    ] {
        stage.world.send(&x, question);
        let request = stage.request(&x);
        assert_eq!((&request["kind"], &request["questions"][0]["label"]), (&"choice".into(), &"Colour".into()));
        let _ = stage.world.adj(["--json", "respond", &x, "--allow"]).expect_error(2, "usage");
        let answer: Vec<&str> = ["respond", &x].into_iter().chain(words).collect();
        let _ = stage.world.adj(answer).expect_code(0);
        let _ = stage.world.adj(["wait", &x]).expect_code(0);
        assert!(last_body().contains(told), "{told}");
    }
    stage.world.send(&x, question);
    stage.request(&x);
    let _ = stage.world.adj(["respond", &x, "--dismiss"]).expect_code(0);
    let _ = stage.world.adj(["wait", &x]).expect_code(0);
}

#[test]
fn a_permission_stays_open_over_a_daemon_that_is_killed() {
    let stage = Stage::new();
    let x = stage.guarded();
    stage.world.send(&x, TOUCH);
    let request = stage.request(&x);
    stage.world.kill_daemon();
    let again = stage.request(&x);
    assert_eq!((&again["id"], &again["summary"]), (&request["id"], &request["summary"]));
    let _ = stage.world.adj(["respond", &x, "--allow"]).expect_code(0);
    let _ = stage.world.adj(["wait", &x]).expect_code(0);
    assert!(stage.has("made"));
    stage.world.assert_sound();
}

#[test]
fn a_turn_goes_on_while_the_daemon_is_away() {
    let stage = Stage::new();
    let x = stage.create(&[]);
    assert_eq!(stage.ask(&x, "[[say first]]"), "first\n");
    let m = stage.world.send(&x, "x [[hold gate]] [[say through]]");
    assert!(stage.model.await_held("gate", SOON));
    stage.world.kill_daemon();
    stage.model.open("gate");
    let answered = |request: &record::Request, how| {
        let whole = matches!(how, record::Answered::Whole { .. });
        (whole && request.number == 2).then_some(())
    };
    assert!(stage.model.recorder().await_found(SOON, answered).is_some());
    assert_eq!(stage.world.adj(["wait", &x, "--for", &m, "--print"]).expect_code(0).stdout, "through\n");
    assert_eq!(stage.ask(&x, "[[say third]]"), "third\n");
    assert_eq!(stage.model.recorder().count(), 3, "nothing was sent twice");
    stage.world.assert_sound();
}

#[test]
fn a_daemon_that_is_killed_at_rest_changes_nothing() {
    let stage = Stage::new();
    let x = stage.create(&[]);
    assert_eq!(stage.ask(&x, "[[say first]]"), "first\n");
    let agent = stage.agent(&x).identity();
    for i in 0..3 {
        stage.world.kill_daemon();
        assert_eq!(stage.ask(&x, &format!("[[say {i}]]")), format!("{i}\n"));
    }
    assert_eq!(stage.agent(&x).identity(), agent, "it is the same Claude Code");
    stage.world.assert_sound();
}

#[test]
fn an_interrupt_stops_the_turn_and_keeps_the_session() {
    let stage = Stage::new();
    let x = stage.create(&[]);
    for (script, text) in [("x [[say part]] [[hold a]]", "part\n"), ("x [[hold b]]", "")] {
        let gate = if text.is_empty() { "b" } else { "a" };
        let wait = {
            stage.world.send(&x, script);
            assert!(stage.model.await_held(gate, SOON));
            stage.world.start(["wait", &x])
        };
        assert_eq!(stage.world.adj(["interrupt", &x]).expect_code(0).stdout, format!("Interrupted {x}\n"));
        assert_eq!(wait.end().expect_code(130).stdout, "interrupted\n");
        assert_eq!(stage.world.adj(["last-message", &x]).expect_code(0).stdout, text);
        assert_eq!(stage.ask(&x, "[[say on it goes]]"), "on it goes\n");
    }
    stage.world.send(&x, r#"x [[tool Bash {"command":"true; sleep 20","description":"wait"}]] [[then]] [[say no]]"#);
    let running = |request: &record::Request, how| {
        let whole = matches!(how, record::Answered::Whole { .. });
        (whole && String::from_utf8_lossy(&request.body).contains("sleep 20")).then_some(())
    };
    assert!(stage.model.recorder().await_found(SOON, running).is_some());
    let _ = stage.world.adj(["interrupt", &x]).expect_code(0);
    assert_eq!(stage.result(&x, 130)["outcome"], "interrupted");
}

#[test]
fn what_the_model_answers_is_told_as_it_is() {
    let stage = Stage::new();
    let x = stage.create(&[]);
    for (script, reason) in [
        ("[[status 400]]", "api_error"),
        ("[[status 429]]", "rate_limited"),
        ("[[status 500]]", "api_error"),
        ("[[status 529]]", "api_error"),
        ("[[status 403]]", "auth"),
    ] {
        let _ = stage.world.adj(["ask", &x, script]).expect_code(1);
        let result = stage.result(&x, 1);
        assert_eq!((&result["outcome"], &result["reason"]), (&"failed".into(), &reason.into()), "{script}: {result:#}");
        assert!(result["error"].as_str().is_some_and(|error| !error.is_empty()), "{result:#}");
    }
    assert_eq!(stage.ask(&x, "[[status 500 x1]] [[say in the end]]"), "in the end\n");
    let notices = stage.world.adj(["watch", "--json", "--since", "0", "--types", "session.notice", &x]).expect_code(0);
    assert!(notices.stdout.contains("retry 1 of 1"), "{}", notices.stdout);
    assert_eq!(stage.ask(&x, "[[drop x1]] [[say whole]]"), "whole\n");
}

/// What nobody does for a person yet: a running session is not given to a terminal, but its conversation moves.
#[test]
fn a_conversation_moves_into_a_terminal_and_back() {
    let world = ClaudeWorld::new();
    let create = |more: &[&str]| {
        let words = ["create", "-q", "--cli", "claude"].iter().chain(more);
        world.adj(words).expect_code(0).word().to_owned()
    };
    let x = create(&["--headless"]);
    let _ = world.adj(["ask", &x, "--message", "first [[say one]]"]).expect_code(0);
    let status = world.adj(["--json", "status", &x]).expect_code(0).json();
    let conversation = status["agent_session"].as_str().expect("a conversation").to_owned();
    let held = world.adj(["create", "--cli", "claude", "--resume", &conversation]);
    assert!(held.code != 0 && held.stderr.contains("is open in"), "two never write one: {held:?}");
    let _ = world.adj(["kill", &x]).expect_code(0);
    let y = create(&["--resume", &conversation]);
    assert_eq!(world.answer(&y, "second [[say two]]"), "two");
    let _ = world.adj(["kill", &y]).expect_code(0);
    let z = create(&["--headless", "--resume", &conversation]);
    assert_eq!(world.answer(&z, "third [[say three]]"), "three");
    let (last, _) = world.model().recorder().requests().pop().expect("a request");
    let told = String::from_utf8_lossy(&last.body).into_owned();
    assert!(["first", "one", "second", "two", "third"].iter().all(|said| told.contains(said)), "{told}");
}

/// The model's server knows no such model, and says so as the real one does.
#[test]
fn b7_a_rejected_model_is_a_failed_turn() {
    let world = ClaudeWorld::new();
    for face in [["--headless"].as_slice(), &[]] {
        let words = ["create", "-q", "--cli", "claude", "--model", "no-such-model"].iter().chain(face);
        let x = world.adj(words).expect_code(0).word().to_owned();
        let _ = world.adj(["ask", &x, "--message", "x [[status 404]]"]).expect_code(1);
        let (request, _) = world.model().recorder().requests().pop().expect("a request");
        assert_eq!(request.json()["model"], "no-such-model");
        let result = world.adj(["--json", "wait", &x]).expect_code(1).json();
        assert_eq!(result["outcome"], "failed", "{result:#}");
        assert!(result["error"].as_str().is_some_and(|error| error.contains("no-such-model")), "{result:#}");
        assert_eq!(result["answer"].as_str().unwrap_or_default(), "", "an error is no answer: {result:#}");
        let _ = world.adj(["kill", &x]).expect_code(0);
    }
}

#[test]
fn a_killed_agent_is_seen_at_once() {
    let stage = Stage::new();
    for working in [false, true] {
        let x = stage.create(&[]);
        let m = working.then(|| {
            let m = stage.world.send(&x, "x [[hold killed]]");
            assert!(stage.model.await_held("killed", SOON));
            m
        });
        let begun = Instant::now();
        stage.agent(&x).signal(Signal::KILL);
        let told = stage.world.adj(["--json", "wait", "--next-turn", "-t", "30s", &x]);
        assert_eq!(told.code, 4, "{told:?}");
        assert!(begun.elapsed() < Duration::from_secs(10));
        let status = stage.status(&x);
        assert_eq!((&status["status"], &status["exit"]["exit_code"]), (&"exited".into(), &137.into()), "{status:#}");
        if let Some(m) = m {
            let message = stage.message(&x, &m);
            assert_eq!((&message["state"], &message["receipt"]["outcome"]), (&"failed".into(), &"exited".into()));
        }
    }
}

#[test]
fn a_kill_in_the_middle_of_a_tool_leaves_nothing() {
    let stage = Stage::new();
    let x = stage.create(&[]);
    let mut bell = stage.world.bell("bell");
    let command = format!("(setsid sleep 600 &) ; echo > {}; sleep 600", bell.path().display());
    let input = serde_json::json!({"command": command, "description": "wait"});
    stage.world.send(&x, &format!("x [[tool Bash {input}]]"));
    bell.line(SOON);
    assert_eq!(stage.world.adj(["kill", &x]).expect_code(0).stdout, format!("Killed session {x}\n"));
    let left: Vec<_> = stage.world.processes().into_iter().filter(|(_, shown)| shown.contains("sleep 600")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_start_that_fails_says_why() {
    let mut stage = Stage::new();
    let create = ["--json", "create", "--cli", "claude", "--headless"];
    stage.world.remove_variable("ANTHROPIC_AUTH_TOKEN");
    let _ = stage.world.adj(create).expect_error(1, "auth_required");
    stage.world.set_variable("ANTHROPIC_AUTH_TOKEN", "fake");
    let unknown = "11111111-2222-4333-8444-555555555555";
    let told = stage.world.adj(create.iter().chain(&["--resume", unknown])).expect_error(1, "agent_start_failed");
    assert!(told.stderr.contains("has no conversation"), "{}", told.stderr);
    let told = stage.world.adj(create.iter().chain(&["--", "--no-such-option"])).expect_error(1, "agent_start_failed");
    assert!(told.stderr.contains("unknown option"), "its last lines are told: {}", told.stderr);
    stage.world.remove_variable("IS_SANDBOX");
    if rustix::process::getuid().is_root() {
        let told = stage.world.adj(create).expect_error(1, "agent_start_failed");
        assert!(told.stderr.contains("root"), "{}", told.stderr);
    }
    stage.world.set_variable("PATH", "/usr/bin:/bin");
    let told = stage.world.adj(create).expect_error(1, "agent_not_found");
    assert!(told.stderr.contains("npm install"), "{}", told.stderr);
    let old = stage.world.root().join("old");
    std::fs::create_dir(&old).unwrap();
    std::fs::write(old.join("claude"), "#!/bin/sh\necho '2.1.99 (Claude Code)'\n").unwrap();
    std::fs::set_permissions(old.join("claude"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    stage.world.set_variable("PATH", &format!("{}:/usr/bin:/bin", old.display()));
    let told = stage.world.adj(create).expect_error(1, "agent_not_found");
    assert!(told.stderr.contains("2.1.99") && told.stderr.contains("claude update"), "{}", told.stderr);
    assert_eq!(stage.world.adj(["--json", "list", "-a"]).expect_code(0).json(), serde_json::json!([]));
}

#[test]
fn nothing_of_a_surrounding_agent_goes_along() {
    let mut stage = Stage::new();
    for (name, value) in
        [("AI_AGENT", "outer"), ("CLAUDE_CODE_ENTRYPOINT", "outer"), ("CLAUDE_PID", "1"), ("OTHER", "outer")]
    {
        stage.world.set_variable(name, value);
    }
    let x = stage.create(&["--env", "MINE=kept"]);
    let _ =
        stage.ask(&x, r#"x [[tool Bash {"command":"env > environment","description":"look"}]] [[then]] [[say ok]]"#);
    let seen = stage.world.lines_of("environment");
    assert!(!seen.iter().any(|line| line.ends_with("=outer")), "{seen:#?}");
    assert!(!seen.contains(&"CLAUDE_PID=1".to_owned()));
    assert!(seen.contains(&"MINE=kept".to_owned()) && seen.contains(&format!("ADJ_SESSION={x}")), "{seen:#?}");
    assert!(seen.iter().any(|line| line.starts_with("ADJ_SESSION_TOKEN=")));
}

#[test]
fn a_message_joins_the_running_turn() {
    let stage = Stage::new();
    let x = stage.create(&[]);
    let tool = r#"x [[tool Bash {"command":"true; sleep 2","description":"wait"}]] [[then]] [[say done]]"#;
    let first = stage.world.send(&x, tool);
    let _ = stage.world.adj(["wait", "--running", "-t", "0", &x]);
    let asked = |request: &record::Request, _| request.path.ends_with("/messages").then_some(());
    assert!(stage.model.recorder().await_found(SOON, asked).is_some());
    let steered = stage.world.adj(["send", "-q", "--steer", &x, "and this too"]).expect_code(0).word().to_owned();
    let _ = stage.world.adj(["wait", &x]).expect_code(0);
    let turn = |m: &str| stage.message(&x, m)["turn"].clone();
    assert_eq!(turn(&first), turn(&steered), "one turn took both");
}

#[test]
fn the_end_of_a_reply_is_told_at_once() {
    let stage = Stage::new();
    let x = stage.create(&[]);
    let mut late: Vec<u64> = Vec::new();
    for i in 0..11 {
        let _ = stage.ask(&x, &format!("[[say {i}]]"));
        let told = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
        let requests = stage.model.recorder().requests();
        if let Some((_, record::Answered::Whole { at_ms, .. })) = requests.last() {
            late.push(told.saturating_sub(*at_ms));
        }
    }
    late.sort_unstable();
    assert!(late[late.len() / 2] <= 150, "the median is {} ms: {late:?}", late[late.len() / 2]);
}

#[test]
fn the_conversation_is_told_from_the_transcript() {
    let stage = Stage::new();
    let x = stage.create(&[]);
    let tool = r#"look [[tool Bash {"command":"echo from the tool","description":"look"}]] [[then]] [[say done]]"#;
    assert_eq!(stage.ask(&x, tool), "done\n");
    assert_eq!(stage.ask(&x, "[[say second]]"), "second\n");
    let roles = |words: &[&str]| {
        let told = stage.world.adj(words).expect_code(0).json();
        let one = |entry: &Value| (entry["role"].as_str().unwrap_or_default().to_owned(), entry["turn"].clone());
        (told.as_array().into_iter().flatten().map(one).collect::<Vec<_>>(), told)
    };
    let (all, told) = roles(&["--json", "logs", &x]);
    let role = |role: &str, turn: u64| (role.to_owned(), Value::from(turn));
    assert_eq!(all, [role("human", 1), role("assistant", 1), role("human", 2), role("assistant", 2)], "{told:#}");
    assert_eq!((&told[0]["text"], &told[1]["text"]), (&tool.into(), &"done".into()));
    let (with_tools, told) = roles(&["--json", "logs", "--tools", &x]);
    assert!(with_tools.contains(&role("tool", 1)) && told.to_string().contains("from the tool"), "{told:#}");
    let words = r#"[[say first words]] [[tool Bash {"command":"true","description":"x"}]] [[then]] [[say last words]]"#;
    assert_eq!(stage.ask(&x, words), "last words\n");
    let full = stage.world.adj(["last-message", "--full", &x]).expect_code(0).stdout;
    assert_eq!(full, "first words\n\nlast words\n", "what was said between the tools too");
    let blocks = stage.world.adj(["--json", "last-message", "--blocks", "-n", "2", &x]).expect_code(0).json();
    assert_eq!(blocks, serde_json::json!(["second", "first words", "last words"]));
    let (last, told) = roles(&["--json", "logs", "-n", "2", &x]);
    let last = &last[..2];
    assert_eq!(last, [role("human", 2), role("assistant", 2)], "{told:#}");
}

#[test]
fn a_conversation_is_taken_up_by_one_session_at_a_time() {
    let stage = Stage::new();
    let x = stage.create(&[]);
    assert_eq!(stage.ask(&x, "[[say remembered words]]"), "remembered words\n");
    let conversation = stage.status(&x)["agent_session"].as_str().unwrap_or_default().to_owned();
    let again = ["--json", "create", "--cli", "claude", "--headless", "--resume", &conversation];
    let told = stage.world.adj(again).expect_error(1, "agent_start_failed");
    assert!(told.stderr.contains("is open in"), "{}", told.stderr);
    let _ = stage.world.adj(["kill", &x]).expect_code(0);
    for how in [vec!["--resume", conversation.as_str()], vec!["--continue"]] {
        let y = stage.create(&how);
        assert_eq!(stage.status(&y)["agent_session"], conversation.as_str());
        assert_eq!(stage.ask(&y, "[[say more]]"), "more\n");
        let requests = stage.model.recorder().requests();
        let body = String::from_utf8_lossy(&requests.last().expect("a request").0.body).into_owned();
        assert!(body.contains("remembered words"), "the model is shown what was said before");
        let _ = stage.world.adj(["kill", &y]).expect_code(0);
    }
}

#[test]
fn a_message_is_taken_once_wherever_the_daemon_is_killed() {
    let stage = Stage::new();
    let x = stage.create(&[]);
    // The first passes of some are those of the daemon's own beginning.
    let points = [
        ("before_commit", 3..=6),
        ("after_commit", 3..=6),
        ("before_reply", 1..=1),
        ("before_deliver", 1..=1),
        ("after_deliver", 1..=1),
        ("after_report_commit", 2..=4),
    ];
    let mut killed = 0;
    for (point, pass) in points.into_iter().flat_map(|(point, passes)| passes.map(move |pass| (point, pass))) {
        let _ = stage.world.adj(["daemon", "stop"]);
        let kill = format!("{point}:{pass}");
        let mut list = stage.world.adj_command(["list"]);
        list.env("ADJ_TESTPOINT_KILL", &kill);
        let _ = Running::start(list).end();
        let daemon = stage.world.daemon_pid();
        let (tag, key) = (format!("<{point} {pass}>"), format!("key of {kill}"));
        // It is held, so that a sender who has to ask again finds it still alive.
        let text = format!("{tag} [[hold {kill}]] [[say answer to {pass}]]");
        let send = ["send", "-q", "--key", &key, &x, "--message", &text];
        let sent = (0..4).map(|_| stage.world.adj(send)).find(|sent| sent.code == 0).expect("the message is accepted");
        stage.model.open(&kill);
        let waited = ["wait", "--print", "--for", sent.word(), &x];
        let answer = (0..4).map(|_| stage.world.adj(waited)).find(|ended| ended.code == 0).expect("an answer");
        assert_eq!(answer.stdout, format!("answer to {pass}\n"), "{kill}");
        killed += usize::from(stage.world.daemon_pid() != daemon);
        let requests = stage.model.recorder().requests();
        let asked = |request: &record::Request| {
            let body = request.json();
            let last =
                body["messages"].as_array().and_then(|all| all.iter().rfind(|one| one["role"] == "user")).cloned();
            last.is_some_and(|last| last.to_string().contains(&tag))
        };
        assert_eq!(requests.iter().filter(|(request, _)| asked(request)).count(), 1, "{kill}: taken once");
    }
    assert!(killed >= 10, "only {killed} of 14 daemons were killed");
    stage.world.assert_sound();
}

#[test]
fn a_turn_lasts_until_its_subagents_have_ended() {
    let stage = Stage::new();
    let x = stage.create(&[]);
    let agent =
        r#"{"description":"look","prompt":"[[hold sub]] [[say sub result]]","subagent_type":"general-purpose"}"#;
    let m = stage.world.send(&x, &format!("x [[tool Agent {agent}]] [[then]] [[say launched]]"));
    assert!(stage.model.await_held("sub", SOON));
    let _ = stage.world.adj(["wait", "-t", "1s", &x]).expect_code(124);
    assert_eq!(stage.status(&x)["status"], "working");
    stage.model.open("sub");
    let _ = stage.world.adj(["wait", "--for", &m, &x]).expect_code(0);
    assert_eq!(stage.status(&x)["last_turn"]["number"], 1, "what it did by itself belongs to the same turn");
}

#[test]
fn a_killed_runner_leaves_nothing_of_its_session() {
    let stage = Stage::new();
    let x = stage.create(&[]);
    stage.world.send(&x, "x [[hold never]]");
    assert!(stage.model.await_held("never", SOON));
    let agent = stage.agent(&x);
    stage.process(&x, "runner_pid").signal(Signal::KILL);
    assert_eq!(stage.world.adj(["wait", &x]).code, 4);
    assert!(agent.ends_within(SOON));
    let status = stage.status(&x);
    assert_eq!((&status["status"], &status["exit"]["how"]), (&"exited".into(), &"lost".into()), "{status:#}");
}

/// A runner that hangs says nothing to a new daemon either; the end does not wait for that.
#[test]
fn a_session_whose_runner_hangs_is_ended_all_the_same() {
    let stage = Stage::new();
    let x = stage.create(&[]);
    let agent = stage.agent(&x);
    let runner = stage.process(&x, "runner_pid");
    runner.signal(Signal::STOP);
    stage.world.kill_daemon();
    let seen = stage.world.adj(["status", &x]).expect_code(0);
    assert_eq!(seen.word(), "unknown", "{seen:#?}");
    let killed = stage.world.adj(["kill", "--force", &x]).expect_code(0);
    assert!(runner.ends_within(SOON) && agent.ends_within(SOON), "{killed:#?}");
    assert_eq!(stage.status(&x)["status"], "exited");
}
