//! What a shell session promises: one bash that stays, and the truth about every command, however odd.

use std::fs;

use adjutant_testkit::{Process, World};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::SOON;
use crate::look::{Hold, begin, event_types, events, messages, processes, record, status, world_with_adj};

/// Asks, and gives the output; the command succeeds.
#[track_caller]
fn said(world: &World, session: &str, text: &str) -> String {
    world.adj(["ask", session, text]).expect_code(0).stdout
}

#[test]
fn what_a_message_leaves_behind_is_there_for_the_next() {
    let world = World::new();
    let x = world.shell();
    let steps = [
        ("mkdir -p sub/dir; cd sub/dir", ""),
        ("v=value; declare -A map=([k]=w); arr=(1 2 3); export E=exported", ""),
        ("f() { echo \"f of $1\"; }; alias ll='echo aliased'; shopt -s expand_aliases; set -o pipefail", ""),
        (
            "pwd | tail -c 9; echo $v ${map[k]} ${arr[2]} $(sh -c 'echo $E'); f x; ll",
            "/sub/dir\nvalue w 3 exported\nf of x\naliased\n",
        ),
        ("false | true", ""),
        ("trap 'echo caught' USR1; kill -USR1 $$", "caught\n"),
        ("umask 077; touch private; stat -c %a private", "600\n"),
    ];
    for (text, answer) in steps {
        let told = world.adj(["ask", &x, text]);
        assert_eq!((told.code, told.stdout.as_str()), (i32::from(text == "false | true"), answer), "{text}");
    }
    world.kill_daemon();
    assert_eq!(said(&world, &x, "echo $v; f y"), "value\nf of y\n", "whatever becomes of the daemon");
    let [_, shell] = processes(&world, &x);
    let _ = world.adj(["ask", &x, "echo $$"]).expect_code(0);
    assert_eq!(world.adj(["last-message", &x]).expect_code(0).word(), shell.pid().to_string(), "it is one bash");
}

#[test]
fn children_in_the_background_do_not_hold_up_a_turn() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    let text = format!("({}; echo late >> ran) & echo $! > pid; echo at once", hold.script());
    assert_eq!(said(&world, &x, &text), "at once\n");
    hold.await_begun();
    assert_eq!(status(&world, &x), "idle");
    assert_eq!(said(&world, &x, "jobs -r | wc -l"), "1\n", "it is the shell's own job");
    hold.let_go();
    assert_eq!(said(&world, &x, "wait; echo waited"), "waited\n");
    assert_eq!(world.lines_of("ran"), ["late"]);
    // One that nobody waits for ends with the session.
    let _ = said(&world, &x, &format!("(trap '' HUP TERM; {}) >/dev/null 2>&1 & disown; echo $! > pid", hold.script()));
    hold.await_begun();
    let child = world.lines_of("pid").concat().parse().ok().and_then(Process::open).expect("it lives");
    let _ = world.adj(["kill", &x]).expect_code(0);
    assert!(child.has_ended());
}

#[test]
fn a_command_that_reads_the_terminal_is_answered_by_respond() {
    let world = World::new();
    let x = world.shell();
    world.send(&x, "read -rp 'Name: ' name; read -rsp 'Secret: ' secret; echo; cat -n; echo \"$name/$secret\"");
    let mut asked = Vec::new();
    for answer in ["Ann with spaces", "pass", "-n\n--help\n\u{4}"] {
        let waited = world.adj(["--json", "wait", &x]).expect_code(3).json();
        let request = &waited["pending"][0];
        asked.push((request["tool"].clone(), request["summary"].as_str().unwrap_or_default().to_owned()));
        assert_eq!(request["kind"], "input");
        let _ = world.adj(["respond", &x, "--message", answer]);
        if answer.contains('\u{4}') {
            // Control characters are no text; the end of the input is typed by whoever looks at the terminal.
            let _ = world.adj(["--json", "respond", &x, "--message", answer]).expect_error(2, "message_not_text");
            fs::write(world.work().join("lines"), "-n\n--help").expect("a file");
            let _ = world.adj(["respond", &x, "-f", "lines"]).expect_code(0);
        }
    }
    assert_eq!(asked[0].0, "bash");
    assert!(asked[0].1.ends_with("reads from the terminal: Name:"), "{asked:#?}");
    assert!(asked[1].1.ends_with("reads from the terminal, and hides what is typed: Secret:"), "{asked:#?}");
    assert_eq!(asked[2].0, "cat");
    // `cat` goes on reading: the next request is of the same command.
    let _ = world.adj(["watch", "--until", "input", &x]).expect_code(3);
    let told = world.adj(["interrupt", &x]).expect_code(0);
    assert_eq!(told.stdout, format!("Interrupted {x}\n"));
    let told = world.adj(["last-message", &x]).expect_code(0);
    assert!(told.stdout.starts_with("Name: Ann with spaces\nSecret: \n"), "{told:#?}");
    assert!(told.stdout.contains("     1\t-n\n") && !told.stdout.contains("pass"), "{told:#?}");
    assert_eq!(world.adj(["requests"]).expect_code(0).stdout, "No pending requests\n", "they end with the turn");
    assert_eq!(event_types(&world, &x, "request.opened").len(), event_types(&world, &x, "request.closed").len());
}

