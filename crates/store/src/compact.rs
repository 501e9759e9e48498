//! Compaction: the beginning of the log is dropped, and what it came to is kept in its place.
//!
//! Everything up to the horizon, a place in the log, is folded into checkpoints: the record of each session at that place,
//! with its messages, turns and requests. A fold begins with them and goes on with the events behind the horizon, so that
//! what follows from the store is the same before and after. Of what is settled only the newest is kept; the rest is
//! forgotten here and in the projections alike.

pub(crate) mod checkpoint;
mod plan;

use rusqlite::{Connection, Transaction};

use self::plan::SessionPlan;
pub use self::plan::{Compaction, CompactionLimits};
use crate::meta;

/// Writes a plan down. Says `false` and changes nothing where another one came before it.
pub(crate) fn apply(tx: &Transaction<'_>, plan: &Compaction) -> rusqlite::Result<bool> {
    if meta::horizon(tx)? != plan.begins {
        return Ok(false);
    }
    for session in &plan.sessions {
        // A session that was forgotten since the plan was made needs no checkpoint.
        let known = "SELECT 1 FROM sessions WHERE id = ?1";
        if tx.prepare_cached(known)?.exists([session.id.as_bytes()])? {
            keep(tx, session)?;
            forget(tx, session)?;
        }
    }
    tx.prepare_cached("DELETE FROM events WHERE seq <= ?1")?.execute([plan.through.get()])?;
    meta::set_horizon(tx, plan.through)?;
    Ok(true)
}

fn keep(conn: &Connection, plan: &SessionPlan) -> rusqlite::Result<()> {
    let session = plan.id.as_bytes();
    let sql = "INSERT INTO checkpoints (session, dropped, through, row) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (session) DO UPDATE SET dropped = excluded.dropped, through = excluded.through, row = excluded.row";
    conn.prepare_cached(sql)?.execute((session, plan.dropped, plan.last, &plan.row))?;
    let sql = "INSERT INTO checkpointed (session, kind, id, row) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (session, kind, id) DO UPDATE SET row = excluded.row";
    let mut insert = conn.prepare_cached(sql)?;
    for ((kind, id), row) in &plan.written {
        insert.execute((session, kind.word(), id, row))?;
    }
    let mut remove = conn.prepare_cached("DELETE FROM checkpointed WHERE session = ?1 AND kind = ?2 AND id = ?3")?;
    for (kind, id) in &plan.removed {
        remove.execute((session, kind.word(), id))?;
    }
    Ok(())
}

/// What is settled and no longer kept goes from the projections too, with its texts.
fn forget(conn: &Connection, plan: &SessionPlan) -> rusqlite::Result<()> {
    let session = plan.id.as_bytes();
    for id in &plan.forgotten.messages {
        let ended = conn.prepare_cached("DELETE FROM messages WHERE id = ?1 AND alive = 0")?.execute([id])?;
        if ended > 0 {
            conn.prepare_cached("DELETE FROM message_texts WHERE message = ?1")?.execute([id])?;
        }
    }
    for number in &plan.forgotten.turns {
        conn.prepare_cached("DELETE FROM turns WHERE session = ?1 AND number = ?2")?.execute((session, number))?;
        conn.prepare_cached("DELETE FROM answers WHERE session = ?1 AND turn = ?2")?.execute((session, number))?;
    }
    for id in &plan.forgotten.requests {
        conn.prepare_cached("DELETE FROM requests WHERE id = ?1")?.execute([id])?;
    }
    Ok(())
}
