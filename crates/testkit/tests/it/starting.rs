//! Rows B: a session that was created runs, and one that could not be created leaves nothing.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use adjutant_testkit::{Running, World, await_fact};
use serde_json::{Value, json};

use crate::SOON;
use crate::look::{Hold, record, status};

/// Nothing was created: no record, no directory, no process of a session.
#[track_caller]
fn assert_none(world: &World) {
    assert_eq!(world.adj(["--json", "list", "-a"]).expect_code(0).json(), json!([]));
    await_fact("no directory of a session is left", SOON, || {
        fs::read_dir(world.state().join("sessions")).map_or(0, Iterator::count) == 0
    });
    await_fact("no process of a session is left", SOON, || world.session_processes().is_empty());
}

/// A directory with a `bash` that is this script.
fn fake_bash(world: &World, script: &str) -> PathBuf {
    let dir = world.root().join("fake");
    fs::create_dir_all(&dir).expect("a directory");
    fs::write(dir.join("bash"), script).expect("a file");
    fs::set_permissions(dir.join("bash"), PermissionsExt::from_mode(0o755)).expect("its mode can be set");
    dir
}

/// The command with another PATH.
fn with_path(mut command: Command, path: &str) -> Running {
    command.env("PATH", path);
    Running::start(command)
}

fn path_with(dir: &std::path::Path) -> String {
    format!("{}:{}", dir.display(), std::env::var("PATH").unwrap_or_default())
}

#[test]
fn b1_a_missing_program_is_told_at_once_and_leaves_nothing() {
    let world = World::new();
    let _daemon = world.start_daemon(&[]);
    let empty = world.root().join("empty");
    fs::create_dir(&empty).expect("a directory");
    let create = world.adj_command(["--json", "create", "--cli", "shell"]);
    let refused = with_path(create, &empty.to_string_lossy()).end().expect_error(1, "agent_not_found");
    assert!(refused.took < Duration::from_secs(1), "{:?}", refused.took);
    let told = refused.error()["message"].as_str().unwrap_or_default().to_owned();
    assert!(told.contains("bash") && told.contains(&*empty.to_string_lossy()), "it names what and where: {told}");
    let _ = world.adj(["--json", "create", "--cli", "nosuch"]).expect_error(1, "agent_not_found");
    assert_none(&world);
    let mut doctor = world.adj_command(["doctor"]);
    doctor.env("PATH", &empty);
    let doctor = Running::start(doctor).end().expect_code(0);
    let told = doctor.stdout.lines().find(|line| line.starts_with("agent shell")).unwrap_or_default();
    assert!(told.contains("warning") && told.contains("bash 4.4 or newer is not on"), "{doctor:#?}");
}

#[test]
fn b2_the_callers_path_decides_and_the_absolute_path_is_recorded() {
    let world = World::new();
    let own = world.root().join("own");
    fs::create_dir(&own).expect("a directory");
    let real = world.inside("command -v bash").expect_code(0).word().to_owned();
    symlink(&real, own.join("bash")).expect("a link");
    let _daemon = world.start_daemon(&[("PATH", "/nonexistent")]);
    let create = world.adj_command(["create", "-q", "--cli", "shell"]);
    let created = with_path(create, &path_with(&own)).end().expect_code(0);
    let x = created.word();
    assert_eq!(record(&world, x)["binary"], own.join("bash").to_string_lossy().as_ref());
    let told = world.adj(["ask", x, "echo $PATH"]).expect_code(0);
    assert!(told.stdout.starts_with(&format!("{}:", own.display())), "{told:#?}");
}

