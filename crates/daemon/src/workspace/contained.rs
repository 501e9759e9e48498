//! Whether the work of one commit is in another: the first rung that answers (`host.md` F27). Only object ids are compared.

use super::git::{Git, GitError, LOOK};

/// Whether a commit's content is in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Containment {
    /// It is.
    Contained,
    /// It has something that the other does not have.
    CarriesNew,
    /// It cannot be told.
    Unknown,
}

/// Whether `tip` is contained in `target`, both commits.
pub(super) async fn containment(git: &Git<'_>, tip: &str, target: &str) -> Containment {
    match climb(git, tip, target).await {
        Ok(found) => found,
        Err(error) => {
            tracing::debug!(%error, "whether a work tree has landed cannot be told");
            Containment::Unknown
        }
    }
}

async fn climb(git: &Git<'_>, tip: &str, target: &str) -> Result<Containment, GitError> {
    if tip == target || git.holds(&["merge-base", "--is-ancestor", tip, target]).await? {
        return Ok(Containment::Contained);
    }
    // Without a common beginning nothing below means anything.
    if !git.holds(&["merge-base", tip, target]).await? {
        return Ok(Containment::Unknown);
    }
    let tree = |commit: &str| format!("{commit}^{{tree}}");
    let target_tree = git.line(&["rev-parse", "--verify", &tree(target)]).await?;
    if git.line(&["rev-parse", "--verify", &tree(tip)]).await? == target_tree {
        return Ok(Containment::Contained);
    }
    if all_picked(git, tip, target).await? {
        return Ok(Containment::Contained);
    }
    merged(git, tip, target, &target_tree).await
}

/// Whether every commit beyond the target has an equivalent there, and none of them is a merge.
async fn all_picked(git: &Git<'_>, tip: &str, target: &str) -> Result<bool, GitError> {
    let beyond = format!("{target}..{tip}");
    if !git.line(&["rev-list", "--merges", "--max-count=1", &beyond]).await?.is_empty() {
        return Ok(false);
    }
    let both = format!("{target}...{tip}");
    let left = git.line(&["rev-list", "--cherry-pick", "--right-only", "--max-count=1", &both]).await?;
    Ok(left.is_empty())
}

/// Whether merging it would change nothing. The merge is made in memory.
async fn merged(git: &Git<'_>, tip: &str, target: &str, target_tree: &str) -> Result<Containment, GitError> {
    match git.run(&["merge-tree", "--write-tree", "--no-messages", target, tip], LOOK).await {
        Ok(tree) if String::from_utf8_lossy(&tree).trim() == target_tree => Ok(Containment::Contained),
        Ok(_) | Err(GitError::Refused { code: Some(1), .. }) => Ok(Containment::CarriesNew),
        Err(error) => Err(error),
    }
}
