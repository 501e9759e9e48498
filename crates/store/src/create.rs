//! Making a new store: finished under another name before it gets its own.

use std::fs::File;
use std::path::Path;

use rusqlite::Connection;

use crate::error::OpenError;
use crate::host_file::HostId;
use crate::place::{Place, create_file, install, remove_if_there};
use crate::{connection, meta, schema};

const UNFINISHED: &str = ".creating";

/// Whether a file is what a start that was killed has left of a new store.
pub(crate) fn is_unfinished(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains(UNFINISHED))
}

/// Makes an empty store with a new host id.
pub(crate) fn create(place: &Place, version: &str) -> Result<(), OpenError> {
    let path = place.beside(UNFINISHED);
    let host = HostId::draw().map_err(|error| OpenError::unusable(place.dir(), error))?;
    for suffix in ["", "-wal", "-shm"] {
        let leftover = place.beside(&format!("{UNFINISHED}{suffix}"));
        remove_if_there(&leftover).map_err(|error| OpenError::unusable(&leftover, error))?;
    }
    drop(make(&path, host, version)?);
    let finished = File::open(&path).and_then(|file| file.sync_all()).and_then(|()| install(&path, &place.db()));
    finished.map_err(|error| OpenError::unusable(&path, error))
}

/// Makes a database with the newest format at a path where nothing is.
pub(crate) fn make(path: &Path, host: HostId, version: &str) -> Result<Connection, OpenError> {
    drop(create_file(path).map_err(|error| OpenError::unusable(path, error))?);
    fill(path, host, version).map_err(|error| OpenError::from_sqlite(path, &error))
}

fn fill(path: &Path, host: HostId, version: &str) -> rusqlite::Result<Connection> {
    let mut conn = connection::open_to_write(path)?;
    schema::prepare_new(&conn)?;
    connection::trust(&conn)?;
    let tx = conn.transaction()?;
    schema::migrate(&tx, 0, schema::STEPS)?;
    meta::set_host(&tx, host)?;
    meta::set_written_by(&tx, version)?;
    tx.commit()?;
    Ok(conn)
}
