//! Messages: sending, waking, looking.

use std::sync::Arc;

use adjutant_api::ErrorCode;
use adjutant_api::types::message::{Message as WireMessage, MessageKind as WireKind, MessagesQuery, SendMessage, Sent};
use adjutant_core::agent::FrameStyle;
use adjutant_core::call::{Answer, Call, Caller, NewMessage};
use adjutant_core::event::Event;
use adjutant_core::message::{Message, MessageKind, MessageState, Sender};
use adjutant_core::time::Due;
use adjutant_core::{Host, MessageId, Right, SessionId};
use adjutant_store::{ReadError, Reader};
use axum::Json;

use super::heard::heard;
use crate::clock::Clock;
use crate::frame;
use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::follow::{Follower, known};
use crate::http::room::Room;
use crate::http::{from_api, resolve, to_api};

/// Text of one message that a list shows, in bytes; the whole is in the message itself.
const LISTED_TEXT_BYTES_MAX: usize = 64 * 1024;

/// Ended messages that a list shows.
const LISTED_MESSAGES_MAX: usize = 10_000;

/// `POST /v1/sessions/{id}/messages`
pub(super) async fn send(call: Incoming) -> Result<Json<Sent>, Failure> {
    let session = call.session_to_send_to().await?;
    let wanted: SendMessage = call.body()?;
    super::bounds::check_message(&call, &wanted).await?;
    let (confirm_ms, wake_me, once) = (wanted.confirm_ms, wanted.wake_me, wanted.once);
    let new = new_message(&call, wanted)?;
    if let Some(id) = new.reply_to {
        let known = call.app.read(move |reader| reader.message(id)).await?;
        known.ok_or_else(|| resolve::message_not_found(id))?;
    }
    if once && let Some(sent) = sent_before(&call, session, new.key.clone()).await? {
        return Ok(Json(sent));
    }
    let text = Arc::clone(&new.text);
    let mut follower = confirm_ms.map(|_| Follower::live(&call.app, vec![session]));
    let sent = match enqueue(&call, session, new, &text, wake_me).await {
        Ok(sent) => sent,
        Err(failure) => return Err(with_way_out(&call, session, failure).await),
    };
    // One that was sent before, with the same key, may have been taken long ago.
    let is_decided = sent.message.receipt.accepted_at.is_some() || sent.message.receipt.settled_at.is_some();
    match (confirm_ms, &mut follower) {
        (Some(limit), Some(follower)) if !is_decided => {
            confirmed(&call, session, sent, follower, limit, &text).await.map(Json)
        }
        _ => Ok(Json(sent)),
    }
}

/// Who has ended can be woken, if its conversation can be taken up again.
async fn with_way_out(call: &Incoming, id: SessionId, failure: Failure) -> Failure {
    if failure.body.code != ErrorCode::SessionExited {
        return failure;
    }
    let caller = call.caller;
    let resumable = move |host: &Host| {
        let ended = host.session(id).filter(|session| session.has_exited() && host.is_resumable(session));
        let ended = ended.filter(|session| host.may(caller, session, Right::Steer));
        ended.map(|session| session.name.to_string())
    };
    match call.app.look(resumable).await {
        Ok(Some(name)) => failure.with_hint(format!("adj wake {name}")),
        Ok(None) | Err(_) => failure,
    }
}

fn new_message(call: &Incoming, wanted: SendMessage) -> Result<NewMessage, Failure> {
    let now = Clock::new().now();
    let kind = match (&wanted.kind, wanted.as_command) {
        (Some(WireKind::Steer), _) => MessageKind::Steer,
        (_, true) => MessageKind::Command,
        (None | Some(WireKind::Next | WireKind::Interrupt), false) => MessageKind::Next,
        (Some(word @ (WireKind::Notice | WireKind::Other(_))), false) => {
            return Err(Failure::new(ErrorCode::NotSupported, format!("there are no messages of kind `{word}`")));
        }
    };
    let due = from_api::due(wanted.delay_ms, wanted.run_at, now)?;
    if kind == MessageKind::Steer && due.is_some() {
        let message = "a message for the running turn has no later time: leave out `steer`, or the time";
        return Err(Failure::new(ErrorCode::Usage, message));
    }
    if wanted.confirm_ms.is_some() && due.is_some_and(|due| !due.is_due(now)) {
        let message = "a message that is not due yet is not taken yet: leave out the confirmation, or the time";
        return Err(Failure::new(ErrorCode::Usage, message));
    }
    Ok(NewMessage {
        text: from_api::text(wanted.text, call.app.message_bytes_max)?,
        kind,
        key: from_api::key(wanted.key)?,
        reply_to: wanted.reply_to.as_deref().map(resolve::message_id).transpose()?,
        due,
        after: None,
        expires: wanted.expires_ms.map(|millis| Due::after(now, millis)),
        interrupt: wanted.kind == Some(WireKind::Interrupt),
    })
}

