//! What callers want: everything, in every order, and much of it wrong.

use std::sync::Arc;

use adjutant_core::call::{NewAfter, NewDependency, NewMessage, NewSession, Revival};
use adjutant_core::event::Place;
use adjutant_core::message::{MessageKind, MessageState, Settlement};
use adjutant_core::request::RequestAnswer;
use adjutant_core::session::{Profile, Resume};
use adjutant_core::time::Due;
use adjutant_core::{Call, CallId, Caller, Input, MessageId, RequestId, Seq, SessionId, Timestamp};

use super::World;
use crate::cast::{profile, session_id};
use crate::waits::Wait;

impl World {
    pub(super) fn begin_wait(&mut self) {
        let ids: Vec<SessionId> = self.host.sessions().map(|session| session.id).collect();
        let Some(session) = self.choices.pick(&ids).and_then(|id| self.host.session(id)) else { return };
        let seq = Seq::new(self.shelf.counters.next_seq - 1);
        match Wait::begin(session, &self.model, &mut self.choices, seq) {
            Ok(wait) => self.waits.push(wait),
            Err(verdict) => self.tally.count(verdict),
        }
    }

    pub(super) fn some_session(&mut self) -> SessionId {
        let live: Vec<SessionId> = self.host.sessions().filter(|s| !s.has_exited()).map(|s| s.id).collect();
        if let Some(session) = self.choices.pick(&live).filter(|_| self.choices.below(6) > 0) {
            return session;
        }
        let number = self.choices.below(usize::from(self.sessions) + 1);
        session_id(u8::try_from(number).unwrap_or(0))
    }

    pub(super) fn some_message(&mut self, session: SessionId) -> MessageId {
        let known = self.host.session(session).map(|s| s.messages.keys().copied().collect::<Vec<_>>());
        let stray = MessageId::new(self.choices.below(self.model.messages.len() + 2) as u64);
        if self.choices.once_in(8) { stray } else { self.choices.pick(&known.unwrap_or_default()).unwrap_or(stray) }
    }

    fn some_due(&mut self, past: bool) -> Due {
        let millis = self.choices.below(1_500) as u64;
        if self.choices.once_in(2) {
            return Due::after(self.now, millis);
        }
        let at = self.now.wall.as_millis() + i64::try_from(millis).unwrap_or(0) - if past { 300 } else { 0 };
        Due::At(Timestamp::from_millis(at))
    }

    fn some_text(&mut self) -> Arc<str> {
        let bytes = self.choices.below(25);
        "x".repeat(bytes).into()
    }

    fn new_message(&mut self) -> NewMessage {
        let kinds = [MessageKind::Next, MessageKind::Next, MessageKind::Wake, MessageKind::Command, MessageKind::Steer];
        let key = self.choices.below(8);
        NewMessage {
            text: self.some_text(),
            kind: self.choices.pick(&kinds).unwrap_or(MessageKind::Next),
            key: (key < 2).then(|| format!("key {key}")),
            reply_to: None,
            due: if self.choices.below(3) == 0 { Some(self.some_due(true)) } else { None },
            after: if self.choices.below(4) == 0 { Some(self.some_after()) } else { None },
            expires: if self.choices.below(6) == 0 { Some(self.some_due(true)) } else { None },
            interrupt: self.choices.once_in(8),
        }
    }

    fn some_after(&mut self) -> NewAfter {
        let count = self.choices.below(4);
        let of = (0..count).map(|_| self.some_dependency()).collect();
        NewAfter { any: self.choices.once_in(2), of }
    }

    /// What a daemon makes of a name: a session, a message that waits or runs, or one that the store says has ended.
    fn some_dependency(&mut self) -> NewDependency {
        let session = self.some_session();
        if self.choices.once_in(2) {
            return NewDependency::Session(session);
        }
        let ended: Vec<_> = self.shelf.messages.values().filter(|row| row.session == session).collect();
        let row = self.choices.pick(&ended);
        if let Some((id, MessageState::Ended { end, at, .. })) = row.map(|row| (row.id, &row.state)) {
            let how = Settlement::Fallen { message: id, end: end.clone() };
            return NewDependency::Ended { session, message: id, how, at: *at };
        }
        NewDependency::Message { session, message: self.some_message(session) }
    }

