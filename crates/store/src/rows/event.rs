//! The row of an event: its type in a column, its content as JSON.

use adjutant_core::agent::{Evidence, NewRequest, RequestEnd, SessionEnd, TurnEnd, TurnOrigin, Usage};
use adjutant_core::event::{Event, Place};
use adjutant_core::id::{Attempt, MessageId, RequestId, SessionId, TurnNumber};
use adjutant_core::message::{Came, Message, MessageEnd, Sender, Settlement};
use adjutant_core::name::SessionName;
use adjutant_core::outcome::UnknownReason;
use adjutant_core::process::Incarnation;
use adjutant_core::session::{Goal, Profile};
use adjutant_core::time::Due;

use super::{Malformed, Stored, row_from_json, row_to_json};

/// Declares the content of every kind of event, under the types that the core gives it.
macro_rules! events {
    ($($($kind:literal)|+ => $Variant:ident { $($(#[$attr:meta])* $field:ident: $Type:ty,)* })*) => {
        /// The content of an event as JSON.
        pub(crate) fn to_row(event: &Event) -> String {
            match event {
                $(Event::$Variant { $($field,)* } => row_to_json(&content::$Variant { $($field: $field.to_row(),)* }),)*
            }
        }

        /// The event of that type and content; `None` for a type of a newer version.
        pub(crate) fn from_row(kind: &str, data: &str) -> Result<Option<Event>, Malformed> {
            Ok(Some(match kind {
                $($($kind)|+ => {
                    let content::$Variant { $($field,)* } = row_from_json(data)?;
                    Event::$Variant { $($field: Stored::from_row($field)?,)* }
                })*
                _ => return Ok(None),
            }))
        }

        mod content {
            use super::*;

            $(
                #[derive(serde::Serialize, serde::Deserialize)]
                pub(super) struct $Variant {
                    $(
                        #[serde(skip_serializing_if = "crate::rows::is_absent")]
                        $(#[$attr])*
                        pub(super) $field: <$Type as Stored>::Row,
                    )*
                }
            )*
        }
    };
}

events! {
    "session.created" => SessionCreated { name: SessionName, profile: Box<Profile>, parent: Option<SessionId>, }
    "session.started" => SessionStarted { runner: Incarnation, agent: Incarnation, supervisor: String, }
    "session.revived" => SessionRevived { by: Sender, program: String, token_hash: String, }
    "session.ready" => SessionReady {}
    "session.unseen" => SessionUnseen { why: UnknownReason, }
    "session.seen" => SessionSeen {}
    "session.conversation" => SessionConversation { native: String, }
    "goal.changed" => GoalChanged { goal: Option<Goal>, }
    "session.notice" => SessionNotice { text: String, }
    "session.stopping" => SessionStopAsked { by: Sender, force: bool, }
    "session.exited" => SessionExited { end: SessionEnd, }
    "session.reparented" => SessionReparented { parent: Option<SessionId>, }
    "session.introduced" => SessionIntroduced { to: SessionId, }
    "child.ended" => ChildEnded { child: SessionId, end: SessionEnd, }
    "child.created" => ChildCreated { child: SessionId, }
    "session.purged" => SessionPurged {}
    "queue.held" => QueueHeld { by_hand: bool, }
    "queue.released" => QueueReleased {}
    "message.queued" => MessageQueued { message: Message, }
    "message.after_settled" => MessageAfterSettled {
        message: MessageId,
        which: u32,
        of: SessionId,
        how: Settlement,
    }
    "message.due" => MessageDue { message: MessageId, came: Option<Came>, }
    "message.changed" => MessageChanged {
        message: MessageId,
        bytes: Option<u64>,
        // `null` is "at once", and absence is "as before".
        #[serde(default, deserialize_with = "crate::rows::present")]
        due: Option<Option<Due>>,
        place: Option<Place>,
    }
    "message.handed" => MessageHanded { message: MessageId, attempt: Attempt, }
    "message.returned" => MessageReturned { message: MessageId, detail: String, }
    "message.delivered" => MessageAccepted { message: MessageId, turn: TurnNumber, evidence: Evidence, }
    "message.ended" => MessageEnded { message: MessageId, end: MessageEnd, }
    "turn.started" => TurnStarted { turn: TurnNumber, origin: TurnOrigin, }
    "turn.interrupting" => TurnInterruptAsked { turn: TurnNumber, by: Sender, }
    "turn.interrupt_passed" => TurnInterruptPassed { turn: TurnNumber, detail: String, }
    "turn.completed" | "turn.failed" | "turn.interrupted" | "turn.exited" | "turn.unknown" => TurnEnded {
        turn: TurnNumber,
        end: TurnEnd,
    }
    "turn.usage" => TurnCounted { turn: TurnNumber, usage: Usage, }
    "request.opened" => RequestOpened { request: RequestId, turn: TurnNumber, asked: NewRequest, }
    "request.answered" => RequestAnswered { request: RequestId, by: Sender, decision: String, }
    "request.closed" => RequestClosed { request: RequestId, end: RequestEnd, }
    "request.policy" => RequestPolicy { tool: String, decision: String, summary: String, }
}

/// The turn an event names, for a column that a reader of unknown types understands too.
pub(crate) fn turn_of(event: &Event) -> Option<TurnNumber> {
    match event {
        Event::MessageAccepted { turn, .. }
        | Event::TurnStarted { turn, .. }
        | Event::TurnInterruptAsked { turn, .. }
        | Event::TurnInterruptPassed { turn, .. }
        | Event::TurnEnded { turn, .. }
        | Event::TurnCounted { turn, .. }
        | Event::RequestOpened { turn, .. }
        | Event::MessageEnded { end: MessageEnd::Settled { turn, .. }, .. } => Some(*turn),
        Event::SessionCreated { .. }
        | Event::SessionStarted { .. }
        | Event::SessionRevived { .. }
        | Event::SessionReady
        | Event::SessionUnseen { .. }
        | Event::SessionSeen
        | Event::SessionConversation { .. }
        | Event::GoalChanged { .. }
        | Event::SessionNotice { .. }
        | Event::SessionStopAsked { .. }
        | Event::SessionExited { .. }
        | Event::SessionReparented { .. }
        | Event::SessionIntroduced { .. }
        | Event::ChildEnded { .. }
        | Event::ChildCreated { .. }
        | Event::SessionPurged
        | Event::QueueHeld { .. }
        | Event::QueueReleased
        | Event::MessageQueued { .. }
        | Event::MessageAfterSettled { .. }
        | Event::MessageDue { .. }
        | Event::MessageChanged { .. }
        | Event::MessageHanded { .. }
        | Event::MessageReturned { .. }
        | Event::MessageEnded { .. }
        | Event::RequestAnswered { .. }
        | Event::RequestClosed { .. }
        | Event::RequestPolicy { .. } => None,
    }
}
