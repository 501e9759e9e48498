//! Messages arrive exactly, and what they leave behind stays.

use adjutant_core::Outcome;
use adjutant_core::agent::{AgentReport, TurnOrigin};
use adjutant_core::outcome::FailReason;

use crate::world::{World, assert_done};

#[tokio::test]
async fn a_message_runs_and_its_text_and_status_come_back() {
    let world = World::new();
    let mut session = world.launch().await;
    let done = session.run("echo hi; echo err >&2; (exit 7)").await;
    assert_eq!((done.text.as_str(), done.code()), ("hi\nerr", 7));
    assert_eq!(done.end.outcome, Outcome::Failed { reason: FailReason::CommandFailed });
    assert_eq!(done.end.detail, None);
    assert_done(&session.run("echo $?").await, "7");
    session.kill().await;
    world.assert_empty();
}

#[tokio::test]
async fn the_evidence_of_a_message_is_the_control_pipe() {
    let world = World::new();
    let mut session = world.launch().await;
    let message = session.deliver("true").await;
    let seen = session.until(|report| matches!(report, AgentReport::TurnEnded { .. })).await;
    let AgentReport::Taken { message: taken, evidence } = &seen[0].report else { panic!("{seen:?}") };
    assert_eq!((*taken, evidence.source.as_str()), (message, "control pipe"));
    assert_eq!(seen[1].report, AgentReport::TurnStarted { origin: TurnOrigin::Message(message) });
    assert_eq!(seen.len(), 3);
    session.kill().await;
}

#[tokio::test]
async fn what_a_message_leaves_behind_is_there_for_the_next() {
    let world = World::new();
    let mut session = world.launch().await;
    let steps = [
        ("mkdir sub; cd sub; X=5; declare -A M=([a]=1); f() { echo f$X; }; shopt -s nullglob; umask 027", ""),
        ("basename \"$PWD\"; f; echo ${M[a]}; shopt -q nullglob && echo on; umask", "sub\nf5\n1\non\n0027"),
        ("declare -i N=3; N+=4; export E=1; alias ll='echo aliased'", ""),
        ("echo $N $(env | grep -c '^E=1'); ll", "7 1\naliased"),
        ("sleep 1000 & echo started", "started"),
        ("jobs -r | wc -l; kill %1; wait %1 2>/dev/null; echo $?", "1\n143"),
        ("trap 'echo trapped' USR1", ""),
        ("kill -USR1 $$", "trapped"),
        ("set -o noclobber; echo 1 > f", ""),
        ("set +o noclobber; echo 2 > f; cat f", "2"),
    ];
    for (message, text) in steps {
        let done = session.run(message).await;
        assert_done(&done, text);
    }
    session.kill().await;
    world.assert_empty();
}

#[tokio::test]
async fn messages_are_exact() {
    let world = World::new();
    let mut session = world.launch().await;
    for (message, text) in [
        (":", ""),
        ("#", ""),
        ("\n\n", ""),
        ("-n", "bash: -n: command not found"),
        ("echo 'a\tb'", "a\tb"),
        ("printf '%s|' 'a\r\nb' | od -An -c", r"   a  \r  \n   b   |"),
        ("cat <<'END'\n  $x `y` \\ \"\n\ttab \nEND", "  $x `y` \\ \"\n\ttab "),
        ("cat <<END\nno end", "bash: warning: here-document at line 1 delimited by end-of-file (wanted `END')\nno end"),
        ("echo naïve 漢字 🎉", "naïve 漢字 🎉"),
        ("echo one\necho two", "one\ntwo"),
        ("printf 'no newline'", "no newline"),
        ("printf 'two\\n\\n'", "two\n"),
        ("echo \"!x\" '%s' $'\\x41'", "!x %s A"),
    ] {
        assert_eq!(session.run(message).await.text, text, "{message:?}");
    }
    session.kill().await;
}

#[tokio::test]
async fn a_message_of_the_largest_size_arrives_whole() {
    let world = World::new();
    let mut session = world.launch().await;
    let mut message = String::from("before=1\n");
    while message.len() < 8 * 1024 * 1024 - 200 {
        message.push_str("# a comment of some length, with ümlauts, 'quotes' and \"more\" $(of) `them` \\ and so on\n");
    }
    message.push_str("echo \"end of $before\"");
    assert_done(&session.run(&message).await, "end of 1");
    let quoted = "x".repeat(8 * 1024 * 1024 - 20);
    assert_done(&session.run(&format!("V='{quoted}'; echo ${{#V}}")).await, &quoted.len().to_string());
    session.kill().await;
}

#[tokio::test]
async fn a_message_in_any_locale_keeps_its_bytes() {
    let mut world = World::new();
    world.environment.insert("LC_ALL".into(), "C".into());
    let mut session = world.launch().await;
    assert_done(&session.run("echo naïve 漢字; printf é | wc -c").await, "naïve 漢字\n2");
    session.kill().await;
}

