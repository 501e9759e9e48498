//! An error within this crate, before it is known to which operation's error it belongs.

use std::path::Path;

use crate::error::{OpenError, ReadError};
use crate::rows::Malformed;

/// SQLite failed, or what it read has not the form it should have.
#[derive(Debug)]
pub(crate) enum Fault {
    Sqlite(rusqlite::Error),
    Malformed(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Malformed> for Fault {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error.0)
    }
}

impl Fault {
    /// Says which record it is about.
    pub(crate) fn about(self, what: impl FnOnce() -> String) -> Self {
        match self {
            Self::Malformed(why) => Self::Malformed(format!("{}: {why}", what())),
            Self::Sqlite(error) => Self::Sqlite(error),
        }
    }

    pub(crate) fn into_open(self, path: &Path) -> OpenError {
        match self {
            Self::Sqlite(error) => OpenError::from_sqlite(path, &error),
            Self::Malformed(why) => OpenError::corrupt(path, why),
        }
    }

    pub(crate) fn into_read(self, path: &Path) -> ReadError {
        match self {
            Self::Sqlite(error) => ReadError::from_sqlite(path, &error),
            Self::Malformed(why) => ReadError::Corrupt { path: path.to_owned(), why },
        }
    }
}

pub(crate) type Outcome<T> = Result<T, Fault>;
