//! Reviving: an exited session is started again on its conversation, under the same id.

use super::Host;
use super::authority::Right;
use super::on_call::{Told, sender};
use super::step::{Stamp, Step};
use crate::agent::AgentName;
use crate::call::{Answer, Caller, NewMessage, Refusal, Revival};
use crate::event::Event;
use crate::id::SessionId;
use crate::input::Act;
use crate::session::{Hold, Session};
use crate::time::Now;

impl Host {
    /// Plans the next life of a session, together with the message that is its first.
    pub(super) fn revive(
        &mut self,
        caller: Caller,
        id: SessionId,
        revival: Revival,
        message: Option<NewMessage>,
        now: Now,
        step: &mut Step,
    ) -> Told {
        let session = self.known(id)?;
        if !session.has_exited() {
            // Somebody else was first.
            return match message {
                Some(message) => self.send(caller, id, message, false, now, step),
                None => self.hold(id, false, now, step),
            };
        }
        // Whoever may only send to it, may not have it started again.
        self.check_right(caller, session, Right::Steer)?;
        self.check_owned(session.profile.owner, revival.owned_live_max)?;
        self.check_revival(session)?;
        if let Some(first) = &message {
            self.check_first(&session.name, &session.profile.agent, first, now)?;
        }
        let after = message.as_ref().map(|first| self.begin_after(first, now)).transpose()?.flatten();
        let Revival { program, token_hash, notice, owned_live_max: _ } = revival;
        let stamp = Stamp::at(now.wall);
        self.log(id, stamp, Event::SessionRevived { by: sender(caller), program, token_hash }, step);
        if let Some(text) = notice {
            self.log(id, stamp, Event::SessionNotice { text }, step);
        }
        step.acts.push(Act::Launch { session: id });
        match message {
            Some(message) => {
                self.release_if_held(id, now, step);
                let message = self.enqueue(sender(caller), id, message, after, now, step);
                Ok(Answer::Revived { message: Some(message) })
            }
            None => {
                if self.known(id)?.hold != Hold::Off {
                    self.log(id, stamp, Event::QueueReleased, step);
                }
                Ok(Answer::Revived { message: None })
            }
        }
    }

    /// Whether a session that has exited can be started again now, as far as is known here.
    ///
    /// # Errors
    /// Why not.
    pub fn check_revival(&self, session: &Session) -> Result<(), Refusal> {
        let agent = &session.profile.agent;
        let refused = |why: String| Refusal::NotResumable { session: session.name.clone(), why };
        if !self.can(agent, |c| c.resume) {
            return Err(refused(format!("{agent} has no conversation that could be taken up again")));
        }
        let Some(conversation) = &session.conversation else {
            return Err(refused("it never had a conversation".to_owned()));
        };
        if self.live >= self.config.sessions_live_max {
            return Err(Refusal::TooManySessions(self.live));
        }
        self.check_writer(agent, conversation)
    }

    /// One conversation has one writer.
    pub(super) fn check_writer(&self, agent: &AgentName, conversation: &str) -> Result<(), Refusal> {
        match self.writers(agent, conversation).next() {
            Some(by) => Err(Refusal::ConversationInUse { conversation: conversation.to_owned(), by: by.name.clone() }),
            None => Ok(()),
        }
    }

    /// A session besides this one that has a conversation.
    pub(super) fn writer_besides(&self, id: SessionId, agent: &AgentName, conversation: &str) -> Option<&Session> {
        self.writers(agent, conversation).find(|session| session.id != id)
    }

    fn writers(&self, agent: &AgentName, conversation: &str) -> impl Iterator<Item = &Session> {
        let is_it = move |s: &&Session| !s.has_exited() && s.profile.agent == *agent && s.holds(conversation);
        self.sessions.values().filter(is_it)
    }

    /// Whether a session's conversation can be taken up once its process has ended, as far as is known here.
    pub fn is_resumable(&self, session: &Session) -> bool {
        let has_one = !session.has_exited() || session.conversation.is_some();
        has_one && self.can(&session.profile.agent, |c| c.resume)
    }
}
