//! Waking: at a time, after a delay, when others have ended; whatever becomes of the daemon meanwhile.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use adjutant_testkit::{Bell, Dice, Process, World};
use serde_json::{Value, json};

use crate::SOON;

/// What B says of A when it is woken.
const TELLS: &str = r#"echo "${ADJ_AFTER_SESSIONS[0]} ${ADJ_AFTER_OUTCOMES[0]} ${ADJ_AFTER_EXIT_CODES[0]}" > told; printf '%s\n' "$ADJ_AFTER""#;

/// What becomes of the daemon between the wake and the end of what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    KilledAndStarted,
    AwayWhenItEnds,
    EndedBefore,
}

/// A is told to run something that ends with 3; B is to go on then. Nobody is connected.
fn b_is_woken_with_the_outcome_of_a(meanwhile: Meanwhile) {
    let world = World::new();
    let (a, b) = (world.shell(), world.shell());
    let (gate, mut begun, mut told) = (world.bell("gate"), world.bell("begun"), world.bell("told"));
    let first = world.send(&a, "echo x > begun; read -r _ < gate; echo built; exit 3");
    begun.line(SOON);
    if meanwhile == Meanwhile::EndedBefore {
        gate.release(1);
        let _ = world.adj(["wait", &a, "--for", &first]).expect_code(3);
    }
    let woken = world.adj(["--json", "wake", &b, "--after", &a, "--message", TELLS]).expect_code(0).json();
    let message = woken["id"].as_str().expect("an id").to_owned();
    match meanwhile {
        Meanwhile::Nothing => gate.release(1),
        Meanwhile::KilledAndStarted => {
            world.kill_daemon();
            let _ = world.start_daemon(&[]);
            gate.release(1);
        }
        Meanwhile::AwayWhenItEnds => {
            let shell = Process::open(pid_of(&world, &a)).expect("the shell runs");
            world.kill_daemon();
            gate.release(1);
            assert!(shell.ends_within(SOON), "the shell ends without a daemon");
            let _ = world.start_daemon(&[]);
        }
        Meanwhile::EndedBefore => assert_eq!(woken["handed"], true, "{woken:#}"),
    }
    assert_eq!(told.line(SOON), format!("{a} failed 3"), "{meanwhile:?}");
    let shown = world.adj(["wait", &b, "--for", &message, "--print"]).expect_code(0).stdout;
    let expected = format!("[adjutant] {a}, turn 1: failed, exit code 3; its final text:\n| built\n");
    assert!(shown.contains(&expected), "{shown}");
    let kept = message_of(&world, &b, &message);
    assert_eq!(kept["after"][0]["state"], "settled", "{kept:#}");
    assert_eq!(
        (&kept["after"][0]["outcome"], &kept["after"][0]["exit_code"]),
        (&json!("failed"), &json!(3)),
        "{kept:#}"
    );
    let logged = world.adj(["logs", &b]).expect_code(0).stdout;
    assert!(logged.contains(&format!("{TELLS}\n[adjutant] What this message waited for;")), "{logged}");
    let taken =
        world.adj(["--json", "watch", "--since", "0", "--types", "message.delivered", &b]).expect_code(0).stdout;
    assert!(taken.contains("; beside its text, the results of 1 of 1 that it waited for"), "{taken}");
    let page = world.adj(["export", "--format", "markdown", &b]).expect_code(0).stdout;
    assert!(page.contains("**Put beside it**\n\n```text\n[adjutant] What this"), "{page}");
    assert!(kept["receipt"]["appended_bytes"].as_u64().is_some_and(|bytes| bytes > 100), "{kept:#}");
    world.assert_sound();
}

fn pid_of(world: &World, session: &str) -> u32 {
    let started = world.adj(["--json", "watch", "--since", "0", session, "--types", "session.started"]).expect_code(0);
    let pid = started.json()["data"]["agent_pid"].as_u64();
    pid.and_then(|pid| u32::try_from(pid).ok()).unwrap_or_else(|| panic!("no pid: {started:#?}"))
}

#[track_caller]
fn message_of(world: &World, session: &str, id: &str) -> Value {
    let queue = world.adj(["--json", "queue", "list", "-a", session]).expect_code(0).json();
    let found = queue.as_array().into_iter().flatten().find(|message| message["id"] == id);
    found.cloned().unwrap_or_else(|| panic!("no {id} in {queue:#}"))
}

