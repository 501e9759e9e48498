//! Sessions whose process has ended are started again on their conversation: the real agents, killed in every way.

use adjutant_fakemodel::openai;
use adjutant_testkit::fakemodel::anthropic;
use adjutant_testkit::{AGENT_MAX, ClaudeWorld, Process, Running, World, await_fact};
use rustix::process::Signal;
use serde_json::Value;

use crate::SOON;
use crate::codex::Codex;
use crate::look::{event_types, events, message, messages, processes, record, status};

/// One of the agents whose conversations can be taken up again.
enum Scene {
    Claude(ClaudeWorld, &'static [&'static str]),
    Codex(Codex),
}

impl Scene {
    fn headless() -> Self {
        Self::Claude(ClaudeWorld::new(), &["--cli", "claude", "--headless"])
    }

    fn terminal() -> Self {
        Self::Claude(ClaudeWorld::new(), &["--cli", "claude", "--mode", "guarded"])
    }

    fn codex() -> Self {
        Self::Codex(Codex::new())
    }

    fn world(&self) -> &World {
        match self {
            Self::Claude(world, _) => world,
            Self::Codex(codex) => &codex.world,
        }
    }

    fn world_mut(&mut self) -> &mut World {
        match self {
            Self::Claude(world, _) => world,
            Self::Codex(codex) => &mut codex.world,
        }
    }

    fn cli(&self) -> &'static [&'static str] {
        match self {
            Self::Claude(_, cli) => cli,
            Self::Codex(_) => &["--cli", "codex"],
        }
    }

    #[track_caller]
    fn create(&self, more: &[&str]) -> String {
        let words = ["create", "-q"].iter().chain(self.cli()).chain(more);
        self.world().adj(words).expect_code(0).word().to_owned()
    }

    #[track_caller]
    fn ask(&self, session: &str, text: &str) -> String {
        self.world().adj(["ask", session, "--message", text]).expect_code(0).stdout
    }

    /// What the user has said in the conversation that the model saw last.
    fn newest_texts(&self) -> Vec<String> {
        match self {
            Self::Claude(world, _) => {
                let (request, _) = world.model().recorder().requests().pop().expect("a request");
                anthropic::user_texts(&request)
            }
            Self::Codex(codex) => codex.newest_texts(),
        }
    }

    /// Wakes a session with a message, and gives what came of the message.
    #[track_caller]
    fn wake(&self, session: &str, text: &str) -> Value {
        let woken = self.world().adj(["--json", "wake", session, "--message", text]).expect_code(0).json();
        let id = woken["id"].as_str().unwrap_or_else(|| panic!("no message: {woken:#}")).to_owned();
        let _ = self.world().adj(["wait", session, "--for", &id]).expect_code(0);
        message(self.world(), session, &id)
    }

    /// Waits until the agent has written this answer down: what it has not, it cannot take up again. Claude Code writes in
    /// batches, a moment after the end was told.
    #[track_caller]
    fn await_written(&self, session: &str, answer: &str) {
        let Self::Claude(world, _) = self else { return };
        let native = record(world, session)["agent_session"].as_str().expect("a conversation").to_owned();
        let (file, wanted) = (format!("{native}.jsonl"), format!("\"text\":\"{answer}\""));
        let projects = world.root().join("home/.claude/projects");
        await_fact("the transcript has it", AGENT_MAX, || {
            let dirs = std::fs::read_dir(&projects).into_iter().flatten().flatten();
            let mut texts = dirs.filter_map(|dir| std::fs::read_to_string(dir.path().join(&file)).ok());
            texts.any(|text| text.contains(&wanted))
        });
    }

    /// Waits until the log has these words.
    #[track_caller]
    fn await_logged(&self, session: &str, words: &[&str]) {
        await_fact("the agent's record has it", AGENT_MAX, || {
            let logs = self.world().adj(["--json", "logs", session]).expect_code(0).json();
            let logs = crate::look::texts(logs.as_array().expect("entries"), "text");
            words.iter().all(|word| logs.iter().any(|logged| logged == word))
        });
    }

    /// What follows from a life, an end and another life, wherever one looks.
    #[track_caller]
    fn assert_whole(&self, session: &str) {
        assert_eq!(self.newest_texts(), ["[[say first]]", "[[say second]]"], "the model is shown what was said before");
        let world = self.world();
        let listed = world.adj(["--json", "list"]).expect_code(0).json();
        assert_eq!((&listed[0]["id"], &listed[0]["status"]), (&session.into(), &"idle".into()), "{listed:#}");
        let said = world.adj(["--json", "last-message", "-n", "9", session]).expect_code(0).json();
        assert_eq!(crate::look::texts(said.as_array().expect("answers"), "text"), ["first", "second"]);
        self.await_logged(session, &["[[say first]]", "first", "[[say second]]", "second"]);
        let life = event_types(world, session, "session.created,session.ready,session.exited,session.revived");
        let expected =
            ["session.created", "session.ready", "session.exited", "session.revived", "session.ready"].as_slice();
        assert_eq!(life, expected);
        let turns: Vec<Value> = messages(world, session).iter().map(|message| message["turn"].clone()).collect();
        assert_eq!(turns, [1, 2], "turns are counted on");
        world.assert_sound();
    }

    /// Everything of the session and of the daemon ends at once, and what is kept in memory is gone.
    #[track_caller]
    fn reboot(&self) {
        let world = self.world();
        world.kill_daemon();
        let left: Vec<Process> = world.processes().iter().filter_map(|(pid, _)| Process::open(*pid)).collect();
        for process in &left {
            process.signal(Signal::KILL);
        }
        assert!(left.iter().all(|process| process.ends_within(SOON)), "{:?}", world.processes());
        std::fs::remove_dir_all(world.state().join("run")).expect("the runtime directory is there");
    }
}

