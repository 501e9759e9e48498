//! The live feed: what has just become durable, to whoever follows it.
//!
//! The feed only carries what is new. It holds a bounded number of events; a follower that falls behind is told so by
//! the channel and reads what it missed from the store, so that it neither loses anything nor slows anybody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use adjutant_core::{Logged, SessionId};
use adjutant_store::Entry;
use tokio::sync::broadcast;

/// Events that a follower of everything may be behind before it has to read from the store.
const FEED_EVENTS_MAX: usize = 4_096;

/// Events that a follower of one session may be behind before it has to read from the store.
const SESSION_FEED_EVENTS_MAX: usize = 512;

/// One end of the feed.
pub(crate) type Followed = broadcast::Receiver<Arc<Entry>>;

/// The feed of a host.
#[derive(Debug)]
pub(crate) struct Feed {
    all: broadcast::Sender<Arc<Entry>>,
    by_session: Mutex<HashMap<SessionId, broadcast::Sender<Arc<Entry>>>>,
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self { all: broadcast::Sender::new(FEED_EVENTS_MAX), by_session: Mutex::default() }
    }

    /// Follows the events of one session, or of all where it is not just one.
    pub(crate) fn follow(&self, sessions: &[SessionId]) -> Followed {
        match sessions {
            [one] => self.sessions().entry(*one).or_insert_with(|| broadcast::Sender::new(SESSION_FEED_EVENTS_MAX)).subscribe(),
            _ => self.all.subscribe(),
        }
    }

    /// Hands on events that are durable now. Nobody has to be there.
    pub(crate) fn publish(&self, events: Vec<Logged>) {
        let mut by_session = self.sessions();
        for event in events {
            let session = event.session;
            let event = Arc::new(Entry::Known(event));
            if let Some(sender) = by_session.get(&session)
                && sender.send(Arc::clone(&event)).is_err()
            {
                by_session.remove(&session);
            }
            let _ = self.all.send(event);
        }
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<SessionId, broadcast::Sender<Arc<Entry>>>> {
        self.by_session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
