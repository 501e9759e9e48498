//! Removing a workspace of which nothing would be lost.

use std::ffi::OsStr;
use std::path::Path;

use super::contained::Containment;
use super::git::{Git, LOOK, WRITE};
use super::state::{State, landed, uncommitted};
use super::{Done, Record, WorkspaceError, Workspaces};
use crate::clock;

/// The file in a tree's own directory in the repository that says whose it is.
pub(super) const STAMP: &str = "adjutant.json";

/// How one is to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cleaning {
    /// What would be lost is saved to a reference, and the tree goes all the same.
    pub(crate) force: bool,
    /// The session's process lives.
    pub(crate) in_use: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cleaned {
    /// Why the branch is still there.
    pub(crate) branch_kept: Option<String>,
    /// The reference that holds what was not committed.
    pub(crate) snapshot: Option<String>,
}

impl Workspaces {
    /// Removes one, if nothing of it would be lost. The file system says in the end whether it is gone.
    ///
    /// # Errors
    /// Why it stays.
    pub(crate) async fn clean(&self, record: &Record, how: Cleaning) -> Done<Cleaned> {
        let _changing = self.changing.lock().await;
        if how.in_use {
            return Err(WorkspaceError::refused("in-use", "its session lives"));
        }
        let mut cleaned = Cleaned::default();
        match self.state(record).await {
            State::Missing => {}
            State::Unreadable { why } => {
                return Err(WorkspaceError::refused("status-unknown", format!("what is in it cannot be told: {why}")));
            }
            State::Present { dirty, untracked, ahead, landed, head } => {
                check_owner(record).await?;
                let loses = loss(dirty, untracked, ahead, landed);
                if let Some(why) = loses {
                    if !how.force {
                        return Err(why);
                    }
                    cleaned.snapshot = Some(rescue(record, &head, dirty + untracked > 0).await?);
                }
                self.remove_tree(record, how.force).await?;
            }
        }
        cleaned.branch_kept = drop_branch(record).await;
        std::fs::remove_file(record.file())?;
        self.remove_empty_directory(record);
        Ok(cleaned)
    }

    async fn remove_tree(&self, record: &Record, force: bool) -> Done<()> {
        // Between the look and the removal somebody may have written; git looks once more, unless all is saved.
        let git = Git::new(&record.checkout);
        let mut words = vec!["worktree", "remove"];
        if force {
            words.push("--force");
        } else {
            let (dirty, untracked) = uncommitted(&Git::new(&record.tree)).await?;
            if dirty + untracked > 0 {
                return Err(WorkspaceError::refused("dirty", "something was written to it just now"));
            }
        }
        let words: Vec<&OsStr> =
            words.into_iter().chain(["--"]).map(OsStr::new).chain([record.tree.as_os_str()]).collect();
        let removed = git.run(&words, WRITE).await;
        match record.tree.try_exists() {
            Ok(false) => Ok(()),
            Ok(true) | Err(_) => Err(match removed {
                Ok(_) => WorkspaceError::refused("status-unknown", "git says that it is gone, and it is not"),
                Err(error) => error.into(),
            }),
        }
    }

    /// An empty directory of a repository's trees goes too, and nothing above it.
    fn remove_empty_directory(&self, record: &Record) {
        if let Some(parent) = record.tree.parent().filter(|parent| parent.parent() == Some(&self.trees)) {
            let _ = std::fs::remove_dir(parent);
        }
    }
}

/// What would be lost with the tree.
fn loss(dirty: u64, untracked: u64, ahead: u64, landed: Containment) -> Option<WorkspaceError> {
    if dirty + untracked > 0 {
        let text = format!("{dirty} changed and {untracked} new files are not committed");
        return Some(WorkspaceError::refused("dirty", text));
    }
    match landed {
        Containment::Contained => None,
        Containment::CarriesNew | Containment::Unknown if ahead == 0 => None,
        Containment::CarriesNew => {
            Some(WorkspaceError::refused("unlanded", format!("{ahead} commits are in no other branch that is known")))
        }
        Containment::Unknown => Some(WorkspaceError::refused(
            "unproven",
            format!("whether its {ahead} commits are elsewhere cannot be told"),
        )),
    }
}