fn every_agent() -> [Scene; 3] {
    [Scene::headless(), Scene::terminal(), Scene::codex()]
}

#[test]
fn a_killed_session_goes_on_where_it_was() {
    for scene in every_agent() {
        let x = scene.create(&["--description", "kept"]);
        assert_eq!(scene.ask(&x, "[[say first]]"), "first\n");
        let before = record(scene.world(), &x);
        let _ = scene.world().adj(["kill", &x]).expect_code(0);
        let ended = record(scene.world(), &x);
        assert_eq!((&ended["status"], &ended["resumable"]), (&"exited".into(), &true.into()), "{ended:#}");
        let refused = scene.world().adj(["--json", "send", &x, "[[say second]]"]).expect_error(4, "session_exited");
        assert_eq!(refused.error()["hint"], format!("adj wake {x}"), "{refused:#?}");
        let told = scene.wake(&x, "[[say second]]");
        assert_eq!(told["state"], "done", "{told:#}");
        scene.assert_whole(&x);
        let after = record(scene.world(), &x);
        for kept in ["id", "uuid", "agent_session", "description", "path", "parent", "mode", "created_at"] {
            assert_eq!(after[kept], before[kept], "{kept}");
        }
        assert_ne!(after["agent"]["pid"], before["agent"]["pid"]);
        let _ = scene.world().adj(["kill", "--purge", &x]).expect_code(0);
        await_fact("nothing of its lives is left", SOON, || {
            let uuid = before["uuid"].as_str().expect("an id");
            let all = std::fs::read_dir(scene.world().state().join("sessions")).expect("the directory of sessions");
            !all.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with(uuid))
        });
    }
}

#[test]
fn c14_after_a_reboot_all_are_listed_and_are_revived() {
    for scene in every_agent() {
        let x = scene.create(&[]);
        assert_eq!(scene.ask(&x, "[[say first]]"), "first\n");
        scene.await_written(&x, "first");
        scene.reboot();
        await_fact("it is known to have ended", AGENT_MAX, || status(scene.world(), &x) == "exited");
        let listed = scene.world().adj(["--json", "list", "-a"]).expect_code(0).json();
        assert_eq!((&listed[0]["status"], &listed[0]["resumable"]), (&"exited".into(), &true.into()), "{listed:#}");
        assert_eq!(scene.world().adj(["last-message", &x]).expect_code(0).stdout, "first\n");
        assert_eq!(scene.wake(&x, "[[say second]]")["state"], "done");
        scene.assert_whole(&x);
    }
}

