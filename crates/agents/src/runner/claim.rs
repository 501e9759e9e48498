//! Who has claimed a session: the runner that made its journal, or a daemon that withdrew the plan.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use adjutant_core::process::Incarnation;

use super::journal::{Reader, create};
use super::record::Record;
use crate::process::own_incarnation;

/// How the beginning of a journal looks.
pub(crate) enum Claim {
    /// A runner owns the session.
    Runner(Incarnation),
    /// The plan was withdrawn.
    Withdrawn,
    /// There is no journal.
    None,
}

/// Claims the session for nobody: no runner comes to life any more.
///
/// # Errors
/// `AlreadyExists` when somebody was first.
pub(crate) fn withdraw(state_dir: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(state_dir)?;
    let by = (&own_incarnation()?).into();
    create(state_dir, &Record::Withdrawn { by }).map(drop)
}

/// Who has claimed a session.
///
/// # Errors
/// When the journal cannot be read, or does not begin as one does.
pub(crate) fn claim(state_dir: &Path) -> io::Result<Claim> {
    let mut journal = match Reader::open(state_dir, 0) {
        Ok(journal) => journal,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Claim::None),
        Err(error) => return Err(error),
    };
    match journal.next().transpose()?.map(|found| found.entry.record) {
        Some(Record::Withdrawn { .. }) => Ok(Claim::Withdrawn),
        Some(Record::Opened { runner, .. }) => {
            runner.incarnation().map(Claim::Runner).ok_or_else(|| io::Error::other("the journal names no runner"))
        }
        _ => Err(io::Error::other("the journal does not begin with who made it")),
    }
}