/// A tree that bears another host's stamp is not ours, whatever our record says.
async fn check_owner(record: &Record) -> Done<()> {
    let own = Git::new(&record.tree).line(&["rev-parse", "--absolute-git-dir"]).await?;
    match std::fs::read(Path::new(&own).join(STAMP)) {
        Ok(bytes) => match serde_json::from_slice::<Record>(&bytes) {
            Ok(stamp) if stamp.host == record.host && stamp.id == record.id => Ok(()),
            Ok(_) | Err(_) => {
                Err(WorkspaceError::refused("redirected", "it bears the stamp of another host or session"))
            }
        },
        // The daemon may have died between making the tree and stamping it; then the branch is still the one of the record.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let branch = Git::new(&record.tree).line(&["symbolic-ref", "--quiet", "--short", "HEAD"]).await;
            match branch {
                Ok(branch) if branch == record.branch => Ok(()),
                Ok(_) | Err(_) => {
                    Err(WorkspaceError::refused("redirected", "it bears no stamp, and is on another branch"))
                }
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Saves the newest commit, and what is not committed on top of it, new files too, under a reference.
async fn rescue(record: &Record, head: &str, uncommitted: bool) -> Done<String> {
    let failed = |error: super::git::GitError| WorkspaceError::refused("snapshot-failed", error.to_string());
    let git = Git::new(&record.tree);
    let mut commit = head.to_owned();
    let mut reference = format!("refs/adj/tips/{}", record.id);
    if uncommitted {
        let index = record.tree.with_extension("index");
        let _ = std::fs::remove_file(&index);
        let snapshot = snapshot(&git.clone().with_index(&index), head).await;
        let _ = std::fs::remove_file(&index);
        commit = snapshot.map_err(failed)?;
        reference = format!("{reference}-dirty-{}", clock::wall().as_millis());
    }
    git.run(&["update-ref", "--create-reflog", &reference, &commit], LOOK).await.map_err(failed)?;
    Ok(reference)
}

async fn snapshot(git: &Git<'_>, head: &str) -> Result<String, super::git::GitError> {
    git.run(&["read-tree", head], WRITE).await?;
    git.run(&["-c", "core.bare=false", "add", "--all", "--", ":/"], WRITE).await?;
    let tree = git.line(&["write-tree"]).await?;
    let who = ["-c", "user.name=adjutant", "-c", "user.email=adjutant@localhost", "-c", "commit.gpgSign=false"];
    let words =
        [&who[..], &["commit-tree", &tree, "-p", head, "-m", "Saved before its work tree was removed"]].concat();
    git.line(&words).await
}

/// Removes the branch when its own work is proven to be elsewhere; says why it stays.
async fn drop_branch(record: &Record) -> Option<String> {
    let git = Git::new(&record.checkout);
    let reference = format!("refs/heads/{}", record.branch);
    let tip = git.line(&["rev-parse", "--verify", "--quiet", &format!("{reference}^{{commit}}")]).await.ok()?;
    match git.line(&["for-each-ref", "--format=%(worktreepath)", &reference]).await {
        Ok(checked_out) if checked_out.is_empty() => {}
        Ok(checked_out) => return Some(format!("it is checked out in {checked_out}")),
        Err(error) => return Some(error.to_string()),
    }
    match landed(&git, record, &tip).await {
        Containment::Contained => match git.run(&["update-ref", "-d", &reference, &tip], LOOK).await {
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        },
        Containment::CarriesNew => Some("it has commits that are in no other branch that is known".to_owned()),
        Containment::Unknown => Some("whether its commits are elsewhere cannot be told".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(dirty: u64, untracked: u64, ahead: u64, landed: Containment) -> Option<&'static str> {
        loss(dirty, untracked, ahead, landed).map(|error| error.why)
    }

    #[test]
    fn f27_what_would_be_lost() {
        assert_eq!(why(0, 0, 0, Containment::Unknown), None, "nothing was ever added");
        assert_eq!(why(0, 0, 3, Containment::Contained), None);
        assert_eq!(why(1, 0, 0, Containment::Contained), Some("dirty"));
        assert_eq!(why(0, 1, 0, Containment::Contained), Some("dirty"), "new files count");
        assert_eq!(why(0, 0, 3, Containment::CarriesNew), Some("unlanded"));
        assert_eq!(why(0, 0, 3, Containment::Unknown), Some("unproven"));
    }
}
