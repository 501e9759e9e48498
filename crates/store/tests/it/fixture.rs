//! A store of each released format stays here, and opens for ever.
//!
//! The fixture is made by
//! `ADJ_STORE_MAKE_FIXTURE=1 cargo test -p adjutant-store --test it fixture::make_fixture`
//! and never again once its format has been released. What is expected of it stands beside it as text; when a type of the
//! core has gained a field, `ADJ_STORE_MAKE_EXPECTED=1` and `fixture::make_expected` write that text anew, to be looked at.

use std::fs;
use std::path::{Path, PathBuf};

use adjutant_core::agent::{RequestEnd, SessionEnd, StartFailure, Usage};
use adjutant_core::event::{Event, Place};
use adjutant_core::id::{Attempt, MessageId, TokenId, TurnNumber};
use adjutant_core::message::{
    After, Came, Dependency, DependencyState, MessageEnd, MessageState, Sender, Settlement, TurnResult, Undeliverable,
};
use adjutant_core::outcome::{ExitStatus, FailReason, Outcome, UnknownReason};
use adjutant_core::time::{BootId, BootMoment, Due, Timestamp};
use adjutant_core::wait::{WaitOptions, Waiting};
use adjutant_store::{Batch, Selection};

use crate::scribe::{START, Scribe, id};
use crate::world::{World, log_of};

const MAKE: &str = "ADJ_STORE_MAKE_FIXTURE";
const MAKE_EXPECTED: &str = "ADJ_STORE_MAKE_EXPECTED";
const EXPECTED: &str = "expected.txt";

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1")
}

/// Everything a host may hold: sessions, messages, turns and requests in every state.
fn content() -> (Scribe, Vec<Batch>) {
    let mut scribe = Scribe::new();
    let parts: [fn(&mut Scribe); 8] = [
        busy_session,
        waiting_session,
        queued_messages,
        ended_messages,
        unseen_sessions,
        exited_sessions,
        revived_sessions,
        forgotten_session,
    ];
    let mut batches = Vec::new();
    for part in parts {
        part(&mut scribe);
        batches.push(scribe.batch());
    }
    (scribe, batches)
}

/// One that works, and has worked before.
fn busy_session(scribe: &mut Scribe) {
    scribe.ready(id(1), "fizz-top");
    scribe.work(id(1), "git log --oneline -1", "0198c2 the first commit\n");
    scribe.work(id(1), "printf 'ü\\0'", "\u{fc}\u{0}\u{1b}[0m\u{fffd}");
    scribe.event(id(1), Event::SessionConversation { native: "5a1f".to_owned() });
    scribe.event(id(1), Event::SessionNotice { text: "it retries".to_owned() });
    let usage = Usage { input_tokens: 20, output_tokens: 10, ..Usage::default() };
    scribe.event(id(1), Event::TurnCounted { turn: TurnNumber::new(2), usage });
    let (tool, decision, summary) = ("Bash".to_owned(), "allow".to_owned(), "git status".to_owned());
    scribe.event(id(1), Event::RequestPolicy { tool, decision, summary });
    let message = scribe.send(id(1), "sleep 100");
    scribe.hand(id(1), message);
    let turn = scribe.take(id(1), message);
    scribe.event(id(1), Event::TurnInterruptAsked { turn, by: Sender::Token(TokenId::new(1)) });
    scribe.event(id(1), Event::TurnInterruptPassed { turn, detail: "SIGINT to process group 4242".to_owned() });
}

/// One that somebody has to answer.
fn waiting_session(scribe: &mut Scribe) {
    scribe.create(id(2), "vi-jg", Some(id(1)));
    scribe.start(id(2));
    let message = scribe.send(id(2), "publish it");
    scribe.hand(id(2), message);
    scribe.take(id(2), message);
    let (first, second, third) = (scribe.ask(id(2)), scribe.ask(id(2)), scribe.ask(id(2)));
    scribe.answer(id(2), first);
    scribe.event(id(2), Event::RequestClosed { request: second, end: RequestEnd::AnsweredThere });
    scribe.event(
        id(2),
        Event::RequestAnswered { request: third, by: Sender::Session(id(1)), decision: "deny".to_owned() },
    );
    scribe.ask(id(2));
}

/// One with a queue on hold, in which somebody has been.
fn queued_messages(scribe: &mut Scribe) {
    scribe.ready(id(3), "lux-mid");
    scribe.event(id(3), Event::QueueHeld { by_hand: true });
    let boot = BootMoment { boot: BootId([9; 16]), millis: 60_000 };
    let later = Due::Elapsed { boot, wall: Timestamp::from_millis(START + 60_000) };
    scribe.send_as(id(3), "later", MessageState::Delayed { until: Some(later) });
    let third = scribe.send(id(3), "third");
    after_others(scribe);
    let first = scribe.send(id(3), "first");
    let second = scribe.send(id(3), "second");
    let moved = |message, place| Event::MessageChanged { message, bytes: None, due: None, place: Some(place) };
    scribe.event(id(3), moved(first, Place::First));
    scribe.event(id(3), moved(second, Place::After(first)));
    scribe.edit(id(3), third, "third, and edited");
    let until = Due::At(Timestamp::from_millis(START * 2));
    scribe.event(id(3), Event::MessageChanged { message: second, bytes: None, due: Some(Some(until)), place: None });
    scribe.event(id(3), Event::MessageChanged { message: second, bytes: None, due: Some(None), place: None });
}

