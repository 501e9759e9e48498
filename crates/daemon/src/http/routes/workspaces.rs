//! Workspaces: seen, compared, removed.

use adjutant_api::types::workspace::{
    CleanWorkspaces, CleanedWorkspace, FileChange, LandWorkspace, LandedWord, LandedWorkspace, Workspace,
    WorkspaceDiff, WorkspaceDiffQuery,
};
use adjutant_api::{ErrorCode, WireTime};
use adjutant_core::{Caller, Right, SessionId};
use axum::Json;

use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::resolve::Rule;
use crate::workspace::{Cleaning, Containment, Record, State};

/// `GET /v1/workspaces`
pub(super) async fn list(call: Incoming) -> Result<Json<Vec<Workspace>>, Failure> {
    let mut shown = Vec::new();
    for record in records(&call).await? {
        if !may(&call, &record, Right::See).await? {
            continue;
        }
        let state = call.app.workspaces.state(&record).await;
        let (session, in_use) = user_of(&call, &record).await?;
        shown.push(on_wire(record, state, session, in_use));
    }
    Ok(Json(shown))
}

async fn records(call: &Incoming) -> Result<Vec<Record>, Failure> {
    let app = call.app.clone();
    let read = tokio::task::spawn_blocking(move || app.workspaces.records()).await;
    read.map_err(|_| Failure::internal("looking for work trees failed"))
}

/// The name of its session, and whether that lives. A session without a record has none to live with.
async fn user_of(call: &Incoming, record: &Record) -> Result<(Option<String>, bool), Failure> {
    let (id, tree) = (record.id.clone(), record.tree.clone());
    call.app
        .look(move |host| {
            let of_tree = |session: &&adjutant_core::session::Session| {
                let made = session.profile.worktree.as_ref().and_then(|tree| tree.made.as_ref());
                made.is_some_and(|made| made.id == id)
            };
            let name = host.sessions().find(of_tree).map(|session| session.name.to_string());
            let within = |path: &str| std::path::Path::new(path).starts_with(&tree);
            let in_use = host.sessions().any(|session| !session.has_exited() && within(&session.profile.path));
            (name, in_use)
        })
        .await
}

fn on_wire(record: Record, state: State, session: Option<String>, in_use: bool) -> Workspace {
    let mut shown = Workspace {
        id: record.id,
        session,
        in_use,
        path: record.tree.display().to_string(),
        checkout: record.checkout.display().to_string(),
        branch: record.branch,
        base: record.base,
        base_branch: record.base_branch,
        created_at: WireTime::from_millis(record.created_at),
        missing: false,
        head: None,
        dirty: None,
        untracked: None,
        ahead: None,
        landed: LandedWord::Unknown,
        error: None,
    };
    match state {
        State::Missing => shown.missing = true,
        State::Unreadable { why } => shown.error = Some(why),
        State::Present { head, dirty, untracked, ahead, landed } => {
            shown.head = Some(head);
            (shown.dirty, shown.untracked, shown.ahead) = (Some(dirty), Some(untracked), Some(ahead));
            shown.landed = match landed {
                Containment::Contained => LandedWord::Contained,
                Containment::CarriesNew => LandedWord::CarriesNew,
                Containment::Unknown => LandedWord::Unknown,
            };
        }
    }
    shown
}

/// The one that an id names: its own, or its session's.
async fn find(call: &Incoming, text: &str, rule: Rule) -> Result<Record, Failure> {
    let records = records(call).await?;
    if let Some(record) = records.iter().find(|record| record.id == text) {
        return Ok(record.clone());
    }
    let id: SessionId = call.resolve(text, rule, Right::See).await?;
    let none =
        || Failure::new(ErrorCode::SessionNotFound, format!("{text} has no workspace")).with_hint("adj workspace list");
    records.into_iter().find(|record| record.session() == Some(id)).ok_or_else(none)
}

