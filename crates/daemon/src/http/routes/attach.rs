//! How a person sits down at a session.

use std::collections::BTreeMap;
use std::time::Duration;

use adjutant_agents::{Attach, AttachTo, NotLent, Order, Sitting};
use adjutant_api::ErrorCode;
use adjutant_api::types::session::{Attach as WireAttach, AttachQuery};
use adjutant_core::{Host, SessionId, SessionName};
use axum::Json;
use tokio::sync::oneshot;

use crate::http::App;
use crate::http::call::Incoming;
use crate::http::error::Failure;

/// Time for a session that is held without a terminal to get one, in milliseconds.
const LENT_MS_MAX: u64 = 20_000;

/// `GET /v1/sessions/{id}/attach`
pub(super) async fn attach(call: Incoming) -> Result<Json<WireAttach>, Failure> {
    let id = call.session_to_change().await?;
    let query: AttachQuery = call.query()?;
    Ok(Json(wire(how(&call.app, id, query.read_only).await?.1)))
}

/// How somebody sits down at a session that lives, and its name.
pub(super) async fn how(app: &App, id: SessionId, read_only: bool) -> Result<(SessionName, Attach), Failure> {
    let places = app.places.clone();
    let look = move |host: &Host| {
        let session = host.session(id).ok_or_else(|| Failure::gone(id))?;
        match session.has_exited() {
            true => Err(Failure::new(ErrorCode::SessionExited, format!("{} has exited", session.name))),
            false => {
                let place = places.of(session);
                Ok((session.name.clone(), session.profile.clone(), session.conversation.clone(), place))
            }
        }
    };
    let (name, profile, conversation, place) = app.look(look).await??;
    let no_agent = || Failure::new(ErrorCode::NotSupported, format!("this build has no agent `{}`", profile.agent));
    let agent = app.agents.get(&profile.agent).cloned().ok_or_else(no_agent)?;
    let asked = tokio::task::spawn_blocking(move || {
        let conversation = conversation.as_deref();
        agent.attach(AttachTo { place: &place, profile: &profile, conversation, read_only })
    });
    match asked.await.map_err(|_| Failure::internal("looking for the terminal failed"))? {
        Ok(attach) => Ok((name, attach)),
        Err(why) => Err(Failure::new(ErrorCode::NotSupported, format!("{name}: {why}"))),
    }
}

/// Has the driver of a session get it a terminal, where it has none of its own; one that somebody has already is the same.
pub(super) async fn lend(app: &App, id: SessionId, sitting: Sitting) -> Result<(), Failure> {
    let (name, attach) = how(app, id, sitting.read_only).await?;
    match attach {
        Attach::Lent => {}
        Attach::Terminal => return Ok(()),
        Attach::Program { .. } => {
            let told = format!("{name} has a terminal that its own program shows");
            return Err(Failure::new(ErrorCode::NotSupported, told));
        }
    }
    let (answer, told) = oneshot::channel();
    app.supervisor.hook(id, Order::Lend { sitting, answer }).await?;
    match tokio::time::timeout(Duration::from_millis(LENT_MS_MAX), told).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(NotLent::Busy(why)))) => {
            let told = format!("{name} cannot give its conversation to anybody now: {why}");
            Err(Failure::new(ErrorCode::SessionsWorking, told).with_hint(format!("adj wait {name}")))
        }
        Ok(Ok(Err(NotLent::Never(why)))) => Err(Failure::new(ErrorCode::NotSupported, format!("{name}: {why}"))),
        // Nobody follows it any more: it has ended, or the daemon does.
        Ok(Err(_)) => Err(gone(app, id, &name).await),
        Err(_) => {
            let told = format!("{name} did not get a terminal within {LENT_MS_MAX} ms");
            Err(Failure::new(ErrorCode::Timeout, told))
        }
    }
}

async fn gone(app: &App, id: SessionId, name: &SessionName) -> Failure {
    let exited = app.look(move |host| host.session(id).is_none_or(adjutant_core::session::Session::has_exited)).await;
    match exited {
        Ok(true) => Failure::new(ErrorCode::SessionExited, format!("{name} has exited")),
        Ok(false) | Err(_) => {
            Failure::new(ErrorCode::DaemonUnreachable, "the daemon does not follow the session any more")
        }
    }
}

fn wire(attach: Attach) -> WireAttach {
    match attach {
        Attach::Terminal | Attach::Lent => {
            WireAttach { terminal: true, program: Vec::new(), environment: BTreeMap::new() }
        }
        Attach::Program { argv, environment } => WireAttach { terminal: false, program: argv, environment },
    }
}
