//! Opening a store: five situations told apart, and nothing changed before the store has proven sound.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use adjutant_core::host::Counters;
use adjutant_core::session::Session;
use rusqlite::Connection;

use crate::error::OpenError;
use crate::host_file::{self, HostId, Witness};
use crate::load::{self, Projections};
use crate::place::{Place, Tightened};
use crate::writer::Writer;
use crate::{backup, connection, create, header, meta, schema};

/// What the store holds for the host's memory.
#[derive(Debug)]
pub struct Loaded {
    /// All sessions, exited ones included: with their live messages, their order, their running turn and its requests.
    pub sessions: Vec<Session>,
    /// The next ids.
    pub counters: Counters,
    /// What was found and put right on the way.
    pub notices: Vec<Notice>,
}

/// Something that was put right while the store was opened, and that a person may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// There was no store yet.
    Created,
    /// Others could have read this.
    Tightened(Tightened),
    /// The store had an older format.
    Migrated {
        /// The format it had.
        from: u32,
        /// The copy that was made before.
        backup: PathBuf,
    },
    /// The file that names the host was missing or garbled, and was written anew from the store.
    HostFileWritten,
}

/// Opens the store of a state directory to write, or makes it if there has never been one.
///
/// The caller holds the daemon's lock. `version` is the program's own, for those who find the store later. No reader of
/// this process is open yet: the system takes a process's locks away when any look at the locked file ends.
pub fn open(state_dir: &Path, version: &str) -> Result<(Writer, Loaded), OpenError> {
    let place = Place::new(state_dir).map_err(|error| OpenError::unusable(state_dir, error))?;
    let mut notices: Vec<Notice> = place.prepare()?.into_iter().map(Notice::Tightened).collect();
    let witness = host_file::read(&place).map_err(|error| OpenError::unreadable(&place.host_file(), error))?;
    if !is_there(&place.db())? {
        refuse_if_one_existed(&place, witness)?;
        create::create(&place, version)?;
        notices.push(Notice::Created);
    }
    let (conn, found, host) = open_existing(&place, witness, &mut notices)?;
    settle_host_file(&place, witness, host, &mut notices)?;
    settle(&place, &conn, version)?;
    let sessions = found.sessions.into_values().collect();
    let writer = Writer::new(conn, place, host, found.unknown)?;
    Ok((writer, Loaded { sessions, counters: found.counters, notices }))
}

fn is_there(path: &Path) -> Result<bool, OpenError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(OpenError::unreadable(path, error)),
    }
}

/// A first start finds nothing at all: neither the file that names the host nor anything of a store.
fn refuse_if_one_existed(place: &Place, witness: Witness) -> Result<(), OpenError> {
    let missing = |witness: PathBuf| Err(OpenError::Missing { path: place.db(), witness });
    if witness != Witness::Absent {
        return missing(place.host_file());
    }
    let files = place.files().map_err(|error| OpenError::unreadable(place.dir(), error))?;
    match files.into_iter().find(|path| !create::is_unfinished(path)) {
        Some(path) => missing(path),
        None => Ok(()),
    }
}

/// Looks at a store from the outside in: its header, its format, its extent, its host, its records.
fn open_existing(
    place: &Place,
    witness: Witness,
    notices: &mut Vec<Notice>,
) -> Result<(Connection, Projections, HostId), OpenError> {
    let path = place.db();
    header::inspect(place)?;
    let mut conn = connection::open_to_write(&path).map_err(|error| OpenError::from_sqlite(&path, &error))?;
    let from = known_version(&path, &conn)?;
    check_extent(place, &conn)?;
    let host = host_of(place, &conn, witness)?;
    if from < schema::SUPPORTED {
        let backup = migrate(place, &mut conn, from, schema::STEPS)?;
        notices.push(Notice::Migrated { from, backup });
    }
    let found = load::load(&conn).map_err(|fault| fault.into_open(&path))?;
    Ok((conn, found, host))
}

/// Looks at all of a store, as far as its records and its pages tell, and changes nothing.
pub(crate) fn prove_sound(place: &Place) -> Result<(), OpenError> {
    let path = place.db();
    header::inspect(place)?;
    let conn = connection::open_to_write(&path).map_err(|error| OpenError::from_sqlite(&path, &error))?;
    known_version(&path, &conn)?;
    check_extent(place, &conn)?;
    load::load(&conn).map_err(|fault| fault.into_open(&path))?;
    let flaw: String = conn
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|error| OpenError::from_sqlite(&path, &error))?;
    if flaw == "ok" { Ok(()) } else { Err(OpenError::corrupt(&path, flaw)) }
}

