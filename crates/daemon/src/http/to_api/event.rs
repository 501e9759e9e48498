//! Events on the wire.

use adjutant_api::types::event::Event as WireEvent;
use adjutant_core::agent::{SessionEnd, TurnEnd, TurnOrigin};
use adjutant_core::event::{Event, Logged, Place};
use adjutant_core::message::{MessageEnd, Sender};
use adjutant_core::{ExitStatus, Host};
use adjutant_store::Entry;
use serde_json::{Value, json};

use super::{caller_name, exit_detail, time, words};
use crate::frame::told_of;

/// An entry of the log as `adj watch --json` prints it.
pub(crate) fn event(host: &Host, entry: &Entry) -> WireEvent {
    match entry {
        Entry::Known(logged) => known(host, logged),
        // What a newer version has written is passed on as it is.
        Entry::Opaque(opaque) => WireEvent {
            seq: opaque.seq.get(),
            // What concerns several sessions is about none of them.
            session: (*opaque.session.as_bytes() != [0; 16]).then(|| caller_name(host, opaque.session)),
            at: time(opaque.at),
            r#type: opaque.type_name.clone(),
            turn: opaque.turn.map(adjutant_core::TurnNumber::get),
            data: serde_json::from_str(&opaque.data).unwrap_or(Value::Null),
        },
    }
}

fn known(host: &Host, logged: &Logged) -> WireEvent {
    WireEvent {
        seq: logged.seq.get(),
        session: Some(name_of(host, logged)),
        at: time(logged.at),
        r#type: logged.event.type_name().to_owned(),
        turn: logged.event.turn().map(adjutant_core::TurnNumber::get),
        data: data(host, &logged.event),
    }
}

/// A session that was purged has no record any more; its first event still tells its name.
fn name_of(host: &Host, logged: &Logged) -> String {
    if let Event::SessionCreated { name, .. } = &logged.event {
        return name.to_string();
    }
    caller_name(host, logged.session)
}

fn data(host: &Host, event: &Event) -> Value {
    match event {
        Event::SessionCreated { profile, parent, .. } => json!({
            "cli": profile.agent.as_str(), "path": profile.path, "description": profile.description,
            "mode": words::mode(profile.mode).as_str(), "parent": parent.map(|id| caller_name(host, id)),
        }),
        Event::SessionStarted { runner, agent, supervisor } => {
            json!({"runner_pid": runner.pid, "agent_pid": agent.pid, "supervisor": supervisor})
        }
        Event::SessionRevived { by: who, .. } => json!({"by": sender(host, *who)}),
        Event::SessionConversation { native } => json!({"agent_session": native}),
        Event::GoalChanged { goal } => json!({"goal": goal.as_ref().map(super::session::goal)}),
        Event::TurnCounted { usage, .. } => json!({"usage": super::usage(*usage)}),
        Event::SessionNotice { text } => json!({"text": text}),
        Event::SessionUnseen { why } => json!({"why": words::unknown_text(why)}),
        Event::SessionStopAsked { by: who, force } => json!({"by": sender(host, *who), "force": force}),
        Event::SessionExited { end } => session_end(end),
        Event::SessionReparented { parent } => json!({"parent": parent.map(|id| caller_name(host, id))}),
        Event::SessionIntroduced { to } => json!({"to": caller_name(host, *to)}),
        Event::ChildCreated { child } => json!({"child": caller_name(host, *child)}),
        Event::ChildEnded { child, end } => {
            json!({"child": caller_name(host, *child), "end": session_end(end)})
        }
        Event::QueueHeld { by_hand } => json!({"by_hand": by_hand}),
        Event::SessionReady | Event::SessionSeen | Event::SessionPurged | Event::QueueReleased => json!({}),
        Event::MessageQueued { message } => json!({
            "message": message.id.to_string(), "from": sender(host, message.from), "bytes": message.bytes,
            "kind": super::message::kind(message.kind), "after": super::message::awaited(message),
            "key": message.key, "reply_to": message.reply_to.map(|id| id.to_string()),
        }),
        Event::MessageAfterSettled { message, of, how, .. } => {
            let told = told_of(how);
            json!({
                "message": message.to_string(), "after": caller_name(host, *of), "outcome": told.outcome,
                "of_turn": told.turn, "exit_code": told.exit_code, "error": told.error,
            })
        }
        Event::MessageDue { message, came } => json!({
            "message": message.to_string(), "late_ms": came.map(|came| came.late_ms),
            "overdue": came.is_some_and(|came| came.overdue),
        }),
        Event::MessageChanged { message, bytes, due, place } => json!({
            "message": message.to_string(), "bytes": bytes, "run_at": due.flatten().map(|due| time(due.wall())),
            "place": place.map(place_text),
        }),
        Event::MessageHanded { message, attempt } => json!({"message": message.to_string(), "attempt": attempt.get()}),
        Event::MessageReturned { message, detail } => json!({"message": message.to_string(), "detail": detail}),
        Event::MessageAccepted { message, evidence, .. } => json!({
            "message": message.to_string(), "evidence": {"source": evidence.source, "detail": evidence.detail},
        }),
        Event::MessageEnded { message, end } => message_end(&message.to_string(), end),
        Event::TurnStarted { origin, .. } => origin_data(origin),
        Event::TurnInterruptAsked { by: who, .. } => json!({"by": sender(host, *who)}),
        Event::TurnInterruptPassed { detail, .. } => json!({"detail": detail}),
        Event::TurnEnded { end, .. } => turn_end(end),
        Event::RequestOpened { request, asked, .. } => json!({
            "request": request.to_string(), "kind": words::request_kind(asked.kind).as_str(), "summary": asked.summary,
            "tool": asked.tool,
        }),
        Event::RequestAnswered { request, by: who, decision } => {
            json!({"request": request.to_string(), "by": sender(host, *who), "decision": decision})
        }
        Event::RequestPolicy { tool, decision, summary } => {
            json!({"tool": tool, "decision": decision, "summary": summary})
        }
        Event::RequestClosed { request, end } => json!({"request": request.to_string(), "how": request_end(end)}),
    }
}

