//! Readers: pages, tails, filters, and a writer beside them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use adjutant_core::event::Event;
use adjutant_core::id::{MessageId, Seq, SessionId};
use adjutant_core::message::Sender;
use adjutant_store::{Batch, Entry, EventPage, Reader, Scope, Selection, Writer};

use crate::scribe::{Scribe, id};
use crate::world::{World, known, log_of};

fn seqs(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.seq().get()).collect()
}

/// Three sessions that take turns, one message each round.
fn three(rounds: usize) -> (World, Writer, Scribe) {
    let world = World::new();
    let (mut writer, _) = world.open();
    let mut scribe = Scribe::new();
    for (number, name) in [(1, "fizz-top"), (2, "vi-jg"), (3, "lux-mid")] {
        scribe.ready(id(number), name);
    }
    for round in 0..rounds {
        let number = u8::try_from(round % 3).unwrap() + 1;
        scribe.work(id(number), &format!("echo {round}"), &format!("answer {round}"));
    }
    writer.commit(&scribe.batch()).unwrap();
    (world, writer, scribe)
}

fn pages(reader: &Reader, scope: Scope<'_>, limit: usize) -> Vec<Entry> {
    let (mut all, mut after, last) = (Vec::new(), Seq::new(0), reader.last_seq().unwrap());
    while after < last {
        let EventPage { entries, through, lost: _ } = reader.events_after(after, scope, limit).unwrap();
        assert!(through > after && entries.len() <= limit);
        assert!(entries.iter().all(|entry| entry.seq() > after && entry.seq() <= through));
        all.extend(entries);
        after = through;
    }
    all
}

/// What a page or a tail should hold, found by looking at everything.
fn wanted(log: &[Entry], sessions: Option<&[SessionId]>, types: &[&str]) -> Vec<u64> {
    let by_type = |entry: &Entry| {
        types.is_empty() || types.iter().any(|kind| entry.type_name().starts_with(kind.trim_end_matches('*')))
    };
    let by_session = |entry: &Entry| sessions.is_none_or(|ids| ids.contains(&entry.session()));
    log.iter().filter(|entry| by_type(entry) && by_session(entry)).map(|entry| entry.seq().get()).collect()
}

#[test]
fn pages_and_tails_hold_what_was_asked_for_whatever_their_size() {
    let (world, _writer, _) = three(40);
    let reader = world.reader();
    let log = log_of(&reader);
    let (one, two, none) = ([id(2)], [id(3), id(1), id(1)], [id(9)]);
    for sessions in [None, Some(&one[..]), Some(&two[..]), Some(&none[..]), Some(&[][..])] {
        for types in [&[][..], &["turn.*"][..], &["message.queued", "session.*"][..], &["goal.*"][..]] {
            let (scope, expected) = (Scope { sessions, types }, wanted(&log, sessions, types));
            for limit in [1, 7, 1_000] {
                assert_eq!(seqs(&pages(&reader, scope, limit)), expected);
                let from = expected.len().saturating_sub(limit);
                assert_eq!(seqs(&reader.events_tail(limit, scope).unwrap()), expected[from..]);
            }
        }
    }
}

#[test]
fn a_type_without_a_star_means_that_type_alone() {
    let (world, mut writer, mut scribe) = three(1);
    let message = scribe.send(id(1), "sleep");
    scribe.hand(id(1), message);
    let turn = scribe.take(id(1), message);
    scribe.event(id(1), Event::TurnInterruptAsked { turn, by: Sender::Human });
    scribe.event(id(1), Event::TurnInterruptPassed { turn, detail: "SIGINT".to_owned() });
    writer.commit(&scribe.batch()).unwrap();
    let reader = world.reader();
    let count = |types: &[&str]| reader.events_tail(100, Scope { sessions: None, types }).unwrap().len();
    assert_eq!((count(&["turn.interrupt"]), count(&["turn.interrupt*"]), count(&["turn.interrupting"])), (0, 2, 1));
}

#[test]
fn beyond_the_end_there_is_nothing_and_no_limit_is_a_loop() {
    let (world, _writer, _) = three(2);
    let reader = world.reader();
    let last = reader.last_seq().unwrap();
    let beyond = EventPage { entries: Vec::new(), through: Seq::new(last.get() + 5), lost: None };
    assert_eq!(reader.events_after(Seq::new(last.get() + 5), Scope::default(), 9).unwrap(), beyond);
    assert_eq!(reader.events_after(last, Scope::default(), 9).unwrap().through, last);
    assert!(reader.events_after(Seq::new(0), Scope::default(), 0).unwrap().through > Seq::new(0));
    assert_eq!(reader.events_tail(0, Scope::default()).unwrap(), []);
}