/// The format of the store, if this program knows it.
pub(crate) fn known_version(path: &Path, conn: &Connection) -> Result<u32, OpenError> {
    let found = schema::version(conn).map_err(|error| OpenError::from_sqlite(path, &error))?;
    match found {
        0 => Err(OpenError::corrupt(path, "it has no format")),
        1..=schema::SUPPORTED => Ok(found),
        _ => {
            // A newer format may keep this elsewhere; then the number has to do.
            let by = meta::written_by(conn).unwrap_or_default();
            Err(OpenError::Newer { path: path.to_owned(), found, supported: schema::SUPPORTED, by })
        }
    }
}

fn check_extent(place: &Place, conn: &Connection) -> Result<(), OpenError> {
    let path = place.db();
    let ask = |pragma: &str| -> rusqlite::Result<u64> { conn.pragma_query_value(None, pragma, |row| row.get(0)) };
    let sizes = ask("page_count").and_then(|count| Ok((count, ask("page_size")?)));
    let (count, bytes) = sizes.map_err(|error| OpenError::from_sqlite(&path, &error))?;
    match header::missing_page(place, count, bytes) {
        Ok(None) => Ok(()),
        Ok(Some(page)) => Err(OpenError::corrupt(&path, format!("page {page} of {count} is missing"))),
        Err(error) => Err(OpenError::unreadable(&path, error)),
    }
}

/// The host of the store, which the file beside it does not contradict.
fn host_of(place: &Place, conn: &Connection, witness: Witness) -> Result<HostId, OpenError> {
    let path = place.db();
    let host = meta::host(conn).map_err(|error| OpenError::from_sqlite(&path, &error))?;
    let found = host.ok_or_else(|| OpenError::corrupt(&path, "it names no host"))?;
    match witness {
        Witness::Names(expected) if expected != found => {
            Err(OpenError::OtherHost { path, witness: place.host_file(), expected, found })
        }
        Witness::Names(_) | Witness::Absent | Witness::Garbled => Ok(found),
    }
}

/// Makes a copy, and brings the store to the newest format in one transaction.
pub(crate) fn migrate(place: &Place, conn: &mut Connection, from: u32, steps: &[&str]) -> Result<PathBuf, OpenError> {
    let path = place.db();
    let made = backup::copy(place, conn, &format!("v{from}"));
    let made = made.map_err(|error| OpenError::unusable(&path, error))?;
    let migrated = conn.transaction().and_then(|tx| {
        schema::migrate(&tx, from, steps)?;
        tx.commit()
    });
    migrated.map_err(|error| OpenError::from_sqlite(&path, &error))?;
    Ok(made)
}

fn settle_host_file(place: &Place, witness: Witness, host: HostId, notices: &mut Vec<Notice>) -> Result<(), OpenError> {
    let path = place.host_file();
    match witness {
        Witness::Names(_) => return Ok(()),
        Witness::Garbled => notices.push(Notice::HostFileWritten),
        Witness::Absent if notices.contains(&Notice::Created) => {}
        Witness::Absent => notices.push(Notice::HostFileWritten),
    }
    host_file::write(&path, host).map_err(|error| OpenError::unusable(&path, error))
}

/// From here on the store is written.
fn settle(place: &Place, conn: &Connection, version: &str) -> Result<(), OpenError> {
    backup::drop_unfinished(place).map_err(|error| OpenError::unusable(place.dir(), error))?;
    let settled = connection::trust(conn).and_then(|()| meta::set_written_by(conn, version));
    settled.map_err(|error| OpenError::from_sqlite(&place.db(), &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOMORROW: &[&str] =
        &[schema::STEPS[0], "ALTER TABLE sessions ADD COLUMN mood TEXT", "CREATE TABLE moods (id)"];

    fn opened(place: &Place) -> Connection {
        connection::open_to_write(&place.db()).unwrap()
    }

    #[test]
    fn a_migration_makes_a_copy_and_takes_all_steps_that_are_missing() {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path(), "0").unwrap());
        let place = Place::new(dir.path()).unwrap();
        let copy = migrate(&place, &mut opened(&place), 1, TOMORROW).unwrap();
        assert_eq!(schema::version(&opened(&place)).unwrap(), 3);
        assert!(opened(&place).prepare("SELECT mood FROM sessions, moods").is_ok());
        assert!(copy.file_name().is_some_and(|name| name.to_string_lossy().starts_with("store.db.v1-")));
        assert_eq!(schema::version(&Connection::open(copy).unwrap()).unwrap(), 1);
        assert!(matches!(open(dir.path(), "0").map(drop), Err(OpenError::Newer { found: 3, .. })));
    }

    #[test]
    fn a_step_that_fails_leaves_the_old_format() {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path(), "0").unwrap());
        let place = Place::new(dir.path()).unwrap();
        let steps = [TOMORROW[0], TOMORROW[1], "CREATE TABLE sessions (id)"];
        assert!(migrate(&place, &mut opened(&place), 1, &steps).is_err());
        assert_eq!(schema::version(&opened(&place)).unwrap(), 1);
        assert!(open(dir.path(), "0").is_ok());
    }
}
