//! Sessions, read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use adjutant_api::ErrorCode;
use adjutant_api::types::session::{Session as WireSession, SessionsQuery, StatusWord};
use adjutant_core::call::Caller;
use adjutant_core::message::Message;
use adjutant_core::session::Session;
use adjutant_core::{Host, MessageId, Right, SessionId};
use adjutant_store::{ReadError, Reader};
use axum::Json;
use serde_json::{Value, json};

use super::projects::is_in;
use crate::clock;
use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::{resolve, to_api};
use crate::project::Names;

/// Messages that `inspect` shows, newest last.
const INSPECT_MESSAGES_MAX: usize = 50;

/// `GET /v1/sessions`
pub(super) async fn list(call: Incoming) -> Result<Json<Vec<WireSession>>, Failure> {
    let query: SessionsQuery = call.query()?;
    let caller = call.caller;
    let names = match &query.project {
        Some(_) => super::projects::names(&call.app).await?,
        None => crate::project::Names::new(),
    };
    call.app.look(move |host| listed(host, &query, caller, &names)).await?.map(Json)
}

fn listed(host: &Host, query: &SessionsQuery, caller: Caller, names: &Names) -> Result<Vec<WireSession>, Failure> {
    let find = |text: &Option<String>| {
        text.as_deref().map(|t| resolve::allowed(host, t, caller, resolve::Rule::Read, Right::See)).transpose()
    };
    let (parent, root) = (find(&query.parent)?, find(&query.tree)?);
    let project = query.project.as_deref().map(|name| (name, names.get(name).map(|known| known.root.as_path())));
    if let Some((name, None)) = project
        && !host.sessions().any(|s| s.profile.project.as_deref() == Some(name) && host.may(caller, s, Right::See))
    {
        let text = format!("`{name}` is no registered project, and no session is in one of that name");
        return Err(Failure::new(ErrorCode::ProjectNotFound, text).with_hint("adj project list"));
    }
    // Whoever asks for the exited ones by name means to see them.
    let all = query.all || query.status.iter().any(|word| word == StatusWord::Exited.as_str());
    let wanted = |session: &&Session| {
        host.may(caller, session, Right::See)
            && (all || !session.has_exited())
            && parent.is_none_or(|parent| session.parent == Some(parent))
            && root.is_none_or(|root| session.id == root || host.descends(session.id, root))
            && query.cli.as_deref().is_none_or(|cli| session.profile.agent.as_str() == cli)
            && project.is_none_or(|(name, root)| is_in(session, name, root))
            && query.path.as_deref().is_none_or(|path| Path::new(&session.profile.path).starts_with(path))
            && query.checkout.as_deref().is_none_or(|path| is_in(session, "", Some(Path::new(path))))
            && query.worktree.as_deref().is_none_or(|wanted| is_in_worktree(session, wanted))
    };
    let mut found: Vec<&Session> = host.sessions().filter(wanted).collect();
    found.sort_by_key(|session| (std::cmp::Reverse(session.last_used_at), session.id));
    let now = clock::wall();
    let wire = found.into_iter().map(|session| to_api::session(host, session, now));
    let statuses: BTreeSet<&str> = query.status.iter().map(String::as_str).collect();
    let wire = wire.filter(|session| statuses.is_empty() || statuses.contains(session.status.as_str()));
    let limit = query.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(wire.take(limit).collect())
}

/// Whether a session works in the linked work tree of this path, name or branch.
fn is_in_worktree(session: &Session, wanted: &str) -> bool {
    session.profile.worktree.as_ref().is_some_and(|tree| {
        tree.top == wanted
            || Path::new(&tree.top).file_name().is_some_and(|name| name == wanted)
            || tree.made.as_ref().is_some_and(|made| made.branch == wanted)
    })
}

/// `GET /v1/sessions/{id}`
pub(super) async fn show(call: Incoming) -> Result<Json<WireSession>, Failure> {
    let id = call.resolve(call.parameter("id"), resolve::Rule::Read, Right::Send).await?;
    let Json(whole) = record(&call, id, to_api::session).await?;
    Ok(Json(if call.may(id, Right::See).await? { whole } else { card(whole) }))
}

