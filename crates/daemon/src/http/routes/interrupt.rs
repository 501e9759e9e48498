//! Stopping the running turn.

use std::time::Duration;

use adjutant_api::ErrorCode;
use adjutant_api::types::session::InterruptSession;
use adjutant_api::types::turn::TurnResult;
use adjutant_core::call::{Answer, Call};
use adjutant_core::event::Event;
use adjutant_core::limits::INTERRUPT_CONFIRM_MS_MAX;
use adjutant_core::{SessionId, TurnNumber};
use axum::Json;

use super::answers::result_of;
use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::follow::{Follower, known};

/// `POST /v1/sessions/{id}/interrupt`
pub(super) async fn interrupt(call: Incoming) -> Result<Json<Option<TurnResult>>, Failure> {
    let session = call.session_to_change().await?;
    let wanted: InterruptSession = call.body()?;
    let mut follower = Follower::live(&call.app, vec![session]);
    let told =
        call.app.supervisor.call(call.caller, Call::Interrupt { session, clear_queue: wanted.clear_queue }).await?;
    let Answer::Interrupting { turn } = told else {
        return Err(Failure::internal(format!("an interrupt was answered with {told:?}")));
    };
    let Some(turn) = turn else { return Ok(Json(None)) };
    confirmed(&mut follower, turn).await?;
    result(&call, session, turn).await.map(|result| Json(Some(result)))
}

async fn confirmed(follower: &mut Follower, wanted: TurnNumber) -> Result<(), Failure> {
    let ended = async {
        loop {
            match known(&*follower.next().await?) {
                Some(Event::TurnEnded { turn, .. }) if *turn == wanted => return Ok(()),
                _other => {}
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
    let name = call.app.look(move |host| crate::http::to_api::caller_name(host, session)).await?;
    result_of(&call.app, session, &name, turn).await
}
