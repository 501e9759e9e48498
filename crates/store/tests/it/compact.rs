//! Compaction: the beginning of the log goes, and everything that follows from the store stays as it was.

use adjutant_core::event::Event;
use adjutant_core::id::{Seq, TurnNumber};
use adjutant_core::message::{After, Dependency, DependencyState, MessageState, Settlement};
use adjutant_core::wait::{WaitOptions, Waiting};
use adjutant_store::{CompactionLimits, Scope, Selection, Tended, Writer, backup, rebuild, repair};

use crate::scribe::{Scribe, id};
use crate::world::{World, log_of};

/// Everything but so many events goes, in steps of so many; so many settled records of each session stay.
fn limits(events_kept_max: u64, settled_kept_max: usize, step_events_max: u64) -> CompactionLimits {
    CompactionLimits { before: None, events_kept_max, settled_kept_max, step_events_min: 1, step_events_max }
}

/// Compacts until nothing is left to do; says how many steps that took.
fn compact(world: &World, writer: &mut Writer, limits: CompactionLimits) -> usize {
    let mut steps = 0;
    while let Some(plan) = world.reader().plan_compaction(limits).unwrap() {
        assert!(writer.compact(&plan).unwrap());
        steps += 1;
        sound(world);
    }
    steps
}

fn sound(world: &World) {
    let reader = world.reader();
    assert_eq!(reader.check().unwrap(), Vec::<String>::new());
    assert_eq!(reader.verify_projections().unwrap().differences, []);
}

fn commit(writer: &mut Writer, scribe: &mut Scribe) {
    writer.commit(&scribe.batch()).unwrap();
}

fn at_work(rounds: usize) -> (World, Writer, Scribe) {
    let world = World::new();
    let (mut writer, _) = world.open();
    let mut scribe = Scribe::new();
    scribe.ready(id(1), "fizz-top");
    scribe.create(id(2), "vi-jg", Some(id(1)));
    scribe.start(id(2));
    for round in 0..rounds {
        scribe.work(id(1), &format!("echo {round}"), "out");
        scribe.work(id(2), &format!("make {round}"), "built");
    }
    commit(&mut writer, &mut scribe);
    (world, writer, scribe)
}

#[test]
fn what_follows_from_the_store_is_the_same_after_any_number_of_steps() {
    let (world, mut writer, mut scribe) = at_work(30);
    let waiting = scribe.send_as(id(1), "later", MessageState::Delayed { until: None });
    let running = scribe.send(id(2), "long");
    scribe.hand(id(2), running);
    let turn = scribe.take(id(2), running);
    let request = scribe.ask(id(2));
    commit(&mut writer, &mut scribe);
    let before = world.reader().counts().unwrap();
    assert_eq!(compact(&world, &mut writer, limits(0, 1_000, 37)), before.events.div_ceil(37) as usize);
    let after = world.reader().counts().unwrap();
    assert_eq!(
        (after.events, after.turns, after.messages),
        (0, before.turns, before.messages),
        "all settled ones are kept"
    );
    assert_eq!(writer.reload().unwrap().sessions, scribe.sessions());
    // It goes on with what lived through the compaction.
    scribe.answer(id(2), request);
    scribe.end(id(2), running, turn, "done");
    scribe.event(id(1), Event::MessageDue { message: waiting, came: None });
    scribe.hand(id(1), waiting);
    let turn = scribe.take(id(1), waiting);
    scribe.end(id(1), waiting, turn, "late");
    commit(&mut writer, &mut scribe);
    sound(&world);
    compact(&world, &mut writer, limits(5, 1_000, 1_000));
    assert_eq!(world.reader().counts().unwrap().events, 5);
    drop(writer);
    rebuild(&world.dir()).unwrap();
    sound(&world);
    let (_, loaded) = world.open();
    assert_eq!(loaded.sessions, scribe.sessions());
    assert_eq!(world.reader().answer(id(1), TurnNumber::new(1)).unwrap().as_deref(), Some("out"));
}

