//! Sessions of another machine, through `ssh` to an sshd of the test's own: a whole life, lines that are cut, hosts that are
//! down, of another version, or not who they were.

use adjutant_testkit::{Ended, OtherHost, Process, Running, World};
use rustix::process::Signal;
use serde_json::Value;

use crate::SOON;
use crate::skew::{say, serve};

/// `adj --host box` with these words, to its end.
#[track_caller]
fn there(host: &OtherHost, words: &[&str]) -> Ended {
    start(host, words).end()
}

fn start(host: &OtherHost, words: &[&str]) -> Running {
    host.near().start([&["--host", "box"], words].concat())
}

/// The `ssh` that a command has started.
fn ssh_of(command: &Running) -> Process {
    let children = format!("/proc/{pid}/task/{pid}/children", pid = command.pid());
    let mut found = None;
    adjutant_testkit::await_fact("the command has started an ssh", SOON, || {
        let children = std::fs::read_to_string(&children).unwrap_or_default();
        found = children.split_whitespace().find_map(|pid| Process::open(pid.parse().ok()?));
        found.is_some()
    });
    found.expect("an ssh")
}

#[test]
fn a_session_of_another_host_has_a_whole_life() {
    let host = OtherHost::start();
    let text = host.near().work().join("message");
    std::fs::write(&text, "echo $FAR; echo near: $NEAR; pwd").expect("a file in the world");

    let created = there(&host, &["create", "--cli", "shell", "-d", "away"]).expect_code(0);
    let id =
        created.word().strip_prefix("Created session ").expect("its id").split(' ').next().expect("its id").to_owned();
    assert!(created.word().ends_with(" on box"), "{created:#?}");
    let _ = there(&host, &["send", &id, "-f", text.to_str().expect("a path")]).expect_code(0);
    let waited = there(&host, &["wait", "--print", &id]).expect_code(0);
    let home = host.far().root().join("home");
    assert_eq!(
        waited.stdout,
        format!("away\nnear:\n{}\n", home.display()),
        "its variables and its place are that host's"
    );
    assert_eq!(there(&host, &["last-message", &id]).expect_code(0).stdout, waited.stdout);
    assert_eq!(there(&host, &["ask", &id, "(exit 7)"]).expect_code(7).stderr, "", "the command's own code");
    let own_255 = there(&host, &["ask", "--json", &id, "(exit 255)"]).expect_code(255);
    assert_eq!((own_255.json()["outcome"].as_str(), own_255.stderr.as_str()), (Some("failed"), ""), "{own_255:#?}");
    assert_eq!(there(&host, &["status", &id]).expect_code(0).word(), "idle");
    let _ = there(&host, &["ask", &id, "- item"]).expect_code(127);
    assert_eq!(there(&host, &["run", "--cli", "shell", "echo $FAR; exit 9"]).expect_code(9).stdout, "away\n");
    let listed = there(&host, &["list", "--json"]).expect_code(0).json();
    assert_eq!(listed[0]["id"], id.as_str(), "{listed}");
    let logs = there(&host, &["logs", &id]).expect_code(0);
    assert!(logs.stdout.contains("echo $FAR"), "{logs:#?}");
    let bell = host.far().bell("stop");
    let _ = there(&host, &["send", &id, &format!("read line < {}", bell.path().display())]).expect_code(0);
    let _ = there(&host, &["interrupt", &id]).expect_code(0);
    let _ = there(&host, &["wait", &id]).expect_code(130);
    let _ = there(&host, &["kill", &id]).expect_code(0);
    assert_eq!(there(&host, &["status", &id]).expect_code(0).word(), "exited");
    let _ = there(&host, &["send", &id, "true"]).expect_code(4);
    assert_eq!(host.near().daemon_pid(), None, "no daemon was needed here");
}

#[test]
fn a_path_belongs_to_that_host_and_names_come_from_the_configuration() {
    let host = OtherHost::start();
    let adj = host.far().adj_path().display().to_string();
    let config = format!("[hosts]\nother = {{ target = \"ssh://box\", adj = \"{adj}\" }}\n");
    std::fs::create_dir_all(host.near().state()).expect("a directory");
    std::fs::write(host.near().state().join("config.toml"), config).expect("a configuration");
    std::fs::create_dir(host.far().root().join("home/app")).expect("a directory");
    let create = |path: &str| {
        let created = host.near().adj(["--host", "other", "--json", "create", "--cli", "shell", "--path", path]);
        created.expect_code(0).json()["path"].as_str().expect("a path").to_owned()
    };
    let app = host.far().root().join("home/app").display().to_string();
    assert_eq!(create("app"), app, "a relative path begins in the user's home there");
    assert_eq!(create(&app), app);
    let nowhere = host.near().adj(["--host", "other", "--json", "create", "--cli", "shell", "--path", "/nowhere/x"]);
    let _ = nowhere.expect_error(2, "path_not_found");
}

