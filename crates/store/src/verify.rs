//! Comparing the stored projections with those that follow from the log.

use std::collections::BTreeMap;
use std::fmt::Debug;

use adjutant_core::id::SessionId;
use rusqlite::{Connection, Row};

use crate::error::ReadError;
use crate::fault::Outcome;
use crate::folded::{Folded, fold};
use crate::reader::Reader;
use crate::rows::{self, KeptRequest, Stored};
use crate::{load, meta};

/// Differences that are listed; the rest is counted.
const DIFFERENCES_LISTED_MAX: usize = 100;

/// What a comparison of the stored projections with the log has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Events that were folded.
    pub events: u64,
    /// Events among them of types that this version does not know.
    pub unknown_events: u64,
    /// The differences, up to a hundred of them.
    pub differences: Vec<Difference>,
    /// How many differences there are.
    pub different: u64,
}

/// A record that is not what the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which record.
    pub record: String,
    /// What is stored; `None` when nothing is.
    pub stored: Option<String>,
    /// What follows from the log; `None` when nothing does.
    pub folded: Option<String>,
}

impl Verification {
    fn note<T: Debug + PartialEq>(&mut self, record: &str, stored: Option<&T>, folded: Option<&T>) {
        if stored == folded {
            return;
        }
        self.different += 1;
        if self.differences.len() < DIFFERENCES_LISTED_MAX {
            let words = |value: &T| format!("{value:?}");
            let (stored, folded) = (stored.map(words), folded.map(words));
            self.differences.push(Difference { record: record.to_owned(), stored, folded });
        }
    }

    /// Compares rows with the records they should hold.
    fn compare<T: Stored + Debug + PartialEq>(
        &mut self,
        conn: &Connection,
        sql: &str,
        label: impl Fn(&Row<'_>) -> rusqlite::Result<String>,
        mut folded: BTreeMap<String, T>,
    ) -> Outcome<()> {
        let mut statement = conn.prepare(sql)?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            let (label, json) = (label(row)?, row.get::<_, String>("row")?);
            self.note(&label, Some(&rows::from_json(&json)?), folded.remove(&label).as_ref());
        }
        for (label, record) in &folded {
            self.note(label, None, Some(record));
        }
        Ok(())
    }
}

impl Reader {
    /// Folds the whole log anew and compares what follows with what is stored. It may take seconds.
    pub fn verify_projections(&self) -> Result<Verification, ReadError> {
        self.at_one_moment(verify)
    }
}

fn verify(conn: &Connection) -> Outcome<Verification> {
    let folded = fold(conn)?;
    let (events, unknown_events) = (folded.events, folded.unknown_events);
    let mut found = Verification { events, unknown_events, ..Verification::default() };
    compare_counters(conn, &folded, &mut found)?;
    compare_sessions(conn, &folded, &mut found)?;
    compare_rows(conn, folded, &mut found)?;
    Ok(found)
}

/// The stored counters may be ahead, by what was forgotten, but never behind.
fn compare_counters(conn: &Connection, folded: &Folded, found: &mut Verification) -> Outcome<()> {
    let (stored, folded) = (meta::counters(conn)?, folded.host.counters());
    let counters = [
        ("the next event", stored.next_seq, folded.next_seq),
        ("the next message", stored.next_message, folded.next_message),
        ("the next request", stored.next_request, folded.next_request),
    ];
    for (label, stored, folded) in counters {
        found.note(label, Some(&stored), Some(&folded.max(stored)));
    }
    Ok(())
}

fn compare_sessions(conn: &Connection, folded: &Folded, found: &mut Verification) -> Outcome<()> {
    let mut stored = load::load(conn)?.sessions;
    for session in folded.host.sessions() {
        let label = format!("session {} ({})", session.name, session.id);
        found.note(&label, stored.remove(&session.id).as_ref(), Some(session));
    }
    for session in stored.values() {
        found.note(&format!("session {} ({})", session.name, session.id), Some(session), None);
    }
    Ok(())
}

fn compare_rows(conn: &Connection, folded: Folded, found: &mut Verification) -> Outcome<()> {
    let projected = folded.projected;
    let messages = projected.messages.into_iter().map(|(id, message)| (format!("message {id}"), message)).collect();
    let sql = "SELECT id, row FROM messages WHERE session NOT IN purging";
    found.compare(conn, sql, |row| Ok(format!("message m{}", row.get::<_, u64>(0)?)), messages)?;

    let turns = projected.turns.into_iter().map(|((session, number), turn)| (turn_label(session, number.get()), turn));
    let sql = "SELECT session, number, row FROM turns WHERE session NOT IN purging";
    let label = |row: &Row<'_>| Ok(turn_label(SessionId::from_bytes(row.get(0)?), row.get(1)?));
    found.compare(conn, sql, label, turns.collect())?;

    let requests = projected.requests.into_iter();
    let requests =
        requests.map(|(id, (request, end))| (format!("request {id}"), KeptRequest { request, end })).collect();
    let sql = "SELECT id, row FROM requests WHERE session NOT IN purging";
    found.compare(conn, sql, |row| Ok(format!("request r{}", row.get::<_, u64>(0)?)), requests)
}

fn turn_label(session: SessionId, number: u32) -> String {
    format!("turn {number} of {session}")
}