#[test]
fn an_empty_log_has_an_end() {
    let world = World::new();
    let (_writer, _) = world.open();
    let reader = world.reader();
    let empty = EventPage { entries: Vec::new(), through: Seq::new(0), lost: None };
    assert_eq!(reader.events_after(Seq::new(0), Scope::default(), 9).unwrap(), empty);
    assert_eq!(reader.events_tail(9, Scope::default()).unwrap(), []);
}

#[test]
fn a_rare_type_in_a_long_log_is_found_in_bounded_steps() {
    let world = World::new();
    let (mut writer, _) = world.open();
    let mut scribe = Scribe::new();
    scribe.ready(id(1), "fizz-top");
    for _ in 0..10 {
        (0..1_000).for_each(|_| _ = scribe.work(id(1), "ls", ""));
        writer.commit(&scribe.batch()).unwrap();
    }
    scribe.event(id(1), Event::QueueHeld { by_hand: true });
    writer.commit(&scribe.batch()).unwrap();
    let reader = world.reader();
    for sessions in [None, Some(&[id(1)][..])] {
        let scope = Scope { sessions, types: &["queue.*"] };
        let first = reader.events_after(Seq::new(0), scope, 10).unwrap();
        assert!(first.entries.is_empty() && first.through < reader.last_seq().unwrap());
        assert_eq!(seqs(&pages(&reader, scope, 10)), [reader.last_seq().unwrap().get()]);
        assert_eq!(reader.events_tail(10, scope).unwrap().len(), 1);
    }
}

#[test]
fn the_tail_of_two_hundred_thousand_events_is_their_end() {
    let world = World::new();
    let (mut writer, _) = world.open();
    let mut scribe = Scribe::new();
    scribe.ready(id(1), "fizz-top");
    scribe.ready(id(2), "vi-jg");
    writer.commit(&scribe.batch()).unwrap();
    let mut counters = writer.reload().unwrap().counters;
    for _ in 0..20 {
        let events = (0..10_000).map(|offset| {
            let seq = Seq::new(counters.next_seq + offset);
            let session = if seq.get().is_multiple_of(1_000) { id(2) } else { id(1) };
            let at = adjutant_core::time::Timestamp::from_millis(0);
            adjutant_core::event::Logged { seq, session, at, cursor: None, event: Event::SessionSeen }
        });
        let events = events.collect();
        counters.next_seq += 10_000;
        writer.commit(&Batch { events, counters, ..Batch::default() }).unwrap();
    }
    let reader = world.reader();
    let last = reader.last_seq().unwrap().get();
    let tail = reader.events_tail(20, Scope::default()).unwrap();
    assert_eq!(seqs(&tail), (last - 19..=last).collect::<Vec<_>>());
    let rare = reader.events_tail(20, Scope { sessions: Some(&[id(2)]), types: &[] }).unwrap();
    assert_eq!(seqs(&rare), (181..=200).map(|thousand| thousand * 1_000).collect::<Vec<_>>());
    assert_eq!(reader.counts().unwrap().events, last);
}

#[test]
fn the_log_is_found_by_index() {
    let (world, writer, _) = three(3);
    drop(writer);
    let conn = world.sqlite();
    let plan = |sql: &str| -> String {
        let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let lines = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
        lines.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    };
    let forward = plan("SELECT seq, type FROM events WHERE seq > 5 AND session = x'00' ORDER BY seq");
    assert!(forward.contains("events_of_session (session=? AND rowid>?)") && !forward.contains("TEMP"), "{forward}");
    let backward = plan("SELECT seq, type FROM events WHERE session = x'00' ORDER BY seq DESC");
    assert!(backward.contains("events_of_session (session=?)") && !backward.contains("TEMP"), "{backward}");
    let answers = plan(
        "SELECT t.row, a.body FROM answers a JOIN turns t ON t.session = a.session AND t.number = a.turn
         WHERE a.session = x'00' ORDER BY a.turn DESC LIMIT 5",
    );
    assert!(!answers.contains("TEMP") && !answers.contains("SCAN"), "{answers}");
    let alive = plan("SELECT row FROM messages WHERE session = x'00' AND alive = 1 ORDER BY id LIMIT 5");
    assert!(alive.contains("messages_alive") && !alive.contains("TEMP"), "{alive}");
}

