//! Making a work tree for a session, and choosing one that is there.

use std::path::{Path, PathBuf};

use adjutant_api::ErrorCode;
use adjutant_core::SessionId;
use adjutant_core::session::{MadeWorktree, Worktree};

use super::git::{Git, GitError, LOOK, WRITE};
use super::record::bounded_slug;
use super::{Done, Record, WorkspaceError, Workspaces};
use crate::{clock, file, project};

/// What every branch of a workspace begins with.
const BRANCHES: &str = "adj/";

/// Branch names that are tried before giving up.
const BRANCH_TRIES_MAX: u32 = 50;

/// A tree that was made, and the directory in it that was asked for in the checkout.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) directory: String,
    pub(crate) worktree: Worktree,
    record: Record,
}

impl Workspaces {
    /// Makes a tree for a session that is to work in `directory`.
    ///
    /// # Errors
    /// When there is no repository with a commit, its base cannot be told, or git refuses. Nothing is left then.
    pub(crate) async fn make(&self, directory: &Path, session: SessionId, owner: Option<&str>) -> Done<Made> {
        let unrooted = || {
            let text = format!("{} is in no git repository, which an isolated workspace needs", directory.display());
            WorkspaceError::new(ErrorCode::NotSupported, "workspace-needs-repo", text)
        };
        let repository = project::repository(directory).ok_or_else(unrooted)?;
        let git = Git::new(directory);
        if git.line(&["rev-parse", "--is-inside-work-tree"]).await? != "true" {
            return Err(unrooted());
        }
        let inner = directory.strip_prefix(&repository.top).unwrap_or(Path::new("")).to_path_buf();
        let (base, base_branch) = base(&git, &repository.checkout).await?;
        let _changing = self.changing.lock().await;
        let id = session.to_string();
        let branch =
            free_branch(&git, &format!("{BRANCHES}{}/{id}", bounded_slug(owner.unwrap_or(""), 48, "manual"))).await?;
        let record = Record {
            host: self.host_id.clone(),
            tree: self.place(&repository.checkout, &id),
            id,
            checkout: repository.checkout,
            branch,
            base,
            base_branch,
            created_at: clock::wall().as_millis(),
        };
        self.add(&record).await?;
        let made = made(record.clone(), &inner);
        if made.is_err() {
            take_back(&record).await;
        }
        made
    }

    /// Takes back a tree whose session has not come to be.
    pub(crate) async fn take_back(&self, made: &Made) {
        let _changing = self.changing.lock().await;
        take_back(&made.record).await;
    }

    /// The record is there before the tree is, so that no tree is ever without an owner.
    async fn add(&self, record: &Record) -> Done<()> {
        file::make_directory(record.tree.parent().unwrap_or(&self.trees))?;
        record.write()?;
        let git = Git::new(&record.checkout);
        let tree = record.tree.as_os_str();
        let words = ["worktree", "add", "--quiet", "--no-track", "-b", &record.branch, "--"].map(std::ffi::OsStr::new);
        let words = [&words[..], &[tree, std::ffi::OsStr::new(&record.base)]].concat();
        let added = async {
            git.run(&words, WRITE).await?;
            stamp(record).await
        };
        let added: Done<()> = added.await;
        if added.is_err() {
            take_back(record).await;
        }
        added
    }
}

/// Marks the tree's own directory in the repository as this host's.
async fn stamp(record: &Record) -> Done<()> {
    let own = Git::new(&record.tree).line(&["rev-parse", "--absolute-git-dir"]).await?;
    let bytes = serde_json::to_vec(record).map_err(std::io::Error::other)?;
    Ok(file::write_whole(&Path::new(&own).join(super::clean::STAMP), &bytes)?)
}

fn made(record: Record, inner: &Path) -> Done<Made> {
    let directory = record.tree.join(inner);
    if !directory.is_dir() {
        let text = format!("the commit {} has no directory {}", record.base, inner.display());
        return Err(WorkspaceError::new(ErrorCode::PathNotFound, "subdir-missing", text));
    }
    let text = |path: &Path| {
        let not_text = || WorkspaceError::new(ErrorCode::PathNotFound, "path-not-text", "the path is not UTF-8");
        path.to_str().map(str::to_owned).ok_or_else(not_text)
    };
    let worktree = Worktree {
        top: text(&record.tree)?,
        checkout: text(&record.checkout)?,
        made: Some(MadeWorktree {
            id: record.id.clone(),
            branch: record.branch.clone(),
            base: record.base.clone(),
            base_branch: record.base_branch.clone(),
        }),
    };
    Ok(Made { directory: text(&directory)?, worktree, record })
}

/// What was made a moment ago holds nobody's work yet.
async fn take_back(record: &Record) {
    let git = Git::new(&record.checkout);
    let tree = record.tree.as_os_str();
    let words = ["worktree", "remove", "--force", "--"].map(std::ffi::OsStr::new);
    let removed = git.run(&[&words[..], &[tree]].concat(), WRITE).await;
    if record.tree.try_exists().unwrap_or(true) {
        tracing::warn!(error = ?removed.err(), tree = %record.tree.display(), "a work tree could not be taken back");
        return;
    }
    let reference = format!("refs/heads/{}", record.branch);
    let _ = git.run(&["update-ref", "-d", &reference, &record.base], LOOK).await;
    let _ = std::fs::remove_file(record.file());
}

