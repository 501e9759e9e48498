//! The live feed: what has just become durable, to whoever follows it.
//!
//! The feed only carries what is new. It holds a bounded number of events; a follower that falls behind is told so by
//! the channel and reads what it missed from the store, so that it neither loses anything nor slows anybody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use adjutant_api::types::event::Event as WireEvent;
use adjutant_core::{Host, Logged, SessionId, Timestamp};
use adjutant_store::Entry;
use tokio::sync::broadcast;

use crate::http::crowd::Crowd;
use crate::http::stream::Form;
use crate::http::to_api;

/// Events that a follower of everything may be behind before it has to read from the store.
const FEED_EVENTS_MAX: usize = 4_096;

/// Events that a follower of one session may be behind before it has to read from the store.
const SESSION_FEED_EVENTS_MAX: usize = 512;

/// Feeds of single sessions that are kept before it is looked for those that nobody follows.
const CHANNELS_UNSWEPT_MAX: usize = 32;

/// One end of the feed.
pub(crate) type Followed = broadcast::Receiver<Arc<Told>>;

/// An entry of the log on its way to those who follow it; it is put into words once, however many they are.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) entry: Entry,
    wire: WireEvent,
    json: OnceLock<String>,
    as_event: OnceLock<Vec<u8>>,
    as_line: OnceLock<Vec<u8>>,
}

impl Told {
    pub(crate) fn new(host: &Host, entry: Entry) -> Self {
        let wire = to_api::event(host, &entry);
        Self { wire, entry, json: OnceLock::new(), as_event: OnceLock::new(), as_line: OnceLock::new() }
    }

    /// The event as JSON.
    pub(crate) fn json(&self) -> &str {
        self.json.get_or_init(|| serde_json::to_string(&self.wire).unwrap_or_default())
    }

    /// The record of a stream that tells it.
    pub(crate) fn record(&self, form: Form) -> &[u8] {
        let kept = match form {
            Form::Events => &self.as_event,
            Form::Lines => &self.as_line,
        };
        kept.get_or_init(|| {
            let json = self.json();
            let id = self.entry.seq().to_string();
            form.framed(&format!("{{\"type\":\"event\",\"event\":{json}}}"), Some(&id))
        })
    }

    /// When it happened.
    pub(crate) fn at(&self) -> Timestamp {
        match &self.entry {
            Entry::Known(logged) => logged.at,
            Entry::Opaque(opaque) => opaque.at,
        }
    }
}

/// The feed of a host.
#[derive(Debug)]
pub(crate) struct Feed {
    all: broadcast::Sender<Arc<Told>>,
    channels: Mutex<Channels>,
    /// The streams of events that are open.
    pub(crate) crowd: Crowd,
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self { all: broadcast::Sender::new(FEED_EVENTS_MAX), channels: Mutex::default(), crowd: Crowd::default() }
    }

    /// Follows the events of one session, or of all where it is not just one.
    pub(crate) fn follow(&self, sessions: &[SessionId]) -> Followed {
        match sessions {
            [one] => self.channels().subscribe(*one),
            _ => self.all.subscribe(),
        }
    }

    /// Hands on events that are durable now. Nobody has to be there.
    pub(crate) fn publish(&self, host: &Host, events: Vec<Logged>) {
        let mut channels = self.channels();
        let by_session = &mut channels.by_session;
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

    fn channels(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The feeds of single sessions that are followed.
#[derive(Debug, Default)]
struct Channels {
    by_session: HashMap<SessionId, broadcast::Sender<Arc<Told>>>,
    /// So many may there be before it is looked for those that nobody follows any more.
    swept_at: usize,
}

impl Channels {
    fn subscribe(&mut self, session: SessionId) -> Followed {
        // Nothing tells when the last follower of a session goes, and of one that has ended no event follows.
        if self.by_session.len() >= self.swept_at {
            self.by_session.retain(|_, channel| channel.receiver_count() > 0);
            self.swept_at = (2 * self.by_session.len()).max(CHANNELS_UNSWEPT_MAX);
        }
        let channel = self.by_session.entry(session);
        channel.or_insert_with(|| broadcast::Sender::new(SESSION_FEED_EVENTS_MAX)).subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_follows_any_more_is_forgotten() {
        let feed = Feed::new();
        let id = |number: u64| SessionId::from_bytes(u128::from(number).to_be_bytes());
        let kept: Vec<Followed> = (0..40).map(|number| feed.follow(&[id(number)])).collect();
        (40..5_000).for_each(|number| drop(feed.follow(&[id(number)])));
        let channels = feed.channels();
        assert!(channels.by_session.len() <= 2 * kept.len(), "{}", channels.by_session.len());
        assert!((0..40).all(|number| channels.by_session.contains_key(&id(number))));
    }
}