/// Messages that wait for others: for work that runs, for what has ended, and for a time besides.
fn after_others(scribe: &mut Scribe) {
    let open = |scribe: &Scribe, session| {
        let options = WaitOptions { through_input: true, ..WaitOptions::default() };
        let (waiting, _) = Waiting::begin(scribe.session(session), options);
        DependencyState::Open { waiting, turn: None }
    };
    let on = |session, name: &str, message, state| Dependency { session, name: name.parse().unwrap(), message, state };
    let first = on(id(1), "fizz-top", None, open(scribe, id(1)));
    let second = on(id(2), "vi-jg", None, open(scribe, id(2)));
    let at = Timestamp::from_millis(START);
    let gone = Settlement::Fallen { message: MessageId::new(1), end: MessageEnd::Cancelled };
    let third = on(id(1), "fizz-top", Some(MessageId::new(1)), DependencyState::Settled { how: gone, at });
    let all = After { any: false, of: vec![first.clone(), second.clone(), third] };
    let until = Some(Due::At(Timestamp::from_millis(START * 2)));
    scribe.send_after(id(3), "after all", MessageState::Delayed { until }, Some(all));
    let any = After { any: true, of: vec![first, second] };
    let message = scribe.send_after(id(3), "after any", MessageState::Delayed { until: None }, Some(any));
    let how = Settlement::Turn(TurnResult {
        turn: TurnNumber::new(3),
        outcome: Outcome::Failed { reason: FailReason::CommandFailed },
        exit: Some(ExitStatus::Code(3)),
    });
    scribe.event(id(3), Event::MessageAfterSettled { message, which: 1, of: id(2), how });
    let came = Some(Came { late_ms: 60_000, overdue: true });
    scribe.event(id(3), Event::MessageDue { message, came });
}

/// One whose messages have ended in every way, and in which one is in delivery.
fn ended_messages(scribe: &mut Scribe) {
    scribe.ready(id(4), "jinx-adc");
    let why = UnknownReason::HandoverUnproven { detail: "the journal ends before it".to_owned() };
    let reason = FailReason::CommandFailed;
    let ends = [
        MessageEnd::Cancelled,
        MessageEnd::Expired,
        MessageEnd::Undeliverable { why: Undeliverable::NeverTaken { detail: "refused".to_owned() } },
        MessageEnd::Unknown { why },
    ];
    for end in ends {
        let message = scribe.send(id(4), "in vain");
        scribe.event(id(4), Event::MessageEnded { message, end });
    }
    for outcome in [Outcome::Failed { reason }, Outcome::Interrupted, Outcome::Exited] {
        let message = scribe.send(id(4), "false");
        scribe.hand(id(4), message);
        let turn = scribe.take(id(4), message);
        let end = adjutant_core::agent::TurnEnd::bare(outcome.clone());
        scribe.event(id(4), Event::TurnEnded { turn, end });
        scribe.event(id(4), Event::MessageEnded { message, end: MessageEnd::Settled { turn, outcome } });
    }
    let message = scribe.send(id(4), "again");
    scribe.hand(id(4), message);
    scribe.event(id(4), Event::MessageReturned { message, detail: "not taken".to_owned() });
    scribe.event(id(4), Event::MessageHanded { message, attempt: Attempt::new(2) });
}

fn unseen_sessions(scribe: &mut Scribe) {
    scribe.create(id(5), "ashe-sup", None);
    scribe.event(id(5), Event::SessionUnseen { why: UnknownReason::Reattaching });
    scribe.ready(id(6), "zed-mid");
    let detail = "permission denied".to_owned();
    scribe.event(id(6), Event::SessionUnseen { why: UnknownReason::JournalUnreadable { detail } });
    scribe.create(id(7), "zoe-mid", None);
    scribe.ready(id(8), "zac-jg");
    scribe.event(id(8), Event::SessionStopAsked { by: Sender::Human, force: false });
}