/// The commit to begin from, and the branch that it is on.
async fn base(git: &Git<'_>, checkout: &Path) -> Done<(String, Option<String>)> {
    let current = branch_of(git).await?;
    let own = current.as_deref().is_some_and(|branch| branch.starts_with(BRANCHES));
    let branch = if own { Some(default_branch(git, checkout).await?) } else { current };
    let start = branch.as_ref().map_or_else(|| "HEAD".to_owned(), |branch| format!("refs/heads/{branch}"));
    let commit =
        git.line(&["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{start}^{{commit}}")]).await;
    let unborn =
        |_| WorkspaceError::new(ErrorCode::NotSupported, "unborn-branch", "the branch has no commit to begin from");
    Ok((commit.map_err(unborn)?, branch))
}

async fn branch_of(git: &Git<'_>) -> Done<Option<String>> {
    match git.line(&["symbolic-ref", "--quiet", "--short", "HEAD"]).await {
        Ok(branch) => Ok(Some(branch)),
        Err(GitError::Refused { code: Some(1), .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A session in a workspace begins its children's from what the repository calls its default, never from its own branch.
async fn default_branch(git: &Git<'_>, checkout: &Path) -> Done<String> {
    let remote = git.line(&["symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD"]).await;
    let remote = remote.ok().and_then(|name| name.strip_prefix("origin/").map(str::to_owned));
    let main = branch_of(&Git::new(checkout)).await?.filter(|branch| !branch.starts_with(BRANCHES));
    for branch in remote.into_iter().chain(main) {
        if git.holds(&["show-ref", "--verify", "--quiet", &format!("refs/heads/{branch}")]).await? {
            return Ok(branch);
        }
    }
    let text = "the directory is in a workspace, and its repository has no default branch to begin from";
    Err(WorkspaceError::new(ErrorCode::NotSupported, "base-unknown", text))
}

async fn free_branch(git: &Git<'_>, wanted: &str) -> Done<String> {
    for attempt in 1..=BRANCH_TRIES_MAX {
        let name = if attempt == 1 { wanted.to_owned() } else { format!("{wanted}--{attempt}") };
        if !git.holds(&["show-ref", "--verify", "--quiet", &format!("refs/heads/{name}")]).await? {
            return Ok(name);
        }
    }
    Err(WorkspaceError::refused("branch-name-exhausted", format!("{wanted} and all names like it are taken")))
}

/// The work tree of the directory's repository that a path, a branch or a name means.
///
/// # Errors
/// When there is no repository, or not exactly one tree of it fits.
pub(crate) async fn choose(directory: &Path, wanted: &str) -> Done<PathBuf> {
    let trees = list(directory).await?;
    let path = directory.join(wanted).canonicalize().ok();
    let by_path = trees.iter().filter(|tree| path.as_deref() == Some(tree.path.as_path()));
    let by_branch = trees.iter().filter(|tree| tree.branch.as_deref() == Some(wanted));
    let by_name = trees.iter().filter(|tree| tree.path.file_name().is_some_and(|name| name == wanted));
    let ways: [Vec<&Tree>; 3] = [by_path.collect(), by_branch.collect(), by_name.collect()];
    let usage = |text: String| WorkspaceError::new(ErrorCode::Usage, "worktree-unknown", text);
    match ways.iter().find(|found| !found.is_empty()).map(Vec::as_slice) {
        Some([one]) => Ok(one.path.clone()),
        Some(_) => Err(usage(format!("`{wanted}` means several work trees; name one by its path"))),
        None => {
            let known: Vec<String> = trees.iter().map(|tree| tree.path.display().to_string()).collect();
            Err(usage(format!("git lists no work tree `{wanted}` (there is: {})", known.join(", "))))
        }
    }
}

struct Tree {
    path: PathBuf,
    branch: Option<String>,
}

async fn list(directory: &Path) -> Done<Vec<Tree>> {
    use std::os::unix::ffi::OsStrExt;
    let listed = Git::new(directory).run(&["worktree", "list", "--porcelain", "-z"], LOOK).await;
    let listed = listed.map_err(|error| match error {
        GitError::Refused { .. } => {
            let text = format!("{} is in no git repository, so that it has no work trees", directory.display());
            WorkspaceError::new(ErrorCode::Usage, "workspace-needs-repo", text)
        }
        GitError::TooSlow(_) | GitError::TooMuch(_) | GitError::Io(_) => error.into(),
    })?;
    let mut trees: Vec<Tree> = Vec::new();
    for field in listed.split(|byte| *byte == 0) {
        if let Some(path) = field.strip_prefix(b"worktree ") {
            let path = PathBuf::from(std::ffi::OsStr::from_bytes(path));
            trees.push(Tree { path: path.canonicalize().unwrap_or(path), branch: None });
        } else if let (Some(branch), Some(tree)) = (field.strip_prefix(b"branch refs/heads/"), trees.last_mut()) {
            tree.branch = Some(String::from_utf8_lossy(branch).into_owned());
        }
    }
    Ok(trees)
}