#[test]
fn b_is_woken_when_a_has_ended_and_nobody_is_connected() {
    b_is_woken_with_the_outcome_of_a(Meanwhile::Nothing);
}

#[test]
fn b_is_woken_though_the_daemon_was_killed_in_between() {
    b_is_woken_with_the_outcome_of_a(Meanwhile::KilledAndStarted);
}

#[test]
fn b_is_woken_though_a_ended_while_no_daemon_was_there() {
    b_is_woken_with_the_outcome_of_a(Meanwhile::AwayWhenItEnds);
}

#[test]
fn b_is_woken_at_once_by_what_has_ended_before() {
    b_is_woken_with_the_outcome_of_a(Meanwhile::EndedBefore);
}

#[test]
fn all_wait_for_the_last_and_any_for_the_first() {
    let world = World::new();
    let sessions = world.shells(4);
    let [a, b, all, any] = &sessions[..] else { unreachable!("there are four") };
    let (gate_a, gate_b) = (world.bell("gate-a"), world.bell("gate-b"));
    let mut told = world.bell("told");
    let first = world.send(a, "read -r _ < gate-a; (exit 4)");
    let _ = world.send(b, "read -r _ < gate-b");
    let say = |who: &str| format!("echo {who} ${{ADJ_AFTER_OUTCOMES[*]}} > told");
    let _ = world.adj(["wake", all, "--after", &first, "--after", b, &say("all")]).expect_code(0);
    let _ = world.adj(["wake", any, "--after", a, "--after", b, "--any", &say("any")]).expect_code(0);
    let listed = world.adj(["queue", "list", all]).expect_code(0).stdout;
    assert!(listed.contains("delayed") && listed.contains(&format!("after {first}, {b}")), "{listed}");
    gate_a.release(1);
    assert_eq!(told.line(SOON), "any failed pending");
    gate_b.release(1);
    assert_eq!(told.line(SOON), "all failed completed");
}

#[test]
fn a_text_that_leaves_a_quote_open_runs_nothing_of_what_it_waited_for() {
    let world = World::new();
    let (a, b) = (world.shell(), world.shell());
    let _ = world
        .adj([
            "ask",
            &a,
            r#"printf '%s\n' '"; touch evil; "' '$(touch evil)' "'; touch evil; '" EOF 'touch evil' '`touch evil`'"#,
        ])
        .expect_code(0);
    let _ = world.adj(["ask", &b, "shopt -u interactive_comments"]).expect_code(0);
    for text in ["echo \"open", "echo 'open", "cat <<EOF", "echo x\\", "echo $(", "true"] {
        let sent = world.adj(["wake", "-q", &b, "--after", &a, "--message", text]).expect_code(0);
        let _ = world.adj(["wait", &b, "--for", sent.word(), "-t", "60"]);
        assert!(world.work().join("evil").try_exists().is_ok_and(|there| !there), "{text}");
    }
}

