//! Reading beside the writer, from a connection that cannot write.

mod entry;
mod log;
mod work;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

pub use self::entry::{Entry, Opaque};
pub(crate) use self::entry::{decode_entry, for_each_entry};
pub use self::log::{EventPage, Lost, Scope};
pub use self::work::{Answered, Selection};
use crate::error::ReadError;
use crate::fault::Outcome;
use crate::place::Place;
use crate::{connection, schema};

/// A look into the store. Each call sees one moment of it; a pool of a few serves many callers.
#[derive(Debug)]
pub struct Reader {
    conn: Connection,
    path: PathBuf,
    log: PathBuf,
}

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sessions, exited ones included.
    pub sessions: u64,
    /// Events in the log.
    pub events: u64,
    /// Messages, ended ones included.
    pub messages: u64,
    /// Ended turns.
    pub turns: u64,
    /// Requests, closed ones included.
    pub requests: u64,
    /// Bytes of the database.
    pub file_bytes: u64,
    /// Bytes of its write-ahead log.
    pub log_bytes: u64,
}

impl Reader {
    /// Opens the store of a state directory to read; nothing is made where there is none.
    pub fn open(state_dir: &Path) -> Result<Self, ReadError> {
        let unreadable = |why: String| ReadError::Io { path: state_dir.to_owned(), why };
        let place = Place::new(state_dir).map_err(|error| unreadable(error.to_string()))?;
        let path = place.db();
        match std::fs::symlink_metadata(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(ReadError::Missing { path }),
            Err(error) => return Err(unreadable(error.to_string())),
        }
        let conn = connection::open_to_read(&path).map_err(|error| ReadError::from_sqlite(&path, &error))?;
        let reader = Self { conn, path, log: place.wal() };
        reader.check_format()?;
        Ok(reader)
    }

    /// How much the store holds.
    pub fn counts(&self) -> Result<Counts, ReadError> {
        self.at_one_moment(|conn| {
            let count = |table: &str| -> rusqlite::Result<u64> {
                conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            };
            Ok(Counts {
                sessions: count("sessions")?,
                events: count("events")?,
                messages: count("messages")?,
                turns: count("turns")?,
                requests: count("requests")?,
                file_bytes: size_of(&self.path),
                log_bytes: size_of(&self.log),
            })
        })
    }

    /// Reads every page and every index and says what is wrong; nothing, if the list is empty. It may take seconds.
    pub fn check(&self) -> Result<Vec<String>, ReadError> {
        self.at_one_moment(|conn| {
            let mut statement = conn.prepare("PRAGMA integrity_check(100)")?;
            let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
            let flaws: Vec<String> = lines.collect::<rusqlite::Result<_>>()?;
            Ok(flaws.into_iter().filter(|line| line != "ok").collect())
        })
    }

    fn check_format(&self) -> Result<(), ReadError> {
        let found = schema::version(&self.conn).map_err(|error| ReadError::from_sqlite(&self.path, &error))?;
        if found == schema::SUPPORTED {
            return Ok(());
        }
        Err(ReadError::OtherFormat { path: self.path.clone(), found, supported: schema::SUPPORTED })
    }

    /// Runs several queries on one and the same state of the store.
    pub(crate) fn at_one_moment<T>(&self, read: impl FnOnce(&Connection) -> Outcome<T>) -> Result<T, ReadError> {
        let all = || {
            let moment = self.conn.unchecked_transaction()?;
            read(&moment)
        };
        all().map_err(|fault| fault.into_read(&self.path))
    }
}

fn size_of(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}