fn sender(host: &Host, from: Sender) -> String {
    match from {
        Sender::Human => "human".to_owned(),
        Sender::Session(id) => caller_name(host, id),
        Sender::Token(id) => format!("token {id}"),
        Sender::Host => "adjutant".to_owned(),
    }
}

fn place_text(place: Place) -> String {
    match place {
        Place::First => "first".to_owned(),
        Place::After(message) => format!("after {message}"),
    }
}

fn session_end(end: &SessionEnd) -> Value {
    let exit_code = match end {
        SessionEnd::Ended { exit } => Some(exit.shell_code()),
        SessionEnd::Killed | SessionEnd::Lost { .. } | SessionEnd::StartFailed { .. } => None,
    };
    json!({"how": words::end(end).as_str(), "exit_code": exit_code, "detail": exit_detail(end)})
}

fn message_end(message: &str, end: &MessageEnd) -> Value {
    let (state, outcome) = match end {
        MessageEnd::Settled { outcome, .. } => ("settled", Some(words::outcome(outcome))),
        MessageEnd::Undeliverable { .. } => ("failed", None),
        MessageEnd::Cancelled => ("cancelled", None),
        MessageEnd::Expired => ("expired", None),
        MessageEnd::Unknown { .. } => ("unknown", None),
    };
    json!({"message": message, "end": state, "outcome": outcome})
}

fn origin_data(origin: &TurnOrigin) -> Value {
    match origin {
        TurnOrigin::Message(message) => json!({"origin": "message", "message": message.to_string()}),
        TurnOrigin::Person => json!({"origin": "person"}),
        TurnOrigin::Agent => json!({"origin": "agent"}),
    }
}

fn turn_end(end: &TurnEnd) -> Value {
    json!({
        "outcome": words::outcome(&end.outcome), "exit_code": end.exit.map(ExitStatus::shell_code),
        "detail": end.detail, "usage": end.usage.map(super::usage), "answer_bytes": end.answer.bytes, "answer_cut_bytes": end.answer.cut_bytes,
    })
}

fn request_end(end: &adjutant_core::agent::RequestEnd) -> &'static str {
    match end {
        adjutant_core::agent::RequestEnd::Answered => "answered",
        adjutant_core::agent::RequestEnd::AnsweredThere => "answered_there",
        adjutant_core::agent::RequestEnd::Withdrawn => "withdrawn",
    }
}
