//! The one writer: a batch of events and rows becomes durable as a whole or not at all.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use adjutant_core::agent::RequestEnd;
use adjutant_core::event::{Event, Logged};
use adjutant_core::host::Counters;
use adjutant_core::id::{MessageId, SessionId};
use adjutant_core::input::Text;
use adjutant_core::message::Message;
use adjutant_core::request::Request;
use adjutant_core::session::Session;
use adjutant_core::turn::EndedTurn;
use rusqlite::{Connection, TransactionBehavior};

use crate::compact::{self, Compaction};
use crate::error::{CommitError, OpenError};
use crate::host_file::HostId;
use crate::open::Loaded;
use crate::place::{Place, create_file, remove_if_there};
use crate::situation::Situation;
use crate::unknown::UnknownFields;
use crate::{load, meta, purge, write};

/// Pages in the log after which [`Writer::tend`] moves them into the database.
const TEND_PAGES_MIN: u64 = 1_000;

/// Bytes with which the system is asked for its words after a failed commit.
const PROBE_BYTES: usize = 8_192;

/// What one commit makes durable.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// What happened.
    pub events: Vec<Logged>,
    /// The texts that belong to these events.
    pub texts: Vec<Text>,
    /// Sessions that have changed.
    pub sessions: Vec<Session>,
    /// Messages that have changed.
    pub messages: Vec<Message>,
    /// Turns that have ended.
    pub turns: Vec<(SessionId, EndedTurn)>,
    /// Requests that were opened, answered or closed.
    pub requests: Vec<(Request, Option<RequestEnd>)>,
    /// Sessions that are to be forgotten with all that belongs to them, the events of this batch included.
    pub purged: Vec<SessionId>,
    /// The next ids after this batch.
    pub counters: Counters,
}

impl Batch {
    /// Whether a text belongs to a message that came and went with its session within this batch: it has no row by which
    /// it would be found again.
    fn forgets(&self, text: &Text) -> bool {
        let came = |event: &Event, id: MessageId| matches!(event, Event::MessageQueued { message } if message.id == id);
        let came_in_vain =
            |id| self.events.iter().any(|logged| self.purged.contains(&logged.session) && came(&logged.event, id));
        match text {
            Text::Message { message, .. } => !self.purged.is_empty() && came_in_vain(*message),
            Text::Answer { session, .. } => self.purged.contains(session),
        }
    }
}

/// Whether there is more to tidy up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Tended {
    /// Everything is tidy.
    Done,
    /// Another piece waits.
    More,
}

/// The connection that writes. There is one in a process, and the daemon's lock keeps it the only one.
#[derive(Debug)]
pub struct Writer {
    conn: Connection,
    place: Place,
    host: HostId,
    unknown: UnknownFields,
    identity: Identity,
}

impl Writer {
    pub(crate) fn new(conn: Connection, place: Place, host: HostId, unknown: UnknownFields) -> Result<Self, OpenError> {
        let identity = Identity::of(&place.db()).map_err(|error| OpenError::unreadable(&place.db(), error))?;
        Ok(Self { conn, place, host, unknown, identity })
    }

    /// The id of this home.
    pub fn host_id(&self) -> HostId {
        self.host
    }

    /// The database file.
    pub fn path(&self) -> PathBuf {
        self.place.db()
    }

    /// Makes a batch durable. After an error nothing of it is stored, and the writer can be used again.
    ///
    /// One exception belongs to the hardware: where the system failed to sync, it may turn out after a loss of power that the
    /// batch had reached the disk after all.
    pub fn commit(&mut self, batch: &Batch) -> Result<(), CommitError> {
        self.check_identity()?;
        self.write(batch).map_err(|error| self.explain(&error))
    }

    /// Reads everything anew, for a host that is ahead of the disk after a commit that failed.
    pub fn reload(&mut self) -> Result<Loaded, OpenError> {
        let found = load::load(&self.conn).map_err(|fault| fault.into_open(&self.place.db()))?;
        self.unknown = found.unknown;
        let sessions = found.sessions.into_values().collect();
        Ok(Loaded { sessions, counters: found.counters, notices: Vec::new() })
    }

    /// Does one bounded piece of what can wait: removes rows of forgotten sessions, gives free pages back, moves the log
    /// into the database. To be called when nothing else is to be done, until it says [`Tended::Done`].
    pub fn tend(&mut self) -> Result<Tended, CommitError> {
        self.check_identity()?;
        self.tend_one().map_err(|error| self.explain(&error))
    }

    /// Drops the beginning of the log as planned, and keeps what it came to, in one transaction. `false` where another plan
    /// came before this one.
    pub fn compact(&mut self, plan: &Compaction) -> Result<bool, CommitError> {
        self.check_identity()?;
        let applied = || {
            let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let applied = compact::apply(&tx, plan)?;
            tx.commit()?;
            Ok(applied)
        };
        let applied: rusqlite::Result<bool> = { applied }();
        applied.map_err(|error| self.explain(&error))
    }

