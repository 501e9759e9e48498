//! Reading the event log: pages forward from a cursor, and its tail.

use std::collections::BTreeSet;

use adjutant_core::event::type_matches;
use adjutant_core::id::{Seq, SessionId};
use rusqlite::{Connection, OptionalExtension};

use super::Reader;
use super::entry::{Entry, decode_entry, text};
use crate::error::ReadError;
use crate::fault::Outcome;
use crate::meta;

/// Events that one page looks at when most of them are of other types: a bound on the time of one call.
const SCAN_ROWS_MAX: usize = 20_000;

/// Which events are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope<'a> {
    /// Those of these sessions; `None` is every session.
    pub sessions: Option<&'a [SessionId]>,
    /// Those of these types; a `*` in one stands for anything. None at all is every type.
    pub types: &'a [&'a str],
}

/// A stretch of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPage {
    /// The events that were wanted, oldest first.
    pub entries: Vec<Entry>,
    /// Everything up to here was looked at: the cursor for the next page.
    pub through: Seq,
    /// What of the log behind the cursor is gone, where something is.
    pub lost: Option<Lost>,
}

/// Events that a compaction has dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// At most so many of them were wanted.
    pub count: u64,
    /// The place of the last of them.
    pub through: Seq,
}

impl Scope<'_> {
    fn wants(&self, type_name: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|pattern| type_matches(pattern, type_name))
    }

    /// One query for the whole log, or one for each session.
    fn sources(&self) -> BTreeSet<Option<SessionId>> {
        self.sessions.map_or_else(|| BTreeSet::from([None]), |ids| ids.iter().copied().map(Some).collect())
    }
}

impl Reader {
    /// The place of the last event that is there; 0 when there is none. It goes back when that event is forgotten.
    pub fn last_seq(&self) -> Result<Seq, ReadError> {
        self.at_one_moment(|conn| Ok(last_seq(conn)?))
    }

    /// The next events behind a cursor, at most `limit` of them.
    ///
    /// A page may have fewer, or none, before the end of the log: the next one begins at [`EventPage::through`], and the
    /// end is reached when that is no longer below [`Reader::last_seq`].
    pub fn events_after(&self, after: Seq, scope: Scope<'_>, limit: usize) -> Result<EventPage, ReadError> {
        self.at_one_moment(|conn| {
            let last = last_seq(conn)?;
            let horizon = last.get().max(after.get());
            let mut hunt = Hunt { scope, limit: limit.max(1), found: BTreeSet::new(), horizon };
            for source in scope.sources() {
                hunt.forward(conn, source, after)?;
            }
            let seqs: Vec<u64> = hunt.found.iter().copied().take_while(|seq| *seq <= hunt.horizon).collect();
            let lost = lost(conn, after, scope.sessions)?;
            Ok(EventPage { entries: entries(conn, &seqs)?, through: Seq::new(hunt.horizon), lost })
        })
    }

    /// The last `limit` events, oldest first.
    pub fn events_tail(&self, limit: usize, scope: Scope<'_>) -> Result<Vec<Entry>, ReadError> {
        self.at_one_moment(|conn| {
            let mut hunt = Hunt { scope, limit, found: BTreeSet::new(), horizon: 0 };
            for source in scope.sources() {
                hunt.backward(conn, source)?;
            }
            let seqs: Vec<u64> = hunt.found.iter().copied().collect();
            entries(conn, &seqs)
        })
    }
}

/// A search for the places of events in several sources, of which only the nearest are wanted.
struct Hunt<'a> {
    scope: Scope<'a>,
    limit: usize,
    found: BTreeSet<u64>,
    /// Nothing beyond it is wanted any more.
    horizon: u64,
}

