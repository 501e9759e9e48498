//! Workspaces: git work trees that Adjutant made for sessions.

use crate::error::ErrorBody;
use crate::schema::{answer, call, words};
use crate::time::WireTime;

words! {
    /// Where a session works.
    pub enum WorkspaceWord {
        /// In the directory itself.
        Shared = "shared",
        /// In a git work tree of its own.
        Isolated = "isolated",
        /// As the host decides: for people and agents, in the directory itself.
        Inherit = "inherit",
    }

    /// Whether the work of a workspace is in another branch too.
    pub enum LandedWord {
        /// It is.
        Contained = "contained",
        /// It has something that the other does not have.
        CarriesNew = "carries_new",
        /// It cannot be told.
        Unknown = "unknown",
    }
}

answer! {
    /// A git work tree that Adjutant made for a session.
    pub struct Workspace {
        /// Its id.
        pub id: String,
        /// The session that it was made for, while its record is kept.
        pub session: Option<String>,
        /// The session's process lives.
        pub in_use: bool,
        /// Its directory.
        pub path: String,
        /// The main checkout of its repository.
        pub checkout: String,
        /// Its branch.
        pub branch: String,
        /// The commit from which it began.
        pub base: String,
        /// The branch that this commit was on.
        pub base_branch: Option<String>,
        /// When it was made.
        pub created_at: WireTime,
        /// Its directory is not there any more.
        pub missing: bool,
        /// Its newest commit; `null` where it cannot be read.
        pub head: Option<String>,
        /// Files of the repository that are changed and not committed; `null` where that cannot be read.
        pub dirty: Option<u64>,
        /// Files that the repository does not know; `null` where that cannot be read.
        pub untracked: Option<u64>,
        /// Commits on top of the base; `null` where that cannot be read.
        pub ahead: Option<u64>,
        /// Whether its commits are in the base branch.
        pub landed: LandedWord,
        /// Why something of this cannot be told.
        pub error: Option<String>,
    }

    /// What a workspace has changed since its base.
    pub struct WorkspaceDiff {
        /// Its id.
        pub id: String,
        /// The commit that it is compared with.
        pub base: String,
        /// Its newest commit.
        pub head: String,
        /// Commits on top of the base.
        pub ahead: u64,
        /// Changed and unknown files that are not committed.
        pub uncommitted: u64,
        /// What was changed, file by file.
        pub files: Vec<FileChange>,
        /// The change as a patch, where it was asked for.
        pub patch: Option<String>,
        /// The patch was cut, at the end of a line.
        pub truncated: bool,
    }

    /// What was changed in one file.
    pub struct FileChange {
        /// Its path in the repository.
        pub path: String,
        /// Its path before, where it was moved.
        pub old_path: Option<String>,
        /// It is not text.
        pub binary: bool,
        /// Lines that were added.
        pub additions: Option<u64>,
        /// Lines that were taken away.
        pub deletions: Option<u64>,
    }

    /// A branch that went forward to the commits of a workspace.
    pub struct LandedWorkspace {
        /// The workspace's id.
        pub id: String,
        /// The branch.
        pub branch: String,
        /// The commit that it was on.
        pub from: String,
        /// The commit that it is on; the same where it had all of it already.
        pub to: String,
    }

    /// What came of removing one workspace.
    pub struct CleanedWorkspace {
        /// Its id.
        pub id: String,
        /// Its directory is gone.
        pub removed: bool,
        /// Why its branch was kept; `null` where it is gone too.
        pub branch_kept: Option<String>,
        /// The reference that holds what was not committed, where that had to be saved.
        pub snapshot: Option<String>,
        /// Why it was not removed.
        pub error: Option<ErrorBody>,
    }
}

call! {
    /// What a comparison is to say.
    pub struct WorkspaceDiffQuery {
        /// The patch too.
        #[serde(default)]
        pub patch: bool,
        /// What is not committed too.
        #[serde(default)]
        pub uncommitted: bool,
    }

    /// What is to be landed.
    pub struct LandWorkspace {
        /// The newest commit, as the caller has looked at it; nothing happens where it is another one by now.
        pub head: Option<String>,
    }

    /// Which workspaces are to be removed: those that are named, or all that hold nothing new.
    pub struct CleanWorkspaces {
        /// These: ids of workspaces or of their sessions.
        #[serde(default)]
        pub ids: Vec<String>,
        /// All of which nothing would be lost.
        #[serde(default)]
        pub all: bool,
        /// Those too that hold something new, which is saved to a reference first; needs a reason.
        #[serde(default)]
        pub force: bool,
        /// Why, for the log.
        pub reason: Option<String>,
    }
}