pub(super) async fn enqueue(
    call: &Incoming,
    session: SessionId,
    message: NewMessage,
    text: &str,
    wake_me: bool,
) -> Result<Sent, Failure> {
    super::bounds::check_stored(call, text.len()).await?;
    let told = call.app.supervisor.call(call.caller, Call::Send { session, message, wake_me }).await?;
    let Answer::Queued { message, handed, ahead, replayed } = told else {
        return Err(Failure::internal(format!("a send was answered with {told:?}")));
    };
    // What was repeated keeps the text that it had.
    let text = (!replayed).then(|| text.to_owned());
    let wire = one(call, session, message, text).await?;
    Ok(Sent { message: wire, handed, ahead: ahead as u64, repeated: replayed })
}

/// The message that has come with this key and has ended since; one that lives is found by the core.
pub(super) async fn sent_before(
    call: &Incoming,
    session: SessionId,
    key: Option<String>,
) -> Result<Option<Sent>, Failure> {
    let Some(key) = key else {
        return Err(Failure::new(ErrorCode::Usage, "`once` is said of a key, and there is none"));
    };
    let all = stored(call, session).await?;
    let has_ended = |message: &Message| matches!(message.state, MessageState::Ended { .. });
    let is_the_callers = |message: &Message| match (message.from, call.caller) {
        (Sender::Human, Caller::Human) => true,
        (Sender::Session(from), Caller::Session(caller)) => from == caller,
        (Sender::Token(from), Caller::Token(caller)) => from == caller,
        (Sender::Human | Sender::Session(_) | Sender::Token(_) | Sender::Host, _) => false,
    };
    let is_it = |message: &&Message| message.key.as_ref() == Some(&key) && has_ended(message);
    let found = all.iter().rev().find(|message| is_it(message) && is_the_callers(message));
    let Some(found) = found else { return Ok(None) };
    let message = one(call, session, found.id, None).await?;
    Ok(Some(Sent { message, handed: true, ahead: 0, repeated: true }))
}

/// Waits until the agent has taken the message, or it is clear that it will not.
async fn confirmed(
    call: &Incoming,
    session: SessionId,
    sent: Sent,
    follower: &mut Follower,
    limit_ms: u64,
    text: &str,
) -> Result<Sent, Failure> {
    let id = resolve::message_id(&sent.message.id)?;
    let taken = async {
        loop {
            match known(&*follower.next().await?) {
                Some(Event::MessageAccepted { message, .. } | Event::MessageEnded { message, .. })
                    if *message == id =>
                {
                    return Ok(());
                }
                _other => {}
            }
        }
    };
    match tokio::time::timeout(std::time::Duration::from_millis(limit_ms), taken).await {
        Ok(Ok(())) => {
            let message = one(call, session, id, Some(text.to_owned())).await?;
            if message.receipt.settled_at.is_some() {
                heard(&call.app, call.caller, std::slice::from_ref(&message.id)).await;
            }
            Ok(Sent { message, ..sent })
        }
        Ok(Err(failure)) => Err(failure),
        Err(_) => {
            let message = format!("{id} was not taken within {limit_ms} ms; it was not taken back and may still run");
            Err(Failure::new(ErrorCode::OutcomeUnknown, message).with_detail("message", sent.message.id))
        }
    }
}

/// `GET /v1/sessions/{id}/messages`
pub(super) async fn list(call: Incoming) -> Result<Json<Vec<WireMessage>>, Failure> {
    let session = call.session_to_read().await?;
    let query: MessagesQuery = call.query()?;
    let found = if query.all { stored(&call, session).await? } else { waiting(&call, session).await? };
    let ids: Vec<MessageId> = found.iter().map(|message| message.id).collect();
    let texts = call.app.read(move |reader| listed_texts(reader, &ids, query.all)).await?;
    let appended = appended(&call, session, found.clone()).await?;
    let look = move |host: &Host| {
        let Some(record) = host.session(session) else { return Vec::new() };
        let wire = found.iter().zip(texts).map(|(message, text)| to_api::message(host, record, message, text));
        wire.zip(appended).map(|(wire, bytes)| with_appended(wire, bytes)).collect()
    };
    Ok(Json(call.app.look(look).await?))
}

async fn stored(call: &Incoming, session: SessionId) -> Result<Vec<Message>, Failure> {
    call.app.read(move |reader| reader.messages_of(session, true, 0, LISTED_MESSAGES_MAX)).await
}

/// What waits, in the order in which it will run: the one under way, the ready ones, then the delayed by their time.
async fn waiting(call: &Incoming, session: SessionId) -> Result<Vec<Message>, Failure> {
    let look = move |host: &Host| {
        let Some(record) = host.session(session) else { return Vec::new() };
        let delayed = record.messages.values().filter(|m| m.state.is_queued() && !record.ready.contains(&m.id));
        let mut delayed: Vec<Message> = delayed.cloned().collect();
        delayed.sort_by_key(|message| message.state.due().map(|due| due.wall()));
        let ready = record.ready.iter().filter_map(|id| record.messages.get(id)).cloned();
        record.delivering().cloned().into_iter().chain(ready).chain(delayed).collect()
    };
    call.app.look(look).await
}