impl Hunt<'_> {
    fn forward(&mut self, conn: &Connection, source: Option<SessionId>, after: Seq) -> Outcome<()> {
        let sql = match source {
            None => {
                "SELECT seq, type FROM events WHERE seq > ?1 AND session NOT IN purging AND ?2 IS NULL ORDER BY seq"
            }
            Some(_) => "SELECT seq, type FROM events WHERE seq > ?1 AND session = ?2 ORDER BY seq",
        };
        let mut statement = conn.prepare_cached(sql)?;
        let mut rows = statement.query((after.get(), source.as_ref().map(SessionId::as_bytes)))?;
        let mut looked_at = 0;
        while let Some(row) = rows.next()? {
            let seq: u64 = row.get(0)?;
            if seq > self.horizon {
                return Ok(());
            }
            if self.scope.wants(text(row, 1)?) {
                self.found.insert(seq);
                self.drop_farthest_forward();
            }
            looked_at += 1;
            if looked_at == SCAN_ROWS_MAX {
                self.horizon = self.horizon.min(seq);
            }
        }
        Ok(())
    }

    /// Beyond the place of the last one that is wanted, nothing has to be looked at.
    fn drop_farthest_forward(&mut self) {
        while self.found.len() > self.limit {
            self.found.pop_last();
        }
        if self.found.len() == self.limit {
            self.horizon = self.found.last().copied().unwrap_or(self.horizon).min(self.horizon);
        }
    }

    fn backward(&mut self, conn: &Connection, source: Option<SessionId>) -> Outcome<()> {
        let sql = match source {
            None => "SELECT seq, type FROM events WHERE session NOT IN purging AND ?1 IS NULL ORDER BY seq DESC",
            Some(_) => "SELECT seq, type FROM events WHERE session = ?1 ORDER BY seq DESC",
        };
        let mut statement = conn.prepare_cached(sql)?;
        let mut rows = statement.query([source.as_ref().map(SessionId::as_bytes)])?;
        while let Some(row) = rows.next()? {
            let seq: u64 = row.get(0)?;
            if seq < self.horizon || self.limit == 0 {
                return Ok(());
            }
            if self.scope.wants(text(row, 1)?) {
                self.found.insert(seq);
                self.drop_farthest_backward();
            }
        }
        Ok(())
    }

    fn drop_farthest_backward(&mut self) {
        while self.found.len() > self.limit {
            self.found.pop_first();
        }
        if self.found.len() == self.limit {
            // One further on than the oldest that is wanted, or the walk would take one row more than it needs.
            self.horizon = self.found.first().map_or(self.horizon, |seq| seq + 1);
        }
    }
}

/// What is gone behind a cursor. How many of a session's lost events are behind it is not known, and so this is the most.
fn lost(conn: &Connection, after: Seq, sessions: Option<&[SessionId]>) -> rusqlite::Result<Option<Lost>> {
    let horizon = meta::horizon(conn)?;
    if after >= horizon {
        return Ok(None);
    }
    let behind = |through: u64| through.saturating_sub(after.get());
    let Some(sessions) = sessions else {
        return Ok(Some(Lost { count: behind(horizon.get()), through: horizon }));
    };
    let sql = "SELECT dropped, through FROM checkpoints WHERE session = ?1";
    let mut statement = conn.prepare_cached(sql)?;
    let mut lost = Lost { count: 0, through: Seq::new(0) };
    for session in sessions {
        let gone: Option<(u64, u64)> =
            statement.query_row([session.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        if let Some((dropped, through)) = gone {
            lost.count += dropped.min(behind(through));
            lost.through = lost.through.max(Seq::new(through));
        }
    }
    Ok((lost.count > 0).then_some(lost))
}

fn last_seq(conn: &Connection) -> rusqlite::Result<Seq> {
    let last: u64 = conn.prepare_cached("SELECT coalesce(max(seq), 0) FROM events")?.query_row([], |row| row.get(0))?;
    Ok(Seq::new(last).max(meta::horizon(conn)?))
}

fn entries(conn: &Connection, seqs: &[u64]) -> Outcome<Vec<Entry>> {
    let sql = "SELECT seq, session, at, type, turn, cursor, data FROM events WHERE seq = ?1";
    let mut statement = conn.prepare_cached(sql)?;
    seqs.iter().map(|seq| statement.query_row([seq], |row| Ok(decode_entry(row)))?).collect()
}