#[test]
fn a_session_answers_its_descendants_and_never_itself() {
    let world = world_with_adj();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    let text = format!("({}; adj respond self mine; echo $? > code) & read -r a; wait; echo \"$a\"", hold.script());
    world.send(&x, &text);
    hold.await_begun();
    let _ = world.adj(["watch", "--until", "input", &x]).expect_code(3);
    hold.let_go();
    let mut done = world.bell("done");
    let other = world.shell();
    world.send(&other, &format!("adj respond {x} theirs; echo $? > done"));
    assert_eq!(done.line(SOON), "1", "nobody answers for a stranger");
    let _ = world.adj(["respond", &x, "the user's"]).expect_code(0);
    assert_eq!(world.adj(["wait", "--print", &x]).expect_code(0).stdout.lines().last(), Some("the user's"));
    assert_eq!(world.lines_of("code"), ["1"]);
    let child = "adj create -q --cli shell --id kid 'read -r a; echo got $a' >/dev/null; adj wait kid >/dev/null 2>&1
                 adj respond kid 'from above'; adj wait kid --print";
    assert_eq!(said(&world, &x, child), "Answered r2 for kid\nfrom above\ngot from above\n");
    let answered = events(&world, "kid", "request.answered");
    assert_eq!(answered[0]["data"]["by"], x, "{answered:#?}");
}

#[test]
fn a_changed_terminal_is_put_right() {
    let world = World::new();
    let x = world.shell();
    let _ =
        world.adj(["ask", &x, "stty raw -echo; printf '\\033[?1049h\\033[2J\\033[31m\\033[?25l\\033(0'; tput smcup"]);
    assert_eq!(
        said(&world, &x, "printf 'a\\nb\\n'; stty -a | grep -ow -e '-*icanon' -e '-*echo'"),
        "a\nb\nicanon\necho\n"
    );
    let progress =
        "for i in 1 2 3; do printf '\\r%d%%' ${i}0; done; echo; printf 'ab\\bc\\n'; printf '\\033[1mbold\\033[0m\\n'";
    assert_eq!(said(&world, &x, progress), "30%\nac\nbold\n", "as a person would have seen it at last");
    assert_eq!(said(&world, &x, "[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && tput cols"), "200\n");
}

/// A hundred megabytes: as much as a gigabyte, but for the time it takes.
#[test]
fn a_flood_of_output_is_bounded_and_the_cut_is_told() {
    let world = World::new();
    let x = world.shell();
    let told = world.adj([
        "ask",
        &x,
        "echo first; head -c 100000000 /dev/zero | tr '\\0' x | fold -w 150; echo; echo last; (exit 4)",
    ]);
    let told = told.expect_code(4);
    let last = world.adj(["--json", "wait", &x]).expect_code(4).json();
    let (cut, kept) =
        (last["answer_cut_bytes"].as_u64().unwrap_or_default(), last["answer"].as_str().unwrap_or_default());
    assert!(cut > 99_000_000 && kept.len() <= 1024 * 1024, "{cut} cut, {} kept", kept.len());
    assert!(kept.starts_with("first\nxxx") && kept.ends_with("xxx\nlast"), "both ends are kept");
    assert!(kept.contains(&format!("[... {cut} bytes left out ...]")), "and the place of the cut is marked");
    assert_eq!(told.stderr, format!("adj: {cut} bytes are left out of the middle of the answer\n"));
    assert_eq!(told.stdout.len(), kept.len() + 1);
    let dir = std::path::PathBuf::from(record(&world, &x)["state_dir"].as_str().unwrap_or_default());
    let files = fs::read_dir(dir).expect("a directory").flatten().filter_map(|file| Some(file.metadata().ok()?.len()));
    let bytes: u64 = files.sum();
    assert!(bytes < 80 * 1024 * 1024, "the log is turned over: {bytes}");
    assert_eq!(said(&world, &x, "echo here"), "here\n");
}