#[test]
fn an_agent_that_was_killed_in_a_turn_goes_on_and_the_turn_is_told_as_it_ended() {
    for scene in [Scene::headless(), Scene::terminal()] {
        let x = scene.create(&[]);
        assert_eq!(scene.ask(&x, "[[say first]]"), "first\n");
        scene.await_written(&x, "first");
        let cut_off = crate::look::begin(scene.world(), &x, "[[say never]] [[hold for-ever]]");
        let [_, agent] = processes(scene.world(), &x);
        agent.signal(Signal::KILL);
        await_fact("it has ended", AGENT_MAX, || status(scene.world(), &x) == "exited");
        let told = message(scene.world(), &x, &cut_off);
        assert_eq!((&told["state"], &told["receipt"]["outcome"]), (&"failed".into(), &"exited".into()), "{told:#}");
        assert_eq!(scene.wake(&x, "[[say second]]")["state"], "done");
        let texts = scene.newest_texts();
        assert_eq!((texts.first(), texts.last()), (Some(&"[[say first]]".into()), Some(&"[[say second]]".into())));
        scene.world().assert_sound();
    }
}

#[test]
fn without_a_message_it_only_lives_again() {
    for scene in every_agent() {
        let x = scene.create(&[]);
        assert_eq!(scene.ask(&x, "[[say first]]"), "first\n");
        let _ = scene.world().adj(["kill", &x]).expect_code(0);
        assert_eq!(scene.world().adj(["wake", &x]).expect_code(0).stdout, format!("Woke session {x}\n"));
        assert_eq!(status(scene.world(), &x), "idle");
        assert_eq!(scene.newest_texts(), ["[[say first]]"], "no turn was started");
        assert_eq!(scene.ask(&x, "[[say second]]"), "second\n");
        scene.assert_whole(&x);
    }
}

/// A conversation in which nothing was said yet is nowhere on the disk.
#[test]
fn one_that_never_had_a_turn_lives_again_too() {
    for scene in every_agent() {
        let x = scene.create(&[]);
        let _ = scene.world().adj(["kill", &x]).expect_code(0);
        assert_eq!(scene.wake(&x, "[[say first]]")["state"], "done");
        assert_eq!(scene.newest_texts(), ["[[say first]]"]);
        let _ = scene.world().adj(["kill", &x]).expect_code(0);
        assert_eq!(scene.wake(&x, "[[say second]]")["state"], "done");
        assert_eq!(scene.newest_texts(), ["[[say first]]", "[[say second]]"]);
        scene.world().assert_sound();
    }
}

#[test]
fn a_delayed_wake_starts_the_agent_now_and_runs_then() {
    let scene = Scene::headless();
    let x = scene.create(&[]);
    assert_eq!(scene.ask(&x, "[[say first]]"), "first\n");
    let _ = scene.world().adj(["kill", &x]).expect_code(0);
    let far = scene.world().adj(["--json", "wake", &x, "--delay", "1h", "[[say far]]"]).expect_code(0).json();
    assert_eq!((&far["delayed"], status(scene.world(), &x)), (&true.into(), "idle".to_owned()));
    let soon = scene.world().adj(["wake", "-q", &x, "--delay", "1s", "[[say second]]"]).expect_code(0);
    let _ = scene.world().adj(["wait", &x, "--for", soon.word()]).expect_code(0);
    assert_eq!(scene.newest_texts(), ["[[say first]]", "[[say second]]"]);
    // G15: nobody is there to start it for a wake that is due later.
    let _ = scene.world().adj(["kill", &x]).expect_code(0);
    let told = message(scene.world(), &x, far["id"].as_str().expect("an id"));
    assert_eq!(told["state"], "cancelled", "{told:#}");
}

#[test]
fn of_several_who_wake_at_once_one_starts_it_and_all_are_heard() {
    for scene in every_agent() {
        let x = scene.create(&[]);
        assert_eq!(scene.ask(&x, "[[say 0]]"), "0\n");
        let _ = scene.world().adj(["kill", &x]).expect_code(0);
        let wakes: Vec<Running> =
            (1..=5).map(|i| scene.world().start(["wake", "-q", &x, "--message", &format!("[[say {i}]]")])).collect();
        for wake in wakes {
            let woken = wake.end().expect_code(0);
            let _ = scene.world().adj(["wait", &x, "--for", woken.word()]).expect_code(0);
        }
        let mut texts = scene.newest_texts();
        texts.sort();
        assert_eq!(texts, (0..=5).map(|i| format!("[[say {i}]]")).collect::<Vec<_>>());
        assert_eq!(event_types(scene.world(), &x, "session.revived").len(), 1);
        scene.world().assert_sound();
    }
}