/// The texts of a list, as far as there is room: that of the first in the queue before the others, or of the newest.
fn listed_texts(reader: &Reader, ids: &[MessageId], newest_first: bool) -> Result<Vec<String>, ReadError> {
    let mut room = Room::default();
    let mut texts = vec![String::new(); ids.len()];
    let mut read = |index: usize| {
        let text = if room.is_full() { String::new() } else { listed_text(reader, ids[index])? };
        texts[index] = if room.has(&text) { text } else { String::new() };
        Ok::<_, ReadError>(())
    };
    match newest_first {
        true => (0..ids.len()).rev().try_for_each(&mut read)?,
        false => (0..ids.len()).try_for_each(&mut read)?,
    }
    Ok(texts)
}

/// As much of a text as a list shows. It is cut one by one, so that never more than one whole text is in memory.
fn listed_text(reader: &Reader, id: MessageId) -> Result<String, ReadError> {
    let mut text = reader.text_of_message(id)?.unwrap_or_default();
    text.truncate(text.floor_char_boundary(LISTED_TEXT_BYTES_MAX));
    text.shrink_to_fit();
    Ok(text)
}

/// `GET /v1/sessions/{id}/messages/{m}`
pub(super) async fn show(call: Incoming) -> Result<Json<WireMessage>, Failure> {
    let id = resolve::message_id(call.parameter("m"))?;
    let session = session_of_own(&call, call.parameter("id"), id).await?;
    one(&call, session, id, None).await.map(Json)
}

/// A session that the caller may see, or one that the caller has sent this message to.
pub(super) async fn session_of_own(call: &Incoming, text: &str, id: MessageId) -> Result<SessionId, Failure> {
    let seen = call.resolve(text, resolve::Rule::Read, Right::See).await;
    let Err(failure) = seen else { return seen };
    if failure.body.code != ErrorCode::Forbidden {
        return Err(failure);
    }
    let (text, caller) = (text.to_owned(), call.caller);
    let session = call.app.look(move |host| resolve::session(host, &text, caller, resolve::Rule::Read)).await??;
    let message = call.app.read(move |reader| reader.message(id)).await?;
    let own = message.is_some_and(|message| message.session == session && call.is_from_caller(&message));
    if own { Ok(session) } else { Err(failure) }
}

/// One message of a session, from the store. `text` saves reading the text where the caller has it.
pub(super) async fn one(
    call: &Incoming,
    session: SessionId,
    id: MessageId,
    text: Option<String>,
) -> Result<WireMessage, Failure> {
    let read = move |reader: &Reader| {
        let message = reader.message(id)?;
        let text = match text {
            Some(text) => Some(text),
            None => reader.text_of_message(id)?,
        };
        Ok((message, text))
    };
    let (message, text) = call.app.read(read).await?;
    let message = message.filter(|message| message.session == session);
    let message =
        message.ok_or_else(|| Failure::new(ErrorCode::MessageNotFound, format!("no message {id} in that session")))?;
    let appended = appended(call, session, vec![message.clone()]).await?.pop().flatten();
    let look = move |host: &Host| {
        let wire = host.session(session).map(|s| to_api::message(host, s, &message, text.unwrap_or_default()));
        wire.map(|wire| with_appended(wire, appended))
    };
    call.app
        .look(look)
        .await?
        .ok_or_else(|| Failure::new(ErrorCode::SessionNotFound, "the session was forgotten meanwhile"))
}

fn with_appended(mut wire: WireMessage, bytes: Option<u64>) -> WireMessage {
    wire.receipt.appended_bytes = bytes;
    wire
}

/// How many bytes were added to each of these when it was handed over.
async fn appended(call: &Incoming, session: SessionId, messages: Vec<Message>) -> Result<Vec<Option<u64>>, Failure> {
    let framed = |message: &Message| message.after.is_some() && message.state.way().handed_at.is_some();
    if !messages.iter().any(framed) {
        return Ok(vec![None; messages.len()]);
    }
    let style = move |host: &Host| host.session(session).and_then(|s| host.capabilities(s)).map(|can| can.frame);
    let style = call.app.look(style).await?.unwrap_or(FrameStyle::Plain);
    let read = move |reader: &Reader| {
        let answers = |session, turn| frame::final_text(reader, session, turn);
        let bytes = |message: &Message| {
            let after = message.after.as_ref().filter(|_| framed(message))?;
            Some(frame::framed("", after, style, &answers).len() as u64)
        };
        Ok(messages.iter().map(bytes).collect())
    };
    call.app.read(read).await
}
