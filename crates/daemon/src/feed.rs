//! The live feed: what has just become durable, to whoever follows it.
//!
//! The feed only carries what is new. It holds a bounded number of events; a follower that falls behind is told so by
//! the channel and reads what it missed from the store, so that it neither loses anything nor slows anybody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use adjutant_api::types::event::Event as WireEvent;
use adjutant_core::{Host, Logged, SessionId};
use adjutant_store::Entry;
use tokio::sync::broadcast;

use crate::http::crowd::Crowd;
use crate::http::stream::Form;
use crate::http::to_api;

/// Events that a follower of everything may be behind before it has to read from the store.
const FEED_EVENTS_MAX: usize = 4_096;

/// Events that a follower of one session may be behind before it has to read from the store.
const SESSION_FEED_EVENTS_MAX: usize = 512;

/// One end of the feed.
pub(crate) type Followed = broadcast::Receiver<Arc<Told>>;

/// An entry of the log on its way to those who follow it; it is put into words once, however many they are.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) entry: Entry,
    wire: WireEvent,
    as_event: OnceLock<Vec<u8>>,
    as_line: OnceLock<Vec<u8>>,
}

impl Told {
    pub(crate) fn new(host: &Host, entry: Entry) -> Self {
        let wire = to_api::event(host, &entry);
        Self { wire, entry, as_event: OnceLock::new(), as_line: OnceLock::new() }
    }

    /// The record of a stream that tells it.
    pub(crate) fn record(&self, form: Form) -> &[u8] {
        let kept = match form {
            Form::Events => &self.as_event,
            Form::Lines => &self.as_line,
        };
        kept.get_or_init(|| {
            let json = serde_json::to_string(&self.wire).unwrap_or_default();
            let id = self.entry.seq().to_string();
            form.framed(&format!("{{\"type\":\"event\",\"event\":{json}}}"), Some(&id))
        })
    }
}

/// The feed of a host.
#[derive(Debug)]
pub(crate) struct Feed {
    all: broadcast::Sender<Arc<Told>>,
    by_session: Mutex<HashMap<SessionId, broadcast::Sender<Arc<Told>>>>,
    /// The streams of events that are open.
    pub(crate) crowd: Crowd,
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self { all: broadcast::Sender::new(FEED_EVENTS_MAX), by_session: Mutex::default(), crowd: Crowd::default() }
    }

    /// Follows the events of one session, or of all where it is not just one.
    pub(crate) fn follow(&self, sessions: &[SessionId]) -> Followed {
        match sessions {
            [one] => self
                .sessions()
                .entry(*one)
                .or_insert_with(|| broadcast::Sender::new(SESSION_FEED_EVENTS_MAX))
                .subscribe(),
            _ => self.all.subscribe(),
        }
    }

    /// Hands on events that are durable now. Nobody has to be there.
    pub(crate) fn publish(&self, host: &Host, events: Vec<Logged>) {
        let mut by_session = self.sessions();
        for event in events {
            let session = event.session;
            let one = by_session.get(&session);
            if one.is_none() && self.all.receiver_count() == 0 {
                continue;
            }
            let told = Arc::new(Told::new(host, Entry::Known(event)));
            if one.is_some_and(|one| one.send(Arc::clone(&told)).is_err()) {
                by_session.remove(&session);
            }
            let _ = self.all.send(told);
        }
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<SessionId, broadcast::Sender<Arc<Told>>>> {
        self.by_session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