#[test]
fn a_wait_survives_its_line_and_ends_with_255_when_the_host_stays_away() {
    let mut host = OtherHost::start();
    let id = there(&host, &["create", "-q", "--cli", "shell"]).expect_code(0).word().to_owned();
    let mut begun = host.far().bell("begun");
    let bell = host.far().bell("go");
    let command = format!("echo > {}; read line < {}; echo heard", begun.path().display(), bell.path().display());
    let _ = there(&host, &["send", &id, &command]).expect_code(0);
    begun.line(SOON);

    // What is told of the other one shows that the wait has begun.
    let other = there(&host, &["create", "-q", "--cli", "shell"]).expect_code(0).word().to_owned();
    let wait = start(&host, &["wait", &other, &id]);
    wait.await_stdout("the wait has begun", SOON, |said| said.contains("idle"));
    let follow = start(&host, &["--json", "watch", "-F", "--tail", "5", "--until", "next", &id]);
    follow.await_stdout("the watch shows what was before", SOON, |said| !said.is_empty());
    let first = ssh_of(&wait);
    first.signal(Signal::KILL);
    assert!(first.ends_within(SOON), "the line is cut");
    host.cut();
    bell.release(1);
    assert_eq!(wait.end().expect_code(0).stdout, format!("{other}\tidle\n{id}\tcompleted\n"));
    let seen: Vec<Value> =
        follow.end().expect_code(0).stdout.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
    let seqs: Vec<u64> = seen.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "nothing is seen twice: {seqs:?}");

    let _ = there(&host, &["send", &id, &command]).expect_code(0);
    begun.line(SOON);
    let wait = start(&host, &["wait", "-t", "6s", &other, &id]);
    wait.await_stdout("the wait has begun", SOON, |said| said.contains("idle"));
    host.stop();
    let ended = wait.end().expect_code(255);
    assert!(ended.stderr.contains("box cannot be reached"), "{ended:#?}");
    host.resume();
    bell.release(1);
    assert_eq!(there(&host, &["wait", "--print", &id]).expect_code(0).stdout, "heard\n");
}

/// An `adj` there that cuts the line once: the call that changes something is taken in, and its answer is kept back until
/// somebody rings.
const CUTS_ONCE: &str = r#"
mv "$HOME/cut" "$HOME/was-cut" 2>/dev/null || exec "$adj" "$@"
exec python3 -c '
import os, subprocess, sys
adj = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
told = b""
while told.count(b"HTTP/1.1 ") < 2:
    piece = os.read(adj.stdout.fileno(), 65536)
    before, told = len(told), told + piece
    answers = told.split(b"HTTP/1.1 ")
    end = len(told) if len(answers) < 3 else len(told) - len(answers[2]) - len(b"HTTP/1.1 ")
    os.write(1, told[before:end])
open(os.environ["HOME"] + "/settled").readline()
adj.kill()
' "$adj" "$@"
"#;

#[test]
fn b12_a_call_whose_answer_was_lost_is_said_again_and_heard_once() {
    let host = OtherHost::start();
    let home = host.far().root().join("home");
    let settled = adjutant_testkit::Bell::new(home.join("settled"));
    host.replace_adj(CUTS_ONCE);
    let cut = || std::fs::write(home.join("cut"), "").expect("a file");
    let was_cut = || std::fs::remove_file(home.join("was-cut")).is_ok();

    settled.release(1);
    cut();
    let id = there(&host, &["create", "-q", "--cli", "shell"]).expect_code(0).word().to_owned();
    assert!(was_cut(), "the line was cut");
    let all = there(&host, &["list", "-a", "--json"]).expect_code(0).json();
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");

    // The message has come to its end when it is said again.
    cut();
    let ran = home.join("ran");
    let command = format!("echo once >> {}; echo > {}", ran.display(), home.join("settled").display());
    let sent = there(&host, &["send", "--json", &id, &command]).expect_code(0);
    assert!(was_cut(), "the line was cut: {sent:#?}");
    assert_eq!(sent.json()["repeated"], true, "{sent:#?}");
    let _ = there(&host, &["wait", &id]).expect_code(0);
    assert_eq!(std::fs::read_to_string(&ran).expect("it ran"), "once\n");
    let queue = there(&host, &["queue", "list", "-a", "--json", &id]).expect_code(0).json();
    assert_eq!(queue.as_array().map(Vec::len), Some(1), "{queue}");
}