#[test]
fn only_the_newest_of_what_is_settled_is_kept() {
    let (world, mut writer, mut scribe) = at_work(30);
    compact(&world, &mut writer, limits(0, 10, 50));
    let reader = world.reader();
    let numbers: Vec<u32> =
        reader.turns_of(id(1), Selection::Last(100)).unwrap().iter().map(|turn| turn.number.get()).collect();
    assert_eq!(numbers, (21..=30).collect::<Vec<_>>());
    assert_eq!(reader.messages_of(id(1), true, 0, 100).unwrap().len(), 10);
    assert_eq!(reader.answer(id(1), TurnNumber::new(20)).unwrap(), None, "its text is gone with it");
    assert_eq!(reader.answer(id(1), TurnNumber::new(21)).unwrap().as_deref(), Some("out"));
    let count = |table: &str| -> u64 {
        world.sqlite().query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!([count("message_texts"), count("answers"), count("checkpointed")], [20, 20, 40]);
    scribe.work(id(1), "more", "of it");
    commit(&mut writer, &mut scribe);
    sound(&world);
    compact(&world, &mut writer, limits(0, 10, 50));
    assert_eq!(world.reader().turns_of(id(1), Selection::Last(100)).unwrap()[0].number.get(), 22);
    assert_eq!(writer.reload().unwrap().sessions, scribe.sessions());
}

#[test]
fn one_that_waits_for_another_is_told_across_the_horizon() {
    let (world, mut writer, mut scribe) = at_work(3);
    let running = scribe.send(id(2), "long");
    scribe.hand(id(2), running);
    let (waiting, _) = Waiting::begin(scribe.session(id(2)), WaitOptions::default());
    let name = scribe.session(id(2)).name.clone();
    let state = DependencyState::Open { waiting, turn: None };
    let after = After { any: false, of: vec![Dependency { session: id(2), name, message: None, state }] };
    let late = scribe.send_after(id(1), "then", MessageState::Delayed { until: None }, Some(after));
    commit(&mut writer, &mut scribe);
    compact(&world, &mut writer, limits(0, 100, 7));
    let turn = scribe.take(id(2), running);
    commit(&mut writer, &mut scribe);
    // The other's turn has begun, and its beginning goes before its end is there.
    compact(&world, &mut writer, limits(0, 100, 1));
    scribe.end(id(2), running, turn, "built");
    let result = adjutant_core::message::TurnResult::of(scribe.session(id(2)).last_turn.as_ref().unwrap());
    let how = Settlement::Turn(result);
    scribe.event(id(1), Event::MessageAfterSettled { message: late, which: 0, of: id(2), how });
    commit(&mut writer, &mut scribe);
    sound(&world);
    compact(&world, &mut writer, limits(0, 100, 1));
    assert_eq!(writer.reload().unwrap().sessions, scribe.sessions());
    let kept = world.reader().message(late).unwrap().unwrap().after.unwrap();
    assert!(matches!(kept.of[0].state, DependencyState::Settled { .. }), "{kept:#?}");
}

#[test]
fn a_reader_behind_the_horizon_is_told_what_it_has_lost() {
    let (world, mut writer, mut scribe) = at_work(10);
    let before = log_of(&world.reader());
    compact(&world, &mut writer, limits(20, 5, 1_000));
    let reader = world.reader();
    let horizon = reader.horizon().unwrap();
    assert_eq!(horizon.get(), before.len() as u64 - 20);
    let page = reader.events_after(Seq::new(0), Scope::default(), 1_000).unwrap();
    assert_eq!(page.entries, before[before.len() - 20..], "what is kept is as it was");
    let lost = page.lost.unwrap();
    assert_eq!((lost.count, lost.through), (horizon.get(), horizon));
    assert_eq!(reader.events_after(Seq::new(3), Scope::default(), 1).unwrap().lost.unwrap().count, horizon.get() - 3);
    assert_eq!(reader.events_after(horizon, Scope::default(), 1).unwrap().lost, None);
    let one = [id(1)];
    let of_one = Scope { sessions: Some(&one), types: &[] };
    let gone = before[..before.len() - 20].iter().filter(|entry| entry.session() == id(1)).count() as u64;
    assert_eq!(reader.events_after(Seq::new(0), of_one, 1).unwrap().lost.unwrap().count, gone);
    scribe.ready(id(3), "ash-mid");
    commit(&mut writer, &mut scribe);
    let new = [id(3)];
    let of_new = Scope { sessions: Some(&new), types: &[] };
    assert_eq!(world.reader().events_after(Seq::new(0), of_new, 1).unwrap().lost, None, "nothing of it is gone");
    compact(&world, &mut writer, limits(0, 5, 1_000));
    assert_eq!(world.reader().last_seq().unwrap(), world.reader().horizon().unwrap(), "an empty log has its end still");
}

#[test]
fn age_and_number_say_what_goes() {
    let (world, mut writer, scribe) = at_work(10);
    let all = world.reader().counts().unwrap().events;
    let middle = log_of(&world.reader()).len() as u64 / 2;
    let at = adjutant_core::time::Timestamp::from_millis(crate::scribe::START + i64::try_from(middle).unwrap());
    let old = CompactionLimits { before: Some(at), ..limits(u64::MAX, 100, 1_000) };
    let dear = CompactionLimits { step_events_min: all, ..old };
    assert_eq!(world.reader().plan_compaction(dear).unwrap(), None, "too few are not worth a step");
    assert_eq!(world.reader().plan_compaction(limits(u64::MAX, 100, 1_000)).unwrap(), None);
    compact(&world, &mut writer, old);
    assert_eq!(world.reader().horizon().unwrap().get(), middle - 1);
    assert_eq!(writer.reload().unwrap().sessions, scribe.sessions());
}

#[test]
fn a_plan_that_comes_too_late_changes_nothing() {
    let (world, mut writer, mut scribe) = at_work(10);
    let plan = world.reader().plan_compaction(limits(0, 5, 20)).unwrap().unwrap();
    let other = world.reader().plan_compaction(limits(0, 5, 10)).unwrap().unwrap();
    scribe.exit(id(2));
    scribe.purge(id(2));
    scribe.work(id(1), "meanwhile", "done");
    commit(&mut writer, &mut scribe);
    assert!(writer.compact(&plan).unwrap());
    sound(&world);
    let prints = world.reader().counts().unwrap();
    assert!(!writer.compact(&other).unwrap(), "its horizon is not the one that it was made for");
    let now = world.reader().counts().unwrap();
    assert_eq!((prints.events, prints.turns), (now.events, now.turns));
    assert_eq!(writer.reload().unwrap().sessions, scribe.sessions());
    scribe.exit(id(1));
    scribe.purge(id(1));
    commit(&mut writer, &mut scribe);
    while writer.tend().unwrap() == Tended::More {}
    for table in ["checkpoints", "checkpointed", "events", "messages", "turns"] {
        let sql = format!("SELECT count(*) FROM {table}");
        assert_eq!(world.sqlite().query_row(&sql, [], |row| row.get::<_, u64>(0)).unwrap(), 0, "{table}");
    }
}

#[test]
fn what_a_newer_version_has_written_stays_in_the_log() {
    let (world, writer, _) = at_work(5);
    drop(writer);
    let sql = "UPDATE events SET type = 'weather.changed' WHERE seq = 12";
    world.sqlite().execute_batch(sql).unwrap();
    let plan = world.reader().plan_compaction(limits(0, 5, 1_000)).unwrap().unwrap();
    assert_eq!((plan.through().get(), plan.events()), (11, 11));
}

#[test]
fn a_repair_goes_on_from_the_horizon() {
    let (world, mut writer, mut scribe) = at_work(30);
    compact(&world, &mut writer, limits(100, 10, 1_000));
    backup(&world.dir()).unwrap();
    scribe.work(id(1), "newest", "of all");
    commit(&mut writer, &mut scribe);
    let turns = world.reader().counts().unwrap().turns;
    drop(writer);
    std::fs::remove_file(world.db()).unwrap();
    let _ = std::fs::remove_file(world.file("store.db-wal"));
    let report = repair(&world.dir(), "0").unwrap();
    assert_eq!((report.sessions, report.events_from_backup, report.events_orphaned), (2, 100, 0), "{report:?}");
    sound(&world);
    assert_eq!(world.reader().counts().unwrap().turns, turns - 1, "all but what came behind the copy");
    let (mut writer, loaded) = world.open();
    let mut scribe = Scribe::after(loaded);
    scribe.work(id(1), "after", "all");
    commit(&mut writer, &mut scribe);
    sound(&world);
}

#[test]
fn a_checkpoint_that_says_something_else_is_found_out() {
    let (world, mut writer, _) = at_work(5);
    compact(&world, &mut writer, limits(3, 100, 1_000));
    drop(writer);
    let sql = "UPDATE checkpointed SET row = json_set(row, '$.number', 77) WHERE kind = 'turn' AND id = 2";
    assert_eq!(world.sqlite().execute(sql, []).unwrap(), 2);
    let found = world.reader().verify_projections().unwrap();
    assert!(found.different > 0 && found.differences.iter().any(|one| one.record.contains("turn 77")), "{found:#?}");
}
