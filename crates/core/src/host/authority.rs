//! Who may do what with which session: the one place where that is decided.
//!
//! The user may everything. A session has itself and its descendants, and may send to its parent and to those that it was
//! introduced to. A token of the gateway has the sessions that were created with it, and their descendants.

use super::Host;
use super::step::{Stamp, Step};
use crate::call::{Answer, Caller, Refusal};
use crate::event::Event;
use crate::id::SessionId;
use crate::session::Session;
use crate::time::Now;

/// What somebody wants with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// To read its state, its messages and its conversation.
    See,
    /// To put a message into its queue.
    Send,
    /// To change its queue, stop its turns, answer for it, end it.
    Steer,
}

impl Host {
    /// Whether a caller has a right over a session.
    pub fn may(&self, caller: Caller, session: &Session, right: Right) -> bool {
        match caller {
            Caller::Human => true,
            Caller::Token(token) => session.profile.owner == Some(token),
            Caller::Session(by) => {
                let own = session.id == by || self.descends(session.id, by);
                own || right == Right::Send && self.has_met(by, session.id)
            }
        }
    }

    /// Whether a session may send to one that is not its own: to its parent, and to those that it was introduced to.
    fn has_met(&self, from: SessionId, to: SessionId) -> bool {
        let sender = self.sessions.get(&from);
        sender.is_some_and(|sender| sender.parent == Some(to) || sender.contacts.contains(&to))
    }

    /// A refusal where a caller does not have a right over a session.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`], with the names of both.
    pub fn check_right(&self, caller: Caller, session: &Session, right: Right) -> Result<(), Refusal> {
        if self.may(caller, session, right) {
            return Ok(());
        }
        let what = match right {
            Right::See => "see",
            Right::Send => "send to",
            Right::Steer => "change",
        };
        Err(Refusal::Forbidden(format!("{} may not {what} {}", self.name_of_caller(caller), session.name)))
    }

    fn name_of_caller(&self, caller: Caller) -> String {
        match caller {
            Caller::Human => "the user".to_owned(),
            Caller::Token(token) => format!("the token {token}"),
            Caller::Session(id) => self.sessions.get(&id).map_or_else(|| id.to_string(), |s| s.name.to_string()),
        }
    }

    /// How many sessions of the same token live.
    pub(super) fn owned_live(&self, owner: crate::id::TokenId) -> usize {
        self.sessions.values().filter(|s| !s.has_exited() && s.profile.owner == Some(owner)).count()
    }

    pub(super) fn introduce(
        &mut self,
        caller: Caller,
        one: SessionId,
        other: SessionId,
        now: Now,
        step: &mut Step,
    ) -> Result<Answer, Refusal> {
        for id in [one, other] {
            self.check_right(caller, self.known(id)?, Right::Steer)?;
        }
        self.acquaint(one, other, now, step);
        self.acquaint(other, one, now, step);
        Ok(Answer::Done)
    }

    /// Whoever gets a message from a session may answer it.
    pub(super) fn acquaint(&mut self, session: SessionId, to: SessionId, now: Now, step: &mut Step) {
        let Some(known) = self.sessions.get(&to) else { return };
        if !self.may(Caller::Session(session), known, Right::Send) {
            self.log(session, Stamp::at(now.wall), Event::SessionIntroduced { to }, step);
        }
    }
}
