//! What a step has changed in the projections, so that the store writes these rows and no others.

use std::collections::{BTreeMap, BTreeSet};

use crate::agent::RequestEnd;
use crate::id::{MessageId, RequestId, SessionId, TurnNumber};
use crate::message::Message;
use crate::request::Request;
use crate::turn::EndedTurn;

/// The rows that a fold has touched, in their newest form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projected {
    /// Sessions whose record has changed; the record itself is the host's.
    pub sessions: BTreeSet<SessionId>,
    /// Messages that have changed, ended ones included.
    pub messages: BTreeMap<MessageId, Message>,
    /// Turns that have ended.
    pub turns: BTreeMap<(SessionId, TurnNumber), EndedTurn>,
    /// Requests that were opened, answered (`None`) or closed (`Some`).
    pub requests: BTreeMap<RequestId, (Request, Option<RequestEnd>)>,
    /// Sessions that are to be forgotten with all that belongs to them.
    pub purged: BTreeSet<SessionId>,
}

impl Projected {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes over the newer rows of a later step.
    pub fn merge(&mut self, later: Self) {
        for session in &later.purged {
            self.purge(*session);
        }
        self.sessions.extend(later.sessions);
        self.messages.extend(later.messages);
        self.turns.extend(later.turns);
        self.requests.extend(later.requests);
    }

    /// Nothing of a forgotten session is to be written any more.
    pub(super) fn purge(&mut self, session: SessionId) {
        self.sessions.remove(&session);
        self.messages.retain(|_, message| message.session != session);
        self.turns.retain(|(owner, _), _| *owner != session);
        self.requests.retain(|_, (request, _)| request.session != session);
        self.purged.insert(session);
    }
}

/// The next ids to be given; they never go back, not even when what had them is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// The place of the next event.
    pub next_seq: u64,
    /// The number of the next message.
    pub next_message: u64,
    /// The number of the next request.
    pub next_request: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self { next_seq: 1, next_message: 1, next_request: 1 }
    }
}
