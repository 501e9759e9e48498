//! Stopping the running turn.

use std::time::Duration;

use adjutant_api::ErrorCode;
use adjutant_api::types::session::InterruptSession;
use adjutant_api::types::turn::{OutcomeWord, TurnResult};
use adjutant_core::call::{Answer, Call};
use adjutant_core::event::Event;
use adjutant_core::limits::INTERRUPT_CONFIRM_MS_MAX;
use adjutant_core::session::Goal;
use adjutant_core::{SessionId, TurnNumber};
use axum::Json;

use super::answers::result_of;
use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::follow::{Follower, known};
use crate::http::to_api;

/// `POST /v1/sessions/{id}/interrupt`
pub(super) async fn interrupt(call: Incoming) -> Result<Json<Option<TurnResult>>, Failure> {
    let session = call.session_to_change().await?;
    let wanted: InterruptSession = call.body()?;
    let mut follower = Follower::live(&call.app, vec![session]);
    let told =
        call.app.supervisor.call(call.caller, Call::Interrupt { session, clear_queue: wanted.clear_queue }).await?;
    let Answer::Interrupting { turn, goal } = told else {
        return Err(Failure::internal(format!("an interrupt was answered with {told:?}")));
    };
    let Some(turn) = turn else {
        let name = call.app.look(move |host| to_api::caller_name(host, session)).await?;
        return if goal { rested(&mut follower, &name).await.map(|result| Json(Some(result))) } else { Ok(Json(None)) };
    };
    let is_end = |event: &Event| matches!(event, Event::TurnEnded { turn: ended, .. } if *ended == turn).then_some(());
    confirmed(&mut follower, is_end).await?;
    result(&call, session, turn).await.map(|result| Json(Some(result)))
}

/// The result where no turn ran, when the goal is not pursued any more.
async fn rested(follower: &mut Follower, name: &str) -> Result<TurnResult, Failure> {
    let rests = |event: &Event| {
        let Event::GoalChanged { goal } = event else { return None };
        let status = goal.as_ref().map_or("cleared", |goal| &goal.status);
        (!goal.as_ref().is_some_and(Goal::is_pursued)).then(|| format!("its goal is {status}"))
    };
    let error = Some(confirmed(follower, rests).await?);
    Ok(TurnResult { outcome: OutcomeWord::Interrupted, error, ..TurnResult::idle(name) })
}

/// Waits for an event of which `found` makes something.
async fn confirmed<T>(follower: &mut Follower, found: impl Fn(&Event) -> Option<T>) -> Result<T, Failure> {
    let ended = async {
        loop {
            if let Some(found) = known(&*follower.next().await?).and_then(&found) {
                return Ok(found);
            }
        }
    };
    let limit = Duration::from_millis(INTERRUPT_CONFIRM_MS_MAX);
    tokio::time::timeout(limit, ended).await.unwrap_or_else(|_| {
        let message = format!("the agent has not confirmed the interrupt within {INTERRUPT_CONFIRM_MS_MAX} ms");
        Err(Failure::new(ErrorCode::OutcomeUnknown, message))
    })
}

async fn result(call: &Incoming, session: SessionId, turn: TurnNumber) -> Result<TurnResult, Failure> {
    let name = call.app.look(move |host| to_api::caller_name(host, session)).await?;
    result_of(&call.app, session, &name, turn).await
}