/// `GET /v1/workspaces/{workspace}/diff`
pub(super) async fn diff(call: Incoming) -> Result<Json<WorkspaceDiff>, Failure> {
    let query: WorkspaceDiffQuery = call.query()?;
    let record = find(&call, call.parameter("workspace"), Rule::Read).await?;
    if !may(&call, &record, Right::See).await? {
        return Err(Failure::new(ErrorCode::Forbidden, "that is the workspace of another's session"));
    }
    let diff = call.app.workspaces.diff(&record, query.patch, query.uncommitted).await?;
    let files = diff.files.into_iter().map(|change| FileChange {
        path: change.path,
        old_path: change.old_path,
        binary: change.lines.is_none(),
        additions: change.lines.map(|(added, _)| added),
        deletions: change.lines.map(|(_, taken)| taken),
    });
    Ok(Json(WorkspaceDiff {
        id: record.id,
        base: record.base,
        head: diff.head,
        ahead: diff.ahead,
        uncommitted: diff.uncommitted,
        files: files.collect(),
        patch: diff.patch,
        truncated: diff.truncated,
    }))
}

/// `POST /v1/workspaces/{workspace}/land`
pub(super) async fn land(call: Incoming) -> Result<Json<LandedWorkspace>, Failure> {
    let how: LandWorkspace = call.body()?;
    let record = find(&call, call.parameter("workspace"), Rule::Change).await?;
    check_reach(&call, &record).await?;
    let landed = call.app.workspaces.land(&record, how.head.as_deref()).await?;
    tracing::info!(
        id = record.id,
        branch = landed.branch,
        from = landed.from,
        to = landed.to,
        "a work tree was landed"
    );
    Ok(Json(LandedWorkspace { id: record.id, branch: landed.branch, from: landed.from, to: landed.to }))
}

/// Whether the caller has a right over the session that a work tree was made for.
async fn may(call: &Incoming, record: &Record, right: Right) -> Result<bool, Failure> {
    match record.session() {
        Some(id) => call.may(id, right).await,
        None => Ok(call.caller == Caller::Human),
    }
}

/// A session changes what its descendants work in, and nobody else's; a token what its sessions do.
async fn reaches(call: &Incoming, record: &Record) -> Result<bool, Failure> {
    let own = record.session().is_some() && record.session() == call.caller.session();
    Ok(!own && may(call, record, Right::Steer).await?)
}

async fn check_reach(call: &Incoming, record: &Record) -> Result<(), Failure> {
    match reaches(call, record).await? {
        true => Ok(()),
        false => Err(Failure::new(ErrorCode::Forbidden, "a session changes workspaces of its descendants alone")),
    }
}

/// `POST /v1/workspaces/clean`
pub(super) async fn clean(call: Incoming) -> Result<Json<Vec<CleanedWorkspace>>, Failure> {
    let wanted: CleanWorkspaces = call.body()?;
    if wanted.all != wanted.ids.is_empty() {
        return Err(Failure::new(ErrorCode::Usage, "name workspaces, or all: one of the two"));
    }
    if wanted.force && (wanted.all || wanted.reason.as_deref().is_none_or(|reason| reason.trim().is_empty())) {
        return Err(Failure::new(ErrorCode::Usage, "force is for workspaces that are named, with a reason"));
    }
    let mut chosen = Vec::new();
    if wanted.all {
        for record in records(&call).await? {
            if reaches(&call, &record).await? {
                chosen.push(record);
            }
        }
    }
    for id in &wanted.ids {
        chosen.push(find(&call, id, Rule::Change).await?);
    }
    let mut done = Vec::new();
    for record in chosen {
        done.push(clean_one(&call, &record, &wanted).await?);
    }
    Ok(Json(done))
}

async fn clean_one(call: &Incoming, record: &Record, wanted: &CleanWorkspaces) -> Result<CleanedWorkspace, Failure> {
    check_reach(call, record).await?;
    let (_, in_use) = user_of(call, record).await?;
    let cleaned = call.app.workspaces.clean(record, Cleaning { force: wanted.force, in_use }).await;
    let id = record.id.clone();
    match cleaned {
        Ok(cleaned) => {
            tracing::info!(%id, force = wanted.force, reason = ?wanted.reason, ?cleaned, "a work tree was removed");
            let (branch_kept, snapshot) = (cleaned.branch_kept, cleaned.snapshot);
            Ok(CleanedWorkspace { id, removed: true, branch_kept, snapshot, error: None })
        }
        Err(error) => {
            let failure = Failure::from(error);
            Ok(CleanedWorkspace { id, removed: false, branch_kept: None, snapshot: None, error: Some(*failure.body) })
        }
    }
}