#[test]
fn b3_an_agent_that_exits_at_once_was_not_created() {
    let world = World::new();
    let _daemon = world.start_daemon(&[]);
    let fake = fake_bash(&world, "#!/bin/sh\necho 'a bad flag' >&2\nexit 9\n");
    let create = |words: &[&str]| {
        let words = ["--json", "create", "--cli", "shell"].iter().chain(words);
        with_path(world.adj_command(words), &path_with(&fake)).end()
    };
    let refused = create(&["echo hi"]).expect_error(1, "agent_start_failed");
    assert!(refused.error()["message"].as_str().is_some_and(|told| told.contains('9')), "{refused:#?}");
    assert_none(&world);

    // Nobody waits for this one, so that its record is what tells.
    let created = create(&["--no-wait", "--id", "nobody-waits"]).expect_code(0).json();
    assert_eq!(created["id"], "nobody-waits");
    let waited = world.adj(["wait", "nobody-waits"]).expect_code(4);
    assert_eq!(waited.stdout, "exited\n");
    assert!(waited.stderr.contains("exit code 9"), "{waited:#?}");
    let seen = world.adj(["--json", "status", "nobody-waits"]).expect_code(0).json();
    assert_eq!((&seen["status"], &seen["exit"]["how"]), (&"exited".into(), &"start_failed".into()), "{seen:#}");
}

#[test]
fn b3_an_agent_that_is_not_ready_in_time_is_ended() {
    let world = World::new();
    let mut hold = Hold::new(&world, "fake");
    let fake = fake_bash(&world, &format!("#!/bin/sh\ntrap '' HUP TERM\n{}\n", hold.script()));
    let create = world.adj_command(["--json", "create", "--cli", "shell", "-t", "500ms"]);
    let creating = with_path(create, &path_with(&fake));
    hold.await_begun();
    let _ = creating.end().expect_error(124, "timeout");
    assert_none(&world);
}

#[test]
fn b6_a_message_sent_without_a_pause_is_delivered_a_hundred_times() {
    let world = World::new();
    let adj = world.adj_path().display();
    let each = "echo x >> ran && echo answer";
    let script = format!(
        "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do \
           id=$({adj} create -q --cli shell) && {adj} send -q $id '{each}' > sent-$id && {adj} wait --print $id \
           && {adj} kill -q --force $id || exit; done"
    );
    let started: Vec<Running> = (0..4)
        .map(|_| {
            let mut command = world.command("sh");
            command.arg("-c").arg(&script);
            Running::start(command)
        })
        .collect();
    for running in started {
        assert_eq!(running.end().expect_code(0).stdout, "answer\n".repeat(25));
    }
    assert_eq!(world.lines_of("ran").len(), 100, "each was delivered once");
}

#[test]
fn b9_a_chosen_id_is_checked_and_taken_once() {
    let world = World::new();
    for id in ["../x", "a b", "self", "X", "-x"] {
        let _ = world.adj(["--json", "create", "--cli", "shell", &format!("--id={id}")]).expect_error(2, "id_invalid");
    }
    assert_eq!(world.adj(["create", "--cli", "shell", "--id", "--all"]).expect_code(2).stdout, "");
    assert_none(&world);
    let told = world.adj(["create", "--cli", "shell", "--id", "my-own-2"]).expect_code(0);
    assert_eq!(told.stdout, "Created session my-own-2\n");
    let _ = world.adj(["--json", "create", "--cli", "shell", "--id", "my-own-2"]).expect_error(1, "id_in_use");
    let _ = world.adj(["kill", "my-own-2"]).expect_code(0);
    let _ = world.adj(["--json", "create", "--cli", "shell", "--id", "my-own-2"]).expect_error(1, "id_in_use");
    let _ = world.adj(["kill", "--purge", "my-own-2"]).expect_code(0);
    let told = world.adj(["create", "-q", "--cli", "shell", "--id", "my-own-2"]).expect_code(0);
    assert_eq!(told.stdout, "my-own-2\n", "an id is free again when its record is purged");
}

