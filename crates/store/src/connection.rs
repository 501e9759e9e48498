//! How connections to the database are opened.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

/// How long another process may hold a lock before we say so, in milliseconds.
const BUSY_MS_MAX: u64 = 5_000;

/// Statements a connection keeps prepared: more than there are in this crate.
const STATEMENTS_MAX: usize = 64;

/// Pages after which a commit moves the log into the database by itself, should nobody call [`crate::Writer::tend`].
const CHECKPOINT_PAGES_MAX: u32 = 4_000;

/// The size to which the log is cut after it has grown beyond it, in bytes.
const LOG_BYTES_KEPT: u32 = 32 * 1024 * 1024;

/// Memory for pages of the writer, in KiB.
const WRITER_CACHE_KIB: i32 = 4_096;

/// Memory for pages of a reader, in KiB; several of them live in a pool.
const READER_CACHE_KIB: i32 = 1_024;

/// Opens the database to write. Until [`trust`] is called, closing the connection leaves both files as they are.
pub(crate) fn open_to_write(path: &Path) -> rusqlite::Result<Connection> {
    open_guarded(path, OpenFlags::SQLITE_OPEN_READ_WRITE, WRITER_CACHE_KIB)
}

/// Opens the database to read. Its log may have to be looked through, for which the directory has to be writable.
pub(crate) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    open_guarded(path, OpenFlags::SQLITE_OPEN_READ_ONLY, READER_CACHE_KIB)
}

/// Opens a damaged database so that as much as possible of it can be read, and nothing of it is changed.
pub(crate) fn open_to_salvage(path: &Path) -> rusqlite::Result<Connection> {
    let conn = open_untouched(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // With this, SQLite reads a file that is shorter than its header says. It has to stand before anything is read.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, true)?;
    Ok(conn)
}

fn open_untouched(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    conn.busy_timeout(Duration::from_millis(BUSY_MS_MAX))?;
    Ok(conn)
}

fn open_guarded(path: &Path, access: OpenFlags, cache_kib: i32) -> rusqlite::Result<Connection> {
    let conn = open_untouched(path, access)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    conn.pragma_update(None, "cache_size", -cache_kib)?;
    // No other files than ours, whatever has to be sorted.
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "cell_size_check", true)?;
    Ok(conn)
}

/// Settles how a store that has proven sound is written.
pub(crate) fn trust(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    // What is forgotten is overwritten; nothing else is ever deleted, so that this costs nothing at other times.
    conn.pragma_update(None, "secure_delete", "ON")?;
    conn.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES_MAX)?;
    conn.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(())
}
