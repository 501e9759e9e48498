//! What the beginning of the log came to, read back.

use std::collections::BTreeMap;

use adjutant_core::host::Projected;
use adjutant_core::id::SessionId;
use adjutant_core::message::{Message, MessageState};
use adjutant_core::session::Session;
use adjutant_core::turn::EndedTurn;
use rusqlite::Connection;

use crate::fault::{Fault, Outcome};
use crate::rows::session::{attach_message, attach_request};
use crate::rows::{self, KeptRequest, Stored};

/// What a row beside a checkpoint holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Message,
    Turn,
    Request,
}

impl Kind {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Turn => "turn",
            Self::Request => "request",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Message, Self::Turn, Self::Request].into_iter().find(|kind| kind.word() == word)
    }
}

/// The key of a row within its session.
pub(crate) type Key = (Kind, u64);

/// How much of a session's part of the log is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// How many events.
    pub(crate) count: u64,
    /// The place of the last of them.
    pub(crate) last: u64,
}

/// All checkpoints.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    /// Sessions, with what lived in them at the horizon.
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    /// The rows that the log no longer tells.
    pub(crate) projected: Projected,
    /// What is gone of each.
    pub(crate) dropped: BTreeMap<SessionId, Dropped>,
    /// The rows as they are written.
    pub(crate) rows: BTreeMap<SessionId, BTreeMap<Key, String>>,
}

/// Reads all, but for those of sessions that are being forgotten.
pub(crate) fn load(conn: &Connection) -> Outcome<Checkpoints> {
    let mut found = Checkpoints::default();
    let sql =
        "SELECT session, dropped, through, row FROM checkpoints WHERE session NOT IN (SELECT session FROM purging)";
    let mut statement = conn.prepare(sql)?;
    let mut all = statement.query([])?;
    while let Some(row) = all.next()? {
        let id = SessionId::from_bytes(row.get(0)?);
        found.dropped.insert(id, Dropped { count: row.get(1)?, last: row.get(2)? });
        found.sessions.insert(id, decoded(&row.get::<_, String>(3)?)?);
    }
    let sql = "SELECT session, kind, id, row FROM checkpointed WHERE session NOT IN (SELECT session FROM purging)";
    let mut statement = conn.prepare(sql)?;
    let mut all = statement.query([])?;
    while let Some(row) = all.next()? {
        let (session, kind) = (SessionId::from_bytes(row.get(0)?), row.get::<_, String>(1)?);
        let kind = Kind::of(&kind).ok_or_else(|| Fault::Malformed(format!("a checkpoint of a {kind}")))?;
        found.take(session, (kind, row.get(2)?), row.get(3)?)?;
    }
    Ok(found)
}

fn decoded<T: Stored>(json: &str) -> Outcome<T> {
    rows::from_json(json).map_err(|error| Fault::from(error).about(|| "a checkpoint".to_owned()))
}

impl Checkpoints {
    fn take(&mut self, id: SessionId, key: Key, json: String) -> Outcome<()> {
        let orphaned = || Fault::Malformed(format!("a checkpoint of {id} is not there"));
        let session = self.sessions.get_mut(&id).ok_or_else(orphaned)?;
        match key.0 {
            Kind::Message => {
                let message: Message = decoded(&json)?;
                if !matches!(message.state, MessageState::Ended { .. }) {
                    attach_message(session, message.clone());
                }
                self.projected.messages.insert(message.id, message);
            }
            Kind::Turn => {
                let turn: EndedTurn = decoded(&json)?;
                self.projected.turns.insert((id, turn.number), turn);
            }
            Kind::Request => {
                let kept: KeptRequest = decoded(&json)?;
                if kept.end.is_none() {
                    attach_request(session, kept.request.clone());
                }
                self.projected.requests.insert(kept.request.id, kept.into_parts());
            }
        }
        self.rows.entry(id).or_default().insert(key, json);
        Ok(())
    }
}