#[test]
fn c20_a_conversation_that_another_session_has_is_not_taken_up_twice() {
    for scene in every_agent() {
        let x = scene.create(&[]);
        assert_eq!(scene.ask(&x, "[[say first]]"), "first\n");
        let native = record(scene.world(), &x)["agent_session"].as_str().expect("a conversation").to_owned();
        let _ = scene.world().adj(["kill", &x]).expect_code(0);
        let y = scene.create(&["--resume", &native]);
        let refused = scene.world().adj(["--json", "wake", &x, "again"]).expect_error(1, "agent_start_failed");
        let why = refused.error()["message"].as_str().unwrap_or_default().to_owned();
        assert!(why.contains(&native) && why.contains(&y), "{refused:#?}");
        assert_eq!(status(scene.world(), &x), "exited");
        let _ = scene.world().adj(["kill", &y]).expect_code(0);
        assert_eq!(scene.wake(&x, "[[say second]]")["state"], "done");
        let words = ["--json", "create"].iter().chain(scene.cli()).copied().chain(["--resume", &native]);
        let _ = scene.world().adj(words).expect_error(1, "agent_start_failed");
        assert_eq!(scene.newest_texts(), ["[[say first]]", "[[say second]]"]);
        scene.world().assert_sound();
    }
}

#[test]
fn the_environment_is_that_of_whoever_wakes() {
    let mut scene = Scene::headless();
    let x = scene.create(&["--env", "NAMED=by the creator", "--env", "GONE=too"]);
    assert_eq!(scene.ask(&x, "[[say first]]"), "first\n");
    let _ = scene.world().adj(["kill", &x]).expect_code(0);
    scene.world_mut().set_variable("NAMED", "by the waker");
    let _ = scene.world().adj(["wake", &x, "--env", "NEW=of this wake"]).expect_code(0);
    let [_, agent] = processes(scene.world(), &x);
    let all = std::fs::read(format!("/proc/{}/environ", agent.pid())).expect("its environment");
    let has = |pair: &str| all.split(|byte| *byte == 0).any(|one| one == pair.as_bytes());
    assert!(has("NAMED=by the waker") && has("NEW=of this wake") && has(&format!("ADJ_SESSION={x}")));
    let notices = events(scene.world(), &x, "session.notice");
    assert!(notices.iter().any(|notice| notice["data"]["text"].as_str().is_some_and(|t| t.contains("GONE"))));
    for entry in std::fs::read_dir(scene.world().state()).expect("the state directory").flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        assert!(!bytes.windows(12).any(|part| part == b"by the waker"), "F11: no value is stored: {entry:?}");
    }
}

