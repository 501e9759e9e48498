//! Projects: names for directories.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adjutant_api::types::project::{AddProject, Project, ProjectOrigin};
use adjutant_api::{ErrorCode, WireTime};
use adjutant_core::call::Caller;
use adjutant_core::session::Session;
use adjutant_core::{Host, Right};
use axum::Json;

use super::placed::directory;
use crate::clock;
use crate::http::App;
use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::project::{self, Names, ProjectError, Projects, Registered};
use crate::tokens::Grant;

impl From<ProjectError> for Failure {
    fn from(error: ProjectError) -> Self {
        let code = match &error {
            ProjectError::File(_) => ErrorCode::StoreUnreadable,
            ProjectError::Malformed(_) => ErrorCode::IdInvalid,
            ProjectError::Taken { .. } => ErrorCode::IdInUse,
            ProjectError::TooMany => ErrorCode::QueueFull,
            ProjectError::NotFound(_) => ErrorCode::ProjectNotFound,
        };
        Self::new(code, error.to_string())
    }
}

/// `GET /v1/projects`
pub(super) async fn list(call: Incoming) -> Result<Json<Vec<Project>>, Failure> {
    let names = names(&call.app).await?;
    let (caller, grant) = (call.caller, call.grant.clone());
    Ok(Json(call.app.look(move |host| listed(host, caller, grant.as_deref(), &names)).await?))
}

/// The registered projects.
pub(super) async fn names(app: &App) -> Result<Names, Failure> {
    with_projects(app, |projects| projects.names().map_err(ProjectError::from)).await
}

async fn with_projects<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Projects) -> Result<T, ProjectError> + Send + 'static,
) -> Result<T, Failure> {
    let projects = Arc::clone(&app.projects);
    let done = tokio::task::spawn_blocking(move || work(&projects)).await;
    Ok(done.map_err(|_| Failure::internal("looking at the projects failed"))??)
}

/// Registered ones, and repositories of sessions whose name nobody has registered. The user is shown all of them, a session
/// those that its own sessions are in, a token those in its directories; and each counts the sessions that it sees.
fn listed(host: &Host, caller: Caller, grant: Option<&Grant>, names: &Names) -> Vec<Project> {
    let seen: Vec<&Session> = host.sessions().filter(|session| host.may(caller, session, Right::See)).collect();
    let shown = |name: &str, known: &Registered| match (caller, grant) {
        (Caller::Human, _) => true,
        (Caller::Token(_), Some(grant)) => grant.holds(&known.root),
        (Caller::Token(_) | Caller::Session(_), _) => {
            seen.iter().any(|session| is_in(session, name, Some(&known.root)))
        }
    };
    let chosen = names.iter().filter(|(name, known)| shown(name, known));
    let mut projects: Vec<Project> = chosen.map(|(name, known)| registered(&seen, name, known)).collect();
    let mut derived: BTreeMap<(String, PathBuf), u64> = BTreeMap::new();
    for session in seen {
        let Some(name) = session.profile.project.clone().filter(|name| !names.contains_key(name)) else { continue };
        let Some(root) = root_of(session, &name) else { continue };
        *derived.entry((name, root)).or_default() += u64::from(!session.has_exited());
    }
    projects.extend(derived.into_iter().map(|((name, root), live)| Project {
        name,
        path: root.display().to_string(),
        origin: ProjectOrigin::Sessions,
        live,
        added_at: None,
    }));
    projects.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    projects
}

fn registered(sessions: &[&Session], name: &str, known: &Registered) -> Project {
    let live = sessions.iter().filter(|session| !session.has_exited() && is_in(session, name, Some(&known.root)));
    Project {
        name: name.to_owned(),
        path: known.root.display().to_string(),
        origin: ProjectOrigin::Registered,
        live: live.count() as u64,
        added_at: Some(WireTime::from_millis(known.added_at)),
    }
}

/// The directory after which a session's project is called.
fn root_of(session: &Session, name: &str) -> Option<PathBuf> {
    let checkout = session.profile.worktree.as_ref().map(|tree| Path::new(&tree.checkout));
    let directory = checkout.unwrap_or(Path::new(&session.profile.path));
    let named = directory.ancestors().filter(|dir| dir.file_name().is_some_and(|last| last == name));
    named.last().map(Path::to_path_buf)
}

/// Whether a session is in a project: it says so itself, or its directory is below the project's.
pub(super) fn is_in(session: &Session, name: &str, root: Option<&Path>) -> bool {
    let below = |root: &Path| {
        let tree = session.profile.worktree.as_ref();
        Path::new(&session.profile.path).starts_with(root)
            || tree.is_some_and(|tree| Path::new(&tree.checkout).starts_with(root))
    };
    session.profile.project.as_deref() == Some(name) || root.is_some_and(below)
}

/// `POST /v1/projects`
pub(super) async fn add(call: Incoming) -> Result<Json<Project>, Failure> {
    let wanted: AddProject = call.body()?;
    let root = directory(wanted.path).await?;
    let name = match wanted.name {
        Some(name) => name,
        None => own_name(&root).ok_or_else(|| Failure::new(ErrorCode::IdInvalid, "the directory has no name"))?,
    };
    let project = Registered { root, added_at: clock::wall().as_millis() };
    let (known, called) = (project, name.clone());
    let known = with_projects(&call.app, move |projects| projects.add(called, known)).await?;
    call.app.look(move |host| Json(registered(&host.sessions().collect::<Vec<_>>(), &name, &known))).await
}

/// The name of the git top level, or else of the directory itself.
fn own_name(root: &Path) -> Option<String> {
    project::locate(root, &Names::new()).project.or_else(|| Some(root.file_name()?.to_str()?.to_owned()))
}

/// `DELETE /v1/projects/{project}`
pub(super) async fn remove(call: Incoming) -> Result<Json<Project>, Failure> {
    let name = call.parameter("project").to_owned();
    let called = name.clone();
    let known = with_projects(&call.app, move |projects| projects.remove(&called)).await?;
    call.app.look(move |host| Json(registered(&host.sessions().collect::<Vec<_>>(), &name, &known))).await
}
