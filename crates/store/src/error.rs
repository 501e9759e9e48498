//! What can go wrong, as facts that tell apart what a person has to do.

use std::path::PathBuf;

use crate::backup::BackupError;
use crate::host_file::HostId;

/// Why a store was not opened. None of these has changed the store, and none of them is an empty store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A store has existed here and is gone.
    #[error("the store {path} is gone, though {witness} shows that there was one")]
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// What shows that one existed.
        witness: PathBuf,
    },
    /// It is there, or may be, and cannot be read.
    #[error("the store {path} cannot be read: {why}")]
    Unreadable {
        /// What could not be read.
        path: PathBuf,
        /// The words of the system.
        why: String,
    },
    /// It can be read, and what it says cannot be right.
    #[error("the store {path} is damaged: {why}")]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A newer version of Adjutant has written it.
    #[error("the store {path} has format {found}, written by {}; this version knows {supported}", written_by(.by.as_deref()))]
    Newer {
        /// The store.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this version knows.
        supported: u32,
        /// The version of Adjutant that wrote it.
        by: Option<String>,
    },
    /// The state directory cannot hold a store.
    #[error("{path} cannot be used: {why}")]
    DirectoryUnusable {
        /// The directory, or the file in it that could not be written.
        path: PathBuf,
        /// The words of the system.
        why: String,
    },
    /// Somebody else owns a file that only the user's daemon may write.
    #[error("{path} belongs to user {owner}, and this is user {user}")]
    ForeignOwner {
        /// The file or directory.
        path: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who asks.
        user: u32,
    },
    /// The store and the file beside it tell of two hosts.
    #[error("the store {path} is of host {found}, and {witness} says {expected}")]
    OtherHost {
        /// The store.
        path: PathBuf,
        /// The file that names the host.
        witness: PathBuf,
        /// The host of that file.
        expected: HostId,
        /// The host of the store.
        found: HostId,
    },
}

fn written_by(version: Option<&str>) -> String {
    version.map_or_else(|| "a newer version".to_owned(), |version| format!("version {version}"))
}

/// Why a batch was not committed. Nothing of it is stored, and the writer can be used again.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The disk is full, or the quota is used up.
    #[error("{path}: {why}")]
    Full {
        /// The store.
        path: PathBuf,
        /// The words of the system.
        why: String,
    },
    /// The store cannot be written any more.
    #[error("{path} can only be read: {why}")]
    ReadOnly {
        /// The store.
        path: PathBuf,
        /// The words of the system.
        why: String,
    },
    /// The system could not write or sync.
    #[error("{path}: {why}")]
    Io {
        /// The store.
        path: PathBuf,
        /// The words of the system.
        why: String,
    },
    /// The store turned out to be damaged.
    #[error("the store {path} is damaged: {why}")]
    Corrupt {
        /// The store.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Another process holds the store.
    #[error("the store {path} is held by another process")]
    Busy {
        /// The store.
        path: PathBuf,
    },
    /// The file that is open is no longer the one at its path.
    #[error("the store {path} was removed or replaced while it was open")]
    Replaced {
        /// The store.
        path: PathBuf,
    },
    /// The batch contradicts what is stored.
    #[error("the batch contradicts the store {path}: {why}")]
    Contradiction {
        /// The store.
        path: PathBuf,
        /// The contradiction.
        why: String,
    },
}

/// Why a store was neither rebuilt nor repaired.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// There is nothing to repair.
    #[error("the store {path} is sound")]
    NotDamaged {
        /// The store.
        path: PathBuf,
    },
    /// Repairing is not what helps here.
    #[error(transparent)]
    Unusable(#[from] OpenError),
    /// No copy could be made before.
    #[error(transparent)]
    NoCopy(#[from] BackupError),
    /// Nothing of the damaged store can be read, and there is no copy of it.
    #[error("nothing of {path} can be read, and there is no copy of it")]
    NothingLeft {
        /// The store.
        path: PathBuf,
    },
    /// It failed on the way; the damaged store is still there.
    #[error("{path}: {why}")]
    Failed {
        /// What failed.
        path: PathBuf,
        /// The words of SQLite or the system.
        why: String,
    },
}

/// Why something could not be read from the store.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no store.
    #[error("there is no store at {path}")]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The store has another format than this version reads.
    #[error("the store {path} has format {found}, and this version reads {supported}")]
    OtherFormat {
        /// The store.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The format that this version reads.
        supported: u32,
    },
    /// What was read cannot be right.
    #[error("the store {path} is damaged: {why}")]
    Corrupt {
        /// The store.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system could not read.
    #[error("{path}: {why}")]
    Io {
        /// The store.
        path: PathBuf,
        /// The words of the system.
        why: String,
    },
}
