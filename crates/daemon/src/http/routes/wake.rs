//! Waking: a message for later, or for when others have ended.

use adjutant_api::ErrorCode;
use adjutant_api::types::message::{Sent, WakeSession};
use adjutant_core::call::{NewAfter, NewDependency, NewMessage};
use adjutant_core::message::{Message, MessageEnd, MessageKind, MessageState, Settlement, TurnResult};
use adjutant_core::time::Due;
use adjutant_core::{ExitStatus, MessageId, Right};
use axum::Json;

use super::bounds;
use super::messages::sent_before;
use super::revive::{Means, wake_or_revive};
use crate::clock::Clock;
use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::{from_api, resolve};

/// How often what is waited for may end between two looks at it.
const LOOKS_MAX: usize = 3;

/// `POST /v1/sessions/{id}/wake`
pub(super) async fn wake(call: Incoming) -> Result<Json<Option<Sent>>, Failure> {
    let session = call.session_to_send_to().await?;
    let mut wanted: WakeSession = call.body()?;
    bounds::apply_to_wake(&call, &mut wanted).await?;
    let means = Means::of(&mut wanted);
    let Some(text) = wanted.text else {
        let session = call.session_to_change().await?;
        if wanted != (WakeSession { text: None, ..WakeSession::default() }) {
            return Err(Failure::new(ErrorCode::Usage, "a wake without a message is at once and has no key"));
        }
        return wake_or_revive(&call, session, None, &means).await.map(Json);
    };
    if wanted.any && wanted.after.is_empty() {
        return Err(Failure::new(ErrorCode::Usage, "`any` says how much of `after` is enough, and there is none"));
    }
    let now = Clock::new().now();
    let text = from_api::text(text, call.app.message_bytes_max)?;
    let new = NewMessage {
        text,
        kind: MessageKind::Wake,
        key: from_api::key(wanted.key)?,
        reply_to: None,
        due: from_api::due(wanted.delay_ms, wanted.run_at, now)?,
        after: None,
        expires: wanted.expires_ms.map(|millis| Due::after(now, millis)),
        interrupt: false,
    };
    if wanted.once
        && let Some(sent) = sent_before(&call, session, new.key.clone()).await?
    {
        return Ok(Json(Some(sent)));
    }
    for look in 1.. {
        let after = after(&call, &wanted.after, wanted.any).await?;
        let message = NewMessage { after, ..new.clone() };
        match wake_or_revive(&call, session, Some(message), &means).await {
            // It has ended since the store was asked.
            Err(failure) if failure.body.code == ErrorCode::MessageNotFound && look < LOOKS_MAX => {}
            sent => return sent.map(Json),
        }
    }
    Err(Failure::internal("what is waited for was looked at in vain"))
}

/// What the names stand for; each once.
async fn after(call: &Incoming, names: &[String], any: bool) -> Result<Option<NewAfter>, Failure> {
    let mut of: Vec<NewDependency> = Vec::new();
    for name in names {
        let dependency = dependency(call, name).await?;
        if !of.contains(&dependency) {
            of.push(dependency);
        }
    }
    Ok((!of.is_empty()).then_some(NewAfter { any, of }))
}

async fn dependency(call: &Incoming, name: &str) -> Result<NewDependency, Failure> {
    match name.parse::<MessageId>() {
        Ok(message) => message_dependency(call, message).await,
        Err(_) => Ok(NewDependency::Session(call.resolve(name, resolve::Rule::Read, Right::See).await?)),
    }
}

/// A message that has ended is in the store alone, and is told to the core as it is there.
async fn message_dependency(call: &Incoming, id: MessageId) -> Result<NewDependency, Failure> {
    let read = move |reader: &adjutant_store::Reader| {
        let Some(message) = reader.message(id)? else { return Ok(None) };
        let exit = match &message.state {
            MessageState::Ended { end: MessageEnd::Settled { turn, .. }, .. } => {
                reader.turn(message.session, *turn)?.and_then(|turn| turn.end.exit)
            }
            MessageState::Ended { .. }
            | MessageState::Delayed { .. }
            | MessageState::Ready
            | MessageState::Delivering { .. }
            | MessageState::Running { .. } => None,
        };
        Ok(Some((message, exit)))
    };
    let found = call.app.read(read).await?;
    let (message, exit) = found.ok_or_else(|| resolve::message_not_found(id))?;
    if !call.is_from_caller(&message) && !call.may(message.session, Right::See).await? {
        return Err(Failure::new(ErrorCode::Forbidden, format!("{id} is not a message of yours")));
    }
    Ok(as_dependency(message, exit))
}

fn as_dependency(message: Message, exit: Option<ExitStatus>) -> NewDependency {
    let Message { id, session, state, .. } = message;
    match state {
        MessageState::Ended { end: MessageEnd::Settled { turn, outcome }, at, .. } => {
            let how = Settlement::Turn(TurnResult { turn, outcome, exit });
            NewDependency::Ended { session, message: id, how, at }
        }
        MessageState::Ended { end, at, .. } => {
            NewDependency::Ended { session, message: id, how: Settlement::Fallen { message: id, end }, at }
        }
        MessageState::Delayed { .. }
        | MessageState::Ready
        | MessageState::Delivering { .. }
        | MessageState::Running { .. } => NewDependency::Message { session, message: id },
    }
}
