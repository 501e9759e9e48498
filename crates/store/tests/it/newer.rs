//! F2: what a newer version has written survives an older one that reads and writes beside it.

use adjutant_core::id::MessageId;
use adjutant_store::{Entry, rebuild};
use serde_json::{Value, json};

use crate::scribe::{Scribe, id};
use crate::world::{World, log_of};

/// A store with a session at work, to whose records a newer version has added fields.
fn world_of_tomorrow() -> (World, Scribe, MessageId) {
    let world = World::new();
    let (mut writer, _) = world.open();
    let mut scribe = Scribe::new();
    scribe.ready(id(1), "fizz-top");
    scribe.work(id(1), "first", "done");
    let message = scribe.send(id(1), "second");
    scribe.hand(id(1), message);
    scribe.take(id(1), message);
    scribe.ask(id(1));
    writer.commit(&scribe.batch()).unwrap();
    drop(writer);
    let sql = "UPDATE sessions SET row = json_set(row, '$.mood', 'fine', '$.profile.colour', json('{\"r\":1}'));
               UPDATE messages SET row = json_set(row, '$.priority', 3, '$.state.running.lane', 'left') WHERE id = 2;
               UPDATE messages SET row = json_set(row, '$.priority', 1) WHERE id = 1;
               UPDATE turns SET row = json_set(row, '$.tokens', 99);
               UPDATE requests SET row = json_set(row, '$.request.asked.severity', 'high');
               INSERT INTO events SELECT max(seq) + 1, session, at, 'budget.changed', 1, NULL, '{\"goal\":\"ship\"}' FROM events;
               UPDATE meta SET value = value + 1 WHERE key = 'next_seq'";
    world.sqlite().execute_batch(sql).unwrap();
    let (_, loaded) = world.open();
    assert_eq!(loaded.sessions, scribe.sessions());
    (world, Scribe::after(loaded), message)
}

fn row(world: &World, sql: &str) -> Value {
    let text: String = world.sqlite().query_row(sql, [], |row| row.get(0)).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn unknown_fields_survive_the_writes_of_an_older_version() {
    let (world, mut scribe, message) = world_of_tomorrow();
    let (mut writer, _) = world.open();
    let request = scribe.session(id(1)).requests().next().unwrap().id;
    scribe.answer(id(1), request);
    let turn = scribe.session(id(1)).turn().unwrap().number;
    scribe.end(id(1), message, turn, "answer");
    writer.commit(&scribe.batch()).unwrap();

    let session = row(&world, "SELECT row FROM sessions");
    assert_eq!((&session["mood"], &session["profile"]["colour"]), (&json!("fine"), &json!({"r": 1})));
    assert_eq!(session["work"], json!("idle"));
    let message = row(&world, "SELECT row FROM messages WHERE id = 2");
    assert_eq!(message["priority"], json!(3));
    // The state that had this field was left, and the field with it.
    assert!(message["state"]["ended"].is_object() && message["state"]["running"].is_null(), "{message}");
    let request = row(&world, "SELECT row FROM requests");
    assert_eq!((&request["request"]["asked"]["severity"], &request["end"]), (&json!("high"), &json!("answered")));
    assert_eq!(writer.reload().unwrap().sessions, scribe.sessions());
}

#[test]
fn unknown_events_are_readable_and_stay() {
    let (world, ..) = world_of_tomorrow();
    let log = log_of(&world.reader());
    let Some(Entry::Opaque(opaque)) = log.last() else { panic!("{log:?}") };
    assert_eq!((opaque.type_name.as_str(), opaque.data.as_str()), ("budget.changed", "{\"goal\":\"ship\"}"));
    assert_eq!((opaque.session, opaque.turn.map(|turn| turn.get())), (id(1), Some(1)));
    let verified = world.reader().verify_projections().unwrap();
    assert_eq!((verified.unknown_events, verified.differences), (1, vec![]));
}

#[test]
fn unknown_fields_survive_a_rebuild() {
    let (world, ..) = world_of_tomorrow();
    let rebuilt = rebuild(&world.dir()).unwrap();
    assert_eq!((rebuilt.sessions, rebuilt.unknown_events), (1, 1));
    assert_eq!(row(&world, "SELECT row FROM sessions")["mood"], json!("fine"));
    assert_eq!(row(&world, "SELECT row FROM turns")["tokens"], json!(99));
    assert_eq!(row(&world, "SELECT row FROM messages WHERE id = 1")["priority"], json!(1));
    assert_eq!(row(&world, "SELECT row FROM messages WHERE id = 2")["state"]["running"]["lane"], json!("left"));
    assert_eq!(row(&world, "SELECT row FROM requests")["request"]["asked"]["severity"], json!("high"));
    assert_eq!(log_of(&world.reader()).last().unwrap().type_name(), "budget.changed");
}