#[test]
fn binary_output_is_shown_as_far_as_it_is_text() {
    let world = World::new();
    let x = world.shell();
    let told = world.adj([
        "--json",
        "ask",
        &x,
        "printf 'a\\377\\000b\\n'; head -c 50000 /dev/urandom; printf '\\033c\\033[Hend\\n'",
    ]);
    let told = told.expect_code(0).json();
    let answer = told["answer"].as_str().unwrap_or_default();
    assert!(answer.ends_with("end") && !answer.contains('\0') && !answer.contains('\u{1b}'), "{answer}");
    assert!(told["error"].as_str().is_some_and(|remark| remark.contains("U+FFFD")), "{told:#}");
    assert_eq!(said(&world, &x, "echo clean"), "clean\n");
}

#[test]
fn exit_and_exec_end_turn_and_session_with_their_code() {
    for (text, code, answer) in [
        ("echo bye; exit 7", 7, "bye\n"),
        ("exec sh -c 'echo in; exit 4'", 4, "in\n"),
        ("set -e; echo a; false; echo b", 1, "a\n"),
        ("trap 'echo trapped' EXIT; exit 0", 0, "trapped\n"),
        ("kill -9 $$", 4, ""),
    ] {
        let world = World::new();
        let x = world.shell();
        let mut hold = Hold::new(&world, "x");
        let first = begin(&world, &x, &format!("{}; {text}", hold.script()));
        let behind = world.send(&x, "echo behind >> ran");
        hold.await_begun();
        hold.let_go();
        let told = world.adj(["wait", "--for", &first, "--print", &x]).expect_code(code);
        assert_eq!(told.stdout, answer, "{text}");
        assert_eq!(world.adj(["watch", "--until", "exit", &x]).expect_code(0).stdout, format!("{x} exited (exit 0)\n"));
        let _ = world.adj(["wait", "--for", &behind, &x]).expect_code(4);
        assert_eq!(world.lines_of("ran").len(), 0, "{text}");
        let end = record(&world, &x)["exit"].clone();
        let expected = if text == "kill -9 $$" { 137 } else { code };
        assert_eq!((&end["how"], &end["exit_code"]), (&"ended".into(), &expected.into()), "{text}: {end:#}");
        assert_eq!(messages(&world, &x)[1]["state"], "failed");
    }
}

#[test]
fn a_missing_command_and_a_wrong_script_fail_as_in_any_shell() {
    let world = World::new();
    let x = world.shell();
    for (text, code, answer) in [
        ("nosuchcommand", 127, "bash: nosuchcommand: command not found\n"),
        ("./", 126, "bash: ./: Is a directory\n"),
        ("if", 2, "bash: eval: line 2: syntax error: unexpected end of file\n"),
        ("bash -c 'kill -SEGV $$'", 139, ""),
        ("(exit 255)", 255, ""),
    ] {
        let told = world.adj(["ask", &x, text]).expect_code(code);
        assert!(told.stdout.starts_with(answer), "{text}: {told:#?}");
        let last = world.adj(["--json", "wait", &x]).expect_code(code).json();
        assert_eq!((&last["outcome"], &last["reason"]), (&"failed".into(), &"command_failed".into()));
    }
    assert_eq!(status(&world, &x), "idle");
}