#[tokio::test]
async fn errors_look_as_they_do_to_a_person() {
    let world = World::new();
    let mut session = world.launch().await;
    for (message, code, text) in [
        ("nosuchcommand", 127, "bash: nosuchcommand: command not found"),
        ("/etc/passwd", 126, "bash: /etc/passwd: Permission denied"),
        ("if", 2, "bash: eval: line 2: syntax error: unexpected end of file"),
        ("echo a)", 2, "bash: eval: line 1: syntax error near unexpected token `)'\nbash: eval: line 1: `echo a)'"),
        ("return 3; echo on", 0, "bash: return: can only `return' from a function or sourced script\non"),
        ("echo ${unset:?is unset}; echo not here", 1, "bash: unset: is unset"),
        ("set -u; echo $nope", 1, "bash: nope: unbound variable"),
        ("set +u; exec nosuchprogram", 127, "bash: exec: nosuchprogram: not found"),
        ("readonly R=1; R=2; echo not here", 1, "bash: R: readonly variable"),
    ] {
        let done = session.run(message).await;
        assert_eq!((done.code(), done.text.as_str()), (code, text), "{message:?}");
    }
    session.kill().await;
}

#[tokio::test]
async fn nothing_that_a_message_does_to_its_shell_breaks_the_next() {
    let world = World::new();
    let mut session = world.launch().await;
    for message in [
        "break; echo x",
        "break 5",
        "continue 3",
        "PROMPT_COMMAND='echo mine'; PS1='> '; PS0=hm",
        "break 2",
        "unset PROMPT_COMMAND; break 2",
        "readonly IFS REPLY; alias builtin=echo eval=echo local=echo printf=echo while=echo",
        "unalias -a",
        "unset -f __adj_next; readonly -f __adj_say; __adj_id=99; __adj_last=; __adj_status=x",
        "set -x; set +x; set -v; set +v; set -f; set -n; set -o posix; set +o posix",
        "trap 'echo bye' EXIT RETURN; trap 'true' ERR DEBUG",
        "trap - EXIT RETURN ERR DEBUG",
        "exec 5>/dev/null 6</dev/null; exec 5>&- 6<&-; for fd in {10..254}; do eval \"exec $fd>&-\"; done",
        "mkdir gone && cd gone && rmdir ../gone",
        "cd /; stty raw -echo; printf '\\033[?1049h'",
        "shopt -s extdebug; set -T; shopt -u extdebug; set +T; shopt -s nocasematch; shopt -s failglob",
        "TMOUT=1; SECONDS=0; BASH_XTRACEFD=2; IGNOREEOF=1",
        "kill $$; kill -INT $$",
        "set -a; BIG=1; set +a; set -o vi; set +o emacs; bind -r '\\e[99971;1~'",
        "f() { builtin() { :; }; unset -f builtin; }; f",
        "enable -n printf; enable printf",
        "LC_ALL=tr_TR.UTF-8; IFS=0; ulimit -n 64; umask 777; umask 022",
    ] {
        session.run(message).await;
        let done = session.run("echo still here >&2").await;
        assert_done(&done, "still here");
    }
    session.kill().await;
    world.assert_empty();
}

#[tokio::test]
async fn a_break_outside_of_a_loop_is_told_and_shows_no_prompt() {
    let world = World::new();
    let mut session = world.launch().await;
    let done = session.run("echo before; break; echo behind").await;
    assert_eq!((done.code(), done.text.as_str()), (0, "before"));
    assert!(done.end.detail.as_deref().is_some_and(|detail| detail.contains("`break`")), "{done:?}");
    let done = session.run("for i in 1 2; do break; done; echo behind").await;
    assert_eq!((done.text.as_str(), &done.end.detail), ("behind", &None), "a loop of its own is its own");
    session.kill().await;
}

#[tokio::test]
async fn options_of_the_shell_stay_as_a_message_set_them() {
    let world = World::new();
    let mut session = world.launch().await;
    session.run("set -x").await;
    let traced = session.run("echo traced").await;
    assert!(traced.text.ends_with("+ echo traced\ntraced"), "{traced:?}");
    assert!(!traced.text.contains("__adj"), "{traced:?}");
    session.run("set +x; set -f").await;
    assert_done(&session.run("echo *").await, "*");
    assert_eq!(session.run("env | grep -c __adj").await.text, "0");
    session.kill().await;
}

#[tokio::test]
async fn a_redirected_shell_stays_redirected_and_says_so() {
    let world = World::new();
    let mut session = world.launch().await;
    let done = session.run("exec >out.txt").await;
    assert!(done.end.detail.as_deref().is_some_and(|detail| detail.contains("standard output")), "{done:?}");
    assert_eq!(session.run("echo hidden").await.text, "");
    let done = session.run("exec >/dev/tty; cat out.txt").await;
    assert_done(&done, "hidden");
    assert_eq!(done.end.detail, None);
    session.kill().await;
}

#[tokio::test]
async fn the_environment_is_the_callers_and_names_the_session() {
    let mut world = World::new();
    world.environment.extend([
        ("MINE".to_owned(), "a b\n'c'".to_owned()),
        ("CLAUDECODE".to_owned(), "1".to_owned()),
        ("PROMPT_COMMAND".to_owned(), "echo no".to_owned()),
        ("PAGER".to_owned(), "less".to_owned()),
    ]);
    let mut session = world.launch().await;
    let text = session.run("echo \"$MINE|$CLAUDECODE|$PAGER|$ADJ_SESSION|$HISTFILE|$0\"; env | grep -c PROMPT").await;
    assert_eq!(text.text, "a b\n'c'||cat|fizz-top||bash\n0");
    assert_done(&session.run("test -t 0 && test -t 1 && test -t 2 && tput cols && stty size").await, "200\n50 200");
    assert_done(&session.run("ls /proc/$$/fd | wc -l; ls /proc/self/fd | wc -l").await, "4\n4");
    session.kill().await;
}
