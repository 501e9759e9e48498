//! The format of the database, version by version.

use rusqlite::{Connection, Transaction};

use crate::header::APPLICATION_ID;

/// Each step leads from the version of its index to the next; `PRAGMA user_version` counts those that were taken.
pub(crate) const STEPS: &[&str] = &[include_str!("schema/v1.sql")];

/// The version this program writes and the newest it reads.
pub(crate) const SUPPORTED: u32 = STEPS.len() as u32;

/// What has to be settled before the first table exists.
pub(crate) fn prepare_new(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    conn.pragma_update(None, "journal_mode", "WAL")
}

pub(crate) fn version(conn: &Connection) -> rusqlite::Result<u32> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Takes the steps that are missing, all of them or none.
pub(crate) fn migrate(tx: &Transaction<'_>, from: u32, steps: &[&str]) -> rusqlite::Result<()> {
    for (done, step) in steps.iter().enumerate().skip(from as usize) {
        tx.execute_batch(step)?;
        tx.pragma_update(None, "user_version", done as u32 + 1)?;
    }
    Ok(())
}
