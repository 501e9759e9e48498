//! Hooks: what agents call while they work, passed on to the drivers of their sessions.

use std::time::Duration;

use adjutant_agents::Order;
use adjutant_api::ErrorCode;
use adjutant_api::types::hook::{HookAnswer, HookCall};
use axum::Json;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::http::call::Incoming;
use crate::http::error::Failure;

/// Time for somebody to decide what a hook asks, in milliseconds: agents wait no longer for a hook either.
const DECIDE_MS_MAX: u64 = 86_400_000;

/// `POST /v1/hooks`
pub(super) async fn hook(call: Incoming) -> Result<Json<HookAnswer>, Failure> {
    let wanted: HookCall = call.body()?;
    let only_sessions = || Failure::new(ErrorCode::Usage, "only the agent of a session has hooks");
    let session = call.caller.session().ok_or_else(only_sessions)?;
    let (sender, told) = oneshot::channel();
    let payload = wanted.payload.to_string();
    call.app.supervisor.hook(session, Order::Hook { event: wanted.event, payload, answer: sender }).await?;
    let unheard = || Failure::new(ErrorCode::OutcomeUnknown, "nobody took the hook in");
    match tokio::time::timeout(Duration::from_millis(DECIDE_MS_MAX), told).await {
        Ok(answer) => answer.map_err(|_| unheard()).map(answered).map(Json),
        Err(_) => Ok(Json(answered(None))),
    }
}

fn answered(answer: Option<String>) -> HookAnswer {
    HookAnswer { answer: answer.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null) }
}
