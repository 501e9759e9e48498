//! Landing: the branch from which a workspace began goes forward to the workspace's commits, where nothing else was added to
//! it meanwhile. No commit is rewritten, nothing is merged, and no file that a person has changed is touched.

use super::git::{Git, LOOK, WRITE};
use super::{Done, Record, WorkspaceError, Workspaces};

/// What was landed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Landed {
    pub(crate) branch: String,
    pub(crate) from: String,
    pub(crate) to: String,
}

impl Workspaces {
    /// Moves the base branch of one forward to its newest commit, which is `head` where the caller has named it.
    ///
    /// # Errors
    /// When the commit is another one by now, or the branch has gone on without it; then nothing is changed.
    pub(crate) async fn land(&self, record: &Record, head: Option<&str>) -> Done<Landed> {
        let _changing = self.changing.lock().await;
        let (tree, checkout) = (Git::new(&record.tree), Git::new(&record.checkout));
        let to = tree.line(&["rev-parse", "--verify", "HEAD^{commit}"]).await?;
        if let Some(named) = head
            && tree
                .line(&["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{named}^{{commit}}")])
                .await
                .ok()
                != Some(to.clone())
        {
            return Err(WorkspaceError::refused("head-moved", format!("its newest commit is {to}, and not {named}")));
        }
        let unknown =
            || WorkspaceError::refused("base-unknown", "it began from no branch, so that there is none to land on");
        let branch = record.base_branch.clone().ok_or_else(unknown)?;
        let reference = format!("refs/heads/{branch}");
        let from = checkout.line(&["rev-parse", "--verify", "--quiet", &format!("{reference}^{{commit}}")]).await;
        let from =
            from.map_err(|_| WorkspaceError::refused("base-unknown", format!("there is no branch {branch} any more")))?;
        if !checkout.holds(&["merge-base", "--is-ancestor", &from, &to]).await? {
            let text = format!("{branch} has commits that the workspace does not have; merge or rebase there first");
            return Err(WorkspaceError::refused("not-forward", text));
        }
        if from != to {
            move_branch(&checkout, &reference, &from, &to).await?;
        }
        Ok(Landed { branch, from, to })
    }
}

/// Where the branch is checked out its files go along, and git refuses where they would overwrite a change; elsewhere the
/// branch alone is moved, from exactly the commit that was looked at.
async fn move_branch(checkout: &Git<'_>, reference: &str, from: &str, to: &str) -> Done<()> {
    let place = checkout.line(&["for-each-ref", "--format=%(worktreepath)", reference]).await?;
    if place.is_empty() {
        checkout.run(&["update-ref", "-m", "landed by adj", reference, to, from], LOOK).await?;
        return Ok(());
    }
    let there = Git::new(std::path::Path::new(&place));
    let merged = there.run(&["merge", "--ff-only", "--no-edit", "--quiet", to], WRITE).await;
    merged.map_err(|error| WorkspaceError::refused("checkout-in-the-way", format!("in {place}: {error}")))?;
    Ok(())
}
