//! Who calls, and what that allows.

use adjutant_api::types::session::Caller as WireCaller;
use adjutant_core::call::Caller;
use adjutant_core::limits::DESCENDANT_DEPTH_MAX;
use adjutant_core::session::Session;
use adjutant_core::{Host, SessionId};
use axum::Json;
use serde_json::{Value, json};

use super::tokens::time;
use crate::clock;
use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::to_api;
use crate::tokens::Grant;

/// `GET /v1/whoami`
pub(super) async fn whoami(call: Incoming) -> Result<Json<WireCaller>, Failure> {
    let (caller, any, grant) = (call.caller, call.app.may_kill_any, call.grant.clone());
    let look = move |host: &Host| match caller {
        Caller::Human => of_user(),
        Caller::Session(id) => host.session(id).map_or_else(of_user, |session| of_session(host, session, any)),
        Caller::Token(_) => of_token(host, caller, grant.as_deref()),
    };
    Ok(Json(call.app.look(look).await?))
}

fn of_user() -> WireCaller {
    WireCaller {
        caller: "human".to_owned(),
        session: None,
        parent: None,
        introduced: Vec::new(),
        scope: vec!["kill: all sessions of this user".to_owned()],
        limits: json!({"descendant_depth_max": DESCENDANT_DEPTH_MAX}),
    }
}

fn of_session(host: &Host, session: &Session, any: bool) -> WireCaller {
    let name = |id: &SessionId| host.session(*id).map(|known| known.name.to_string());
    let killed = if any { "all sessions of this user" } else { "own descendants" };
    WireCaller {
        caller: session.name.to_string(),
        session: Some(to_api::session(host, session, clock::wall())),
        parent: session.parent.map(|parent| to_api::caller_name(host, parent)),
        introduced: session.contacts.iter().filter_map(name).collect(),
        scope: vec![
            format!("kill: {killed}"),
            "see, change: itself and its descendants".to_owned(),
            "send: also to its parent and to those it was introduced to".to_owned(),
        ],
        limits: json!({
            "descendant_depth_max": DESCENDANT_DEPTH_MAX,
            "mode": to_api::mode(session.profile.mode),
            "token": session.profile.owner.map(|owner| owner.to_string()),
        }),
    }
}

fn of_token(host: &Host, caller: Caller, grant: Option<&Grant>) -> WireCaller {
    WireCaller {
        caller: to_api::name_of(host, caller),
        session: None,
        parent: None,
        introduced: Vec::new(),
        scope: vec!["see, change, kill: the sessions that it has created, and their descendants".to_owned()],
        limits: grant.map_or(Value::Null, |grant| {
            json!({
                "descendant_depth_max": DESCENDANT_DEPTH_MAX,
                "roots": grant.roots,
                "modes": grant.modes,
                "sessions_max": grant.sessions_max,
                "expires_at": grant.expires_at.map(time),
            })
        }),
    }
}