fn exited_sessions(scribe: &mut Scribe) {
    let lost = SessionEnd::Lost { detail: "no process 4001".to_owned() };
    let why = StartFailure::AgentNotFound { detail: "bash is not on the PATH".to_owned() };
    let ends = [
        (10, "amumu-jg", SessionEnd::Ended { exit: ExitStatus::Signal(9) }),
        (11, "annie-mid", SessionEnd::Killed),
        (12, "bard-sup", lost),
        (13, "brand-sup", SessionEnd::StartFailed { why }),
    ];
    for (number, name, end) in ends {
        scribe.create(id(number), name, Some(id(1)));
        scribe.event(id(number), Event::SessionExited { end: end.clone() });
        scribe.event(id(1), Event::ChildEnded { child: id(number), end });
    }
    scribe.event(id(10), Event::SessionReparented { parent: None });
}

/// One that has ended once, lives again and is at work, and one whose second start failed.
fn revived_sessions(scribe: &mut Scribe) {
    for (number, name) in [(15, "darius-top"), (16, "diana-mid")] {
        scribe.ready(id(number), name);
        scribe.event(id(number), Event::SessionConversation { native: format!("conversation of {name}") });
        scribe.work(id(number), "before", "done before");
        scribe.exit(id(number));
        let (program, token_hash) = ("/opt/agent".to_owned(), format!("second-hash-of-{name}"));
        scribe.event(id(number), Event::SessionRevived { by: Sender::Session(id(1)), program, token_hash });
    }
    scribe.start(id(15));
    scribe.work(id(15), "after", "done after");
    let end = SessionEnd::StartFailed { why: StartFailure::Withdrawn };
    scribe.event(id(16), Event::SessionExited { end });
}

/// One that is gone; the counters remember that it was there.
fn forgotten_session(scribe: &mut Scribe) {
    scribe.ready(id(14), "corki-mid");
    scribe.work(id(14), "secret", "secret");
    scribe.exit(id(14));
    scribe.purge(id(14));
}

#[test]
fn make_fixture() {
    if std::env::var_os(MAKE).is_none() {
        return;
    }
    let world = World::new();
    let (mut writer, _) = world.open();
    let (scribe, batches) = content();
    batches.iter().for_each(|batch| writer.commit(batch).unwrap());
    assert_eq!(writer.reload().unwrap().sessions, scribe.sessions());
    drop(writer);
    fs::create_dir_all(dir()).unwrap();
    for name in ["store.db", "host.json"] {
        fs::copy(world.file(name), dir().join(name)).unwrap();
    }
    fs::write(dir().join(EXPECTED), everything(&world)).unwrap();
}

/// For a core that says the same in other words: the store stays, and what is expected of it is written anew.
#[test]
fn make_expected() {
    if std::env::var_os(MAKE_EXPECTED).is_some() {
        fs::write(dir().join(EXPECTED), everything(&copied())).unwrap();
    }
}

/// A copy of the committed store: the tests may write into it.
fn copied() -> World {
    let world = World::new();
    fs::create_dir(world.dir()).unwrap();
    for name in ["store.db", "host.json"] {
        fs::copy(dir().join(name), world.file(name)).unwrap();
    }
    world
}

/// All that a store gives, a record in each line.
fn everything(world: &World) -> String {
    let (writer, loaded) = world.open();
    let reader = world.reader();
    let mut lines = vec![format!("{} {:?}", writer.host_id(), loaded.counters)];
    lines.extend(log_of(&reader).iter().map(|entry| format!("{entry:?}")));
    for session in &loaded.sessions {
        lines.push(format!("{session:?}"));
        for message in reader.messages_of(session.id, true, 0, 1_000).unwrap() {
            lines.push(format!("{message:?} {:?}", reader.text_of_message(message.id).unwrap()));
        }
        for turn in reader.turns_of(session.id, Selection::Last(1_000)).unwrap() {
            lines.push(format!("{turn:?} {:?}", reader.answer(session.id, turn.number).unwrap()));
        }
        lines.extend(reader.requests_of(session.id, 0, 1_000).unwrap().iter().map(|kept| format!("{kept:?}")));
    }
    lines.join("\n") + "\n"
}

#[test]
fn the_store_of_the_first_version_opens_with_all_that_it_holds() {
    let expected = fs::read_to_string(dir().join(EXPECTED)).unwrap();
    let found = everything(&copied());
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.lines().count(), expected.lines().count());
}

#[test]
fn the_store_of_the_first_version_goes_on() {
    let world = copied();
    let (mut writer, loaded) = world.open();
    let mut scribe = Scribe::after(loaded);
    scribe.event(id(6), Event::SessionSeen);
    scribe.work(id(6), "ls", "files");
    writer.commit(&scribe.batch()).unwrap();
    assert_eq!(writer.reload().unwrap().sessions, scribe.sessions());
    let reader = world.reader();
    assert_eq!(reader.verify_projections().unwrap().differences, []);
    assert_eq!(reader.check().unwrap(), Vec::<String>::new());
}

#[test]
fn a_forgotten_text_is_not_in_the_file_either() {
    let bytes = fs::read(dir().join("store.db")).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"secret"));
}
