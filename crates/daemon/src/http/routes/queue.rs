//! The queue, changed.

use std::sync::Arc;

use adjutant_api::ErrorCode;
use adjutant_api::types::message::{EditMessage, Message as WireMessage};
use adjutant_api::types::session::Session as WireSession;
use adjutant_core::call::{Answer, Call, NewMessage};
use adjutant_core::event::Place;
use adjutant_core::message::{MessageEnd, MessageKind, MessageState};
use adjutant_core::outcome::Outcome;
use adjutant_core::{Host, MessageId, Refusal, SessionId};
use axum::Json;

use super::bounds::check_stored;
use super::messages::one;
use super::sessions::record;
use crate::clock::Clock;
use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::{from_api, resolve, to_api};

/// `PATCH /v1/sessions/{id}/messages/{m}`
pub(super) async fn edit(call: Incoming) -> Result<Json<WireMessage>, Failure> {
    let session = call.session_to_change().await?;
    let message = resolve::message_id(call.parameter("m"))?;
    let wanted: EditMessage = call.body()?;
    let due = from_api::due(wanted.delay_ms, wanted.run_at, Clock::new().now())?;
    let due = match (due, wanted.now) {
        (Some(_), true) => return Err(Failure::new(ErrorCode::Usage, "a time and `now` exclude each other")),
        (Some(due), false) => Some(Some(due)),
        (None, true) => Some(None),
        (None, false) => None,
    };
    let place = place(&wanted)?;
    let text = wanted.text.map(|text| from_api::text(text, call.app.message_bytes_max)).transpose()?;
    if text.is_none() && due.is_none() && place.is_none() {
        return Err(Failure::new(ErrorCode::Usage, "an edit changes the text, the time or the place"));
    }
    if let Some(text) = &text {
        check_author(&call, session, message).await?;
        check_stored(&call, text.len()).await?;
    }
    change(&call, session, message, Call::Edit { session, message, text, due, place }).await?;
    one(&call, session, message, None).await.map(Json)
}

/// A message says who sent it, so that nobody else but the user puts words into it.
async fn check_author(call: &Incoming, session: SessionId, message: MessageId) -> Result<(), Failure> {
    let look = move |host: &Host| host.session(session)?.messages.get(&message).cloned();
    match call.app.look(look).await? {
        Some(known) if !call.is_from_caller(&known) => Err(Failure::new(
            ErrorCode::Forbidden,
            format!("{message} is somebody else's: its text is not yours to change"),
        )),
        Some(_) | None => Ok(()),
    }
}

fn place(wanted: &EditMessage) -> Result<Option<Place>, Failure> {
    match (&wanted.after, wanted.first) {
        (Some(_), true) => Err(Failure::new(ErrorCode::Usage, "`first` and `after` exclude each other")),
        (Some(other), false) => Ok(Some(Place::After(resolve::message_id(other)?))),
        (None, true) => Ok(Some(Place::First)),
        (None, false) => Ok(None),
    }
}

/// `DELETE /v1/sessions/{id}/messages/{m}`
pub(super) async fn remove(call: Incoming) -> Result<Json<WireMessage>, Failure> {
    let session = call.session_to_change().await?;
    let message = resolve::message_id(call.parameter("m"))?;
    change(&call, session, message, Call::Remove { session, message }).await?;
    one(&call, session, message, None).await.map(Json)
}

/// Changes a message that waits. One that has run and left the queue is not one that never was.
async fn change(call: &Incoming, session: SessionId, message: MessageId, wanted: Call) -> Result<(), Failure> {
    let told = call.app.supervisor.call(call.caller, wanted).await;
    if let Err(Refusal::MessageNotFound(id)) = &told
        && *id == message
        && call.app.read(move |reader| reader.message(message)).await?.is_some_and(|known| known.session == session)
    {
        return Err(Failure::new(ErrorCode::MessageStarted, format!("{id} has ended and can no longer be changed")));
    }
    told.map(drop).map_err(Failure::from)
}

/// `DELETE /v1/sessions/{id}/messages`
pub(super) async fn clear(call: Incoming) -> Result<Json<Vec<WireMessage>>, Failure> {
    let session = call.session_to_change().await?;
    let queued = move |host: &Host| {
        let queued =
            host.session(session).into_iter().flat_map(|s| s.messages.values()).filter(|m| m.state.is_queued());
        queued.map(|m| m.id).collect::<Vec<_>>()
    };
    let mut removed = Vec::new();
    for message in call.app.look(queued).await? {
        // One that was started meanwhile stays, as it would have a moment later.
        if call.app.supervisor.call(call.caller, Call::Remove { session, message }).await.is_ok() {
            removed.push(one(&call, session, message, None).await?);
        }
    }
    Ok(Json(removed))
}

/// `POST /v1/sessions/{id}/messages/{m}/retry`
pub(super) async fn retry(call: Incoming) -> Result<Json<WireMessage>, Failure> {
    let session = call.session_to_change().await?;
    let id = resolve::message_id(call.parameter("m"))?;
    let stored = call.app.read(move |reader| Ok((reader.message(id)?, reader.text_of_message(id)?))).await?;
    let (Some(message), Some(text)) = stored else {
        return Err(Failure::new(ErrorCode::MessageNotFound, format!("no message {id}")));
    };
    if message.session != session {
        return Err(Failure::new(ErrorCode::MessageNotFound, format!("no message {id} in that session")));
    }
    if !may_be_retried(&message.state) {
        return Err(Failure::new(ErrorCode::MessageStarted, format!("{id} has not failed, expired or become unknown")));
    }
    check_stored(&call, text.len()).await?;
    let new = NewMessage {
        text: Arc::from(text),
        kind: MessageKind::Next,
        key: message.key,
        reply_to: message.reply_to,
        due: None,
        after: None,
        expires: None,
        interrupt: false,
    };
    let told = call.app.supervisor.call(call.caller, Call::Send { session, message: new, wake_me: false }).await?;
    let Answer::Queued { message, .. } = told else {
        return Err(Failure::internal(format!("a retry was answered with {told:?}")));
    };
    one(&call, session, message, None).await.map(Json)
}

fn may_be_retried(state: &MessageState) -> bool {
    match state {
        MessageState::Ended { end, .. } => match end {
            MessageEnd::Settled { outcome, .. } => *outcome != Outcome::Completed,
            MessageEnd::Undeliverable { .. } | MessageEnd::Expired | MessageEnd::Unknown { .. } => true,
            MessageEnd::Cancelled => false,
        },
        MessageState::Delayed { .. }
        | MessageState::Ready
        | MessageState::Delivering { .. }
        | MessageState::Running { .. } => false,
    }
}

/// `POST /v1/sessions/{id}/hold`
pub(super) async fn hold(call: Incoming) -> Result<Json<WireSession>, Failure> {
    let session = call.session_to_change().await?;
    call.app.supervisor.call(call.caller, Call::Hold { session }).await?;
    record(&call, session, to_api::session).await
}

/// `POST /v1/sessions/{id}/release`
pub(super) async fn release(call: Incoming) -> Result<Json<WireSession>, Failure> {
    let session = call.session_to_change().await?;
    call.app.supervisor.call(call.caller, Call::Release { session }).await?;
    record(&call, session, to_api::session).await
}
