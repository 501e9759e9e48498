//! Messages and answers.

use adjutant_testkit::Running;
use serde_json::Value;

use super::Codex;
use crate::look::{begin, events, message, status};

#[test]
fn a15_the_first_message_joins_the_conversation_of_the_create_and_so_do_all_others() {
    let codex = Codex::new();
    let x = codex.native();
    for i in 1..=100 {
        assert_eq!(codex.ask(&x, &format!("[[say answer {i}]]")), format!("answer {i}\n"));
    }
    let expected: Vec<String> = (1..=100).map(|i| format!("[[say answer {i}]]")).collect();
    assert_eq!(codex.newest_texts(), expected, "the model has heard all of it, in order, each once");
    let threads = events(&codex.world, &x, "session.conversation");
    assert_eq!(threads.len(), 1, "one thread from the beginning on: {threads:#?}");
    assert_eq!(codex.world.adj(["last-message", &x]).expect_code(0).stdout, "answer 100\n");
    assert_eq!(status(&codex.world, &x), "idle");
    codex.assert_sound();
}

#[test]
fn twenty_sessions_talk_at_once_in_one_server() {
    let codex = Codex::new();
    let create = || codex.world.start(["create", "-q", "--cli", "codex"]);
    let started: Vec<Running> = (0..20).map(|_| create()).collect();
    let sessions: Vec<String> =
        started.into_iter().map(|create| create.end().expect_code(0).word().to_owned()).collect();
    let server = codex.server(&sessions[0]).identity();
    let ask =
        |(i, x): (usize, &String)| codex.world.start(["ask", x, &format!("[[say I am ]] [[pause 300]] [[say {i}]]")]);
    let asked: Vec<Running> = sessions.iter().enumerate().map(ask).collect();
    for (i, ask) in asked.into_iter().enumerate() {
        assert_eq!(ask.end().expect_code(0).stdout, format!("I am {i}\n"));
    }
    assert!(sessions.iter().all(|x| codex.server(x).identity() == server), "one app-server holds all of them");
    let _ = codex.world.adj(["kill", "--all"]).expect_code(0);
    let left = codex.world.processes();
    assert!(!left.iter().any(|(_, shown)| shown.contains("app-server")), "the last one ends the server: {left:?}");
    codex.assert_sound();
}

#[test]
fn the_evidence_of_a_message_is_the_app_servers_word() {
    let codex = Codex::new();
    let x = codex.native();
    let id = codex.world.send(&x, "[[say hello]] [[usage 100 7 20 0]]");
    let _ = codex.world.adj(["wait", &x]).expect_code(0);
    let message = message(&codex.world, &x, &id);
    assert_eq!(message["receipt"]["evidence"]["source"], "app-server", "{message:#}");
    let ends = events(&codex.world, &x, "turn.completed");
    let usage = &ends[0]["data"]["usage"];
    assert_eq!((&usage["input_tokens"], &usage["output_tokens"]), (&100.into(), &7.into()), "{ends:#?}");
    assert_eq!(usage["cache_read_tokens"], 20, "{ends:#?}");
}

#[test]
fn texts_arrive_byte_for_byte_whatever_is_in_them() {
    let codex = Codex::new();
    let x = codex.native();
    let hostile = [
        "--help".to_owned(),
        "-n 5".to_owned(),
        "/quit".to_owned(),
        "!rm -rf /".to_owned(),
        "# not a comment".to_owned(),
        "@file $HOME `id` $(id) %s \\n".to_owned(),
        "line one\nline two\r\nline three\n\n".to_owned(),
        "  white space around  \t".to_owned(),
        "[201~ [31m ^C ^[".to_owned(),
        "日本語 🙂 e\u{301} \u{202e}rtl".to_owned(),
        "{\"id\":1,\"method\":\"turn/interrupt\"}".to_owned(),
        "'\"; DROP TABLE messages; --".to_owned(),
        "[[ not a marker".to_owned(),
        "long ".repeat(100_000),
    ];
    for text in &hostile {
        let sent = codex.world.adj_with_input(["send", "-q", &x, "-f", "-"], text.as_bytes());
        let _ = sent.expect_code(0);
        let _ = codex.world.adj(["wait", &x]).expect_code(0);
        assert_eq!(codex.newest_texts().last(), Some(text));
    }
    assert_eq!(codex.newest_texts(), hostile);
    codex.assert_sound();
}

