//! The projections as they follow from the log, folded anew by the core.

use std::collections::BTreeMap;

use adjutant_core::host::{Counters, Host, HostConfig, Projected};
use rusqlite::Connection;

use crate::compact::checkpoint::{self, Checkpoints};
use crate::fault::Outcome;
use crate::reader::{Entry, for_each_entry};
use crate::unknown::UnknownFields;
use crate::{meta, write};

/// What a fold of the whole log leads to.
pub(crate) struct Folded {
    pub(crate) host: Host,
    pub(crate) projected: Projected,
    pub(crate) events: u64,
    pub(crate) unknown_events: u64,
}

/// Folds the whole log, from what its dropped beginning came to. Events of unknown types change nothing; a type that must not be passed over needs a new format.
pub(crate) fn fold(conn: &Connection) -> Outcome<Folded> {
    let Checkpoints { sessions, projected, .. } = checkpoint::load(conn)?;
    let config = HostConfig::new(BTreeMap::new());
    let host = Host::restore(config, sessions.into_values().collect(), Counters::default());
    let mut folded = Folded { host, projected, events: 0, unknown_events: 0 };
    for_each_entry(conn, |entry| {
        folded.events += 1;
        match entry {
            Entry::Known(logged) => folded.host.fold(&logged, &mut folded.projected),
            Entry::Opaque(_) => folded.unknown_events += 1,
        }
    })?;
    folded.drop_forgotten();
    Ok(folded)
}

impl Folded {
    /// What belongs to no session any more has no rows either.
    fn drop_forgotten(&mut self) {
        let Self { host, projected, .. } = self;
        projected.messages.retain(|_, message| host.session(message.session).is_some());
        projected.turns.retain(|(session, _), _| host.session(*session).is_some());
        projected.requests.retain(|_, (request, _)| host.session(request.session).is_some());
    }
}

/// Puts these projections in the place of the stored ones. Counters never go back.
pub(crate) fn replace_projections(conn: &Connection, folded: &Folded, unknown: &UnknownFields) -> rusqlite::Result<()> {
    for table in ["sessions", "messages", "turns", "requests"] {
        conn.execute(&format!("DELETE FROM {table}"), [])?;
    }
    let Folded { host, projected, .. } = folded;
    host.sessions().try_for_each(|session| write::session(conn, session, unknown.sessions.get(&session.id)))?;
    let mut messages = projected.messages.values();
    messages.try_for_each(|message| write::message(conn, message, unknown.messages.get(&message.id)))?;
    let mut turns = projected.turns.iter();
    turns.try_for_each(|(key, turn)| write::turn(conn, key.0, turn, unknown.turns.get(key)))?;
    let mut requests = projected.requests.values();
    requests.try_for_each(|(request, end)| {
        write::request(conn, request, end.as_ref(), unknown.requests.get(&request.id))
    })?;
    let (mut counters, folded) = (meta::counters(conn)?, host.counters());
    counters.next_seq = counters.next_seq.max(folded.next_seq);
    counters.next_message = counters.next_message.max(folded.next_message);
    counters.next_request = counters.next_request.max(folded.next_request);
    meta::set_counters(conn, &counters)
}
