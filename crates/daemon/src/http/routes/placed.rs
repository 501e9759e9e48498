//! Where a new session is to work: the directory, one of its work trees, or a tree that is made for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use adjutant_api::ErrorCode;
use adjutant_api::types::session::CreateSession;
use adjutant_api::types::workspace::WorkspaceWord;
use adjutant_core::SessionId;

use super::bounds::Bounds;
use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::project::{self, Located};
use crate::workspace::{self, Made, WorkspaceError};

/// Where a session works.
pub(super) struct Placed {
    pub(super) path: String,
    pub(super) located: Located,
    /// The tree that was made for it.
    pub(super) made: Option<Made>,
}

impl From<WorkspaceError> for Failure {
    fn from(error: WorkspaceError) -> Self {
        let text = error.to_string();
        Self::new(error.code, text).with_detail("why", error.why)
    }
}

/// The directory that a create names, resolved.
pub(super) async fn directory(path: String) -> Result<PathBuf, Failure> {
    let resolved = tokio::task::spawn_blocking(move || resolve_directory(&path)).await;
    resolved.map_err(|_| Failure::internal("looking at the directory failed"))?
}

fn resolve_directory(text: &str) -> Result<PathBuf, Failure> {
    let path = Path::new(text);
    if !path.is_absolute() {
        return Err(Failure::new(ErrorCode::Usage, format!("the path {text} is not absolute")));
    }
    let resolved =
        path.canonicalize().map_err(|error| Failure::new(ErrorCode::PathNotFound, format!("{text}: {error}")))?;
    if !resolved.is_dir() {
        return Err(Failure::new(ErrorCode::PathNotDirectory, format!("{text} is not a directory")));
    }
    if resolved.to_str().is_none() {
        return Err(Failure::new(ErrorCode::PathNotFound, format!("{text} is not UTF-8")));
    }
    Ok(resolved)
}

/// The place of a new session.
pub(super) async fn place(
    call: &Incoming,
    directory: &Path,
    wanted: &CreateSession,
    bounds: &Bounds,
    id: SessionId,
) -> Result<Placed, Failure> {
    let directory = match &wanted.worktree {
        Some(worktree) => workspace::choose(directory, worktree).await?,
        None => directory.to_path_buf(),
    };
    bounds.check_directory(&wanted.path, &directory)?;
    let located = located(call, directory.clone()).await;
    match wanted.workspace.as_ref() {
        Some(WorkspaceWord::Isolated) => isolated(call, &directory, located, wanted, id).await,
        None | Some(WorkspaceWord::Shared | WorkspaceWord::Inherit) => {
            let path = directory.to_str().ok_or_else(|| Failure::new(ErrorCode::PathNotFound, "it is not UTF-8"))?;
            Ok(Placed { path: path.to_owned(), located, made: None })
        }
        Some(WorkspaceWord::Other(word)) => {
            Err(Failure::new(ErrorCode::NotSupported, format!("this version has no workspace `{word}`")))
        }
    }
}

async fn isolated(
    call: &Incoming,
    directory: &Path,
    located: Located,
    wanted: &CreateSession,
    id: SessionId,
) -> Result<Placed, Failure> {
    if let Some(key) = wanted.key.clone() {
        // A create that is repeated finds its session, and a tree for it would be for nobody.
        let caller = call.caller;
        let known = move |host: &adjutant_core::Host| {
            let of_key = host.by_create_key(caller, &key);
            of_key.map(|session| (session.profile.path.clone(), session.profile.worktree.clone()))
        };
        if let Some((path, worktree)) = call.app.look(known).await? {
            return Ok(Placed { path, located: Located { worktree, ..located }, made: None });
        }
    }
    let made = call.app.workspaces.make(directory, id, wanted.id.as_deref()).await?;
    let located = Located { worktree: Some(made.worktree.clone()), ..located };
    Ok(Placed { path: made.directory.clone(), located, made: Some(made) })
}

/// Removes the tree of a session that has not come to be.
pub(super) async fn take_back(call: &Incoming, made: Option<Made>) {
    if let Some(made) = made {
        call.app.workspaces.take_back(&made).await;
    }
}

async fn located(call: &Incoming, directory: PathBuf) -> Located {
    let projects = Arc::clone(&call.app.projects);
    let found = tokio::task::spawn_blocking(move || {
        let names = projects.names().unwrap_or_else(|error| {
            tracing::warn!(%error, "the registered projects cannot be read; repositories keep their own names");
            project::Names::new()
        });
        project::locate(&directory, &names)
    });
    found.await.unwrap_or_default()
}
