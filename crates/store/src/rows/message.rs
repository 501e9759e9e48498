//! Rows of messages, ended turns and requests.

use adjutant_core::agent::{Evidence, NewRequest, RequestEnd, TurnEnd, TurnOrigin};
use adjutant_core::event::Place;
use adjutant_core::id::{Attempt, MessageId, RequestId, SessionId, TurnNumber};
use adjutant_core::message::{Message, MessageEnd, MessageKind, MessageState, Sender, Undeliverable, Way};
use adjutant_core::outcome::{Outcome, UnknownReason};
use adjutant_core::request::Request;
use adjutant_core::time::{Due, Timestamp};
use adjutant_core::turn::EndedTurn;

mirror! {
    enum SenderRow = Sender {
        Human,
        Session(id: SessionId),
    }
}

mirror! {
    enum MessageKindRow = MessageKind {
        Next,
        Steer,
        Command,
        Wake,
    }
}

mirror! {
    enum MessageStateRow = MessageState {
        Delayed { until: Due, },
        Ready,
        Delivering { attempt: Attempt, handed_at: Timestamp, },
        Running { attempt: Attempt, handed_at: Timestamp, evidence: Evidence, turn: TurnNumber, },
        Ended { end: MessageEnd, at: Timestamp, way: Way, },
    }
}

mirror! {
    struct WayRow = Way {
        handed_at: Option<Timestamp>,
        evidence: Option<Evidence>,
        attempts: u32,
    }
}

mirror! {
    enum MessageEndRow = MessageEnd {
        Settled { turn: TurnNumber, outcome: Outcome, },
        Undeliverable { why: Undeliverable, },
        Cancelled,
        Expired,
        Unknown { why: UnknownReason, },
    }
}

mirror! {
    enum UndeliverableRow = Undeliverable {
        SessionExited,
        NeverTaken { detail: String, },
    }
}

mirror! {
    struct MessageRow = Message {
        id: MessageId,
        session: SessionId,
        from: Sender,
        kind: MessageKind,
        bytes: u64,
        key: Option<String>,
        reply_to: Option<MessageId>,
        expires: Option<Due>,
        queued_at: Timestamp,
        returned: u32,
        state: MessageState,
    }
}

mirror! {
    enum PlaceRow = Place {
        First,
        After(id: MessageId),
    }
}

mirror! {
    struct EndedTurnRow = EndedTurn {
        number: TurnNumber,
        origin: TurnOrigin,
        started_at: Timestamp,
        ended_at: Timestamp,
        messages: Vec<MessageId>,
        end: TurnEnd,
    }
}

mirror! {
    struct RequestRow = Request {
        id: RequestId,
        session: SessionId,
        turn: TurnNumber,
        asked: NewRequest,
        opened_at: Timestamp,
        answered_at: Option<Timestamp>,
    }
}

/// A request with its end, as one row holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptRequest {
    pub(crate) request: Request,
    pub(crate) end: Option<RequestEnd>,
}

mirror! {
    struct KeptRequestRow = KeptRequest {
        request: Request,
        end: Option<RequestEnd>,
    }
}

impl KeptRequest {
    pub(crate) fn into_parts(self) -> (Request, Option<RequestEnd>) {
        (self.request, self.end)
    }
}
