//! What a compaction is going to do, made beside the writer: the part of the log that it reads does not change any more.

use std::collections::{BTreeMap, BTreeSet};

use adjutant_core::host::{Counters, Host, HostConfig, Projected};
use adjutant_core::id::{Seq, SessionId};
use adjutant_core::message::MessageState;
use adjutant_core::session::Session;
use adjutant_core::time::Timestamp;
use rusqlite::Connection;

use super::checkpoint::{self, Checkpoints, Dropped, Key, Kind};
use crate::error::ReadError;
use crate::fault::Outcome;
use crate::meta;
use crate::reader::{Entry, Reader, decode_entry};
use crate::rows::{self, KeptRequest};

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactionLimits {
    /// Events from before this moment may go; `None` lets none go for its age.
    pub before: Option<Timestamp>,
    /// Events that may stay, whatever their age.
    pub events_kept_max: u64,
    /// Settled turns, messages and requests of one session that stay when their events go; of each this many.
    pub settled_kept_max: usize,
    /// Fewer events than this are not worth a step.
    pub step_events_min: u64,
    /// Events that go in one step: a bound on the time for which the writer is busy with it.
    pub step_events_max: u64,
}

/// A step of compaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compaction {
    /// The horizon that it was made for.
    pub(crate) begins: Seq,
    /// The new horizon.
    pub(crate) through: Seq,
    pub(crate) sessions: Vec<SessionPlan>,
    events: u64,
}

/// What becomes of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionPlan {
    pub(crate) id: SessionId,
    pub(crate) dropped: u64,
    pub(crate) last: u64,
    pub(crate) row: String,
    pub(crate) written: BTreeMap<Key, String>,
    pub(crate) removed: BTreeSet<Key>,
    pub(crate) forgotten: Forgotten,
}

/// Settled records that nobody keeps any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forgotten {
    pub(crate) messages: Vec<u64>,
    pub(crate) turns: Vec<u32>,
    pub(crate) requests: Vec<u64>,
}

impl Compaction {
    /// The place up to which events go.
    pub fn through(&self) -> Seq {
        self.through
    }

    /// How many events go.
    pub fn events(&self) -> u64 {
        self.events
    }
}

impl Reader {
    /// Works out the next step of compaction; `None` when there is nothing worth one.
    ///
    /// # Errors
    /// When the store cannot be read. A store with events of a newer version is compacted up to the first of them alone.
    pub fn plan_compaction(&self, limits: CompactionLimits) -> Result<Option<Compaction>, ReadError> {
        self.at_one_moment(|conn| plan(conn, limits))
    }

    /// The place up to which the log was compacted; 0 where it never was.
    pub fn horizon(&self) -> Result<Seq, ReadError> {
        self.at_one_moment(|conn| Ok(meta::horizon(conn)?))
    }
}

fn plan(conn: &Connection, limits: CompactionLimits) -> Outcome<Option<Compaction>> {
    let begins = meta::horizon(conn)?;
    let wanted = wanted(conn, limits)?;
    if wanted < limits.step_events_min.max(1) {
        return Ok(None);
    }
    let before = checkpoint::load(conn)?;
    let config = HostConfig::new(BTreeMap::new());
    let sessions = before.sessions.values().cloned().collect();
    let mut fold = Fold {
        host: Host::restore(config, sessions, Counters::default()),
        changed: Projected::default(),
        dropped: before.dropped.clone(),
        through: begins,
        events: 0,
    };
    fold.take(conn, wanted.min(limits.step_events_max))?;
    if fold.events < limits.step_events_min.max(1) {
        return Ok(None);
    }
    let touched = fold.touched();
    let sessions = touched.into_iter().filter_map(|id| {
        let session = fold.host.session(id)?;
        Some(session_plan(session, &fold, &before, limits.settled_kept_max))
    });
    let sessions = sessions.collect();
    Ok(Some(Compaction { begins, through: fold.through, sessions, events: fold.events }))
}

/// How many events from the beginning on may go.
fn wanted(conn: &Connection, limits: CompactionLimits) -> Outcome<u64> {
    let all: u64 = conn.query_row("SELECT count(*) FROM events", [], |row| row.get(0))?;
    let too_many = all.saturating_sub(limits.events_kept_max);
    let Some(before) = limits.before else { return Ok(too_many) };
    let mut statement = conn.prepare("SELECT at FROM events ORDER BY seq LIMIT ?1")?;
    let mut ages = statement.query([limits.step_events_max])?;
    let mut old = 0;
    while let Some(row) = ages.next()? {
        if Timestamp::from_millis(row.get(0)?) >= before {
            break;
        }
        old += 1;
    }
    Ok(old.max(too_many))
}

/// A fold of the part of the log that goes.
struct Fold {
    host: Host,
    changed: Projected,
    dropped: BTreeMap<SessionId, Dropped>,
    through: Seq,
    events: u64,
}

