//! Copying what can be read of a damaged table, around the places where reading fails.

use rusqlite::types::Value;
use rusqlite::{Connection, Result, Row, params_from_iter};

/// The widest leap over an unreadable stretch, in keys; beyond it nothing more is looked for.
const LEAP_KEYS_MAX: i64 = 1 << 40;

/// A table whose rows are found by a number.
pub(crate) struct Table {
    /// Asks for the rows behind a key, the key first.
    select: &'static str,
    insert: &'static str,
    columns: usize,
}

pub(crate) const EVENTS: Table = Table {
    select: "SELECT seq, session, at, type, turn, cursor, data FROM events WHERE seq > ?1 ORDER BY seq",
    insert: "INSERT OR IGNORE INTO events (seq, session, at, type, turn, cursor, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    columns: 7,
};

pub(crate) const MESSAGE_TEXTS: Table = Table {
    select: "SELECT message, body FROM message_texts WHERE message > ?1 ORDER BY message",
    insert: "INSERT OR IGNORE INTO message_texts (message, body) VALUES (?1, ?2)",
    columns: 2,
};

pub(crate) const ANSWERS: Table = Table {
    select: "SELECT id, session, turn, body FROM answers WHERE id > ?1 ORDER BY id",
    // The key of another database says nothing in this one.
    insert: "INSERT OR IGNORE INTO answers (session, turn, body) SELECT ?2, ?3, ?4 WHERE ?1 IS NOT NULL",
    columns: 4,
};

/// A stretch of a table that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Break {
    /// The last key before it.
    pub after: u64,
    /// The first key behind it that could be read; `None` when there was none.
    pub resumed: Option<u64>,
}

/// What was copied of a table.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) rows: u64,
    pub(crate) refused: u64,
    pub(crate) breaks: Vec<Break>,
}

/// How far one walk through a table came.
enum Walk {
    ToTheEnd,
    Failed { last: i64 },
}

/// Copies every row that can be read and that `accept` takes. An error is one of the new database.
pub(crate) fn copy(
    from: &Connection,
    to: &Connection,
    table: &Table,
    accept: &dyn Fn(&Row<'_>) -> bool,
) -> Result<Taken> {
    let mut taken = Taken::default();
    let (mut start, mut leap) = (0, 1);
    while let Walk::Failed { last } = walk(from, to, table, start, accept, &mut taken)? {
        if last > start || taken.breaks.is_empty() {
            taken.breaks.push(Break { after: last.unsigned_abs(), resumed: None });
            (start, leap) = (last, 1);
        }
        if leap > LEAP_KEYS_MAX {
            break;
        }
        start += leap;
        leap *= 2;
    }
    Ok(taken)
}

fn walk(
    from: &Connection,
    to: &Connection,
    table: &Table,
    start: i64,
    accept: &dyn Fn(&Row<'_>) -> bool,
    taken: &mut Taken,
) -> Result<Walk> {
    let mut last = start;
    let Ok(mut statement) = from.prepare(table.select) else { return Ok(Walk::Failed { last }) };
    let Ok(mut rows) = statement.query([start]) else { return Ok(Walk::Failed { last }) };
    let mut insert = to.prepare_cached(table.insert)?;
    loop {
        match rows.next() {
            Err(_) => return Ok(Walk::Failed { last }),
            Ok(None) => return Ok(Walk::ToTheEnd),
            Ok(Some(row)) => match values(row, table.columns) {
                Ok(values) if accept(row) => {
                    taken.rows += insert.execute(params_from_iter(values))? as u64;
                    last = passed(row, last, taken);
                }
                Ok(_) | Err(_) => {
                    taken.refused += 1;
                    last = passed(row, last, taken);
                }
            },
        }
    }
}

/// Notes that a key could be read, and with it where the last unreadable stretch ended.
fn passed(row: &Row<'_>, last: i64, taken: &mut Taken) -> i64 {
    let key = row.get(0).unwrap_or(last);
    if let Some(open) = taken.breaks.last_mut().filter(|open| open.resumed.is_none()) {
        open.resumed = Some(key.unsigned_abs());
    }
    key
}

fn values(row: &Row<'_>, columns: usize) -> Result<Vec<Value>> {
    (0..columns).map(|column| row.get(column)).collect()
}
