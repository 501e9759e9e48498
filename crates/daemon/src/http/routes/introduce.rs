//! Letting two sessions send to each other.

use adjutant_api::types::gateway::IntroduceSession;
use adjutant_api::types::session::Session as WireSession;
use adjutant_core::Right;
use adjutant_core::call::Call;
use axum::Json;

use super::sessions::record;
use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::resolve::Rule;
use crate::http::to_api;

/// `POST /v1/sessions/{id}/introduce`
pub(super) async fn introduce(call: Incoming) -> Result<Json<Vec<WireSession>>, Failure> {
    let one = call.session_to_change().await?;
    let wanted: IntroduceSession = call.body()?;
    let other = call.resolve(&wanted.to, Rule::Change, Right::Steer).await?;
    call.app.supervisor.call(call.caller, Call::Introduce { one, other }).await?;
    let (Json(one), Json(other)) =
        (record(&call, one, to_api::session).await?, record(&call, other, to_api::session).await?);
    Ok(Json(vec![one, other]))
}
