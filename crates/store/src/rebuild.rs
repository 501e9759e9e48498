//! Writing the projections anew from the log, for `adj doctor --rebuild`.

use std::path::{Path, PathBuf};

use adjutant_core::id::{SessionId, TurnNumber};
use rusqlite::Connection;

use crate::error::{OpenError, RepairError};
use crate::fault::Outcome;
use crate::folded::{fold, replace_projections};
use crate::open::known_version;
use crate::place::Place;
use crate::rows::{self, KeptRequest, Stored};
use crate::unknown::{Unknown, UnknownFields};
use crate::{backup, connection, header, schema};

/// What a rebuild has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// The copy that was made before.
    pub backup: PathBuf,
    /// Events that were folded.
    pub events: u64,
    /// Events among them of types that this version does not know.
    pub unknown_events: u64,
    /// Sessions that there are now.
    pub sessions: usize,
}

/// Makes a copy of the store and writes all its projections anew. The daemon is stopped and the caller holds its lock.
///
/// The log itself has to be readable; where it is not, [`crate::repair`] is the way.
pub fn rebuild(state_dir: &Path) -> Result<Rebuilt, RepairError> {
    let place = Place::new(state_dir).map_err(|error| OpenError::unusable(state_dir, error))?;
    place.prepare()?;
    header::inspect(&place)?;
    let path = place.db();
    let failed = |error: rusqlite::Error| OpenError::from_sqlite(&path, &error);
    let mut conn = connection::open_to_write(&path).map_err(failed)?;
    if known_version(&path, &conn)? != schema::SUPPORTED {
        let why = "its format is older; the daemon brings it up to date when it starts".to_owned();
        return Err(RepairError::Failed { path, why });
    }
    let backup = backup::copy(&place, &conn, "rebuild")?;
    connection::trust(&conn).map_err(failed)?;
    write_anew(&mut conn, backup).map_err(|fault| fault.into_open(&path).into())
}

fn write_anew(conn: &mut Connection, backup: PathBuf) -> Outcome<Rebuilt> {
    let tx = conn.transaction()?;
    let folded = fold(&tx)?;
    let unknown = unknown_fields(&tx)?;
    replace_projections(&tx, &folded, &unknown)?;
    tx.commit()?;
    let sessions = folded.host.sessions().count();
    Ok(Rebuilt { backup, events: folded.events, unknown_events: folded.unknown_events, sessions })
}

/// The fields of newer versions in all rows that can be read; a row that cannot is about to be replaced.
fn unknown_fields(conn: &Connection) -> Outcome<UnknownFields> {
    let mut all = UnknownFields::default();
    each(conn, "sessions", |session: adjutant_core::session::Session, unknown| {
        all.sessions.insert(session.id, unknown);
    })?;
    each(conn, "messages", |message: adjutant_core::message::Message, unknown| {
        all.messages.insert(message.id, unknown);
    })?;
    each(conn, "requests", |kept: KeptRequest, unknown| {
        all.requests.insert(kept.request.id, unknown);
    })?;
    turns(conn, &mut all)?;
    Ok(all)
}

fn each<T: Stored>(conn: &Connection, table: &str, mut take: impl FnMut(T, Unknown)) -> Outcome<()> {
    let mut statement = conn.prepare(&format!("SELECT row FROM {table}"))?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        if let Some((record, unknown)) = unknown_in(row.get_ref(0)?.as_str().unwrap_or_default()) {
            take(record, unknown);
        }
    }
    Ok(())
}

fn turns(conn: &Connection, all: &mut UnknownFields) -> Outcome<()> {
    let mut statement = conn.prepare("SELECT row, session, number FROM turns")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let json = row.get_ref(0)?.as_str().unwrap_or_default();
        if let Some((_, unknown)) = unknown_in::<adjutant_core::turn::EndedTurn>(json) {
            let key = (SessionId::from_bytes(row.get(1)?), TurnNumber::new(row.get(2)?));
            all.turns.insert(key, unknown);
        }
    }
    Ok(())
}

fn unknown_in<T: Stored>(json: &str) -> Option<(T, Unknown)> {
    let record: T = rows::from_json(json).ok()?;
    let unknown = Unknown::find(json, &rows::to_json(&record))?;
    Some((record, unknown))
}