#[test]
fn g15_a_wake_that_fails_leaves_the_session_as_it_was_and_says_why() {
    for mut scene in every_agent() {
        let x = scene.create(&[]);
        assert_eq!(scene.ask(&x, "[[say first]]"), "first\n");
        let _ = scene.world().adj(["kill", &x]).expect_code(0);
        // Found out before anything is planned.
        let path = scene.world().adj_command(["list"]);
        let path = path.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value?.to_str());
        let path = path.expect("a PATH").to_owned();
        scene.world_mut().set_variable("PATH", "/nowhere");
        let _ = scene.world().adj(["--json", "wake", &x, "lost"]).expect_error(1, "agent_not_found");
        assert_eq!(messages(scene.world(), &x).len(), 1, "nothing was queued");
        // Found out when it is started: the record says so, and the message is kept as failed.
        let broken = scene.world().root().join("broken");
        std::fs::create_dir(&broken).expect("a directory in the world");
        for name in ["claude", "codex"] {
            let script = broken.join(name);
            let says =
                "#!/bin/sh\ncase $1 in --version) echo 'codex-cli 0.145.0' ;; *) echo dying >&2; exit 3 ;; esac\n";
            std::fs::write(&script, says).expect("a file in the world");
            let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
            std::fs::set_permissions(&script, mode).expect("a mode");
        }
        scene.world_mut().set_variable("PATH", &format!("{}:{path}", broken.display()));
        let told = scene.world().adj(["--json", "wake", &x, "[[say lost]]"]);
        assert!(matches!(told.code, 1 | 124), "{told:#?}");
        let failed = message(scene.world(), &x, told.error()["details"]["message"].as_str().expect("an id"));
        assert_eq!(failed["state"], "failed", "{failed:#}");
        let ended = record(scene.world(), &x);
        assert_eq!((&ended["status"], &ended["exit"]["how"]), (&"exited".into(), &"start_failed".into()), "{ended:#}");
        assert_eq!(scene.world().adj(["last-message", &x]).expect_code(0).stdout, "first\n");
        scene.world_mut().set_variable("PATH", &path);
        assert_eq!(scene.wake(&x, "[[say second]]")["state"], "done");
        assert_eq!(scene.newest_texts(), ["[[say first]]", "[[say second]]"]);
        scene.world().assert_sound();
    }
}

#[test]
fn a_daemon_that_dies_before_or_after_the_start_loses_and_doubles_nothing() {
    for point in ["before_commit:1", "after_commit:1", "before_launch:1", "after_launch:1", "before_reply:1"] {
        for scene in every_agent() {
            let x = scene.create(&[]);
            assert_eq!(scene.ask(&x, "[[say first]]"), "first\n");
            let _ = scene.world().adj(["kill", &x]).expect_code(0);
            let _ = scene.world().adj(["daemon", "stop"]).expect_code(0);
            let _ = scene.world().start_daemon(&[("ADJ_TESTPOINT_KILL", point)]);
            let woken = scene.world().adj(["--json", "wake", "--key", "once", &x, "[[say second]]"]);
            assert_ne!(woken.code, 0, "{point}: the daemon dies of it: {woken:#?}");
            await_fact("it is settled", AGENT_MAX, || ["idle", "exited"].contains(&&*status(scene.world(), &x)));
            // A start that nobody carried out is withdrawn, and its message has failed; one that was goes on.
            let told = messages(scene.world(), &x);
            let state = told.iter().find(|message| message["key"] == "once").map(|message| message["state"].clone());
            match state.as_ref().and_then(Value::as_str) {
                None | Some("failed") => assert_eq!(status(scene.world(), &x), "exited", "{point}"),
                Some(_) => await_fact("it has run", AGENT_MAX, || {
                    let told = messages(scene.world(), &x);
                    told.iter().all(|message| message["state"] == "done")
                }),
            }
            if status(scene.world(), &x) == "exited" {
                assert_eq!(scene.wake(&x, "[[say second]]")["state"], "done", "{point}");
            }
            assert_eq!(scene.newest_texts(), ["[[say first]]", "[[say second]]"], "{point}");
            scene.world().assert_sound();
        }
    }
}

#[test]
fn a_daemon_adopts_a_session_in_its_second_life() {
    for scene in every_agent() {
        let x = scene.create(&[]);
        assert_eq!(scene.ask(&x, "[[say first]]"), "first\n");
        let _ = scene.world().adj(["kill", &x]).expect_code(0);
        assert_eq!(scene.wake(&x, "[[say second]]")["state"], "done");
        scene.world().kill_daemon();
        assert_eq!(scene.ask(&x, "[[say third]]"), "third\n");
        assert_eq!(scene.newest_texts(), ["[[say first]]", "[[say second]]", "[[say third]]"]);
        let _ = scene.world().adj(["kill", &x]).expect_code(0);
        assert_eq!(scene.wake(&x, "[[say fourth]]")["state"], "done", "and a third one");
        assert_eq!(scene.newest_texts().len(), 4);
        scene.world().assert_sound();
    }
}