#[test]
fn b10_one_id_asked_for_by_many_at_once_is_given_once() {
    let world = World::new();
    let _daemon = world.start_daemon(&[]);
    let words = ["--json", "create", "--cli", "shell", "--id", "the-one"];
    let started: Vec<Running> = (0..8).map(|_| world.start(words)).collect();
    let ended: Vec<_> = started.into_iter().map(Running::end).collect();
    let (given, refused): (Vec<_>, Vec<_>) = ended.into_iter().partition(|ended| ended.code == 0);
    assert_eq!((given.len(), refused.len()), (1, 7), "{given:#?}");
    for one in refused {
        let _ = one.expect_error(1, "id_in_use");
    }
    assert_eq!(status(&world, "the-one"), "idle");
    let keyed = ["create", "-q", "--cli", "shell", "--key", "the-key"];
    let started: Vec<Running> = (0..8).map(|_| world.start(keyed)).collect();
    let ids: BTreeSet<String> = started.into_iter().map(|one| one.end().expect_code(0).stdout).collect();
    assert_eq!(ids.len(), 1, "one key is one session: {ids:?}");
}

#[test]
fn b13_the_environment_is_the_callers_without_the_marks_of_agents() {
    let world = World::new();
    let _daemon = world.start_daemon(&[("ONLY_OF_THE_DAEMON", "1")]);
    let mut create =
        world.adj_command(["create", "-q", "--cli", "shell", "--env", "EXTRA=of the session", "--env=A=b=c"]);
    let marks = ["CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "CODEX_SANDBOX", "TMUX", "AI_AGENT", "GEMINI_CLI", "ADJ_X"];
    create.envs(marks.map(|mark| (mark, "1")));
    create.envs([
        ("ADJ_SESSION", "outer"),
        ("MY_OWN", "two\nlines 'x'"),
        ("ANTHROPIC_API_KEY", "mine"),
        ("PAGER", "less"),
    ]);
    let created = Running::start(create).end().expect_code(0);
    let x = created.word();
    let told = world.adj(["ask", x, "env -0 | tr '\\n\\0' ';\\n'"]).expect_code(0);
    let lines: Vec<&str> = told.stdout.lines().collect();
    for mark in marks.into_iter().chain(["ONLY_OF_THE_DAEMON", "PROMPT_COMMAND", "COLUMNS"]) {
        assert!(!lines.iter().any(|line| line.starts_with(&format!("{mark}="))), "{mark} stays outside: {lines:#?}");
    }
    let home = format!("HOME={}", world.root().join("home").display());
    let session = format!("ADJ_SESSION={x}");
    let expected = ["MY_OWN=two;lines 'x'", "ANTHROPIC_API_KEY=mine", "EXTRA=of the session", "A=b=c", "PAGER=cat"];
    for line in expected.into_iter().chain([home.as_str(), session.as_str()]) {
        assert!(lines.contains(&line), "{line}: {lines:#?}");
    }
    let inspected = record(&world, x);
    assert_eq!(inspected["env_names"], json!(["A", "EXTRA"]), "names and no values");
}

#[test]
fn what_the_callers_bash_was_told_does_not_reach_into_a_session() {
    let world = World::new();
    let mut run = world.adj_command(["run", "--cli", "shell", "echo /etc/host*; sleep 1.2; echo $POSIXLY_CORRECT $-"]);
    // Each of them would keep its bash from reading the loop, or end it after a second.
    run.envs([("POSIXLY_CORRECT", "1"), ("SHELLOPTS", "noglob:posix"), ("BASHOPTS", "extdebug"), ("TMOUT", "1")]);
    let told = Running::start(run).end().expect_code(0);
    let lines: Vec<&str> = told.stdout.lines().collect();
    assert!(lines.len() == 2 && lines[0].contains("/etc/hosts"), "{told:#?}");
    assert!(lines[1].starts_with("y ") && !lines[1].contains('f'), "programs are still told of POSIX: {told:#?}");
}

#[test]
fn b14_what_the_agent_cannot_honour_is_refused() {
    let world = World::new();
    for words in [vec!["--mode", "guarded"], vec!["-m", "docker"], vec!["--model", "large"]] {
        let words = ["--json", "create", "--cli", "shell"].into_iter().chain(words);
        let _ = world.adj(words).expect_error(2, "not_supported");
    }
    assert_none(&world);
    let created = world.adj(["--json", "create", "--cli", "shell", "--mode", "yolo"]).expect_code(0).json();
    assert_eq!(created["mode"], "native");
}

#[test]
fn b15_a_path_must_be_a_directory() {
    let world = World::new();
    fs::write(world.work().join("file"), "").expect("a file");
    fs::create_dir(world.work().join("sub")).expect("a directory");
    let _ = world.adj(["--json", "create", "--cli", "shell", "-p", "nowhere"]).expect_error(2, "path_not_found");
    let _ = world.adj(["--json", "create", "--cli", "shell", "-p", "file"]).expect_error(2, "path_not_directory");
    assert!(world.processes().is_empty(), "a call that is wrong starts nothing");
    let created = world.adj(["--json", "create", "--cli", "shell", "-p", "sub/../sub"]).expect_code(0).json();
    let sub = world.work().join("sub").canonicalize().expect("it is there");
    assert_eq!(created["path"], sub.to_string_lossy().as_ref());
    let told = world.adj(["ask", created["id"].as_str().unwrap_or_default(), "pwd"]).expect_code(0);
    assert_eq!(told.word(), sub.to_string_lossy());
}

#[test]
fn a_first_message_is_accepted_together_with_its_session() {
    let world = World::new();
    let created =
        world.adj(["--json", "create", "--cli", "shell", "-d", "what it is for", "echo first"]).expect_code(0).json();
    let x = created["id"].as_str().unwrap_or_default();
    let told = world.adj(["wait", "--print", x]).expect_code(0);
    assert_eq!(told.stdout, "first\n");
    let listed = world.adj(["list"]).expect_code(0);
    let heading = "ID CLI MODE STATUS PARENT HOST PATH DESCRIPTION LAST USED";
    let words = |line: Option<&str>| line.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words(listed.stdout.lines().next()), heading);
    let row = words(listed.stdout.lines().nth(1));
    let work = world.work().display().to_string();
    assert!(row.starts_with(&format!("{x} shell native idle - - {work} what it is for ")), "{row}");
    let missing = ["worktree", "host", "model", "parent", "agent_session", "turn", "goal", "exit", "why"];
    let session = world.adj(["--json", "status", x]).expect_code(0).json();
    assert!(missing.iter().all(|key| session.get(key) == Some(&Value::Null)), "absent values are null: {session:#}");
    assert_eq!(session["last_turn"]["outcome"], "completed");
}