impl Fold {
    /// Takes in so many events, or those up to the first that this version does not understand.
    fn take(&mut self, conn: &Connection, count: u64) -> Outcome<()> {
        let sql = "SELECT seq, session, at, type, turn, cursor, data FROM events
                   WHERE session NOT IN purging ORDER BY seq LIMIT ?1";
        let mut statement = conn.prepare(sql)?;
        let mut rows = statement.query([count])?;
        while let Some(row) = rows.next()? {
            let Entry::Known(logged) = decode_entry(row)? else { return Ok(()) };
            self.host.fold(&logged, &mut self.changed);
            let dropped = self.dropped.entry(logged.session).or_default();
            *dropped = Dropped { count: dropped.count + 1, last: logged.seq.get() };
            (self.through, self.events) = (logged.seq, self.events + 1);
        }
        Ok(())
    }

    fn touched(&self) -> BTreeSet<SessionId> {
        let changed = &self.changed;
        let mut touched = changed.sessions.clone();
        touched.extend(changed.messages.values().map(|message| message.session));
        touched.extend(changed.turns.keys().map(|(session, _)| *session));
        touched.extend(changed.requests.values().map(|(request, _)| request.session));
        touched
    }
}

fn session_plan(session: &Session, fold: &Fold, before: &Checkpoints, kept_max: usize) -> SessionPlan {
    let id = session.id;
    let (mut live, mut settled) = (BTreeMap::new(), BTreeMap::new());
    for message in all_of(&before.projected.messages, &fold.changed.messages, |message| message.session == id) {
        let ended = matches!(message.state, MessageState::Ended { .. }) && session.unclear != Some(message.id);
        let list = if ended { &mut settled } else { &mut live };
        list.insert((Kind::Message, message.id.get()), rows::to_json(message));
    }
    // What lives in the host is the newest of what lives: others' ends may have changed it.
    for message in session.messages.values() {
        live.insert((Kind::Message, message.id.get()), rows::to_json(message));
    }
    for ((owner, number), turn) in pairs(&before.projected.turns, &fold.changed.turns) {
        if *owner == id {
            settled.insert((Kind::Turn, u64::from(number.get())), rows::to_json(turn));
        }
    }
    for kept in all_of(&before.projected.requests, &fold.changed.requests, |(request, _)| request.session == id) {
        let (request, end) = kept;
        let open = session.request(request.id).is_some();
        let list = if open { &mut live } else { &mut settled };
        let row = rows::to_json(&KeptRequest { request: request.clone(), end: end.clone() });
        list.insert((Kind::Request, request.id.get()), row);
    }
    let forgotten = forget_oldest(&mut settled, kept_max);
    live.append(&mut settled);
    difference(session, fold, before, live, forgotten)
}

/// Older rows, with newer ones in their places.
fn pairs<'a, K: Ord, V>(old: &'a BTreeMap<K, V>, new: &'a BTreeMap<K, V>) -> impl Iterator<Item = (&'a K, &'a V)> {
    old.iter().filter(|(key, _)| !new.contains_key(key)).chain(new)
}

fn all_of<'a, K: Ord, V>(
    old: &'a BTreeMap<K, V>,
    new: &'a BTreeMap<K, V>,
    wanted: impl Fn(&V) -> bool,
) -> impl Iterator<Item = &'a V> {
    pairs(old, new).map(|(_, value)| value).filter(move |value| wanted(value))
}

/// Takes the oldest of each kind away until so many are left.
fn forget_oldest(settled: &mut BTreeMap<Key, String>, kept_max: usize) -> Forgotten {
    let mut forgotten = Forgotten::default();
    for kind in [Kind::Message, Kind::Turn, Kind::Request] {
        let ids: Vec<u64> = settled.keys().filter(|key| key.0 == kind).map(|key| key.1).collect();
        for id in &ids[..ids.len().saturating_sub(kept_max)] {
            settled.remove(&(kind, *id));
            match kind {
                Kind::Message => forgotten.messages.push(*id),
                Kind::Turn => forgotten.turns.push(u32::try_from(*id).unwrap_or(u32::MAX)),
                Kind::Request => forgotten.requests.push(*id),
            }
        }
    }
    forgotten
}

/// Only what has changed is written.
fn difference(
    session: &Session,
    fold: &Fold,
    before: &Checkpoints,
    kept: BTreeMap<Key, String>,
    forgotten: Forgotten,
) -> SessionPlan {
    let none = BTreeMap::new();
    let old = before.rows.get(&session.id).unwrap_or(&none);
    let removed = old.keys().filter(|key| !kept.contains_key(key)).copied().collect();
    let written = kept.into_iter().filter(|(key, row)| old.get(key) != Some(row)).collect();
    let dropped = fold.dropped.get(&session.id).copied().unwrap_or_default();
    SessionPlan {
        id: session.id,
        dropped: dropped.count,
        last: dropped.last,
        row: rows::to_json(session),
        written,
        removed,
        forgotten,
    }
}
