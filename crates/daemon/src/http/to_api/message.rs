//! Messages and their receipts on the wire.

use adjutant_api::types::message::{
    Awaited, AwaitedStateWord, Evidence, Message as WireMessage, MessageKind as WireKind, MessageStateWord, Receipt,
};
use adjutant_api::types::turn::OutcomeWord;
use adjutant_core::Host;
use adjutant_core::message::{
    Dependency, DependencyState, Message, MessageEnd, MessageKind, MessageState, Sender, Undeliverable,
};
use adjutant_core::outcome::Outcome;
use adjutant_core::session::{Hold, Session};

use super::{caller_name, time, words};
use crate::frame::told;

/// A message as the wire shows it. `text` is its text, or what of it is to be shown.
pub(crate) fn message(host: &Host, session: &Session, message: &Message, text: String) -> WireMessage {
    let position = session.ready.iter().position(|id| *id == message.id).map(|i| i as u64 + 1);
    let queued = message.state.is_queued();
    WireMessage {
        id: message.id.to_string(),
        session: session.name.to_string(),
        from: sender(host, message.from),
        kind: kind(message.kind),
        as_command: message.kind == MessageKind::Command,
        state: state(&message.state),
        delayed: matches!(message.state, MessageState::Delayed { .. }),
        held: queued && session.hold != Hold::Off,
        lent: queued && session.lent_since().is_some(),
        blocked_by: session.requests().next().filter(|_| queued).map(|request| request.id.to_string()),
        bytes: message.bytes,
        text,
        run_at: message.state.due().map(|due| time(due.wall())),
        after: awaited(message),
        any: message.after.as_ref().is_some_and(|after| after.any),
        expires_at: message.expires.map(|due| time(due.wall())),
        key: message.key.clone(),
        reply_to: message.reply_to.map(|id| id.to_string()),
        position,
        turn: turn(&message.state),
        error: error(&message.state),
        created_at: time(message.queued_at),
        receipt: receipt(message),
    }
}

/// What it waits for, or waited for.
pub(super) fn awaited(message: &Message) -> Vec<Awaited> {
    message.after.iter().flat_map(|after| &after.of).map(one_awaited).collect()
}

fn one_awaited(dependency: &Dependency) -> Awaited {
    let told = told(dependency);
    let (state, settled_at) = match &dependency.state {
        DependencyState::Open { .. } => (AwaitedStateWord::Open, None),
        DependencyState::Settled { at, .. } => (AwaitedStateWord::Settled, Some(time(*at))),
        DependencyState::Unmet => (AwaitedStateWord::Unmet, None),
    };
    Awaited {
        session: dependency.name.to_string(),
        message: dependency.message.map(|id| id.to_string()),
        state,
        outcome: told.outcome,
        turn: told.turn,
        exit_code: told.exit_code,
        error: told.error,
        settled_at,
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

pub(super) fn kind(kind: MessageKind) -> WireKind {
    match kind {
        MessageKind::Notice => WireKind::Notice,
        MessageKind::Next | MessageKind::Command | MessageKind::Wake => WireKind::Next,
        MessageKind::Steer => WireKind::Steer,
    }
}

fn state(state: &MessageState) -> MessageStateWord {
    match state {
        MessageState::Delayed { .. } | MessageState::Ready => MessageStateWord::Queued,
        MessageState::Delivering { .. } => MessageStateWord::Delivering,
        MessageState::Running { .. } => MessageStateWord::Running,
        MessageState::Ended { end, .. } => match end {
            MessageEnd::Settled { outcome: Outcome::Completed, .. } => MessageStateWord::Done,
            MessageEnd::Settled { .. } | MessageEnd::Undeliverable { .. } => MessageStateWord::Failed,
            MessageEnd::Cancelled => MessageStateWord::Cancelled,
            MessageEnd::Expired => MessageStateWord::Expired,
            MessageEnd::Unknown { .. } => MessageStateWord::Unknown,
        },
    }
}

fn turn(state: &MessageState) -> Option<u32> {
    match state {
        MessageState::Running { turn, .. } => Some(turn.get()),
        MessageState::Ended { end: MessageEnd::Settled { turn, .. }, .. } => Some(turn.get()),
        MessageState::Delayed { .. }
        | MessageState::Ready
        | MessageState::Delivering { .. }
        | MessageState::Ended { .. } => None,
    }
}

fn error(state: &MessageState) -> Option<String> {
    let MessageState::Ended { end, .. } = state else { return None };
    match end {
        MessageEnd::Undeliverable { why: Undeliverable::NeverTaken { detail } } => Some(detail.clone()),
        MessageEnd::Undeliverable { why: Undeliverable::SessionExited } => {
            Some("the session exited before the message ran".to_owned())
        }
        MessageEnd::Unknown { why } => Some(words::unknown_text(why)),
        MessageEnd::Settled { .. } | MessageEnd::Cancelled | MessageEnd::Expired => None,
    }
}

fn receipt(message: &Message) -> Receipt {
    let way = message.state.way();
    let evidence = way.evidence.map(|e| Evidence { source: e.source, detail: e.detail, at: time(e.at) });
    let (settled_at, outcome) = settled(&message.state);
    Receipt {
        queued_at: Some(time(message.queued_at)),
        handed_at: way.handed_at.map(time),
        accepted_at: evidence.as_ref().map(|e| e.at),
        evidence,
        settled_at,
        outcome,
        late_ms: message.came.map(|came| came.late_ms),
        overdue: message.came.is_some_and(|came| came.overdue),
        appended_bytes: None,
    }
}

fn settled(state: &MessageState) -> (Option<adjutant_api::WireTime>, Option<OutcomeWord>) {
    let MessageState::Ended { end, at, .. } = state else { return (None, None) };
    let outcome = match end {
        MessageEnd::Settled { outcome, .. } => Some(words::outcome(outcome)),
        MessageEnd::Unknown { .. } => Some(OutcomeWord::Unknown),
        MessageEnd::Undeliverable { .. } | MessageEnd::Cancelled | MessageEnd::Expired => None,
    };
    (Some(time(*at)), outcome)
}
