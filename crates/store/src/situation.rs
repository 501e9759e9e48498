//! What errors of SQLite and of the system mean for those who called.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::{CommitError, OpenError, ReadError};

/// What an error of SQLite means for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Situation {
    Full,
    ReadOnly,
    Io,
    Denied,
    Busy,
    Contradiction,
    Corrupt,
}

impl Situation {
    pub(crate) fn of(error: &rusqlite::Error) -> Self {
        if matches!(error, rusqlite::Error::ToSqlConversionFailure(_)) {
            return Self::Contradiction;
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            Some(ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory | ErrorCode::FileLockingProtocolFailed) => {
                Self::Io
            }
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::NoLargeFileSupport) => Self::Denied,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch) => Self::Contradiction,
            // What is left is a missing table, a wrong type, a malformed page: the file is not what it should be.
            _ => Self::Corrupt,
        }
    }
}

impl OpenError {
    pub(crate) fn from_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let (path, why) = (path.to_owned(), error.to_string());
        match Situation::of(error) {
            Situation::Full | Situation::ReadOnly => Self::DirectoryUnusable { path, why },
            Situation::Io | Situation::Denied | Situation::Busy => Self::Unreadable { path, why },
            Situation::Contradiction | Situation::Corrupt => Self::Corrupt { path, why },
        }
    }

    pub(crate) fn unusable(path: &Path, error: impl Display) -> Self {
        Self::DirectoryUnusable { path: path.to_owned(), why: error.to_string() }
    }

    pub(crate) fn unreadable(path: &Path, error: impl Display) -> Self {
        Self::Unreadable { path: path.to_owned(), why: error.to_string() }
    }

    pub(crate) fn corrupt(path: &Path, why: impl Display) -> Self {
        Self::Corrupt { path: path.to_owned(), why: why.to_string() }
    }
}

impl CommitError {
    /// SQLite does not hand on the words of the system; `system` is what a small write beside the store answered.
    pub(crate) fn from_sqlite(path: &Path, error: &rusqlite::Error, system: Option<&io::Error>) -> Self {
        let path = path.to_owned();
        let why = system.map_or_else(|| error.to_string(), |system| format!("{error}: {system}"));
        match (Situation::of(error), system.map(io::Error::kind)) {
            (Situation::Full, _) | (Situation::Io, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded)) => {
                Self::Full { path, why }
            }
            (Situation::ReadOnly, _) | (Situation::Io, Some(ErrorKind::ReadOnlyFilesystem)) => {
                Self::ReadOnly { path, why }
            }
            (Situation::Io | Situation::Denied, _) => Self::Io { path, why },
            (Situation::Busy, _) => Self::Busy { path },
            (Situation::Contradiction, _) => Self::Contradiction { path, why },
            (Situation::Corrupt, _) => Self::Corrupt { path, why },
        }
    }
}

impl ReadError {
    pub(crate) fn from_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let (path, why) = (path.to_owned(), error.to_string());
        match Situation::of(error) {
            Situation::Contradiction | Situation::Corrupt => Self::Corrupt { path, why },
            Situation::Full | Situation::ReadOnly | Situation::Io | Situation::Denied | Situation::Busy => {
                Self::Io { path, why }
            }
        }
    }
}
