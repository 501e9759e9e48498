//! Filling a new store with what the sources have.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use adjutant_core::host::Counters;
use adjutant_core::id::{Seq, SessionId};
use adjutant_core::name::SessionName;
use rusqlite::{Connection, Row};

use super::sources::Sources;
use super::{Repaired, base};
use crate::fault::Outcome;
use crate::folded::{Folded, fold, replace_projections};
use crate::reader::decode_entry;
use crate::unknown::UnknownFields;
use crate::{meta, salvage};

/// Numbers that are passed over, since what is lost may have had them: a runner may still remember one.
const SKIPPED_SEQS: u64 = 1_000_000;

/// The same for the ids of messages and requests, which people type.
const SKIPPED_IDS: u64 = 100_000;

/// Copies log and texts, folds the log, and writes what follows.
pub(super) fn fill(conn: &mut Connection, sources: &Sources) -> Outcome<Repaired> {
    let tx = conn.transaction()?;
    let mut report = Repaired::default();
    let horizon = base::copy(&tx, sources)?;
    copy_logs(&tx, sources, horizon, &mut report)?;
    for source in sources.each() {
        salvage::copy(source, &tx, &salvage::MESSAGE_TEXTS, &|_| true)?;
        salvage::copy(source, &tx, &salvage::ANSWERS, &|_| true)?;
    }
    let folded = fold_without_namesakes(&tx, &mut report)?;
    meta::set_counters(&tx, &sources.counters())?;
    replace_projections(&tx, &folded, &UnknownFields::default())?;
    drop_orphans(&tx, &mut report)?;
    meta::set_counters(&tx, &skip(meta::counters(&tx)?))?;
    report.sessions = folded.host.sessions().count();
    tx.commit()?;
    Ok(report)
}

fn copy_logs(to: &Connection, sources: &Sources, horizon: Seq, report: &mut Repaired) -> Outcome<()> {
    if let Some(damaged) = &sources.damaged {
        let forgotten = session_ids(damaged, "SELECT session FROM purging").unwrap_or_default();
        let taken =
            salvage::copy(damaged, to, &salvage::EVENTS, &|row| sensible(row, horizon, |id| !forgotten.contains(&id)))?;
        (report.events_salvaged, report.events_malformed, report.breaks) = (taken.rows, taken.refused, taken.breaks);
    }
    if let Some(backup) = &sources.backup {
        // A session that was forgotten since the copy was made does not come back, if that can be told.
        let known = sources.damaged.as_ref().and_then(|conn| session_ids(conn, "SELECT id FROM sessions"));
        let wanted = |id| known.as_ref().is_none_or(|known| known.contains(&id));
        let taken = salvage::copy(backup, to, &salvage::EVENTS, &|row| sensible(row, horizon, wanted))?;
        report.events_from_backup = taken.rows;
    }
    Ok(())
}

fn sensible(row: &Row<'_>, horizon: Seq, wanted: impl Fn(SessionId) -> bool) -> bool {
    decode_entry(row).is_ok_and(|entry| entry.seq() > horizon && wanted(entry.session()))
}

/// All ids of a query, or nothing when one of them cannot be read.
fn session_ids(conn: &Connection, sql: &str) -> Option<BTreeSet<SessionId>> {
    let mut statement = conn.prepare(sql).ok()?;
    let ids = statement.query_map([], |row| row.get(0).map(SessionId::from_bytes)).ok()?;
    ids.collect::<rusqlite::Result<_>>().ok()
}

/// A session that was forgotten and came back from a copy gives way to a newer one of its name.
fn fold_without_namesakes(conn: &Connection, report: &mut Repaired) -> Outcome<Folded> {
    let folded = fold(conn)?;
    let mut sessions: Vec<_> = folded.host.sessions().collect();
    sessions.sort_by_key(|session| Reverse(session.created_at));
    let mut names: BTreeSet<&SessionName> = BTreeSet::new();
    let namesakes: Vec<SessionId> =
        sessions.into_iter().filter(|session| !names.insert(&session.name)).map(|session| session.id).collect();
    if namesakes.is_empty() {
        return Ok(folded);
    }
    for id in namesakes {
        conn.execute("DELETE FROM checkpoints WHERE session = ?1", [id.as_bytes()])?;
        conn.execute("DELETE FROM checkpointed WHERE session = ?1", [id.as_bytes()])?;
        report.events_orphaned += conn.execute("DELETE FROM events WHERE session = ?1", [id.as_bytes()])? as u64;
    }
    fold(conn)
}

/// Removes what belongs to no session and no message, and counts what is missing.
fn drop_orphans(conn: &Connection, report: &mut Repaired) -> rusqlite::Result<()> {
    let orphaned = conn.execute("DELETE FROM events WHERE session NOT IN (SELECT id FROM sessions)", [])?;
    report.events_orphaned += orphaned as u64;
    conn.execute("DELETE FROM answers WHERE session NOT IN (SELECT id FROM sessions)", [])?;
    conn.execute("DELETE FROM message_texts WHERE message NOT IN (SELECT id FROM messages)", [])?;
    let sql = "SELECT count(*) FROM messages WHERE id NOT IN (SELECT message FROM message_texts)";
    report.texts_lost = conn.query_row(sql, [], |row| row.get(0))?;
    Ok(())
}

fn skip(counters: Counters) -> Counters {
    Counters {
        next_seq: counters.next_seq + SKIPPED_SEQS,
        next_message: counters.next_message + SKIPPED_IDS,
        next_request: counters.next_request + SKIPPED_IDS,
    }
}
