//! Forgetting a session: it is gone at once, and its rows are removed in pieces of bounded size.

use adjutant_core::id::SessionId;
use rusqlite::{Connection, OptionalExtension, Result};

/// Rows without texts that one sweep removes.
const SWEEP_ROWS_MAX: u64 = 5_000;

/// Texts that one sweep removes.
const SWEEP_TEXTS_MAX: u64 = 500;

/// Bytes of text after which a sweep stops; each page of a removed text is touched.
const SWEEP_TEXT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Pages that one piece of a vacuum gives back to the file system.
const VACUUM_PAGES_MAX: u32 = 1_000;

/// Free pages that are kept for what comes next.
const FREE_PAGES_KEPT: u64 = 256;

/// Frees the session's name and hides all that belongs to it.
pub(crate) fn begin(conn: &Connection, session: SessionId) -> Result<()> {
    conn.prepare_cached("DELETE FROM sessions WHERE id = ?1")?.execute([session.as_bytes()])?;
    conn.prepare_cached("INSERT OR IGNORE INTO purging (session) VALUES (?1)")?.execute([session.as_bytes()]).map(drop)
}

/// Removes a bounded number of rows of forgotten sessions; says whether any are left.
pub(crate) fn sweep(conn: &Connection) -> Result<bool> {
    let mut left = Left { rows: SWEEP_ROWS_MAX, texts: SWEEP_TEXTS_MAX, text_bytes: SWEEP_TEXT_BYTES_MAX };
    while let Some(session) = next(conn)? {
        if !remove_some(conn, session, &mut left)? {
            return Ok(true);
        }
        conn.prepare_cached("DELETE FROM purging WHERE session = ?1")?.execute([session])?;
    }
    Ok(false)
}

/// What one sweep may still remove.
struct Left {
    rows: u64,
    texts: u64,
    text_bytes: u64,
}

fn next(conn: &Connection) -> Result<Option<[u8; 16]>> {
    conn.prepare_cached("SELECT session FROM purging LIMIT 1")?.query_row([], |row| row.get(0)).optional()
}

/// Removes rows of one session while it may; says whether all are gone.
fn remove_some(conn: &Connection, session: [u8; 16], left: &mut Left) -> Result<bool> {
    for rows in WITH_TEXTS {
        if !remove_with_texts(conn, session, rows, left)? {
            return Ok(false);
        }
    }
    for delete in WITHOUT_TEXTS {
        if !remove_rows(conn, session, delete, left)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Rows that stand for a text: how they are found, with the size of the text, and what removes one.
struct WithTexts {
    find: &'static str,
    remove: &'static [&'static str],
}

const WITH_TEXTS: [WithTexts; 2] = [
    WithTexts {
        find: "SELECT m.id, coalesce(octet_length(t.body), 0) FROM messages m
               LEFT JOIN message_texts t ON t.message = m.id WHERE m.session = ?1 LIMIT ?2",
        remove: &["DELETE FROM message_texts WHERE message = ?1", "DELETE FROM messages WHERE id = ?1"],
    },
    WithTexts {
        find: "SELECT id, octet_length(body) FROM answers WHERE session = ?1 LIMIT ?2",
        remove: &["DELETE FROM answers WHERE id = ?1"],
    },
];

const WITHOUT_TEXTS: [&str; 5] = [
    "DELETE FROM checkpoints WHERE session = ?1 AND ?2 > 0",
    "DELETE FROM checkpointed WHERE session = ?1 AND (kind, id) IN
     (SELECT kind, id FROM checkpointed WHERE session = ?1 LIMIT ?2)",
    "DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE session = ?1 LIMIT ?2)",
    "DELETE FROM turns WHERE session = ?1 AND number IN (SELECT number FROM turns WHERE session = ?1 LIMIT ?2)",
    "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE session = ?1 LIMIT ?2)",
];

fn remove_with_texts(conn: &Connection, session: [u8; 16], rows: WithTexts, left: &mut Left) -> Result<bool> {
    let found: Vec<(i64, u64)> = conn
        .prepare_cached(rows.find)?
        .query_map((session, left.texts), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_>>()?;
    for (id, bytes) in found {
        if left.text_bytes == 0 {
            return Ok(false);
        }
        for remove in rows.remove {
            conn.prepare_cached(remove)?.execute([id])?;
        }
        left.texts -= 1;
        left.text_bytes = left.text_bytes.saturating_sub(bytes);
    }
    // Having used up what was allowed may mean that nothing is left; the next sweep finds out.
    Ok(left.texts > 0)
}

fn remove_rows(conn: &Connection, session: [u8; 16], delete: &str, left: &mut Left) -> Result<bool> {
    let removed = conn.prepare_cached(delete)?.execute((session, left.rows))?;
    left.rows = left.rows.saturating_sub(removed as u64);
    Ok(left.rows > 0)
}

/// Gives a bounded number of free pages back to the file system; says whether more could be given.
pub(crate) fn shrink(conn: &Connection) -> Result<bool> {
    let free: u64 = conn.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    if free <= FREE_PAGES_KEPT {
        return Ok(false);
    }
    let pages = free.saturating_sub(FREE_PAGES_KEPT).min(u64::from(VACUUM_PAGES_MAX));
    // The pragma gives one row for each page, and works only while it is asked for the next.
    let mut statement = conn.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(free - pages > FREE_PAGES_KEPT)
}
