//! What the database says of itself: its host, who wrote it, and the counters.

use adjutant_core::host::Counters;
use adjutant_core::id::Seq;
use rusqlite::types::{FromSql, ToSql};
use rusqlite::{Connection, OptionalExtension};

use crate::host_file::HostId;

const HOST: &str = "host";
const WRITTEN_BY: &str = "written_by";
const NEXT_SEQ: &str = "next_seq";
const NEXT_MESSAGE: &str = "next_message";
const NEXT_REQUEST: &str = "next_request";
const HORIZON: &str = "horizon";

fn get<T: FromSql>(conn: &Connection, key: &str) -> rusqlite::Result<Option<T>> {
    conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?.query_row([key], |row| row.get(0)).optional()
}

fn set(conn: &Connection, key: &str, value: impl ToSql) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2)
               ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE value IS NOT excluded.value";
    conn.prepare_cached(sql)?.execute((key, value)).map(drop)
}

pub(crate) fn host(conn: &Connection) -> rusqlite::Result<Option<HostId>> {
    let text: Option<String> = get(conn, HOST)?;
    Ok(text.as_deref().and_then(HostId::parse))
}

pub(crate) fn set_host(conn: &Connection, host: HostId) -> rusqlite::Result<()> {
    set(conn, HOST, host.to_string())
}

pub(crate) fn written_by(conn: &Connection) -> rusqlite::Result<Option<String>> {
    get(conn, WRITTEN_BY)
}

pub(crate) fn set_written_by(conn: &Connection, version: &str) -> rusqlite::Result<()> {
    set(conn, WRITTEN_BY, version)
}

pub(crate) fn counters(conn: &Connection) -> rusqlite::Result<Counters> {
    let first = Counters::default();
    Ok(Counters {
        next_seq: get(conn, NEXT_SEQ)?.unwrap_or(first.next_seq),
        next_message: get(conn, NEXT_MESSAGE)?.unwrap_or(first.next_message),
        next_request: get(conn, NEXT_REQUEST)?.unwrap_or(first.next_request),
    })
}

/// The place up to which the log was compacted; 0 where it never was.
pub(crate) fn horizon(conn: &Connection) -> rusqlite::Result<Seq> {
    Ok(Seq::new(get(conn, HORIZON)?.unwrap_or(0)))
}

pub(crate) fn set_horizon(conn: &Connection, horizon: Seq) -> rusqlite::Result<()> {
    set(conn, HORIZON, horizon.get())
}

/// Keeps the counters; one that did not change costs no write.
pub(crate) fn set_counters(conn: &Connection, counters: &Counters) -> rusqlite::Result<()> {
    set(conn, NEXT_SEQ, counters.next_seq)?;
    set(conn, NEXT_MESSAGE, counters.next_message)?;
    set(conn, NEXT_REQUEST, counters.next_request)
}
