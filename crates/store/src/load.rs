//! Reading the projections into what the host holds in memory.

use std::collections::BTreeMap;

use adjutant_core::host::Counters;
use adjutant_core::id::SessionId;
use adjutant_core::message::Message;
use adjutant_core::session::Session;
use rusqlite::Connection;

use crate::fault::{Fault, Outcome};
use crate::meta;
use crate::rows::session::{attach_message, attach_request};
use crate::rows::{self, KeptRequest, Malformed};
use crate::unknown::{Unknown, UnknownFields};

/// All sessions as they were, and what has to be put back when their rows are written again.
#[derive(Debug)]
pub(crate) struct Projections {
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    pub(crate) counters: Counters,
    pub(crate) unknown: UnknownFields,
}

/// Reads every session with its live messages and its open requests. One row that is not right fails the whole.
pub(crate) fn load(conn: &Connection) -> Outcome<Projections> {
    let counters = meta::counters(conn)?;
    let mut found = Projections { sessions: BTreeMap::new(), counters, unknown: UnknownFields::default() };
    load_sessions(conn, &mut found)?;
    load_messages(conn, &mut found)?;
    load_requests(conn, &mut found)?;
    found.sessions.values().try_for_each(check_queue)?;
    check_counters(conn, &found.counters)?;
    Ok(found)
}

fn load_sessions(conn: &Connection, found: &mut Projections) -> Outcome<()> {
    for_each_row(conn, "SELECT row FROM sessions", "session", |json| {
        let session: Session = rows::from_json(json)?;
        if let Some(unknown) = Unknown::find(json, &rows::to_json(&session)) {
            found.unknown.sessions.insert(session.id, unknown);
        }
        found.sessions.insert(session.id, session);
        Ok(())
    })
}

fn load_messages(conn: &Connection, found: &mut Projections) -> Outcome<()> {
    let sql = "SELECT row FROM messages WHERE alive = 1 AND session NOT IN (SELECT session FROM purging)";
    for_each_row(conn, sql, "message", |json| {
        let message: Message = rows::from_json(json)?;
        if let Some(unknown) = Unknown::find(json, &rows::to_json(&message)) {
            found.unknown.messages.insert(message.id, unknown);
        }
        attach_message(owner(&mut found.sessions, message.session)?, message);
        Ok(())
    })
}

fn load_requests(conn: &Connection, found: &mut Projections) -> Outcome<()> {
    let sql = "SELECT row FROM requests WHERE open = 1 AND session NOT IN (SELECT session FROM purging)";
    for_each_row(conn, sql, "request", |json| {
        let kept: KeptRequest = rows::from_json(json)?;
        if let Some(unknown) = Unknown::find(json, &rows::to_json(&kept)) {
            found.unknown.requests.insert(kept.request.id, unknown);
        }
        attach_request(owner(&mut found.sessions, kept.request.session)?, kept.request);
        Ok(())
    })
}

fn owner(sessions: &mut BTreeMap<SessionId, Session>, id: SessionId) -> Result<&mut Session, Malformed> {
    sessions.get_mut(&id).ok_or_else(|| Malformed(format!("its session {id} is not there")))
}

/// Hands over the first column of each row; what is wrong with one is told with its beginning.
fn for_each_row(
    conn: &Connection,
    sql: &str,
    what: &str,
    mut take: impl FnMut(&str) -> Result<(), Malformed>,
) -> Outcome<()> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let json = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        take(json).map_err(|error| Fault::from(error).about(|| format!("a {what} record")))?;
    }
    Ok(())
}

/// Whatever stands in the order of a queue has to be a message of that queue.
fn check_queue(session: &Session) -> Outcome<()> {
    match session.ready.iter().find(|id| !session.messages.contains_key(id)) {
        None => Ok(()),
        Some(id) => Err(Fault::Malformed(format!("the queue of {} names {id}, which is not there", session.name))),
    }
}

/// Counters that lie behind what exists would give an id twice.
fn check_counters(conn: &Connection, counters: &Counters) -> Outcome<()> {
    let highest = [
        ("event", "SELECT coalesce(max(seq), 0) FROM events", counters.next_seq),
        ("message", "SELECT coalesce(max(id), 0) FROM messages", counters.next_message),
        ("request", "SELECT coalesce(max(id), 0) FROM requests", counters.next_request),
    ];
    for (what, sql, next) in highest {
        let last: u64 = conn.query_row(sql, [], |row| row.get(0))?;
        if last >= next {
            return Err(Fault::Malformed(format!("{what} {last} exists, and the next would be {next}")));
        }
    }
    Ok(())
}
