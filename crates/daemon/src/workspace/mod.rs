//! Workspaces: git work trees that are made for sessions, seen, compared and, when nothing of them would be lost, removed.
//!
//! A tree lies in the state directory, beside a small record of it that is there before the tree is. The record bears the
//! host's id, and so does the tree's own directory in the repository; what bears another is never touched.

mod clean;
mod contained;
mod diff;
mod git;
mod land;
mod make;
mod record;
mod state;

use std::path::PathBuf;

use adjutant_api::ErrorCode;
use tokio::sync::Mutex;

pub(crate) use self::clean::Cleaning;
pub(crate) use self::contained::Containment;
pub(crate) use self::make::{Made, choose};
pub(crate) use self::record::Record;
pub(crate) use self::state::State;

/// Why something cannot be done with a workspace.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct WorkspaceError {
    /// The kind of failure.
    pub(crate) code: ErrorCode,
    /// The word for it, on which scripts may rely.
    pub(crate) why: &'static str,
    text: String,
}

impl WorkspaceError {
    fn new(code: ErrorCode, why: &'static str, text: impl Into<String>) -> Self {
        Self { code, why, text: text.into() }
    }

    fn refused(why: &'static str, text: impl Into<String>) -> Self {
        Self::new(ErrorCode::Forbidden, why, text)
    }
}

impl From<git::GitError> for WorkspaceError {
    fn from(error: git::GitError) -> Self {
        let code = match &error {
            git::GitError::TooSlow(_) => ErrorCode::Timeout,
            git::GitError::Refused { .. } | git::GitError::TooMuch(_) | git::GitError::Io(_) => ErrorCode::Internal,
        };
        Self::new(code, "git-failed", error.to_string())
    }
}

impl From<std::io::Error> for WorkspaceError {
    fn from(error: std::io::Error) -> Self {
        Self::new(ErrorCode::Internal, "io", error.to_string())
    }
}

type Done<T> = Result<T, WorkspaceError>;

/// The workspaces of a host.
#[derive(Debug)]
pub(crate) struct Workspaces {
    trees: PathBuf,
    host_id: String,
    /// Whatever changes references or trees is done one after another, in the order of asking.
    changing: Mutex<()>,
}

impl Workspaces {
    pub(crate) fn new(state_dir: &std::path::Path, host_id: &str) -> Self {
        Self { trees: state_dir.join("trees"), host_id: host_id.to_owned(), changing: Mutex::default() }
    }
}
