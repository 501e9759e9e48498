//! A store of each released format stays here, and opens for ever.
//!
//! The fixture is made by
//! `ADJ_STORE_MAKE_FIXTURE=1 cargo test -p adjutant-store --test it fixture::make_fixture`
//! and never again once its format has been released.

use std::fs;
use std::path::{Path, PathBuf};

use adjutant_core::agent::{RequestEnd, SessionEnd, StartFailure};
use adjutant_core::event::{Event, Place};
use adjutant_core::id::{Attempt, MessageId};
use adjutant_core::message::{MessageEnd, MessageState, Undeliverable};
use adjutant_core::outcome::{ExitStatus, FailReason, Outcome, UnknownReason};
use adjutant_core::time::{BootId, BootMoment, Due, Timestamp};
use adjutant_store::{Batch, Selection};

use crate::scribe::{START, Scribe, id};
use crate::world::{World, known, log_of};

const MAKE: &str = "ADJ_STORE_MAKE_FIXTURE";

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1")
}

/// Everything a host may hold: sessions, messages, turns and requests in every state.
fn content() -> (Scribe, Vec<Batch>) {
    let mut scribe = Scribe::new();
    let parts: [fn(&mut Scribe); 7] =
        [busy_session, waiting_session, queued_messages, ended_messages, unseen_sessions, exited_sessions, forgotten_session];
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
    let message = scribe.send(id(1), "sleep 100");
    scribe.hand(id(1), message);
    let turn = scribe.take(id(1), message);
    scribe.event(id(1), Event::TurnInterruptAsked { turn, by: Some(id(2)) });
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
    scribe.event(id(2), Event::RequestAnswered { request: third, by: Some(id(1)), decision: "deny".to_owned() });
    scribe.ask(id(2));
}

/// One with a queue on hold, in which somebody has been.
fn queued_messages(scribe: &mut Scribe) {
    scribe.ready(id(3), "lux-mid");
    scribe.event(id(3), Event::QueueHeld { by_hand: true });
    let boot = BootMoment { boot: BootId([9; 16]), millis: 60_000 };
    let later = Due::Elapsed { boot, wall: Timestamp::from_millis(START + 60_000) };
    scribe.send_as(id(3), "later", MessageState::Delayed { until: later });
    let third = scribe.send(id(3), "third");
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
    scribe.event(id(8), Event::SessionStopAsked { by: None, force: false });
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
    let (_, batches) = content();
    batches.iter().for_each(|batch| writer.commit(batch).unwrap());
    drop(writer);
    fs::create_dir_all(dir()).unwrap();
    for name in ["store.db", "host.json"] {
        fs::copy(world.file(name), dir().join(name)).unwrap();
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

#[test]
fn the_store_of_the_first_version_opens_with_all_that_it_holds() {
    let world = copied();
    let (mut writer, loaded) = world.open();
    let (mut scribe, batches) = content();
    assert_eq!(writer.host_id().to_string().len(), 32);
    assert_eq!(loaded.counters, batches[batches.len() - 1].counters);
    for (loaded, expected) in loaded.sessions.iter().zip(scribe.sessions()) {
        assert_eq!(*loaded, expected);
    }
    assert_eq!(loaded.sessions.len(), scribe.sessions().len());

    // It is not only read but goes on.
    scribe.event(id(6), Event::SessionSeen);
    writer.commit(&scribe.batch()).unwrap();
    assert_eq!(writer.reload().unwrap().sessions, scribe.sessions());
    let reader = world.reader();
    assert_eq!(reader.verify_projections().unwrap().differences, []);
    assert_eq!(reader.check().unwrap(), Vec::<String>::new());
}

#[test]
fn the_store_of_the_first_version_gives_its_log_and_its_records() {
    let world = copied();
    drop(world.open());
    let (reader, (_, batches)) = (world.reader(), content());
    let stays = |session| session != id(14);
    let events: Vec<_> = batches.iter().flat_map(|b| b.events.clone()).filter(|e| stays(e.session)).collect();
    assert_eq!(known(log_of(&reader)), events);
    for batch in &batches {
        for message in batch.messages.iter().filter(|m| stays(m.session)) {
            assert_eq!(reader.message(message.id).unwrap().as_ref(), Some(message));
        }
        for (session, turn) in batch.turns.iter().filter(|(session, _)| stays(*session)) {
            assert_eq!(reader.turn(*session, turn.number).unwrap().as_ref(), Some(turn));
        }
        for kept in batch.requests.iter().filter(|(request, _)| stays(request.session)) {
            assert_eq!(reader.request(kept.0.id).unwrap().as_ref(), Some(kept));
        }
    }
    assert_eq!(reader.turns_of(id(14), Selection::Last(9)).unwrap(), []);
}

#[test]
fn the_store_of_the_first_version_gives_its_texts() {
    let world = copied();
    drop(world.open());
    let reader = world.reader();
    let text = |id| reader.text_of_message(MessageId::new(id)).unwrap();
    assert_eq!(text(1).as_deref(), Some("git log --oneline -1"));
    assert_eq!(text(6).as_deref(), Some("third, and edited"));
    let answers: Vec<String> = reader.answers(id(1), 9).unwrap().into_iter().map(|answered| answered.text).collect();
    assert_eq!(answers, ["0198c2 the first commit\n", "\u{fc}\u{0}\u{1b}[0m\u{fffd}"]);
    let bytes: Vec<u8> = fs::read(world.db()).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"secret"), "a forgotten text is still in the file");
}
