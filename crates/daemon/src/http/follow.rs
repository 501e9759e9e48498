//! Following the log without a gap or a double: from the store as far as it goes, then from the feed.

use std::collections::VecDeque;
use std::sync::Arc;

use adjutant_core::{Event, Host, Seq, SessionId};
use adjutant_store::{Entry, Lost, Opaque, Scope};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::App;
use super::error::Failure;
use crate::clock;
use crate::feed::{Followed, Told};

/// Events that are read from the store at once.
const PAGE_EVENTS_MAX: usize = 500;

/// A place in the log from which one reads on.
pub(crate) struct Follower {
    app: App,
    sessions: Vec<SessionId>,
    feed: Followed,
    /// The newest event that was given out, or passed over because it is of no concern.
    seen: Seq,
    page: VecDeque<Arc<Told>>,
    /// Whether the store may hold events behind `seen` that the feed does not.
    behind: bool,
}

impl Follower {
    /// Follows these sessions (all, where none is named) from behind `seen`.
    pub(crate) fn new(app: &App, sessions: Vec<SessionId>, seen: Seq) -> Self {
        let feed = app.feed.follow(&sessions);
        Self { app: app.clone(), sessions, feed, seen, page: VecDeque::new(), behind: true }
    }

    /// Follows these sessions from the present. Say with [`Self::starts_at`] what the present is, from a look at the host
    /// that was taken after this call.
    pub(crate) fn live(app: &App, sessions: Vec<SessionId>) -> Self {
        Self { behind: false, ..Self::new(app, sessions, Seq::new(0)) }
    }

    /// The newest event that is known already.
    pub(crate) fn starts_at(&mut self, seq: Seq) {
        self.seen = seq;
    }

    /// The newest event that was given out.
    pub(crate) fn seen(&self) -> Seq {
        self.seen
    }

    /// The next event. Waits for it as long as it takes; safe to be dropped while it waits.
    pub(crate) async fn next(&mut self) -> Result<Arc<Told>, Failure> {
        loop {
            if let Some(event) = self.page.pop_front() {
                self.seen = event.entry.seq();
                return Ok(event);
            }
            if self.behind {
                self.read_page().await?;
                continue;
            }
            match self.feed.recv().await {
                Ok(event) if event.entry.seq() > self.seen && self.concerns(&event.entry) => self.page.push_back(event),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => return Err(crate::supervisor::Gone.into()),
            }
        }
    }

    /// The next event, if it is here already.
    pub(crate) fn try_next(&mut self) -> Option<Arc<Told>> {
        while self.page.is_empty() && !self.behind {
            match self.feed.try_recv() {
                Ok(event) if event.entry.seq() > self.seen && self.concerns(&event.entry) => self.page.push_back(event),
                Ok(_) => {}
                Err(TryRecvError::Lagged(_)) => self.behind = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
        let event = self.page.pop_front()?;
        self.seen = event.entry.seq();
        Some(event)
    }

    async fn read_page(&mut self) -> Result<(), Failure> {
        let (sessions, seen) = (self.sessions.clone(), self.seen);
        let read = move |reader: &adjutant_store::Reader| {
            let page = reader.events_after(seen, scope(&sessions, &[]), PAGE_EVENTS_MAX)?;
            Ok((page, reader.last_seq()?))
        };
        let (page, last) = self.app.read(read).await?;
        self.behind = page.through < last;
        let gap = page.lost.map(|lost| gap(lost, &self.sessions));
        if page.entries.is_empty() && gap.is_none() {
            self.seen = self.seen.max(page.through);
            return Ok(());
        }
        let told = move |host: &Host| {
            gap.into_iter().chain(page.entries).map(|entry| Arc::new(Told::new(host, entry))).collect::<Vec<_>>()
        };
        self.page.extend(self.app.look(told).await?);
        Ok(())
    }

    fn concerns(&self, event: &Entry) -> bool {
        self.sessions.is_empty() || self.sessions.contains(&event.session())
    }
}

/// The part of the log that concerns these sessions (all, where none is named) and types.
pub(crate) fn scope<'a>(sessions: &'a [SessionId], types: &'a [&'a str]) -> Scope<'a> {
    Scope { sessions: (!sessions.is_empty()).then_some(sessions), types }
}

/// The type of the event that tells a reader of events that are gone.
pub(crate) const GAP: &str = "log.gap";

/// The event that stands for what a compaction has dropped. It is in no log; its place is that of the last event that is gone.
pub(crate) fn gap(lost: Lost, sessions: &[SessionId]) -> Entry {
    let session = match sessions {
        [one] => *one,
        _ => SessionId::from_bytes([0; 16]),
    };
    Entry::Opaque(Opaque {
        seq: lost.through,
        session,
        at: clock::wall(),
        type_name: GAP.to_owned(),
        turn: None,
        data: serde_json::json!({"count": lost.count, "through": lost.through.get()}).to_string(),
    })
}

/// What an entry says, where this version knows its type.
pub(crate) fn known(told: &Told) -> Option<&Event> {
    match &told.entry {
        Entry::Known(logged) => Some(&logged.event),
        Entry::Opaque(_) => None,
    }
}
