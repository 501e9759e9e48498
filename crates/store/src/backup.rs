//! Copies of the store: before a migration, and whenever the daemon asks.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::connection;
use crate::place::{Place, create_file, install, remove_if_there};
use crate::utc;

const UNFINISHED: &str = ".copying-";

/// Copies of one kind that are kept; the oldest goes when there are more.
const BACKUPS_KEPT: usize = 3;

/// Why no copy was made. The store is untouched.
#[derive(Debug, thiserror::Error)]
#[error("no copy of the store was made at {path}: {why}")]
pub struct BackupError {
    /// Where it should have been.
    pub path: PathBuf,
    /// The words of SQLite or the system.
    pub why: String,
}

/// Makes a copy of the store beside it, while it may be written, and keeps the last three.
///
/// Every row is read on the way, so that a store with an unreadable page gives an error here and no copy.
pub fn backup(state_dir: &Path) -> Result<PathBuf, BackupError> {
    let failed = |why: String| BackupError { path: state_dir.to_owned(), why };
    let place = Place::new(state_dir).map_err(|error| failed(error.to_string()))?;
    let conn = connection::open_to_read(&place.db()).map_err(|error| failed(error.to_string()))?;
    copy(&place, &conn, "daily")
}

/// Makes a copy named after its kind and the time.
pub(crate) fn copy(place: &Place, conn: &Connection, kind: &str) -> Result<PathBuf, BackupError> {
    let path = utc::unused_path(|stamp| place.beside(&format!(".{kind}-{stamp}.bak")));
    let failed = |why: String| BackupError { path: path.clone(), why };
    let unfinished = place.beside(&format!("{UNFINISHED}{}", std::process::id()));
    let made = copy_to(conn, &unfinished).and_then(|()| {
        install(&unfinished, &path).and_then(|()| drop_oldest(place, kind)).map_err(|error| error.to_string())
    });
    if made.is_err() {
        // Best effort: the error that is reported is the first one.
        let _ = remove_if_there(&unfinished);
    }
    made.map_err(failed)?;
    Ok(path)
}

/// Removes what copies have left whose process was killed.
pub(crate) fn drop_unfinished(place: &Place) -> io::Result<()> {
    place.files_named(UNFINISHED, "")?.iter().try_for_each(|path| remove_if_there(path))
}

fn copy_to(conn: &Connection, path: &Path) -> Result<(), String> {
    let words = |error: io::Error| error.to_string();
    remove_if_there(path).map_err(words)?;
    // Made here with its mode, since SQLite would take the umask's.
    drop(create_file(path).map_err(words)?);
    let name = ToSqlOutput::Borrowed(ValueRef::Text(path.as_os_str().as_encoded_bytes()));
    conn.execute("VACUUM INTO ?1", [name]).map_err(|error| error.to_string())?;
    File::open(path).and_then(|file| file.sync_all()).map_err(words)
}

fn drop_oldest(place: &Place, kind: &str) -> io::Result<()> {
    let copies = place.files_named(&format!(".{kind}-"), ".bak")?;
    let surplus = copies.len().saturating_sub(BACKUPS_KEPT);
    copies.iter().take(surplus).try_for_each(fs::remove_file)
}