#[test]
fn messages_turns_answers_and_requests_come_in_pages() {
    let (world, mut writer, mut scribe) = three(30);
    let waiting = [scribe.send(id(1), "one"), scribe.send(id(1), "two")];
    scribe.edit(id(1), waiting[1], "two, but better");
    scribe.hand(id(1), waiting[0]);
    scribe.take(id(1), waiting[0]);
    let requests = [scribe.ask(id(1)), scribe.ask(id(1))];
    scribe.answer(id(1), requests[0]);
    writer.commit(&scribe.batch()).unwrap();
    let reader = world.reader();

    let all = reader.messages_of(id(1), true, 0, 100).unwrap();
    assert_eq!(all.len(), 12);
    assert_eq!(reader.messages_of(id(1), true, 3, 4).unwrap(), all[3..7]);
    let alive = reader.messages_of(id(1), false, 0, 100).unwrap();
    assert_eq!(alive.iter().map(|message| message.id).collect::<Vec<_>>(), waiting);
    assert_eq!(reader.message(waiting[0]).unwrap(), Some(alive[0].clone()));
    assert_eq!(reader.text_of_message(waiting[1]).unwrap().as_deref(), Some("two, but better"));

    let told = reader.messages_with_texts(&[waiting[1], MessageId::new(99), all[0].id]).unwrap();
    let told: Vec<_> = told.into_iter().map(|(message, text)| (message.id, text)).collect();
    assert_eq!(told, [(waiting[1], "two, but better".to_owned()), (all[0].id, "echo 0".to_owned())]);

    let turns = reader.turns_of(id(1), Selection::Last(100)).unwrap();
    assert_eq!(turns.iter().map(|turn| turn.number.get()).collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
    assert_eq!(reader.turns_of(id(1), Selection::Last(3)).unwrap(), turns[7..]);
    assert_eq!(reader.turns_of(id(1), Selection::Since(turns[4].number, 2)).unwrap(), turns[4..6]);
    assert_eq!(reader.turn(id(1), turns[4].number).unwrap().as_ref(), Some(&turns[4]));
    assert_eq!(reader.answer(id(1), turns[4].number).unwrap().as_deref(), Some("answer 12"));
    let answers: Vec<_> =
        reader.answers(id(1), 2).unwrap().into_iter().map(|a| (a.turn.number.get(), a.text)).collect();
    assert_eq!(answers, [(9, "answer 24".to_owned()), (10, "answer 27".to_owned())]);

    let kept = reader.requests_of(id(1), 0, 10).unwrap();
    assert_eq!(
        kept.iter().map(|(request, end)| (request.id, end.is_some())).collect::<Vec<_>>(),
        [(requests[0], true), (requests[1], false)]
    );
    assert_eq!(reader.requests_of(id(1), 1, 10).unwrap(), kept[1..]);
    assert_eq!(reader.request(requests[0]).unwrap(), Some(kept[0].clone()));
}

#[test]
fn two_readers_beside_a_writer_see_whole_commits_in_order() {
    let world = World::new();
    let (mut writer, _) = world.open();
    let mut scribe = Scribe::new();
    scribe.ready(id(1), "fizz-top");
    writer.commit(&scribe.batch()).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            let reader = world.reader();
            let done = &done;
            scope.spawn(move || follow(&reader, done));
        }
        for number in 0..300 {
            scribe.work(id(1), &format!("echo {number}"), "out");
            writer.commit(&scribe.batch()).unwrap();
            if number % 50 == 0 {
                let _ = writer.tend().unwrap();
            }
        }
        done.store(true, Ordering::Release);
    });
}

/// Follows the log to its end: no gap, no repetition, and each commit as a whole.
fn follow(reader: &Reader, done: &AtomicBool) {
    let mut after = Seq::new(0);
    loop {
        let was_done = done.load(Ordering::Acquire);
        let page = reader.events_after(after, Scope::default(), 100).unwrap();
        for logged in known(page.entries) {
            assert_eq!(logged.seq, after.next());
            after = logged.seq;
        }
        // Two events make a session ready, and seven are one message on its way.
        let last = reader.last_seq().unwrap().get();
        assert_eq!((last - 3) % 6, 0, "half a commit is visible at {last}");
        if was_done && after.get() == last {
            return;
        }
    }
}