#[test]
fn a_host_of_another_version_is_told() {
    let host = OtherHost::start();
    let heard = serve(host.far(), |_, _, stream| say(stream, 99, "200 OK", "{}"));
    for words in [&["--json", "list"][..], &["--json", "send", "fizz-top", "true"], &["--json", "wait", "fizz-top"]] {
        let refused = there(&host, words).expect_error(255, "version_mismatch");
        let message = refused.error()["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains("9.8.7") && message.contains("box"), "{message}");
    }
    assert!(heard.try_iter().all(|call| call.line.starts_with("GET")), "nothing was said that changes something");

    host.replace_adj("echo 'adj: no command `dial-stdio`' >&2; exit 2");
    let old = there(&host, &["--json", "list"]).expect_error(255, "version_mismatch");
    assert!(old.error()["message"].as_str().is_some_and(|text| text.contains("dial-stdio")), "{old:#?}");
}

#[test]
fn a_changed_host_key_is_refused_and_a_new_one_is_taken() {
    let host = OtherHost::start();
    let _ = there(&host, &["list"]).expect_code(0);
    host.cut();
    let known = host.near().root().join("known");
    let right = std::fs::read_to_string(&known).expect("a key was noted down");
    let other = std::fs::read_to_string(host.far().root().join("ssh/authorized_keys")).expect("another key");
    let name = right.split(' ').next().expect("a name");
    let body = other.split(' ').nth(1).expect("a key");
    std::fs::write(&known, format!("{name} ssh-ed25519 {body}\n")).expect("a file");
    let refused = there(&host, &["--json", "create", "--cli", "shell"]).expect_error(255, "host_unreachable");
    assert!(refused.error()["message"].as_str().is_some_and(|text| text.contains("host key")), "{refused:#?}");
    assert_eq!(host.far().adj(["list", "-a"]).expect_code(0).word(), "No active sessions", "nothing was done");
}

#[test]
fn a_host_that_is_down_and_one_without_adj_are_told() {
    let mut host = OtherHost::start();
    let missing = host.near().adj_command(["--host", "box", "--json", "list"]);
    let missing = Running::start(with(missing, "ADJ_REMOTE_BIN", "/nowhere/adj")).end();
    let missing = missing.expect_error(255, "host_unreachable");
    assert!(missing.error()["message"].as_str().is_some_and(|text| text.contains("ADJ_REMOTE_BIN")), "{missing:#?}");
    let stopped = there(&host, &["--no-autostart", "--json", "list"]).expect_error(255, "daemon_unreachable");
    assert!(stopped.stderr.contains("box"), "{stopped:#?}");
    let status = there(&host, &["daemon", "status"]).expect_code(255);
    assert_eq!(status.word(), "stopped");
    host.stop();
    let _ = there(&host, &["--json", "list"]).expect_error(255, "host_unreachable");
    let _ = there(&host, &["--json", "kill", "fizz-top"]).expect_error(255, "host_unreachable");
}

fn with(mut command: std::process::Command, name: &str, value: &str) -> std::process::Command {
    command.env(name, value);
    command
}

#[test]
fn h10_neither_a_host_nor_a_program_is_an_option_or_a_command() {
    let world = World::new();
    let proof = world.work().join("proof");
    let touch = format!("touch {}", proof.display());
    for target in [
        format!("-oProxyCommand={touch}"),
        format!("ssh://-oProxyCommand={touch}"),
        format!("x;{touch}"),
        format!("$({touch})"),
        "a b".to_owned(),
        "a\nb".to_owned(),
        String::new(),
    ] {
        let _ = world.adj([&format!("--host={target}"), "--json", "list"]).expect_error(2, "usage");
    }
    for program in [format!("adj;{touch}"), format!("$({touch})"), "a/b".to_owned(), "-x".to_owned()] {
        let list = world.adj_command(["--host", "box", "--json", "list"]);
        let _ = Running::start(with(list, "ADJ_REMOTE_BIN", &program)).end().expect_error(2, "env_invalid");
    }
    assert!(!proof.try_exists().expect("a look"), "nothing was run");
}

/// A configuration of three hosts: the one that is there, one that refuses, and one that takes the call and says nothing.
fn three_hosts(host: &OtherHost) -> std::net::TcpListener {
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).expect("a free port");
    let port = silent.local_addr().expect("an address").port();
    let config = format!(
        "[hosts]\nbox = \"box\"\ndown = \"ssh://x@127.0.0.1:{}\"\nsilent = \"ssh://x@127.0.0.1:{port}\"\n",
        closed.port()
    );
    std::fs::create_dir_all(host.near().state()).expect("a directory");
    std::fs::write(host.near().state().join("config.toml"), config).expect("a configuration");
    silent
}