#[test]
fn a_sender_is_woken_by_its_own_message_and_may_end_its_turn_meanwhile() {
    let world = World::new();
    let (a, b) = (world.shell(), world.shell());
    let gate = world.bell("gate");
    let _ = world.adj(["introduce", &a, &b]).expect_code(0);
    let adj = world.adj_path().display().to_string();
    let asked = world.adj(["ask", &a, &format!("{adj} send {b} --wake-me 'read -r _ < gate; echo there; (exit 5)'")]);
    let _ = asked.expect_code(0);
    let queue = world.adj(["--json", "queue", "list", &a]).expect_code(0).json();
    assert_eq!(queue[0]["after"][0]["session"], b.as_str(), "{queue:#}");
    let wake = queue[0]["id"].as_str().expect("an id").to_owned();
    let waits = world.start(["wait", &a, "--for", &wake]);
    gate.release(1);
    let _ = waits.end().expect_code(0);
    let said = world.adj(["ask", &a, r#"echo "$ADJ_NOTICE"; echo "${ADJ_AFTER_EXIT_CODES[0]}"; echo "$ADJ_AFTER""#]);
    let said = said.expect_code(0).stdout;
    assert!(said.contains(&format!("that you sent to {b} has ended.\n5\n")) && said.contains("| there\n"), "{said}");
    let human = world.adj(["--json", "send", &b, "--wake-me", "x"]).expect_error(2, "usage");
    assert!(human.stderr.contains("only a session"), "{human:#?}");
}

#[test]
fn a_session_wakes_itself_and_answers_its_parent() {
    let world = World::new();
    let parent = world.shell();
    let mut told = world.bell("told");
    let adj = world.adj_path().display().to_string();
    let _ = world.adj(["ask", &parent, &format!("{adj} wake self --delay 30ms 'echo woken > told'")]).expect_code(0);
    assert_eq!(told.line(SOON), "woken");
    let child = world.adj(["ask", &parent, &format!("{adj} create -q --cli shell")]).expect_code(0).word().to_owned();
    let _ = world.adj(["ask", &child, &format!("{adj} send parent 'echo answered > told'")]).expect_code(0);
    assert_eq!(told.line(SOON), "answered");
}

#[test]
fn g6_a_sender_is_told_that_nothing_will_come_of_its_message() {
    let world = World::new();
    let (a, b) = (world.shell(), world.shell());
    let _ = world.adj(["introduce", &a, &b]).expect_code(0);
    let adj = world.adj_path().display().to_string();
    let sent = world.adj(["ask", &a, &format!("{adj} send -q {b} --delay 1h 'echo never'")]).expect_code(0);
    let message = sent.word().to_owned();
    let _ = world.adj(["queue", "remove", &b, &message]).expect_code(0);
    let _ = world.adj(["wait", &a, "--include-delayed"]).expect_code(0);
    let queue = world.adj(["--json", "queue", "list", "-a", &a]).expect_code(0).json();
    let notices: Vec<&Value> = queue.as_array().into_iter().flatten().filter(|m| m["kind"] == "notice").collect();
    assert_eq!(notices.len(), 1, "{queue:#}");
    assert_eq!((&notices[0]["from"], &notices[0]["reply_to"]), (&json!("adjutant"), &json!(message)), "{queue:#}");
    let said = world.adj(["ask", &a, r#"echo "$ADJ_NOTICE""#]).expect_code(0);
    assert_eq!(said.word(), format!("Adjutant: your message {message} to {b} was taken back by somebody else."));
}

/// The notices that a session was sent: what became of each, and what it says.
fn notices(world: &World, session: &str) -> Vec<(String, String)> {
    let queue = world.adj(["--json", "queue", "list", "-a", session]).expect_code(0).json();
    let of = queue.as_array().cloned().unwrap_or_default().into_iter().filter(|m| m["kind"] == "notice");
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    of.map(|m| (word(&m["state"]), word(&m["text"]))).collect()
}

#[test]
fn g6_a_sender_that_has_ended_its_turn_is_woken_when_its_message_fails_and_no_daemon_was_there() {
    let world = World::new();
    let (a, b) = (world.shell(), world.shell());
    let (gate, mut begun) = (world.bell("gate"), world.bell("begun"));
    let adj = world.adj_path().display().to_string();
    let script = "echo x > begun; read -r _ < gate; exit 3";
    let sent = world.adj(["ask", &a, &format!("{adj} send -q {b} '{script}'")]).expect_code(0);
    let message = sent.word().to_owned();
    begun.line(SOON);
    let shell = Process::open(pid_of(&world, &b)).expect("the shell runs");
    world.kill_daemon();
    gate.release(1);
    assert!(shell.ends_within(SOON), "the shell ends without a daemon");
    let _ = world.start_daemon(&[]);
    let _ = world.adj(["wait", &b, "--for", &message]).expect_code(3);
    let _ = world.adj(["wait", &a]).expect_code(0);
    let expected =
        format!("Adjutant: your message {message} to {b} failed in turn 1: its command ended with exit code 3.");
    assert_eq!(notices(&world, &a), [("done".to_owned(), format!("ADJ_NOTICE='{expected}'"))]);
    assert_eq!(world.adj(["ask", &a, r#"echo "$ADJ_NOTICE""#]).expect_code(0).word(), expected);
    world.assert_sound();
}

#[test]
fn g6_a_sender_that_waits_for_its_message_is_not_told_once_more() {
    let world = World::new();
    let (a, b) = (world.shell(), world.shell());
    let adj = world.adj_path().display().to_string();
    for script in [
        format!("{adj} ask {b} '(exit 3)'; echo code $?"),
        // It has failed before the wait begins, or not: the answer is the same.
        format!("m=$({adj} send -q {b} '(exit 3)'); {adj} wait {b} --for $m > word; echo code $?"),
        format!("{adj} send -q {b} '(exit 3)' > id; {adj} watch {b} > line; {adj} wait {b} > word; echo code $?"),
    ] {
        assert!(world.adj(["ask", &a, &script]).expect_code(0).stdout.contains("code 3"), "{script}");
    }
    let told = notices(&world, &a);
    assert!(told.iter().all(|(state, _)| state == "cancelled"), "{told:#?}");
    let _ = world.adj(["wait", &a]).expect_code(0);
    world.assert_sound();
}

#[test]
fn g6_a_kill_is_told_as_what_it_is() {
    let world = World::new();
    let (a, b) = (world.shell(), world.shell());
    let adj = world.adj_path().display().to_string();
    let sent = world.adj(["ask", &a, &format!("{adj} wake -q {b} --delay 1h true")]).expect_code(0);
    let message = sent.word().to_owned();
    let _ = world.adj(["kill", &b]).expect_code(0);
    let _ = world.adj(["wait", &a]).expect_code(0);
    let expected =
        format!("Adjutant: your message {message} to {b} was cancelled before it ran, because {b} was killed.");
    assert_eq!(notices(&world, &a), [("done".to_owned(), format!("ADJ_NOTICE='{expected}'"))]);
}

#[test]
fn what_is_delayed_is_no_work_that_is_waited_for_and_that_is_said() {
    let world = World::new();
    let (b, c) = (world.shell(), world.shell());
    let later = world.adj(["wake", "-q", &b, "--delay", "1h", "true"]).expect_code(0).word().to_owned();
    let at_once = world.adj(["wake", &c, "--after", &b, "true"]).expect_code(0);
    assert!(at_once.stderr.contains(&format!("not waited for: {later}\n")), "{at_once:#?}");
    assert!(at_once.stderr.contains(&format!("hint: adj wake {c} --after {later}")), "{at_once:#?}");
    let waits = world.adj(["wake", &c, "--after", &later, "--after", &b, "--delay", "1h", "true"]).expect_code(0);
    assert!(waits.stdout.contains(&format!(", after {later}\n")), "{waits:#?}");
    let listed = world.adj(["queue", "list", &c]).expect_code(0).stdout;
    assert!(listed.contains(&format!("Z and after {later}, {b} (idle)")), "all that it waits for: {listed}");
}

#[test]
fn what_was_put_beside_a_message_is_not_denied_when_its_session_is_forgotten() {
    let world = World::new();
    let (a, b) = (world.shell(), world.shell());
    let _ = world.adj(["ask", &a, "echo last"]).expect_code(0);
    let sent = world.adj(["wake", "-q", &b, "--after", &a, "true"]).expect_code(0);
    let _ = world.adj(["wait", &b, "--for", sent.word()]).expect_code(0);
    assert!(world.adj(["logs", &b]).expect_code(0).stdout.contains("its final text:\n| last\n"));
    let _ = world.adj(["kill", "--purge", &a]).expect_code(0);
    let logged = world.adj(["logs", &b]).expect_code(0).stdout;
    assert!(
        logged.contains(&format!("{a}, turn 1: completed, exit code 0; its final text is no longer kept")),
        "{logged}"
    );
}

#[test]
fn g10_a_repetition_says_that_it_is_one() {
    let world = World::new();
    let b = world.shell();
    for verb in ["send", "wake"] {
        let again = [verb, &b, "--key", verb, "--delay", "1h", "true"];
        let first = world.adj(again).expect_code(0);
        let second = world.adj(again).expect_code(0);
        assert!(!first.stdout.contains("already"), "{first:#?}");
        assert!(second.stdout.contains("has this key already (queued, runs at "), "{second:#?}");
    }
    assert_eq!(world.adj(["queue", "list", "-q", &b]).expect_code(0).stdout.lines().count(), 2);
}

#[test]
fn g8_what_is_not_there_is_not_waited_for() {
    let world = World::new();
    let b = world.shell();
    for (after, code) in [("nobody-top", "session_not_found"), ("m999", "message_not_found")] {
        let refused = world.adj(["--json", "wake", &b, "--after", after, "x"]).expect_error(4, code);
        assert!(refused.stderr.contains(after), "{refused:#?}");
    }
    let _ = world.adj(["--json", "wake", &b, "--delay", "1s"]).expect_error(2, "usage");
    let _ = world.adj(["--json", "wake", &b, "--any", "x"]).expect_error(2, "usage");
    assert_eq!(world.adj(["queue", "list", "-a", &b]).expect_code(0).word(), "Queue is empty");
}

#[test]
fn g8_an_edit_to_now_waits_for_nobody() {
    let world = World::new();
    let (a, b) = (world.shell(), world.shell());
    let (gate, mut told) = (world.bell("gate"), world.bell("told"));
    let _ = world.send(&a, "read -r _ < gate");
    let sent = world.adj(["wake", "-q", &b, "--after", &a, "echo ${ADJ_AFTER_OUTCOMES[0]} > told"]).expect_code(0);
    let _ = world.adj(["queue", "edit", &b, sent.word(), "--now"]).expect_code(0);
    assert_eq!(told.line(SOON), "pending");
    gate.release(1);
}

#[test]
fn g12_what_became_due_without_a_daemon_runs_once_oldest_first_and_says_so() {
    let world = World::new();
    let (b, clock) = (world.shell(), world.shell());
    let (mut told, never, mut passed) = (world.bell("told"), world.bell("never"), world.bell("passed"));
    let later =
        world.adj(["wake", "-q", &b, "--delay", "400ms", "echo later >> ran; echo later > told"]).expect_code(0);
    let sooner =
        world.adj(["wake", "-q", &b, "--delay", "300ms", "echo sooner >> ran; echo sooner > told"]).expect_code(0);
    // The shell lives on without the daemon, and tells when the time has passed.
    let _ = world.send(&clock, "read -r -t 1 _ <> never; echo x > passed");
    world.kill_daemon();
    passed.line(SOON);
    let _ = world.start_daemon(&[]);
    assert_eq!((told.line(SOON), told.line(SOON)), ("sooner".to_owned(), "later".to_owned()));
    for message in [sooner.word(), later.word()] {
        let _ = world.adj(["wait", &b, "--for", message]).expect_code(0);
        let kept = message_of(&world, &b, message);
        assert_eq!(kept["receipt"]["overdue"], true, "{kept:#}");
        assert!(kept["receipt"]["late_ms"].as_u64().is_some_and(|late| late > 100), "{kept:#}");
    }
    assert_eq!(world.lines_of("ran"), ["sooner", "later"]);
    drop(never);
    world.assert_sound();
}

/// How large the storm of delayed messages is: all of it with `ADJ_WAKE_FULL`.
struct Storm {
    sessions: usize,
    messages: usize,
    span_ms: u64,
    kills: usize,
    lead_ms: u64,
}

impl Storm {
    fn wanted() -> Self {
        if std::env::var_os("ADJ_WAKE_FULL").is_some() {
            Self { sessions: 100, messages: 1_000, span_ms: 20_000, kills: 10, lead_ms: 60_000 }
        } else {
            Self { sessions: 20, messages: 200, span_ms: 8_000, kills: 4, lead_ms: 10_000 }
        }
    }
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(0)
}

/// A point in time of this day, as the wire writes it, in milliseconds since 1970.
fn millis_of(text: &str) -> u64 {
    let number = |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse::<u64>().ok()).unwrap_or(0);
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719_468;
    (((days * 24 + number(11, 13)) * 60 + number(14, 16)) * 60 + number(17, 19)) * 1_000 + number(20, 23)
}

struct Due {
    session: usize,
    at: u64,
}

/// One in two waits by the boot clock, the others by the wall clock.
fn submit(world: &World, storm: &Storm, sessions: &[String], dice: &mut Dice) -> BTreeMap<String, Due> {
    let begins = now_ms() + storm.lead_ms;
    let mut due = BTreeMap::new();
    for i in 0..storm.messages {
        let session = dice.below(sessions.len());
        let at = begins + dice.below(usize::try_from(storm.span_ms).unwrap_or(1)) as u64;
        let text = format!("line=\"m-{i} $EPOCHREALTIME\"; echo \"$line\" >> ran-{session}; echo \"$line\" > rang");
        let delay = format!("{}ms", at.saturating_sub(now_ms()));
        let sent = world.adj(["--json", "wake", &sessions[session], "--delay", &delay, &text]).expect_code(0).json();
        let at = millis_of(sent["run_at"].as_str().unwrap_or_else(|| panic!("it is due too soon: {sent:#}")));
        due.insert(format!("m-{i}"), Due { session, at });
    }
    assert!(now_ms() < begins, "the messages are queued before the first is due; give it more time");
    due
}

/// `1795160442.118123` in milliseconds.
fn real_ms(text: &str) -> u64 {
    let (seconds, micros) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    seconds.parse::<u64>().unwrap_or(0) * 1_000 + micros.get(..3).and_then(|ms| ms.parse::<u64>().ok()).unwrap_or(0)
}

#[test]
fn delayed_messages_run_once_and_in_order_through_the_deaths_of_the_daemon() {
    let storm = Storm::wanted();
    let world = World::new();
    let mut dice = Dice::new(3);
    let sessions = world.shells(storm.sessions);
    let mut rang: Bell = world.bell("rang");
    let due = submit(&world, &storm, &sessions, &mut dice);
    let mut away: Vec<(u64, u64)> = Vec::new();
    let mut ran: Vec<(String, u64)> = Vec::new();
    for heard in 1..=storm.messages {
        let line = rang.line(Duration::from_secs(120));
        let (tag, at) = line.split_once(' ').unwrap_or((&line, ""));
        ran.push((tag.to_owned(), real_ms(at)));
        if heard % (storm.messages / (storm.kills + 1)) == 0 && away.len() < storm.kills {
            let from = now_ms();
            world.kill_daemon();
            let _ = world.start_daemon(&[]);
            away.push((from, now_ms()));
        }
    }
    for (i, session) in sessions.iter().enumerate() {
        let _ = world.adj(["wait", session, "--include-delayed", "-t", "60"]).expect_code(0);
        let lines = world.lines_of(&format!("ran-{i}"));
        let mut tags: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
        let order: Vec<u64> = tags.iter().map(|tag| due[*tag].at).collect();
        assert!(
            order.is_sorted(),
            "{session} ran its messages in the order in which they were due: {tags:?} {order:?}"
        );
        let mut expected: Vec<&str> = due.iter().filter(|(_, d)| d.session == i).map(|(tag, _)| tag.as_str()).collect();
        tags.sort_unstable();
        expected.sort_unstable();
        assert_eq!(tags, expected, "each message of {session} ran exactly once");
    }
    tell_lateness(&due, &ran, &away);
    world.assert_sound();
}

#[expect(clippy::print_stdout, reason = "a distribution is to be looked at")]
fn tell_lateness(due: &BTreeMap<String, Due>, ran: &[(String, u64)], away: &[(u64, u64)]) {
    let is_up = |at: u64| away.iter().all(|(from, to)| at < *from || at > *to);
    let late = |up: bool| {
        let of: Vec<&(String, u64)> = ran.iter().filter(|(tag, _)| is_up(due[tag].at) == up).collect();
        let mut late: Vec<u64> = of.iter().map(|(tag, at)| at.saturating_sub(due[tag].at)).collect();
        late.sort_unstable();
        late
    };
    for (what, late) in [("up", late(true)), ("away", late(false))] {
        let at =
            |percent: usize| late.get((late.len() * percent / 100).min(late.len().saturating_sub(1))).unwrap_or(&0);
        let (p50, p90, p99, max) = (at(50), at(90), at(99), late.last().unwrap_or(&0));
        println!(
            "due while the daemon was {what}: {} messages, late by p50 {p50} p90 {p90} p99 {p99} max {max} ms",
            late.len()
        );
    }
}

#[test]
fn g9_a_delay_on_an_idle_machine_is_kept() {
    let world = World::new();
    let session = world.shell();
    let mut told = world.bell("told");
    let mut late: Vec<u64> = (0..20)
        .map(|_| {
            let sent =
                world.adj(["--json", "wake", &session, "--delay", "50ms", "echo $EPOCHREALTIME > told"]).expect_code(0);
            let run_at = millis_of(sent.json()["run_at"].as_str().unwrap_or_default());
            real_ms(&told.line(SOON)).saturating_sub(run_at)
        })
        .collect();
    late.sort_unstable();
    println!("late by {late:?} ms");
    assert!(late[10] < 50, "half of them are late by less than 50 ms: {late:?}");
}

/// A daemon whose wall clock the test sets. The kernel's own clock belongs to the machine and stays; what is shown is
/// everything behind its news that it was set, and behind the reading of it.
struct Jumpy {
    world: World,
    daemon: Process,
    file: std::path::PathBuf,
}

impl Jumpy {
    fn new() -> Self {
        let world = World::new();
        let file = world.root().join("wall");
        let world = world.with_variable("ADJ_TEST_WALL_FILE", &file.display().to_string());
        let daemon = world.start_daemon(&[]);
        Self { world, daemon, file }
    }

    /// Sets the wall clock to so many seconds from the true time.
    fn jump(&self, seconds: i64) {
        std::fs::write(&self.file, format!("{}\n", seconds * 1_000)).expect("a file");
        self.daemon.signal(rustix::process::Signal::USR1);
    }

    fn wake(&self, id: &str, words: &[&str]) -> String {
        let told = self.world.adj([&["-q", "wake", id, "echo $EPOCHREALTIME"], words].concat());
        told.expect_code(0).word().to_owned()
    }

    fn ends(&self, id: &str, message: &str) {
        let _ = self.world.adj(["wait", id, "--for", message]).expect_code(0);
    }

    fn waits(&self, id: &str, message: &str) {
        assert_eq!(message_of(&self.world, id, message)["state"], "queued");
    }
}

/// The moment so many seconds from now, in the true time, as `--run-at` takes it.
fn in_seconds(seconds: u64) -> String {
    let world = World::new();
    let format = "+%Y-%m-%dT%H:%M:%S.%3NZ";
    world.inside(&format!("date -u -d '+{seconds} seconds' {format}")).expect_code(0).word().to_owned()
}

#[test]
fn a_clock_that_jumps_neither_loses_a_message_nor_fires_it_early() {
    let jumpy = Jumpy::new();
    let (x, y) = (jumpy.world.shell(), jumpy.world.shell());
    let at = jumpy.wake(&x, &["--run-at", &in_seconds(3_600)]);
    let later = jumpy.wake(&x, &["--run-at", &in_seconds(4 * 3_600)]);
    let after = jumpy.wake(&y, &["--delay", "1h"]);
    jumpy.jump(2 * 3_600);
    jumpy.ends(&x, &at);
    jumpy.waits(&x, &later);
    jumpy.waits(&y, &after);
    // Back again: what was an hour away by the clock is two hours away now, and what counts by delay is as it was.
    let soon = jumpy.wake(&y, &["--delay", "1500ms"]);
    jumpy.jump(-3_600);
    let began = std::time::Instant::now();
    jumpy.ends(&y, &soon);
    assert!(began.elapsed() < Duration::from_secs(20), "a delay does not follow the clock: {:?}", began.elapsed());
    jumpy.waits(&x, &later);
    let receipt = message_of(&jumpy.world, &y, &soon)["receipt"].clone();
    assert!(receipt["late_ms"].as_u64().is_some_and(|late| late < 1_000), "{receipt:#}");
    let past = jumpy.wake(&x, &["--run-at", &in_seconds(1)]);
    jumpy.waits(&x, &past);
    jumpy.jump(5 * 3_600);
    jumpy.ends(&x, &later);
    jumpy.ends(&x, &past);
    jumpy.waits(&y, &after);
    let ran = jumpy.world.adj(["--json", "last-message", "-n", "9", &x]).expect_code(0).json();
    assert_eq!(ran.as_array().map(Vec::len), Some(3), "each ran once: {ran:#}");
    // The next daemon reads the true clock again: nothing fires a second time, and nothing early.
    jumpy.world.kill_daemon();
    let _ = jumpy.world.start_daemon(&[]);
    jumpy.waits(&y, &after);
    let ran = jumpy.world.adj(["--json", "last-message", "-n", "9", &x]).expect_code(0).json();
    assert_eq!(ran.as_array().map(Vec::len), Some(3), "{ran:#}");
}

#[test]
fn what_a_message_waits_for_is_in_the_record_of_its_session() {
    let world = World::new();
    let (a, b) = (world.shell(), world.shell());
    let gate = world.bell("gate");
    let first = world.send(&a, "read -r _ < gate");
    let _ = world.adj(["wake", &b, "echo on", "--after", &a, "--after", &first, "--delay", "1h"]).expect_code(0);
    let shown = |which: usize, key: &str| {
        let record = world.adj(["--json", "inspect", &b]).expect_code(0).json();
        record["messages"][0]["after"][which][key].clone()
    };
    assert_eq!((shown(0, "session"), shown(0, "state")), (json!(a), json!("open")));
    assert_eq!((shown(1, "message"), shown(1, "state")), (json!(first), json!("open")));
    gate.release(1);
    let _ = world.adj(["wait", &a]).expect_code(0);
    assert_eq!((shown(0, "state"), shown(0, "outcome")), (json!("settled"), json!("completed")));
    assert_eq!(shown(1, "state"), "settled");
}