#[test]
fn a_directory_that_was_trusted_once_is_so_in_the_next_life() {
    let world = ClaudeWorld::new();
    world.write_home(".claude.json", r#"{"hasCompletedOnboarding":true}"#);
    world.write_home(".claude/settings.json", "{}");
    let scene = Scene::Claude(world, &["--cli", "claude", "--mode", "native"]);
    let x = scene.create(&["--trust"]);
    assert_eq!(scene.ask(&x, "[[say first]]"), "first\n");
    let _ = scene.world().adj(["kill", &x]).expect_code(0);
    assert_eq!(scene.wake(&x, "[[say second]]")["state"], "done");
    scene.assert_whole(&x);
}

#[test]
fn a_shell_cannot_be_revived_and_says_so() {
    let world = World::new();
    let x = world.shell();
    assert_eq!(world.adj(["ask", &x, "echo first"]).expect_code(0).stdout, "first\n");
    let _ = world.adj(["kill", &x]).expect_code(0);
    let shown = record(&world, &x);
    assert_eq!(shown["resumable"], false);
    for words in [vec!["--json", "wake", &x, "echo second"], vec!["--json", "wake", &x]] {
        let refused = world.adj(words).expect_error(4, "session_exited");
        assert!(
            refused.error()["message"].as_str().is_some_and(|why| why.contains("cannot be revived")),
            "{refused:#?}"
        );
    }
    let refused = world.adj(["--json", "send", &x, "echo second"]).expect_error(4, "session_exited");
    assert!(!refused.stderr.contains("adj wake"), "{refused:#?}");
    assert_eq!(world.adj(["last-message", &x]).expect_code(0).stdout, "first\n");
    world.assert_sound();
}

#[test]
fn the_model_is_asked_by_codex_for_what_was_said() {
    let scene = Scene::codex();
    let x = scene.create(&["--model", "gpt-5.5"]);
    assert_eq!(scene.ask(&x, "[[say first]]"), "first\n");
    let _ = scene.world().adj(["kill", &x]).expect_code(0);
    assert_eq!(scene.wake(&x, "[[say second]]")["state"], "done");
    let Scene::Codex(codex) = &scene else { unreachable!("it is one") };
    let requests = codex.model.recorder().requests();
    let (last, _) = requests.last().expect("a request");
    assert_eq!((last.json()["model"].clone(), openai::user_texts(last).len()), ("gpt-5.5".into(), 2));
}

#[test]
fn sessions_are_brought_back_and_restarted_by_their_verbs() {
    for scene in every_agent() {
        let adj = |words: &[&str]| scene.world().adj(words);
        let x = scene.create(&[]);
        assert_eq!(scene.ask(&x, "[[say first]]"), "first\n");
        scene.await_written(&x, "first");
        assert_eq!(adj(&["restart", &x]).expect_code(0).word(), format!("Restarted session {x}"));
        assert_eq!(scene.ask(&x, "[[say second]]"), "second\n");
        scene.assert_whole(&x);
        scene.await_written(&x, "second");
        let _ = adj(&["kill", &x]).expect_code(0);
        let all = adj(&["--json", "resume", "--all"]).expect_code(0).json();
        assert_eq!((&all[0]["id"], &all[0]["resumed"]), (&x.as_str().into(), &true.into()), "{all:#}");
        assert_eq!(adj(&["resume", &x]).expect_code(0).word(), format!("Session {x} runs"));
        assert_eq!(adj(&["resume", "--all"]).expect_code(0).word(), "No sessions to resume");
        assert_eq!(scene.ask(&x, "[[say third]]"), "third\n");
        assert_eq!(scene.newest_texts(), ["[[say first]]", "[[say second]]", "[[say third]]"]);
    }
}

#[test]
fn what_cannot_be_brought_back_is_neither_ended_nor_counted() {
    let world = World::new();
    let (x, y) = (world.shell(), world.shell());
    let _ = world.adj(["--json", "restart", &x]).expect_error(2, "not_supported");
    assert_eq!(status(&world, &x), "idle", "it was not ended");
    let _ = world.adj(["kill", &y]).expect_code(0);
    assert_eq!(world.adj(["resume", "--all"]).expect_code(0).word(), "No sessions to resume");
    let several = world.adj(["resume", &y, &x, "nobody-top"]).expect_code(4);
    assert_eq!(several.stdout, format!("Session {x} runs\n"), "{several:#?}");
    let _ = world.adj(["resume"]).expect_code(2);
}
