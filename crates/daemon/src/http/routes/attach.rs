//! How a person sits down at a session.

use std::collections::BTreeMap;

use adjutant_agents::{Attach, AttachTo};
use adjutant_api::ErrorCode;
use adjutant_api::types::session::{Attach as WireAttach, AttachQuery};
use adjutant_core::Host;
use axum::Json;

use crate::http::call::Incoming;
use crate::http::error::Failure;

/// `GET /v1/sessions/{id}/attach`
pub(super) async fn attach(call: Incoming) -> Result<Json<WireAttach>, Failure> {
    let id = call.session_to_change().await?;
    let query: AttachQuery = call.query()?;
    let places = call.app.places.clone();
    let look = move |host: &Host| {
        let session = host.session(id).ok_or_else(|| Failure::session_not_found(host, &id.to_string()))?;
        match session.has_exited() {
            true => Err(Failure::new(ErrorCode::SessionExited, format!("{} has exited", session.name))),
            false => {
                let place = places.of(session);
                Ok((session.name.clone(), session.profile.clone(), session.conversation.clone(), place))
            }
        }
    };
    let (name, profile, conversation, place) = call.app.look(look).await??;
    let no_agent = || Failure::new(ErrorCode::NotSupported, format!("this build has no agent `{}`", profile.agent));
    let agent = call.app.agents.get(&profile.agent).cloned().ok_or_else(no_agent)?;
    let asked = tokio::task::spawn_blocking(move || {
        let conversation = conversation.as_deref();
        agent.attach(AttachTo { place: &place, profile: &profile, conversation, read_only: query.read_only })
    });
    match asked.await.map_err(|_| Failure::internal("looking for the terminal failed"))? {
        Ok(attach) => Ok(Json(wire(attach))),
        Err(why) => Err(Failure::new(ErrorCode::NotSupported, format!("{name}: {why}"))),
    }
}

fn wire(attach: Attach) -> WireAttach {
    match attach {
        Attach::Terminal => WireAttach { terminal: true, program: Vec::new(), environment: BTreeMap::new() },
        Attach::Program { argv, environment } => WireAttach { terminal: false, program: argv, environment },
    }
}