    /// Moves the whole log into the database, as far as readers let it, and says how many pages are left in it.
    pub fn checkpoint(&mut self) -> Result<u64, CommitError> {
        self.move_log("TRUNCATE").map_err(|error| self.explain(&error))
    }

    fn write(&mut self, batch: &Batch) -> rusqlite::Result<()> {
        let unknown = &self.unknown;
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        batch.purged.iter().try_for_each(|id| purge::begin(&tx, *id))?;
        batch.events.iter().try_for_each(|event| write::event(&tx, event))?;
        let mut texts = batch.texts.iter().filter(|text| !batch.forgets(text));
        texts.try_for_each(|text| write::text(&tx, text))?;
        // A forgotten session's name is free at once, for a session of the same batch.
        let mut kept = batch.sessions.iter().filter(|session| !batch.purged.contains(&session.id));
        kept.try_for_each(|session| write::session(&tx, session, unknown.sessions.get(&session.id)))?;
        batch
            .messages
            .iter()
            .try_for_each(|message| write::message(&tx, message, unknown.messages.get(&message.id)))?;
        batch.turns.iter().try_for_each(|(session, turn)| write::turn(&tx, *session, turn, None))?;
        batch.requests.iter().try_for_each(|(request, end)| {
            write::request(&tx, request, end.as_ref(), unknown.requests.get(&request.id))
        })?;
        if !batch.purged.is_empty() {
            purge::sweep(&tx)?;
        }
        meta::set_counters(&tx, &batch.counters)?;
        tx.commit()
    }

    fn tend_one(&mut self) -> rusqlite::Result<Tended> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let more = purge::sweep(&tx)?;
        tx.commit()?;
        if more || purge::shrink(&self.conn)? {
            return Ok(Tended::More);
        }
        if self.move_log("NOOP")? >= TEND_PAGES_MIN {
            self.move_log("PASSIVE")?;
        }
        Ok(Tended::Done)
    }

    /// Moves the log into the database, or only counts it, and says how many of its pages are not in the database.
    fn move_log(&self, how: &str) -> rusqlite::Result<u64> {
        let counted = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
        let (logged, moved) = self.conn.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], counted)?;
        Ok(u64::try_from(logged - moved).unwrap_or(0))
    }

    /// A store whose file was removed would go on without a word, into a file that nobody finds again.
    fn check_identity(&self) -> Result<(), CommitError> {
        let path = self.place.db();
        match Identity::of(&path) {
            Ok(found) if found == self.identity => Ok(()),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(CommitError::Io { path, why: error.to_string() }),
            Ok(_) | Err(_) => Err(CommitError::Replaced { path }),
        }
    }

    fn explain(&self, error: &rusqlite::Error) -> CommitError {
        let system = match Situation::of(error) {
            Situation::Full | Situation::ReadOnly | Situation::Io | Situation::Denied => self.probe().err(),
            Situation::Busy | Situation::Contradiction | Situation::Corrupt => None,
        };
        CommitError::from_sqlite(&self.place.db(), error, system.as_ref())
    }

    /// Writes a little beside the store, to have the system's own words.
    fn probe(&self) -> io::Result<()> {
        let path = self.place.beside(&format!(".probe-{}", std::process::id()));
        remove_if_there(&path)?;
        let mut file = create_file(&path)?;
        let written = file.write_all(&[0; PROBE_BYTES]).and_then(|()| file.sync_all());
        remove_if_there(&path)?;
        written
    }
}

/// What tells a file from another that has taken its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    fn of(path: &Path) -> io::Result<Self> {
        let found = fs::metadata(path)?;
        Ok(Self { device: found.dev(), inode: found.ino() })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn texts(number: u64) -> Batch {
        let text: Arc<str> = Arc::from("text ".repeat(10_000));
        let texts = vec![Text::Message { message: MessageId::new(number), text }];
        Batch { texts, ..Batch::default() }
    }

    /// Stands in for a full disk where nobody may mount one: SQLite says the same when it runs out of pages.
    #[test]
    fn a_full_database_is_said_and_commits_go_on_when_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let (mut writer, _) = crate::open(dir.path(), "0").unwrap();
        writer.commit(&texts(1)).unwrap();
        let pages: u64 = writer.conn.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        writer.conn.pragma_update(None, "max_page_count", pages + 5).unwrap();
        assert!(matches!(writer.commit(&texts(2)), Err(CommitError::Full { .. })));
        assert!(writer.conn.is_autocommit());
        let reader = crate::Reader::open(dir.path()).unwrap();
        assert_eq!(reader.text_of_message(MessageId::new(2)).unwrap(), None);
        writer.conn.pragma_update(None, "max_page_count", pages + 5_000).unwrap();
        writer.commit(&texts(2)).unwrap();
        assert!(reader.text_of_message(MessageId::new(2)).unwrap().is_some());
    }
}