/// SIGINT first; then harder, a step every two seconds; and the shell stays.
#[test]
fn an_interrupt_gets_harder_until_the_turn_ends() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    let _ = world.adj(["ask", &x, "kept=yes"]).expect_code(0);
    begin(&world, &x, &format!("(trap '' INT TERM; {}; {}); echo not here", hold.script(), hold.script()));
    hold.await_begun();
    let told = world.adj(["--json", "interrupt", &x]).expect_code(0).json();
    assert_eq!(told["outcome"], "interrupted", "{told:#}");
    let passed = events(&world, &x, "turn.interrupt_passed");
    let steps: Vec<&str> =
        passed.iter().filter_map(|event| event["data"]["detail"].as_str()?.split(' ').next()).collect();
    assert_eq!(steps, ["SIGINT", "SIGTERM", "SIGKILL"], "{passed:#?}");
    assert_eq!(said(&world, &x, "echo $kept"), "yes\n");
    // A program with an end of its own keeps its own status, and the outcome is still that it was interrupted.
    let text = format!("bash -c 'trap \"echo tidy; exit 3\" INT; {}'", hold.script());
    world.send(&x, &text);
    hold.await_begun();
    let told = world.adj(["--json", "interrupt", &x]).expect_code(0).json();
    assert_eq!((&told["outcome"], &told["exit_code"]), (&"interrupted".into(), &3.into()), "{told:#}");
    assert!(told["answer"].as_str().is_some_and(|answer| answer.ends_with("tidy")), "{told:#}");
}

#[test]
fn a_session_outlives_its_daemon_and_keeps_what_happened_meanwhile() {
    let world = World::new();
    let x = world.shell();
    let mut hold = Hold::new(&world, "x");
    let m = begin(&world, &x, &format!("{}; echo meanwhile; (exit 6)", hold.script()));
    hold.await_begun();
    let before: Vec<(u32, u64)> = processes(&world, &x).iter().map(Process::identity).collect();
    let refused = world.adj(["--json", "daemon", "stop"]).expect_error(1, "sessions_working");
    assert_eq!(refused.error()["details"]["sessions"], json!([x]), "{refused:#?}");
    let stopped = world.adj(["daemon", "stop", "--force"]).expect_code(0);
    assert!(
        stopped.stdout.starts_with("Stopped daemon (pid ") && stopped.stdout.ends_with("); 1 sessions go on\n"),
        "{stopped:#?}"
    );
    assert_eq!(world.adj(["daemon", "status"]).expect_code(255).stdout, "stopped\n");
    assert_eq!(world.adj(["daemon", "stop"]).expect_code(0).stdout, "No daemon is running\n");
    hold.let_go();
    let told = world.adj(["wait", "--for", &m, "--print", &x]).expect_code(6);
    assert_eq!(told.stdout, "meanwhile\n", "the runner kept the exit status until somebody read it");
    assert_eq!(processes(&world, &x).iter().map(Process::identity).collect::<Vec<_>>(), before);
    let running = world.adj(["daemon", "status"]).expect_code(0).stdout;
    assert!(
        running.starts_with("running pid ") && running.contains(" version ") && running.contains(" sessions 1 "),
        "{running}"
    );
}

#[test]
fn attach_needs_a_terminal() {
    let world = World::new();
    let x = world.shell();
    let refused = world.adj(["attach", &x]).expect_code(2);
    assert_eq!(refused.stderr, "adj: `attach` needs a terminal on standard input and standard output\n");
    // With one, whoever looks sees what a command prints, and leaving leaves it running.
    let mut hold = Hold::new(&world, "x");
    begin(&world, &x, &format!("echo printed; {}; echo later", hold.script()));
    hold.await_begun();
    let adj = world.adj_path().display();
    let mut terminal = world.command("script");
    terminal.args(["-qfec", &format!("{adj} attach --read-only {x}"), "/dev/null"]);
    let terminal = adjutant_testkit::Running::start(terminal);
    terminal.await_stdout("what was printed is seen", SOON, |told| told.contains("printed"));
    terminal.signal(Signal::TERM);
    let _ = terminal.end();
    hold.let_go();
    assert_eq!(world.adj(["wait", "--print", &x]).expect_code(0).stdout, "printed\nlater\n");
    assert_eq!(record(&world, &x)["turn"], Value::Null);
}
