//! Bringing back the last good state of a damaged or missing store.

mod aside;
mod base;
mod fill;
mod sources;

use std::fs::File;
use std::path::{Path, PathBuf};

use self::sources::Sources;
use crate::create;
use crate::error::{OpenError, RepairError};
use crate::host_file;
use crate::place::{Place, install, remove_if_there};
use crate::salvage::Break;

const UNFINISHED: &str = ".repairing";

/// What a repair has brought back, and what it has not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Where the damaged file is now; `None` when there was none.
    pub aside: Option<PathBuf>,
    /// The copy from which gaps were filled.
    pub backup: Option<PathBuf>,
    /// Events that were read from the damaged file.
    pub events_salvaged: u64,
    /// Events that came from the copy.
    pub events_from_backup: u64,
    /// Stretches of the damaged log that could not be read. What stood behind the last one may be lost.
    pub breaks: Vec<Break>,
    /// Events that could be read and made no sense.
    pub events_malformed: u64,
    /// Events that were left out, since the beginning of their session is lost, or a newer session has its name.
    pub events_orphaned: u64,
    /// Messages whose text is lost.
    pub texts_lost: u64,
    /// Sessions that there are now.
    pub sessions: usize,
}

/// Brings the store of a state directory back to its last good state and keeps the damaged file aside.
///
/// The daemon is stopped and the caller holds its lock. What can be read of the damaged log comes first, and the newest
/// copy fills its gaps. A store that is sound, unreadable or too new is left alone.
pub fn repair(state_dir: &Path, version: &str) -> Result<Repaired, RepairError> {
    let place = Place::new(state_dir).map_err(|error| OpenError::unusable(state_dir, error))?;
    place.prepare()?;
    let damaged = aside::damaged_file(&place)?;
    let backup = aside::newest_backup(&place)?;
    drop_unfinished(&place)?;
    let built = build(&place, damaged.as_deref(), backup.as_deref(), version);
    if built.is_err() {
        drop_unfinished(&place)?;
    }
    let mut report = built?;
    report.aside = aside::set_aside(&place).map_err(|error| failed(&place.db(), error))?.or(damaged);
    install(&place.beside(UNFINISHED), &place.db()).map_err(|error| failed(&place.db(), error))?;
    Ok(report)
}

fn failed(path: &Path, why: impl ToString) -> RepairError {
    RepairError::Failed { path: path.to_owned(), why: why.to_string() }
}

fn drop_unfinished(place: &Place) -> Result<(), RepairError> {
    for suffix in ["", "-wal", "-shm"] {
        let leftover = place.beside(&format!("{UNFINISHED}{suffix}"));
        remove_if_there(&leftover).map_err(|error| failed(&leftover, error))?;
    }
    Ok(())
}

/// Makes a whole new store under another name.
fn build(place: &Place, damaged: Option<&Path>, backup: Option<&Path>, version: &str) -> Result<Repaired, RepairError> {
    let new = place.beside(UNFINISHED);
    let sources = Sources::open(damaged, backup);
    let host = sources.host(place)?;
    let mut conn = create::make(&new, host, version)?;
    let mut report = fill::fill(&mut conn, &sources).map_err(|fault| fault.into_open(&new))?;
    if report.events_salvaged + report.events_from_backup == 0 {
        return Err(RepairError::NothingLeft { path: place.db() });
    }
    report.backup = backup.map(Path::to_owned).filter(|_| report.events_from_backup > 0);
    conn.close().map_err(|(_, error)| failed(&new, error))?;
    File::open(&new).and_then(|file| file.sync_all()).map_err(|error| failed(&new, error))?;
    host_file::write(&place.host_file(), host).map_err(|error| failed(&place.host_file(), error))?;
    Ok(report)
}
