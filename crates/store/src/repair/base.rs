//! What a dropped beginning of the log came to, for a new store: from the damaged file where all of it can be read, and
//! otherwise from the copy. Half of it would be worse than none: the rest of the log goes on from the whole.

use adjutant_core::id::Seq;
use rusqlite::Connection;

use super::sources::Sources;
use crate::compact::checkpoint::{self, Checkpoints};
use crate::fault::Outcome;
use crate::{meta, rows};

/// Copies the checkpoints of the first source that has them whole; gives the place from which its log goes on.
pub(super) fn copy(to: &Connection, sources: &Sources) -> Outcome<Seq> {
    for source in sources.each() {
        let (Ok(horizon), Ok(checkpoints)) = (meta::horizon(source), checkpoint::load(source)) else { continue };
        write(to, &checkpoints)?;
        meta::set_horizon(to, horizon)?;
        return Ok(horizon);
    }
    Ok(Seq::new(0))
}

fn write(to: &Connection, checkpoints: &Checkpoints) -> Outcome<()> {
    for (id, session) in &checkpoints.sessions {
        let dropped = checkpoints.dropped.get(id).copied().unwrap_or_default();
        let sql = "INSERT INTO checkpoints (session, dropped, through, row) VALUES (?1, ?2, ?3, ?4)";
        to.prepare_cached(sql)?.execute((id.as_bytes(), dropped.count, dropped.last, rows::to_json(session)))?;
        for ((kind, key), row) in checkpoints.rows.get(id).into_iter().flatten() {
            let sql = "INSERT INTO checkpointed (session, kind, id, row) VALUES (?1, ?2, ?3, ?4)";
            to.prepare_cached(sql)?.execute((id.as_bytes(), kind.word(), key, row))?;
        }
    }
    Ok(())
}