fn listed(host: &OtherHost, words: &[&str]) -> (Vec<(String, String, String)>, Ended) {
    let ended = host.near().adj([&["--json", "list"], words].concat()).expect_code(0);
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let rows = ended.json();
    let rows = rows.as_array().expect("a list").iter();
    let mut rows: Vec<_> = rows.map(|one| (text(&one["id"]), text(&one["host"]), text(&one["status"]))).collect();
    rows.sort();
    (rows, ended)
}

#[test]
fn i1_a_host_that_is_down_holds_up_no_list() {
    let mut host = OtherHost::start();
    let _silent = three_hosts(&host);
    let here = host.near().shell();
    let away = there(&host, &["create", "-q", "--cli", "shell"]).expect_code(0).word().to_owned();
    let row = |id: &str, host: &str, status: &str| (id.to_owned(), host.to_owned(), status.to_owned());
    let sorted = |mut rows: Vec<(String, String, String)>| {
        rows.sort();
        rows
    };
    let (rows, ended) = listed(&host, &[]);
    assert_eq!(rows, sorted(vec![row(&here, "-", "idle"), row(&away, "box", "idle")]), "{ended:#?}");
    for name in ["down", "silent"] {
        assert!(ended.stderr.contains(&format!("{name} is out of reach")), "{ended:#?}");
    }
    host.stop();
    let (rows, ended) = listed(&host, &[]);
    assert_eq!(rows, sorted(vec![row(&here, "-", "idle"), row(&away, "box", "unknown")]), "as last seen: {ended:#?}");
    assert!(ended.stderr.contains("box is out of reach"), "{ended:#?}");
    host.resume();
    // The line is there again, and the list need not wait for it.
    let _ = there(&host, &["list"]).expect_code(0);
    let (rows, _) = listed(&host, &[]);
    assert_eq!(rows, sorted(vec![row(&here, "-", "idle"), row(&away, "box", "idle")]));
    let (rows, _) = listed(&host, &["--path", "."]);
    assert_eq!(rows, vec![row(&here, "-", "idle")], "a directory is one of this machine");
}

