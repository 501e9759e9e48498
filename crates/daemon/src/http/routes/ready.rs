//! Waiting until an agent that is being started accepts messages, for the first time or again.

use adjutant_api::ErrorCode;
use adjutant_core::SessionId;
use adjutant_core::event::Event;
use adjutant_core::session::Phase;

use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::follow::{Follower, known};
use crate::http::to_api;

/// How much longer than its agent its caller waits for the word of its driver, in milliseconds.
const DRIVER_MARGIN_MS: u64 = 5_000;

pub(super) fn start_failure(why: &adjutant_core::agent::StartFailure) -> Failure {
    let (code, text) = to_api::start_failure(why);
    Failure::new(code, text)
}

/// Waits for the driver's word that the agent accepts messages, or that it does not.
pub(super) async fn await_ready(
    call: &Incoming,
    id: SessionId,
    follower: &mut Follower,
    replayed: bool,
    ready_ms_max: u64,
) -> Result<(), Failure> {
    let present = move |host: &adjutant_core::Host| {
        let session = host.session(id);
        let was_ready = session.is_some_and(adjutant_core::session::Session::was_ready);
        (session.map(|session| session.phase.clone()), was_ready, adjutant_core::Seq::new(host.counters().next_seq - 1))
    };
    let (phase, was_ready, seq) = call.app.look(present).await?;
    match phase {
        Some(Phase::Live) => return Ok(()),
        Some(Phase::Exited { end, .. }) => return ended(&end),
        // An earlier daemon had planned it, and this one has just found that nothing was started.
        None if replayed => return Err(start_failure(&adjutant_core::agent::StartFailure::Withdrawn)),
        // It failed and was forgotten between the answer and this look. The log may not have it any more; the follower
        // was there before it began.
        None => {}
        Some(Phase::Starting | Phase::Unseen { .. }) => follower.starts_at(seq),
    }
    let limit = std::time::Duration::from_millis(ready_ms_max.saturating_add(DRIVER_MARGIN_MS));
    let waited = tokio::time::timeout(limit, first_word(follower, was_ready)).await;
    waited.unwrap_or_else(|_| {
        Err(Failure::new(ErrorCode::Timeout, format!("the agent was not ready within {ready_ms_max} ms")))
    })
}

/// `was_ready` says that it got ready under an earlier daemon, so that being seen again is all that is missing.
async fn first_word(follower: &mut Follower, was_ready: bool) -> Result<(), Failure> {
    loop {
        match known(&*follower.next().await?) {
            Some(Event::SessionReady) => return Ok(()),
            Some(Event::SessionSeen) if was_ready => return Ok(()),
            Some(Event::SessionExited { end }) => return ended(end),
            Some(Event::SessionPurged) => {
                return Err(Failure::new(ErrorCode::AgentStartFailed, "the session was ended while it started"));
            }
            _other => {}
        }
    }
}

fn ended(end: &adjutant_core::agent::SessionEnd) -> Result<(), Failure> {
    use adjutant_core::agent::SessionEnd;
    match end {
        SessionEnd::StartFailed { why } => Err(start_failure(why)),
        SessionEnd::Killed => Err(Failure::new(ErrorCode::AgentStartFailed, "the session was killed while it started")),
        // It came to life and has done its work already, with its first message perhaps.
        SessionEnd::Ended { .. } | SessionEnd::Lost { .. } => Ok(()),
    }
}
