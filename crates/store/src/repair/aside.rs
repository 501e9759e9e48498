//! Finding the files of a damaged store, and giving them names of their own.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::failed;
use crate::error::{OpenError, RepairError};
use crate::place::{Place, remove_if_there, sync_directory};
use crate::{open, utc};

const DAMAGED: &str = ".damaged-";

/// The damaged file where it is; where it is gone, what an earlier repair that was killed has put aside.
pub(super) fn damaged_file(place: &Place) -> Result<Option<PathBuf>, RepairError> {
    let path = place.db();
    match fs::symlink_metadata(&path) {
        Ok(_) => match open::prove_sound(place) {
            Ok(()) => Err(RepairError::NotDamaged { path }),
            Err(OpenError::Corrupt { .. }) => Ok(Some(path)),
            Err(other) => Err(other.into()),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let aside = newest(place, is_damaged_database)?;
            set_log_aside(place, aside.as_deref()).map_err(|error| failed(&path, error))?;
            Ok(aside)
        }
        Err(error) => Err(OpenError::unreadable(&path, error).into()),
    }
}

fn is_damaged_database(name: &str) -> bool {
    name.contains(DAMAGED) && !name.ends_with("-wal") && !name.ends_with("-shm")
}

pub(super) fn newest_backup(place: &Place) -> Result<Option<PathBuf>, RepairError> {
    newest(place, |name| name.ends_with(".bak"))
}

/// The file with the latest time in its name.
fn newest(place: &Place, right: impl Fn(&str) -> bool) -> Result<Option<PathBuf>, RepairError> {
    let files = place.files().map_err(|error| failed(place.dir(), error))?;
    let timed = |path: PathBuf| {
        let name = path.file_name()?.to_str()?;
        let time = right(name).then(|| name.rsplit('-').next().map(str::to_owned))?;
        Some((time, path))
    };
    Ok(files.into_iter().filter_map(timed).max().map(|(_, path)| path))
}

/// Gives the damaged file and its log names of their own. The database goes first: without it the store is missing, and
/// a log that is left is never taken for one of the new store.
pub(super) fn set_aside(place: &Place) -> io::Result<Option<PathBuf>> {
    let aside = utc::unused_path(|stamp| place.beside(&format!("{DAMAGED}{stamp}")));
    match fs::rename(place.db(), &aside) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        moved => moved?,
    }
    sync_directory(place.dir())?;
    set_log_aside(place, Some(&aside))?;
    Ok(Some(aside))
}

/// The log belongs to the database that was put aside, and keeps its name's beginning so that SQLite finds it there.
fn set_log_aside(place: &Place, aside: Option<&Path>) -> io::Result<()> {
    let with_log = |path: &Path| path.with_file_name(format!("{}-wal", path.file_name().unwrap_or_default().display()));
    let free = aside.map(with_log).filter(|path| fs::symlink_metadata(path).is_err());
    let target = free.unwrap_or_else(|| utc::unused_path(|stamp| place.beside(&format!("{DAMAGED}{stamp}-wal"))));
    match fs::rename(place.wal(), target) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    remove_if_there(&place.shm())?;
    sync_directory(place.dir())
}