#[test]
fn c6_an_interrupted_turn_is_interrupted_and_leaves_nothing_running() {
    let codex = Codex::new();
    let x = codex.native();
    begin(
        &codex.world,
        &x,
        "[[tool exec_command {\"cmd\":\"echo x > begun; exec sleep 4711\"}]] [[then]] [[say done]]",
    );
    let mut begun = codex.world.bell("begun");
    begun.line(crate::SOON);
    let _ = codex.world.adj(["interrupt", &x]).expect_code(0);
    let _ = codex.world.adj(["wait", &x]).expect_code(130);
    assert_eq!(status(&codex.world, &x), "idle");
    adjutant_testkit::await_fact("its command is ended", crate::SOON, || {
        !codex.world.processes().iter().any(|(_, shown)| shown.contains("sleep 4711"))
    });
    assert_eq!(codex.ask(&x, "[[say and on it goes]]"), "and on it goes\n");
    codex.assert_sound();
}

#[test]
fn e5_nothing_is_left_of_a_session_that_is_killed_in_a_turn() {
    let codex = Codex::new();
    let (x, other) = (codex.native(), codex.native());
    let script = "echo x > begun; setsid sleep 4712 & sleep 4713";
    let mut begun = codex.world.bell("begun");
    begin(&codex.world, &x, &format!("[[tool exec_command {{\"cmd\":\"{script}\"}}]]"));
    begun.line(crate::SOON);
    let server = codex.server(&other).identity();
    let _ = codex.world.adj(["kill", &x]).expect_code(0);
    let left = codex.world.processes();
    assert!(!left.iter().any(|(_, shown)| shown.contains("sleep 471")), "{left:?}");
    assert_eq!(codex.ask(&other, "[[say unharmed]]"), "unharmed\n");
    assert_eq!(codex.server(&other).identity(), server);
}

#[test]
fn d6_a_turn_that_fails_or_ends_silently_is_told_as_it_was() {
    let codex = Codex::new();
    let x = codex.native();
    for (script, reason) in [
        ("[[status 400]]", "api_error"),
        ("[[status 401]]", "auth"),
        ("[[status 429]]", "rate_limited"),
        ("[[error context_length_exceeded]]", "context_full"),
        ("[[drop]]", "api_error"),
    ] {
        let _ = codex.world.adj(["ask", &x, script]).expect_code(1);
        let end = codex.world.adj(["--json", "wait", &x]).expect_code(1).json();
        assert_eq!(end["reason"], reason, "{script}: {end:#}");
        assert!(end["error"].as_str().is_some_and(|error| !error.is_empty()), "{end:#}");
    }
    let silent = codex.world.adj(["ask", &x, "[[usage 5 0]]"]).expect_code(0);
    assert_eq!(silent.stdout.trim(), "");
    let told = format!("adj: turn 6 of {x}: the model ended its turn without a message\n");
    assert_eq!(silent.stderr, told, "a person is told, too");
    let ends = events(&codex.world, &x, "turn.completed");
    let detail = ends.last().map_or(Value::Null, |end| end["data"]["detail"].clone());
    assert_eq!(detail, "the model ended its turn without a message");
    assert_eq!(codex.ask(&x, "[[say still here]]"), "still here\n");
    assert_eq!(codex.ask(&x, "[[drop x1]] [[say after a retry]]"), "after a retry\n");
    let notices = events(&codex.world, &x, "session.notice");
    assert!(notices.iter().any(|notice| notice.to_string().contains("tries again")), "{notices:#?}");
    codex.assert_sound();
}

