//! What a store holds after each commit, and whether it is what the log says.

use std::collections::BTreeMap;
use std::sync::Arc;

use adjutant_core::agent::RequestEnd;
use adjutant_core::input::Text;
use adjutant_core::message::Message;
use adjutant_core::request::Request;
use adjutant_core::session::Session;
use adjutant_core::turn::EndedTurn;
use adjutant_core::{Counters, Host, HostConfig, Logged, MessageId, Projected, RequestId, SessionId, Step, TurnNumber};

/// The log, the rows and the texts, as they stand after the last commit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf {
    pub(crate) log: Vec<Logged>,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    pub(crate) messages: BTreeMap<MessageId, Message>,
    pub(crate) turns: BTreeMap<(SessionId, TurnNumber), EndedTurn>,
    pub(crate) requests: BTreeMap<RequestId, (Request, Option<RequestEnd>)>,
    pub(crate) texts: BTreeMap<MessageId, Arc<str>>,
    pub(crate) answers: BTreeMap<(SessionId, TurnNumber), Arc<str>>,
    pub(crate) counters: Counters,
}

impl Shelf {
    /// Makes a step durable, and looks at what it changes.
    pub(crate) fn commit(&mut self, step: &Step, host: &Host) {
        for logged in &step.events {
            let next = self.log.last().map_or(1, |last| last.seq.get() + 1);
            assert_eq!(logged.seq.get(), next, "the log has no gaps");
            self.log.push(logged.clone());
        }
        self.write_rows(&step.projected, host);
        self.keep_texts(&step.texts);
        for session in &step.projected.purged {
            self.remove(*session);
        }
        self.counters = step.counters;
        assert_eq!(self.counters, host.counters(), "a step tells the counters after it");
        self.check(&step.projected);
    }

    fn write_rows(&mut self, projected: &Projected, host: &Host) {
        for id in &projected.sessions {
            let session = host.session(*id).expect("a session whose row is to be written exists");
            self.sessions.insert(*id, session.clone());
        }
        self.messages.extend(projected.messages.iter().map(|(id, row)| (*id, row.clone())));
        self.turns.extend(projected.turns.iter().map(|(id, row)| (*id, row.clone())));
        self.requests.extend(projected.requests.iter().map(|(id, row)| (*id, row.clone())));
        for id in &projected.purged {
            assert!(!projected.sessions.contains(id) && host.session(*id).is_none(), "{id} is forgotten and written");
        }
    }

    fn keep_texts(&mut self, texts: &[Text]) {
        for text in texts {
            match text {
                Text::Message { message, text } => {
                    assert!(self.messages.contains_key(message), "the text of {message} has no row");
                    self.texts.insert(*message, Arc::clone(text));
                }
                Text::Answer { session, turn, text } => {
                    assert!(self.turns.contains_key(&(*session, *turn)), "the answer of {session} {turn} has no row");
                    self.answers.insert((*session, *turn), Arc::clone(text));
                }
            }
        }
    }

    fn remove(&mut self, session: SessionId) {
        self.sessions.remove(&session);
        let gone = self.messages.values().filter(|m| m.session == session).map(|m| m.id);
        for message in gone.collect::<Vec<_>>() {
            self.messages.remove(&message);
            self.texts.remove(&message);
        }
        self.turns.retain(|(owner, _), _| *owner != session);
        self.answers.retain(|(owner, _), _| *owner != session);
        self.requests.retain(|_, (request, _)| request.session != session);
    }

    /// Every row belongs to a session, every text to its message, and every message's row is the session's own.
    fn check(&self, changed: &Projected) {
        for message in changed.messages.keys() {
            let row = self.messages.get(message).expect("a row that was written is there");
            let text = self.texts.get(message).expect("a message has a text");
            assert_eq!(text.len() as u64, row.bytes, "{message} has the text that it was given");
            let session = self.sessions.get(&row.session).expect("a message's session is there");
            let held = session.messages.get(message);
            assert_eq!(held, Some(row).filter(|_| held.is_some()), "the row of {message} is what the session holds");
        }
    }

    /// The host that a new daemon begins with.
    pub(crate) fn restore(&self, config: HostConfig) -> Host {
        Host::restore(config, self.sessions.values().cloned().collect(), self.counters)
    }

    /// Folds the whole log anew, and compares sessions and rows.
    pub(crate) fn check_fold(&self, config: HostConfig) {
        let mut host = Host::new(config);
        let mut rows = Projected::default();
        for logged in &self.log {
            host.fold(logged, &mut rows);
        }
        let folded: BTreeMap<SessionId, Session> = host.sessions().map(|s| (s.id, s.clone())).collect();
        assert_eq!(folded, self.sessions, "the log folds to the sessions");
        assert_eq!(rows.messages, self.messages, "the log folds to the messages");
        assert_eq!(rows.turns, self.turns, "the log folds to the turns");
        assert_eq!(rows.requests, self.requests, "the log folds to the requests");
        assert_eq!(host.counters(), self.counters, "the log folds to the counters");
    }

    /// The same for a store that has dropped the beginning of its log, and goes on from what that came to.
    pub(crate) fn check_fold_from_the_middle(&self, config: HostConfig) {
        let kept: Vec<&Logged> = self.log.iter().filter(|l| self.sessions.contains_key(&l.session)).collect();
        for part in [3, 2] {
            let (first, rest) = kept.split_at(kept.len() / part);
            let mut before = Host::new(config.clone());
            let mut rows = Projected::default();
            first.iter().for_each(|logged| before.fold(logged, &mut rows));
            let sessions = before.sessions().cloned().collect();
            let mut host = Host::restore(config.clone(), sessions, Counters::default());
            rest.iter().for_each(|logged| host.fold(logged, &mut rows));
            let folded: BTreeMap<SessionId, Session> = host.sessions().map(|s| (s.id, s.clone())).collect();
            assert_eq!(folded, self.sessions, "the log folds on to the sessions from its middle");
            assert_eq!(rows.messages, self.messages, "the log folds on to the messages from its middle");
            assert_eq!(rows.turns, self.turns, "the log folds on to the turns from its middle");
            assert_eq!(rows.requests, self.requests, "the log folds on to the requests from its middle");
        }
    }

    /// The same for a store that has forgotten the events of purged sessions too.
    pub(crate) fn check_fold_without_purged(&self, config: HostConfig) {
        let mut host = Host::new(config);
        let mut rows = Projected::default();
        for logged in self.log.iter().filter(|logged| self.sessions.contains_key(&logged.session)) {
            host.fold(logged, &mut rows);
        }
        let folded: BTreeMap<SessionId, Session> = host.sessions().map(|s| (s.id, s.clone())).collect();
        assert_eq!(folded, self.sessions, "the rest of the log folds to the sessions");
        assert_eq!(rows.messages, self.messages, "the rest of the log folds to the messages");
    }
}