    fn new_session(&mut self) -> NewSession {
        self.sessions += 1;
        let number = self.sessions;
        let agents = ["sure", "sure", "plain", "plain", "deaf"];
        let agent = self.choices.pick(&agents).unwrap_or("sure");
        let key = self.choices.below(12);
        let known: Vec<String> = self.host.sessions().filter_map(|session| session.conversation.clone()).collect();
        let taken_up = self.choices.pick(&known).filter(|_| self.choices.once_in(5));
        let profile = Profile {
            resume: taken_up.map(Resume::Conversation),
            key: (key < 2).then(|| format!("create {key}")),
            keep_failed: self.choices.below(2) == 0,
            ..profile(agent, number)
        };
        let parent = self.some_session();
        NewSession {
            id: session_id(number),
            name_seed: self.choices.below(1_000) as u64,
            name: self.choices.once_in(6).then(|| "chosen".parse().expect("a name")),
            profile,
            parent: (self.choices.below(3) == 0 && parent != session_id(0)).then_some(parent),
            message: if self.choices.below(3) == 0 { Some(self.new_message()) } else { None },
        }
    }

    pub(super) fn some_call(&mut self) -> Input {
        let session = self.some_session();
        let caller = if self.choices.below(4) == 0 { Caller::Session(self.some_session()) } else { Caller::Human };
        let message = self.some_message(session);
        let call = match self.choices.below(32) {
            0..24 if self.model.sessions.iter().all(|s| s.exited || s.purged) => {
                Call::Create(Box::new(self.new_session()))
            }
            0..=3 if self.sessions < 40 => Call::Create(Box::new(self.new_session())),
            4 | 5 => Call::Interrupt { session, clear_queue: self.choices.once_in(4) },
            6 if self.choices.once_in(2) => {
                Call::Kill { session, force: self.choices.once_in(2), any_allowed: self.choices.once_in(2) }
            }
            7 => Call::Purge { session },
            8 => Call::Hold { session },
            9 | 10 => Call::Release { session },
            11 if self.choices.once_in(2) => Call::Heard { messages: self.some_told(caller) },
            11 => Call::Remove { session, message },
            12..=14 => self.some_edit(session, message),
            15 | 16 => {
                let open: Vec<RequestId> = self.model.requests.iter().filter(|r| r.open).map(|r| r.id).collect();
                let stray = RequestId::new(self.choices.below(self.model.requests.len() + 2) as u64);
                let request = self.choices.pick(&open).unwrap_or(stray);
                Call::Respond { request, answer: RequestAnswer::Allow }
            }
            17..=19 => self.some_revival(),
            _ => Call::Send { session, message: self.new_message(), wake_me: self.choices.once_in(5) },
        };
        self.calls += 1;
        Input::Call { id: CallId(self.calls), caller, call }
    }

    /// Of those that have ended mostly; and now and then of one that has not.
    fn some_revival(&mut self) -> Call {
        let ended: Vec<SessionId> = self.host.sessions().filter(|s| s.has_exited()).map(|s| s.id).collect();
        let stray = self.some_session();
        let session = self.choices.pick(&ended).unwrap_or(stray);
        let message = (self.choices.below(3) > 0).then(|| self.new_message());
        self.revivals += 1;
        let notice = self.choices.once_in(4).then(|| "without A".to_owned());
        let token_hash = format!("again {}", self.revivals);
        let revival = Revival { program: "/bin/agent".to_owned(), token_hash, notice };
        Call::Revive { session, revival, message }
    }

    /// Messages of which a session has been told, or which are none of its business.
    fn some_told(&mut self, caller: Caller) -> Vec<MessageId> {
        let queue = caller.session().and_then(|by| self.host.session(by)).map(|session| &session.messages);
        let mut told: Vec<MessageId> = queue.into_iter().flat_map(|m| m.values()).filter_map(|m| m.reply_to).collect();
        told.push(MessageId::new(self.choices.below(self.model.messages.len() + 2) as u64));
        told
    }

    fn some_edit(&mut self, session: SessionId, message: MessageId) -> Call {
        let other = self.some_message(session);
        let text = if self.choices.once_in(2) { Some(self.some_text()) } else { None };
        let due = match self.choices.below(4) {
            0 => Some(None),
            1 => Some(Some(self.some_due(true))),
            _ => None,
        };
        let place = match self.choices.below(4) {
            0 => Some(Place::First),
            1 => Some(Place::After(other)),
            _ => None,
        };
        Call::Edit { session, message, text, due, place }
    }
}