#[test]
fn nothing_is_written_into_the_users_configuration() {
    let codex = Codex::new();
    let config = codex.world.root().join("codex/config.toml");
    let before = std::fs::read(&config).expect("the configuration is there");
    for words in [&[][..], &["--mode", "guarded"], &["--trust"], &["--sandbox", "read-only"]] {
        let x = codex.create(words);
        assert_eq!(codex.ask(&x, "[[say ok]]"), "ok\n");
    }
    assert_eq!(std::fs::read(&config).expect("it is there still"), before);
}

#[test]
fn a_codex_that_cannot_start_says_why() {
    let codex = Codex::new();
    let config = codex.world.root().join("codex/config.toml");
    std::fs::write(&config, "model = [").expect("a file in the world");
    let failed = codex.world.adj(["--json", "create", "--cli", "codex"]).expect_error(1, "agent_start_failed");
    assert!(failed.stderr.contains("config.toml"), "{failed:#?}");
    std::fs::write(&config, "").expect("a file in the world");
    let failed = codex.world.adj(["--json", "create", "--cli", "codex"]);
    assert!(failed.stderr.contains("codex login"), "{failed:#?}");
    assert_ne!(failed.code, 0);
    let left = codex.world.processes();
    assert!(!left.iter().any(|(_, shown)| shown.contains("app-server")), "nothing of it is left: {left:?}");
}

#[test]
fn words_that_can_be_nothing_are_refused_before_anything_is_started() {
    let codex = Codex::new();
    for words in [["--sandbox", "nonsense"], ["--resume", "nonsense"]] {
        let create = [&["--json", "create", "--cli", "codex"][..], &words].concat();
        let told = codex.world.adj(create).expect_error(2, "usage");
        assert!(told.stderr.contains("`nonsense`"), "{told:#?}");
    }
    let other = ["--json", "create", "--cli", "codex", "--resume", "01a1f984-0aee-7523-8099-69355ed68365"];
    let _ = codex.world.adj(other).expect_error(1, "agent_start_failed");
    assert_eq!(codex.world.adj(["list"]).expect_code(0).stdout.lines().count(), 1, "no session is left");
}

#[test]
fn a_key_that_is_missing_is_a_failure_to_log_in() {
    let codex = Codex::new();
    let mut create = codex.world.adj_command(["create", "-q", "--cli", "codex"]);
    create.env_remove(adjutant_fakemodel::openai::KEY_VARIABLE);
    let x = Running::start(create).end().expect_code(0).word().to_owned();
    let _ = codex.world.adj(["ask", &x, "[[say never]]"]).expect_code(1);
    let end = codex.world.adj(["--json", "wait", &x]).expect_code(1).json();
    assert_eq!(end["reason"], "auth", "{end:#}");
    assert!(end["error"].to_string().contains(adjutant_fakemodel::openai::KEY_VARIABLE), "{end:#}");
}

#[test]
fn a_session_that_has_ended_leaves_no_token_and_says_which_codex_it_was() {
    let codex = Codex::new();
    let x = codex.native();
    let mut ask = codex.world.command(adjutant_testkit::pinned::codex());
    ask.arg("--version");
    let version = Running::start(ask).end().expect_code(0).stdout.trim().trim_start_matches("codex-cli ").to_owned();
    let inspect = || codex.world.adj(["inspect", &x]).expect_code(0).json();
    let living = inspect();
    assert_eq!(living["version"], version.as_str(), "{living:#}");
    let settings = std::path::Path::new(living["run_dir"].as_str().expect("a directory")).join("thread.json");
    let is_there = || settings.try_exists().expect("the world can be looked at");
    assert!(is_there(), "what each loading of its thread needs");
    let _ = codex.world.adj(["kill", &x]).expect_code(0);
    assert!(!is_there(), "its token is in it");
    assert_eq!(inspect()["version"], version.as_str());
}

#[test]
fn b7_a_rejected_model_is_a_failed_turn_with_its_reason() {
    let codex = Codex::new();
    let x = codex.create(&["--model", "rejected"]);
    let _ = codex.world.adj(["ask", &x, "[[status 404]]"]).expect_code(1);
    let end = codex.world.adj(["--json", "wait", &x]).expect_code(1).json();
    assert_eq!((&end["outcome"], &end["reason"]), (&"failed".into(), &"api_error".into()), "{end:#}");
    assert!(end["error"].as_str().is_some_and(|error| error.contains("404")), "{end:#}");
    codex.assert_sound();
}