#[test]
fn i2_what_a_host_leaves_out_is_unknown_and_a_session_is_found_by_its_id() {
    let host = OtherHost::start();
    let config = "[hosts]\nbox = \"box\"\n";
    std::fs::create_dir_all(host.near().state()).expect("a directory");
    std::fs::write(host.near().state().join("config.toml"), config).expect("a configuration");
    let away = there(&host, &["create", "-q", "--cli", "shell"]).expect_code(0).word().to_owned();
    // No verb needs to be told where it is.
    assert_eq!(host.near().adj(["ask", &away, "echo $FAR"]).expect_code(0).stdout, "away\n");
    assert_eq!(host.near().adj(["status", &away]).expect_code(0).word(), "idle");
    let _ = host.near().adj(["queue", "list", &away]).expect_code(0);
    // An id is given once, wherever the session is.
    let near = host.near().shell();
    let refused = host.near().adj(["--json", "create", "--cli", "shell", "--id", &away]).expect_error(1, "id_in_use");
    assert!(refused.stderr.contains("another host"), "{refused:#?}");
    let _ = there(&host, &["--json", "create", "--cli", "shell", "--id", &near]).expect_error(1, "id_in_use");
    let repeat = ["create", "-q", "--cli", "shell", "--id", "own-id", "--key", "k"];
    for _ in 0..2 {
        assert_eq!(there(&host, &repeat).expect_code(0).word(), "own-id", "said again, it is the same");
    }
    // Somebody else has given one of that host a name that is one of here: nobody guesses which is meant.
    let _ = host.far().adj(["create", "-q", "--cli", "shell", "--id", &near]).expect_code(0);
    let _ = host.near().adj(["list"]).expect_code(0);
    let both = host.near().adj(["--json", "send", &near, "true"]).expect_error(2, "ambiguous_id");
    assert!(both.stderr.contains("box") && both.stderr.contains("this machine"), "{both:#?}");
    let _ = there(&host, &["send", &near, "true"]).expect_code(0);
    for id in [near.as_str(), "own-id"] {
        let _ = there(&host, &["kill", "--purge", id]).expect_code(0);
    }
    let near = host.near().adj(["--json", "list", "--path", "."]).expect_code(0).json()[0]["uuid"].clone();
    let _ = host.near().adj(["kill", "--purge", near.as_str().expect("a UUID")]).expect_code(0);

    let _ = host.far().adj(["kill", "--purge", &away]).expect_code(0);
    let (rows, ended) = listed(&host, &[]);
    assert_eq!(rows, vec![(away.clone(), "box".to_owned(), "unknown".to_owned())], "{ended:#?}");
    let (rows, _) = listed(&host, &[]);
    assert_eq!(rows.len(), 1, "it is kept");
    let gone = there(&host, &["create", "-q", "--cli", "shell"]).expect_code(0).word().to_owned();
    let _ = host.near().adj(["kill", "--purge", &gone]).expect_code(0);
    assert_eq!(listed(&host, &[]).0.len(), 1, "what was to be forgotten is forgotten");
}

#[test]
fn a_person_sits_down_at_a_session_of_another_host() {
    let host = OtherHost::start();
    let id = there(&host, &["create", "-q", "--cli", "shell"]).expect_code(0).word().to_owned();
    let bell = host.far().bell("go");
    let command = format!("echo printed on $FAR; read line < {}", bell.path().display());
    let _ = there(&host, &["send", &id, &command]).expect_code(0);
    let attach = || {
        let mut terminal = host.near().command("script");
        let adj = host.near().adj_path().display();
        terminal.args(["-qfec", &format!("{adj} --host box attach {id}"), "/dev/null"]).env("TERM", "xterm");
        let terminal = Running::start(terminal);
        terminal.await_stdout("what was printed is seen", SOON, |told| told.contains("printed on away"));
        terminal
    };
    let leaving = attach();
    leaving.signal(Signal::TERM);
    let _ = leaving.end();
    assert_eq!(there(&host, &["status", &id]).expect_code(0).word(), "working", "leaving leaves it running");
    let staying = attach();
    let _ = there(&host, &["kill", &id]).expect_code(0);
    let _ = staying.end().expect_code(4);
}

#[test]
fn e4_sessions_of_several_hosts_are_ended_at_once_and_a_host_that_is_down_does_not_stop_the_rest() {
    let mut host = OtherHost::start();
    let config = "[hosts]\nbox = \"box\"\n";
    std::fs::create_dir_all(host.near().state()).expect("a directory");
    std::fs::write(host.near().state().join("config.toml"), config).expect("a configuration");
    let away = || there(&host, &["create", "-q", "--cli", "shell"]).expect_code(0).word().to_owned();
    let (near, far) = (host.near().shell(), away());
    let both = host.near().adj(["kill", &near, &far]).expect_code(0);
    assert_eq!(both.stdout, format!("Killed session {near}\nKilled session {far}\n"));
    let (near, far) = (host.near().shell(), away());
    let all = host.near().adj(["kill", "--all"]).expect_code(0);
    assert_eq!(all.stdout, format!("Killed session {near}\nKilled session {far}\nKilled 2 sessions\n"));

    let (near, far) = (host.near().shell(), away());
    host.stop();
    let all = host.near().adj(["kill", "--all"]).expect_code(255);
    assert_eq!(all.stdout, format!("Killed session {near}\nKilled 1 sessions\n"));
    assert!(all.stderr.contains("box cannot be reached"), "{all:#?}");
    let named = host.near().adj(["--json", "kill", &host.near().shell(), &far]).expect_code(255).json();
    let errors: Vec<bool> = named.as_array().expect("a list").iter().map(|one| one["error"].is_null()).collect();
    assert_eq!(errors, [true, false], "{named}");
    host.resume();
}

