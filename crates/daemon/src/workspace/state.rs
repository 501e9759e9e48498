//! What is in a workspace now. Reading it changes nothing.

use super::contained::{Containment, containment};
use super::git::{Git, GitError, LOOK};
use super::{Record, Workspaces};

/// What is in a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Its directory is not there.
    Missing,
    /// It cannot be read.
    Unreadable {
        /// Why not.
        why: String,
    },
    /// It is there.
    Present {
        /// Its newest commit.
        head: String,
        /// Files that are changed and not committed.
        dirty: u64,
        /// Files that the repository does not know.
        untracked: u64,
        /// Commits on top of the base.
        ahead: u64,
        /// Whether its commits are in the base branch.
        landed: Containment,
    },
}

impl Workspaces {
    /// Looks into one.
    pub(crate) async fn state(&self, record: &Record) -> State {
        match record.tree.symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return State::Missing,
            Err(error) => return State::Unreadable { why: error.to_string() },
            Ok(found) if !found.is_dir() => return State::Unreadable { why: "it is no directory any more".to_owned() },
            Ok(_) => {}
        }
        present(record).await.unwrap_or_else(|error| State::Unreadable { why: error.to_string() })
    }
}

async fn present(record: &Record) -> Result<State, GitError> {
    let git = Git::new(&record.tree);
    let head = git.line(&["rev-parse", "--verify", "HEAD^{commit}"]).await?;
    let (dirty, untracked) = uncommitted(&git).await?;
    let ahead = git.line(&["rev-list", "--count", &format!("{}..{head}", record.base)]).await?;
    let landed = landed(&git, record, &head).await;
    Ok(State::Present { head, dirty, untracked, ahead: ahead.parse().unwrap_or(u64::MAX), landed })
}

/// How many files are changed, and how many are unknown, whatever the user's configuration wants to see of them.
pub(super) async fn uncommitted(git: &Git<'_>) -> Result<(u64, u64), GitError> {
    let words = ["status", "--porcelain=v2", "-z", "--untracked-files=all", "--ignore-submodules=none"];
    let (mut dirty, mut untracked) = (0, 0);
    let listed = git.run(&words, LOOK).await?;
    let mut fields = listed.split(|byte| *byte == 0);
    while let Some(field) = fields.next() {
        match field.first() {
            Some(b'?') => untracked += 1,
            Some(b'2') => {
                // The old name of a moved file is a field of its own.
                let _ = fields.next();
                dirty += 1;
            }
            Some(b'1' | b'u') => dirty += 1,
            Some(_) | None => {}
        }
    }
    Ok((dirty, untracked))
}

/// Whether the work is in the branch from which it began.
pub(super) async fn landed(git: &Git<'_>, record: &Record, head: &str) -> Containment {
    if head == record.base {
        return Containment::Contained;
    }
    let Some(branch) = &record.base_branch else { return Containment::Unknown };
    match git.line(&["rev-parse", "--verify", "--quiet", &format!("refs/heads/{branch}^{{commit}}")]).await {
        Ok(target) => containment(git, head, &target).await,
        Err(_) => Containment::Unknown,
    }
}
