//! Ending sessions.

use std::time::Duration;

use adjutant_api::types::session::{KillSessions, Killed};
use adjutant_api::{ErrorBody, ErrorCode};
use adjutant_core::call::{Answer, Call, Caller};
use adjutant_core::event::Event;
use adjutant_core::limits::{KILL_GRACE_MS, KILL_PROOF_MS_MAX};
use adjutant_core::session::Session;
use adjutant_core::{Host, Right, SessionId};
use axum::Json;

use crate::clock;
use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::follow::{Follower, known};
use crate::http::{App, resolve, to_api};

/// One session that is to end, or the name under which none was found.
type Target = Result<(SessionId, String), (String, Failure)>;

/// `POST /v1/sessions/kill`
pub(super) async fn kill(call: Incoming) -> Result<Json<Vec<Killed>>, Failure> {
    let wanted: KillSessions = call.body()?;
    let ways = [!wanted.ids.is_empty(), wanted.all, wanted.older_than_ms.is_some()];
    if ways.iter().filter(|way| **way).count() != 1 {
        return Err(Failure::new(ErrorCode::Usage, "name sessions, or all, or an age: exactly one of the three"));
    }
    let (query, caller, any) = (wanted.clone(), call.caller, call.app.may_kill_any);
    let targets = call.app.look(move |host| targets(host, &query, caller, any)).await?;
    if let [Err((_, failure))] = targets.as_slice() {
        return Err(failure.clone());
    }
    // All are asked first and then waited for, so that many take no longer than one.
    let mut asked = Vec::new();
    for target in targets {
        asked.push(match target {
            Ok((id, name)) => ask(&call, id, name, wanted.force).await,
            Err((name, failure)) => Asked { name, id: None, end: Err(failure) },
        });
    }
    let mut killed = Vec::new();
    for one in asked {
        killed.push(finish(&call, one, &wanted).await);
    }
    Ok(Json(killed))
}

fn targets(host: &Host, wanted: &KillSessions, caller: Caller, any: bool) -> Vec<Target> {
    let named = |text: &String| match resolve::session(host, text, caller, resolve::Rule::Change) {
        Ok(id) => Ok((id, to_api::caller_name(host, id))),
        Err(failure) => Err((text.clone(), failure)),
    };
    let chosen: Vec<Target> = match wanted.ids.as_slice() {
        [] => bulk(host, wanted, caller),
        ids => ids.iter().map(named).collect(),
    };
    let seen = |s: &Session| any && caller.session().is_some() || host.may(caller, s, Right::See);
    if wanted.tree { with_descendants(host, chosen, seen) } else { chosen }
}

/// The user's bulk kills mean all of the user's sessions, a session's mean its own descendants and never itself.
fn bulk(host: &Host, wanted: &KillSessions, caller: Caller) -> Vec<Target> {
    let now = clock::wall();
    let in_scope = |session: &&Session| match caller {
        Caller::Human => true,
        Caller::Session(by) => host.descends(session.id, by),
        Caller::Token(_) => host.may(caller, session, Right::Steer),
    };
    let old_enough = |session: &&Session| match wanted.older_than_ms {
        None => true,
        Some(age) => now.millis_since(session.last_used_at) > age && (wanted.force || !is_at_work(session)),
    };
    let live = host.sessions().filter(|session| !session.has_exited());
    live.filter(in_scope).filter(old_enough).map(|s| Ok((s.id, s.name.to_string()))).collect()
}

/// A message that is on its way is work too.
fn is_at_work(session: &Session) -> bool {
    session.turn().is_some() || session.delivering().is_some()
}

/// Children before their parents, so that no child is handed to a session that ends next. Whose they are is told to those
/// alone who may see them.
fn with_descendants(host: &Host, chosen: Vec<Target>, seen: impl Fn(&Session) -> bool) -> Vec<Target> {
    let roots: Vec<SessionId> = chosen.iter().flatten().map(|(id, _)| *id).collect();
    let below = |s: &&Session| {
        !s.has_exited() && seen(s) && roots.iter().any(|root| host.descends(s.id, *root)) && !roots.contains(&s.id)
    };
    let mut all: Vec<Target> = host.sessions().filter(below).map(|s| Ok((s.id, s.name.to_string()))).collect();
    all.sort_by_key(|target| target.as_ref().map_or(0, |(id, _)| usize::MAX - host.ancestors(*id).count()));
    all.extend(chosen);
    all
}

struct Asked {
    name: String,
    id: Option<SessionId>,
    end: Result<Option<Follower>, Failure>,
}

async fn ask(call: &Incoming, id: SessionId, name: String, force: bool) -> Asked {
    let follower = Follower::live(&call.app, vec![id]);
    let kill = Call::Kill { session: id, force, any_allowed: call.app.may_kill_any };
    let end = match call.app.supervisor.call(call.caller, kill).await {
        Ok(Answer::Killing { already: true }) => Ok(None),
        Ok(_) => Ok(Some(follower)),
        Err(refusal) => Err(refusal.into()),
    };
    Asked { name, id: Some(id), end }
}

async fn finish(call: &Incoming, asked: Asked, wanted: &KillSessions) -> Killed {
    let ended = match asked.end {
        Ok(None) => Ok(()),
        Ok(Some(follower)) => proof(&call.app, asked.id, follower).await,
        Err(failure) => Err(failure),
    };
    let ended = match (ended, asked.id) {
        (Ok(()), Some(session)) if wanted.purge => {
            call.app.supervisor.call(call.caller, Call::Purge { session }).await.map(|_| ()).map_err(Failure::from)
        }
        (ended, _) => ended,
    };
    let error: Option<ErrorBody> = ended.err().map(|failure| *failure.body);
    Killed { id: asked.name, killed: error.is_none(), error }
}

/// Waits for the proof that no process of the session is left.
async fn proof(app: &App, id: Option<SessionId>, mut follower: Follower) -> Result<(), Failure> {
    let exited = async {
        loop {
            match known(&*follower.next().await?) {
                Some(Event::SessionExited { .. } | Event::SessionPurged) => return Ok(()),
                _other => {}
            }
        }
    };
    let limit = KILL_GRACE_MS + KILL_PROOF_MS_MAX;
    let ended = tokio::time::timeout(Duration::from_millis(limit), exited).await;
    match ended {
        Ok(ended) => ended,
        Err(_) if gone(app, id).await? => Ok(()),
        Err(_) => {
            let message = format!("no proof within {limit} ms that all its processes are gone; it stays listed");
            Err(Failure::new(ErrorCode::OutcomeUnknown, message))
        }
    }
}

async fn gone(app: &App, id: Option<SessionId>) -> Result<bool, Failure> {
    app.look(move |host| id.and_then(|id| host.session(id)).is_none_or(Session::has_exited)).await
}
