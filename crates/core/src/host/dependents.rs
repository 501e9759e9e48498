//! Which messages wait for which sessions, so that an event finds them without a look at any other.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{MessageId, SessionId};
use crate::message::{After, Message, MessageState};

/// A message and its session.
pub(super) type Owner = (SessionId, MessageId);

/// The messages that still wait for something of a session.
#[derive(Clone, Debug, Default)]
pub(super) struct Dependents {
    of: BTreeMap<SessionId, BTreeSet<Owner>>,
    named_by: BTreeMap<Owner, BTreeSet<SessionId>>,
}

impl Dependents {
    /// Notes what a message waits for, as it is now.
    pub(super) fn watch(&mut self, message: &Message) {
        let owner = (message.session, message.id);
        self.forget(owner);
        let Some(after) = message.after.as_ref().filter(|_| matches!(message.state, MessageState::Delayed { .. }))
        else {
            return;
        };
        let sessions: BTreeSet<SessionId> = After::open_sessions(after).collect();
        for session in &sessions {
            self.of.entry(*session).or_default().insert(owner);
        }
        if !sessions.is_empty() {
            self.named_by.insert(owner, sessions);
        }
    }

    /// A message waits for nothing any more.
    pub(super) fn forget(&mut self, owner: Owner) {
        for session in self.named_by.remove(&owner).unwrap_or_default() {
            let Some(owners) = self.of.get_mut(&session) else { continue };
            owners.remove(&owner);
            if owners.is_empty() {
                self.of.remove(&session);
            }
        }
    }

    /// The messages that wait for something of this session.
    pub(super) fn of(&self, session: SessionId) -> impl Iterator<Item = Owner> {
        self.of.get(&session).into_iter().flatten().copied()
    }
}
