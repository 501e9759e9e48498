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
use crate::http::stream::told_to_end;
use crate::http::to_api::time;

/// Time for an agent to say how its goal stands, in milliseconds; and longest wait for its end.
const ANSWER_MS_MAX: u64 = 30_000;
/// See [`ANSWER_MS_MAX`].
const AWAIT_MS_MAX: u64 = 86_400_000;

/// `GET /v1/sessions/{id}/goal`
pub(super) async fn show(call: Incoming) -> Result<Json<GoalState>, Failure> {
    let id = call.session_to_read().await?;
    let query: GoalQuery = call.query()?;
    if !query.await_end {
        return ask(&call, id, GoalWish::Show, ANSWER_MS_MAX).await?.ok_or_else(unanswered);
    }
    let within = query.timeout_ms.unwrap_or(AWAIT_MS_MAX).min(AWAIT_MS_MAX);
    let mut ending = call.app.ending.subscribe();
    let told = tokio::select! {
        told = ask(&call, id, GoalWish::AwaitEnd, within) => told,
        () = told_to_end(&mut ending) => Err(Failure::new(ErrorCode::DaemonUnreachable, "the daemon is stopping")),
    };
    match told {
        Ok(Some(ended)) => Ok(ended),
        // Nobody follows the session any more: it ends, or the daemon does, and the same question finds out.
        Err(failure) if failure.body.code == ErrorCode::OutcomeUnknown => {
            Err(Failure::new(ErrorCode::DaemonUnreachable, "the daemon does not follow the session any more"))
        }
        Err(failure) => Err(failure),
        // The time is over; so it is told as it stands.
        Ok(None) => ask(&call, id, GoalWish::Show, ANSWER_MS_MAX).await?.ok_or_else(unanswered),
    }
}

/// `POST /v1/sessions/{id}/goal`
pub(super) async fn set(call: Incoming) -> Result<Json<GoalState>, Failure> {
    let id = call.session_to_change().await?;
    let wish = wish(call.body()?)?;
    ask(&call, id, wish, ANSWER_MS_MAX).await?.ok_or_else(unanswered)
}

/// The one thing that is wanted.
fn wish(wanted: SetGoal) -> Result<GoalWish, Failure> {
    let SetGoal { objective, token_budget, max_turns, pause, resume, clear, done, evidence, blocked } = wanted;
    let usage = |message: &str| Err(Failure::new(ErrorCode::Usage, message));
    let sets = objective.is_some() || token_budget.is_some() || max_turns.is_some();
    if evidence.is_some() && !done {
        return usage("evidence belongs to a goal that is done");
    }
    if objective.as_ref().is_some_and(|objective| objective.trim().is_empty()) {
        return usage("the objective is empty");
    }
    match (sets, pause, resume, clear, done, blocked) {
        (true, false, false, false, false, None) => Ok(GoalWish::Set { objective, token_budget, max_turns }),
        (false, true, false, false, false, None) => Ok(GoalWish::Pause),
        (false, false, true, false, false, None) => Ok(GoalWish::Resume),
        (false, false, false, true, false, None) => Ok(GoalWish::Clear),
        (false, false, false, false, true, None) => Ok(GoalWish::Done { evidence }),
        (false, false, false, false, false, Some(reason)) => Ok(GoalWish::Blocked { reason }),
        _ => usage("one thing at a time is done to a goal"),
    }
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
    let session = host.session(id).ok_or_else(|| Failure::gone(id))?;
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
        max_turns: goal.max_turns,
        turns_used: goal.turns_used,
        reason: goal.reason,
        created_at: time(goal.created_at),
        updated_at: time(goal.updated_at),
    }
}