/// `adj` with these words, from a shell that has set limits of its own first.
fn from_a_shell(world: &World, settings: &str, words: &str) -> Running {
    let mut shell = world.command("bash");
    shell.arg("-c").arg(format!("{settings}; exec \"$0\" {words}")).arg(world.adj_path());
    Running::start(shell)
}

#[test]
fn a_session_inherits_the_umask_and_the_limits_of_its_creator() {
    let world = World::new();
    let run = "run --cli shell 'umask; ulimit -Sn; ulimit -Ss; touch made; stat -c %a made; rm made'";
    // Whoever is first starts the daemon too, whose own must not reach the second one.
    for (settings, told) in [
        ("umask 077; ulimit -Sn 90; ulimit -Ss 4096", "0077\n90\n4096\n600\n"),
        ("umask 002; ulimit -Sn 700; ulimit -Ss 6000", "0002\n700\n6000\n664\n"),
    ] {
        assert_eq!(from_a_shell(&world, settings, run).end().expect_code(0).stdout, told, "{settings}");
    }
}

#[test]
fn a_daemon_that_was_started_with_few_open_files_holds_many_sessions() {
    let world = World::new();
    let _ = from_a_shell(&world, "ulimit -Sn 64", "list").end().expect_code(0);
    assert_eq!(world.shells(60).len(), 60);
}