/// Of a session that one may send to, and no more, it is told whether it lives and works, and not what on.
fn card(whole: WireSession) -> WireSession {
    let hidden =
        WireSession { description: None, agent_session: None, pending: Vec::new(), goal: None, why: None, ..whole };
    WireSession { parent: None, project: None, worktree: None, checkout: None, workspace: None, branch: None, ..hidden }
}

/// `GET /v1/sessions/{id}/explain`
pub(super) async fn explain(call: Incoming) -> Result<Json<WireSession>, Failure> {
    let id = call.session_to_read().await?;
    record(&call, id, to_api::explain).await
}

type View = fn(&Host, &Session, adjutant_core::Timestamp) -> WireSession;

pub(super) async fn record(call: &Incoming, id: SessionId, view: View) -> Result<Json<WireSession>, Failure> {
    let look = move |host: &Host| match host.session(id) {
        Some(session) => Ok(view(host, session, clock::wall())),
        None => Err(Failure::gone(id)),
    };
    call.app.look(look).await?.map(Json)
}

/// `GET /v1/sessions/{id}/inspect`
pub(super) async fn inspect(call: Incoming) -> Result<Json<Value>, Failure> {
    let id = call.session_to_read().await?;
    let places = call.app.places.clone();
    let ended = call.app.read(move |reader| last_messages(reader, id)).await?;
    let look = move |host: &Host| {
        let session = host.session(id).ok_or_else(|| Failure::gone(id))?;
        let mut record = serde_json::to_value(to_api::explain(host, session, clock::wall()))
            .map_err(|error| Failure::internal(error.to_string()))?;
        let messages = ended.iter().map(|message| without_text(host, session, message)).collect::<Vec<_>>();
        let place = places.of(session);
        if let Value::Object(fields) = &mut record {
            fields.insert("messages".to_owned(), Value::Array(messages));
            fields.extend(internals(host, session, &place));
        }
        Ok::<_, Failure>((record, session.profile.agent.clone(), place))
    };
    let (mut record, agent, place) = call.app.look(look).await??;
    if let Some(agent) = call.app.agents.get(&agent).cloned() {
        let version = tokio::task::spawn_blocking(move || agent.version(&place)).await;
        record["version"] = json!(version.map_err(|error| Failure::internal(error.to_string()))?);
    }
    Ok(Json(record))
}

/// The newest messages of a session, however they ended, and those that have not.
fn last_messages(reader: &Reader, id: SessionId) -> Result<Vec<Message>, ReadError> {
    let newest = reader.newest_messages_of(id, INSPECT_MESSAGES_MAX)?;
    let waiting = reader.messages_of(id, false, 0, INSPECT_MESSAGES_MAX)?;
    let all: BTreeMap<MessageId, Message> = waiting.into_iter().chain(newest).map(|m| (m.id, m)).collect();
    Ok(all.into_values().collect())
}

/// Receipts are for everybody who may look; texts are not shown here.
fn without_text(host: &Host, session: &Session, message: &Message) -> Value {
    let mut value = serde_json::to_value(to_api::message(host, session, message, String::new())).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.remove("text");
    }
    value
}

/// What the daemon knows beside the session object: names and places, never values of variables or texts.
fn internals(host: &Host, session: &Session, place: &adjutant_agents::Place) -> serde_json::Map<String, Value> {
    let process = |p: &adjutant_core::process::Incarnation| json!({"pid": p.pid, "start_ticks": p.start_ticks});
    let processes = session.processes.as_ref();
    let capabilities = host.capabilities(session);
    let value = json!({
        "binary": session.profile.program,
        "env_names": session.profile.env_names,
        "runner": processes.map(|p| process(&p.runner)),
        "agent": processes.map(|p| process(&p.agent)),
        "supervisor": processes.map(|p| p.supervisor.clone()),
        "state_dir": place.state_dir,
        "run_dir": place.run_dir,
        "journal_cursor": session.cursor,
        "key": session.profile.key,
        "turns_begun": session.turns_begun,
        "revivals": session.revivals,
        "capabilities": capabilities.map(|c| json!({
            "terminal": c.terminal, "interrupt": c.interrupt, "steer": c.steer, "requests": c.requests, "goals": c.goals,
            "resume": c.resume, "usage": c.usage, "model": c.model, "exit_code": c.exit_code,
        })),
    });
    match value {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => serde_json::Map::new(),
    }
}