#[test]
fn sessions_of_several_hosts_are_waited_for_and_watched_in_one_call() {
    let mut host = OtherHost::start();
    let config = "[hosts]\nbox = \"box\"\n";
    std::fs::create_dir_all(host.near().state()).expect("a directory");
    std::fs::write(host.near().state().join("config.toml"), config).expect("a configuration");
    let (near, far) = (host.near().shell(), there(&host, &["create", "-q", "--cli", "shell"]).expect_code(0));
    let far = far.word().to_owned();
    let adj = |words: &[&str]| host.near().adj(words);
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let both = |word: &str| sorted(&format!("{near}\t{word}\n{far}\t{word}\n"));
    assert_eq!(adj(&["status", &near, &far]).expect_code(0).stdout, format!("{near}\tidle\n{far}\tidle\n"));

    // Each of them is told as it is done.
    let (go_near, go_far) = (host.near().bell("go"), host.far().bell("go"));
    let read = |bell: &adjutant_testkit::Bell| format!("read line < {}", bell.path().display());
    let send = |id: &str, text: &str| adj(&["send", id, text]).expect_code(0);
    let _ = (send(&near, &read(&go_near)), send(&far, &read(&go_far)));
    let wait = host.near().start(["wait", &near, &far]);
    let watch = host.near().start(["--json", "watch", "-F", "--tail", "5", "--until", "next", &near, &far]);
    watch.await_stdout("both are watched", SOON, |told| told.contains(&near) && told.contains(&far));
    let first = host.near().start(["wait", "--any", &near, &far]);
    go_far.release(1);
    assert_eq!(first.end().expect_code(0).stdout, format!("{far}\tcompleted\n"), "the first is enough");
    wait.await_stdout("the first is told", SOON, |told| told == format!("{far}\tcompleted\n"));
    go_near.release(1);
    assert_eq!(sorted(&wait.end().expect_code(0).stdout), both("completed"));
    let seen = watch.end().expect_code(0).stdout;
    let event = |line: &str| serde_json::from_str::<Value>(line).expect("an event");
    let ended = seen.lines().map(event).filter(|event| event["type"] == "turn.completed");
    let ended: Vec<_> = ended.map(|event| event["session"].as_str().expect("a session").to_owned()).collect();
    assert_eq!(sorted(&ended.join("\n")), sorted(&format!("{near}\n{far}")), "{seen}");
    let tail = adj(&["--json", "watch", "--tail", "3", &near, &far]).expect_code(0);
    assert_eq!(tail.stdout.lines().count(), 3, "{tail:#?}");
    let _ = adj(&["--json", "watch", "--since", "1", &near, &far]).expect_error(2, "usage");

    // The worst of them is the code, and one interrupt is enough.
    let _ = (send(&near, "exit_with() { return 3; }; exit_with"), send(&far, &read(&go_far)));
    let interrupted = adj(&["interrupt", &near, &far]).expect_code(0);
    assert!(interrupted.stdout.contains(&format!("Interrupted {far}")), "{interrupted:#?}");
    let _ = adj(&["wait", &near, &far]).expect_code(1);

    // What is asked there is in the list of all that is asked.
    let _ = send(&far, "read -r said; echo heard $said");
    let _ = adj(&["wait", &near, &far]).expect_code(3);
    let asked = adj(&["--json", "requests"]).expect_code(0).json();
    assert_eq!((&asked[0]["session"], &asked[0]["host"]), (&far.as_str().into(), &"box".into()), "{asked:#}");
    let _ = adj(&["respond", &far, "you"]).expect_code(0);
    assert!(adj(&["wait", "--print", &far]).expect_code(0).stdout.ends_with("heard you\n"));

    // A host that is out of reach does not stop the rest.
    host.stop();
    assert!(host.near().adj(["requests"]).expect_code(0).stderr.contains("box is out of reach"));
    let waited = host.near().adj(["wait", "-t", "5s", &near, &far]).expect_code(255);
    assert!(waited.stdout.starts_with(&near) && waited.stderr.contains("box"), "{waited:#?}");
    let _ = host.near().adj(["wait", "--any", &near, &far]).expect_code(1);
    let status = host.near().adj(["status", &near, &far]).expect_code(255);
    assert_eq!(status.stdout, format!("{near}\tidle\n"), "{status:#?}");
    host.resume();
}
