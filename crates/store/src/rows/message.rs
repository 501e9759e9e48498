//! Rows of messages, ended turns and requests.

use std::collections::BTreeSet;

use adjutant_core::agent::{Evidence, NewRequest, RequestEnd, TurnEnd, TurnOrigin};
use adjutant_core::event::Place;
use adjutant_core::id::{Attempt, MessageId, RequestId, SessionId, TokenId, TurnNumber};
use adjutant_core::message::{
    After, Came, Dependency, DependencyState, Message, MessageEnd, MessageKind, MessageState, Sender, Settlement,
    TurnResult, Undeliverable, Way,
};
use adjutant_core::name::SessionName;
use adjutant_core::outcome::{ExitStatus, Outcome, UnknownReason};
use adjutant_core::request::Request;
use adjutant_core::time::{Due, Timestamp};
use adjutant_core::turn::EndedTurn;
use adjutant_core::wait::{Fallen, Waiting};

mirror! {
    enum SenderRow = Sender {
        Human,
        Session(id: SessionId),
        Token(id: TokenId),
        Host,
    }
}

mirror! {
    enum MessageKindRow = MessageKind {
        Next,
        Steer,
        Command,
        Wake,
        Notice,
    }
}

mirror! {
    enum MessageStateRow = MessageState {
        Delayed { until: Option<Due>, },
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
        after: Option<After>,
        came: Option<Came>,
        state: MessageState,
    }
}

mirror! {
    struct CameRow = Came {
        late_ms: u64,
        overdue: bool,
    }
}

mirror! {
    struct AfterRow = After {
        any: bool,
        of: Vec<Dependency>,
    }
}

mirror! {
    struct DependencyRow = Dependency {
        session: SessionId,
        name: SessionName,
        message: Option<MessageId>,
        state: DependencyState,
    }
}

mirror! {
    enum DependencyStateRow = DependencyState {
        Open { waiting: Waiting, turn: Option<TurnResult>, },
        Settled { how: Settlement, at: Timestamp, },
        Unmet,
    }
}

mirror! {
    struct TurnResultRow = TurnResult {
        turn: TurnNumber,
        outcome: Outcome,
        exit: Option<ExitStatus>,
    }
}

mirror! {
    enum SettlementRow = Settlement {
        Turn(result: TurnResult),
        Fallen { message: MessageId, end: MessageEnd, },
        Idle,
        Exited,
    }
}

mirror! {
    struct WaitingRow = Waiting {
        session: SessionId,
        turn: Option<TurnNumber>,
        messages: BTreeSet<MessageId>,
        next_turn: bool,
        readiness: bool,
        through_input: bool,
        ended: Option<TurnNumber>,
        fallen: Option<Fallen>,
    }
}

mirror! {
    struct FallenRow = Fallen {
        message: MessageId,
        end: MessageEnd,
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