#[test]
fn a_model_that_is_known_not_to_be_there_is_refused_at_once() {
    let codex = Codex::new();
    let x = codex.create(&["--model", "local-one"]);
    assert_eq!(codex.ask(&x, "[[say whatever the provider has]]"), "whatever the provider has\n");
    let _ = codex.world.adj(["kill", &x]).expect_code(0);
    // The provider that Codex has without any configuration is the one whose models it knows.
    let config = codex.world.root().join("codex/config.toml");
    std::fs::write(&config, "").expect("a file in the world");
    let create = |model: &str| codex.world.adj(["--json", "create", "--cli", "codex", "--model", model]);
    let failed = create("no-such-model").expect_error(1, "agent_start_failed");
    assert!(failed.stderr.contains("no-such-model") && failed.stderr.contains("gpt-5.5"), "{failed:#?}");
    // With a model that is there the next thing is missed.
    let failed = create("gpt-5.5");
    assert!(failed.code != 0 && failed.stderr.contains("codex login"), "{failed:#?}");
    codex.assert_sound();
}

#[test]
fn a_conversation_is_taken_up_by_its_id_or_as_the_newest() {
    let codex = Codex::new();
    let x = codex.native();
    assert_eq!(codex.ask(&x, "[[say first]]"), "first\n");
    let thread = crate::look::record(&codex.world, &x)["agent_session"].as_str().expect("a thread").to_owned();
    let busy = codex.world.adj(["create", "-q", "--cli", "codex", "--resume", "no-such-thread"]);
    assert_ne!(busy.code, 0, "{busy:#?}");
    let _ = codex.world.adj(["kill", &x]).expect_code(0);
    let again = codex.create(&["--resume", &thread]);
    assert_eq!(codex.ask(&again, "[[say second]]"), "second\n");
    assert_eq!(codex.newest_texts(), ["[[say first]]", "[[say second]]"]);
    let turns = codex.turn_events(&again);
    assert_eq!(turns, ["turn.started", "turn.completed"], "what was before is not told again");
    for words in [&["--resume", &thread][..], &["--continue"]] {
        let taken = [&["--json", "create", "--cli", "codex"], words].concat();
        let told = codex.world.adj(taken).expect_error(1, "agent_start_failed");
        assert!(told.stderr.contains("is open in "), "{told:#?}");
    }
    assert_eq!(codex.ask(&again, "[[say second again]]"), "second again\n", "nobody took it away");
    let _ = codex.world.adj(["kill", &again]).expect_code(0);
    let newest = codex.create(&["--continue"]);
    assert_eq!(codex.ask(&newest, "[[say third]]"), "third\n");
    assert_eq!(codex.newest_texts().len(), 4);
    codex.assert_sound();
}

#[test]
fn d4_the_log_tells_words_from_tools() {
    let codex = Codex::new();
    let x = codex.native();
    let script = "[[tool exec_command {\"cmd\":\"echo from a tool\"}]] [[then]] [[say in words]]";
    assert_eq!(codex.ask(&x, script), "in words\n");
    let log = codex.world.adj(["--json", "logs", "--tools", &x]).expect_code(0).json();
    let entries = log.as_array().expect("entries");
    let roles: Vec<&str> = entries.iter().filter_map(|entry| entry["role"].as_str()).collect();
    assert_eq!(roles, ["human", "tool", "tool", "assistant"], "{log:#}");
    assert!(entries[2]["text"].as_str().is_some_and(|text| text.contains("from a tool")), "{log:#}");
    let log = codex.world.adj(["--json", "logs", &x]).expect_code(0).json();
    assert_eq!(crate::look::texts(log.as_array().expect("entries"), "text"), [script, "in words"]);
    assert_eq!(codex.world.adj(["last-message", &x]).expect_code(0).stdout, "in words\n");
}
