//! Goals: passed on to the driver of the session, whose agent has them.

use std::time::Duration;

use adjutant_agents::{Goal, GoalAnswer, GoalWish, Order};
use adjutant_api::ErrorCode;
use adjutant_api::types::goal::{Goal as WireGoal, GoalQuery, GoalState, SetGoal};
use adjutant_core::{Host, SessionId, SessionName};
use axum::Json;
use tokio::sync::oneshot;

use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::resolve::Rule;
use crate::http::to_api::time;

/// Time for an agent to say how its goal stands, in milliseconds; and longest wait for its end.
const ANSWER_MS_MAX: u64 = 30_000;
/// See [`ANSWER_MS_MAX`].
const AWAIT_MS_MAX: u64 = 86_400_000;

/// `GET /v1/sessions/{id}/goal`
pub(super) async fn show(call: Incoming) -> Result<Json<GoalState>, Failure> {
    let id = call.resolve(call.parameter("id"), Rule::Read).await?;
    let query: GoalQuery = call.query()?;
    if !query.await_end {
        return ask(&call, id, GoalWish::Show, ANSWER_MS_MAX).await?.ok_or_else(unanswered);
    }
    let within = query.timeout_ms.unwrap_or(AWAIT_MS_MAX).min(AWAIT_MS_MAX);
    match ask(&call, id, GoalWish::AwaitEnd, within).await? {
        Some(ended) => Ok(ended),
        // The time is over; so it is told as it stands.
        None => ask(&call, id, GoalWish::Show, ANSWER_MS_MAX).await?.ok_or_else(unanswered),
    }
}

/// `POST /v1/sessions/{id}/goal`
pub(super) async fn set(call: Incoming) -> Result<Json<GoalState>, Failure> {
    let id = call.session_to_change().await?;
    let SetGoal { objective, token_budget, pause, resume, clear } = call.body()?;
    let sets = objective.is_some() || token_budget.is_some();
    let wish = match (sets, pause, resume, clear) {
        (true, false, false, false) => GoalWish::Set { objective, token_budget },
        (false, true, false, false) => GoalWish::Pause,
        (false, false, true, false) => GoalWish::Resume,
        (false, false, false, true) => GoalWish::Clear,
        _ => return Err(Failure::new(ErrorCode::Usage, "one thing at a time is done to a goal")),
    };
    ask(&call, id, wish, ANSWER_MS_MAX).await?.ok_or_else(unanswered)
}

fn unanswered() -> Failure {
    Failure::new(ErrorCode::OutcomeUnknown, "the agent did not say how its goal stands")
}

/// Passes a wish on; `None` when there is no answer in time.
async fn ask(
    call: &Incoming,
    id: SessionId,
    wish: GoalWish,
    within_ms: u64,
) -> Result<Option<Json<GoalState>>, Failure> {
    let name = call.app.look(move |host| with_goals(host, id)).await??;
    let (sender, told) = oneshot::channel();
    call.app.supervisor.hook(id, Order::Goal { wish, answer: sender }).await?;
    match tokio::time::timeout(Duration::from_millis(within_ms), told).await {
        Ok(Ok(answer)) => wire(&name, answer).map(Json).map(Some),
        Ok(Err(_)) => Err(unanswered()),
        Err(_) => Ok(None),
    }
}

/// The name of a session that lives and has goals.
fn with_goals(host: &Host, id: SessionId) -> Result<SessionName, Failure> {
    let session = host.session(id).ok_or_else(|| Failure::session_not_found(host, &id.to_string()))?;
    let failure = |code, told: &str| Err(Failure::new(code, format!("{} {told}", session.name)));
    match (session.has_exited(), host.capabilities(session).is_some_and(|can| can.goals)) {
        (_, false) => failure(ErrorCode::NotSupported, "has no goals: its agent pursues none"),
        (true, true) => failure(ErrorCode::SessionExited, "has exited"),
        (false, true) => Ok(session.name.clone()),
    }
}

fn wire(session: &SessionName, answer: GoalAnswer) -> Result<GoalState, Failure> {
    match answer {
        GoalAnswer::Goal(goal) => Ok(GoalState { goal: goal.map(|goal| goal_of(session, goal)), cleared: None }),
        GoalAnswer::Cleared(cleared) => Ok(GoalState { goal: None, cleared: Some(cleared) }),
        GoalAnswer::Refused(why) => Err(Failure::new(ErrorCode::NotSupported, format!("{session}: {why}"))),
    }
}

fn goal_of(session: &SessionName, goal: Goal) -> WireGoal {
    WireGoal {
        session: session.to_string(),
        objective: goal.objective,
        status: goal.status,
        token_budget: goal.token_budget,
        tokens_used: goal.tokens_used,
        time_used_seconds: goal.time_used_seconds,
        created_at: time(goal.created_at),
        updated_at: time(goal.updated_at),
    }
}
