//! One entry of the log, as far as this version understands it.

use adjutant_core::event::Logged;
use adjutant_core::id::{Seq, SessionId, TurnNumber};
use adjutant_core::time::Timestamp;
use rusqlite::{Connection, Row};

use crate::fault::{Fault, Outcome};
use crate::rows;

/// One entry of the log as this version understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly every entry is known, and a box for each would cost more")]
pub enum Entry {
    /// Of a type that this version knows.
    Known(Logged),
    /// Of a type that a newer version has written.
    Opaque(Opaque),
}

/// An event of a type that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opaque {
    /// Its place.
    pub seq: Seq,
    /// The session it is about.
    pub session: SessionId,
    /// When it happened.
    pub at: Timestamp,
    /// Its type.
    pub type_name: String,
    /// The turn it names.
    pub turn: Option<TurnNumber>,
    /// Its content, as JSON.
    pub data: String,
}

impl Entry {
    /// Its place.
    pub fn seq(&self) -> Seq {
        match self {
            Self::Known(logged) => logged.seq,
            Self::Opaque(opaque) => opaque.seq,
        }
    }

    /// The session it is about.
    pub fn session(&self) -> SessionId {
        match self {
            Self::Known(logged) => logged.session,
            Self::Opaque(opaque) => opaque.session,
        }
    }

    /// The name of its type.
    pub fn type_name(&self) -> &str {
        match self {
            Self::Known(logged) => logged.event.type_name(),
            Self::Opaque(opaque) => &opaque.type_name,
        }
    }
}

/// Hands over every event in its order, but for those of sessions that are being forgotten.
pub(crate) fn for_each_entry(conn: &Connection, mut take: impl FnMut(Entry)) -> Outcome<()> {
    let sql = "SELECT seq, session, at, type, turn, cursor, data FROM events WHERE session NOT IN purging ORDER BY seq";
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        take(decode_entry(row)?);
    }
    Ok(())
}

/// Understands one row of the log, with the columns in the order in which this file asks for them.
pub(crate) fn decode_entry(row: &Row<'_>) -> Outcome<Entry> {
    let (seq, session, at) = (Seq::new(row.get(0)?), SessionId::from_bytes(row.get(1)?), row.get(2)?);
    let at = Timestamp::from_millis(at);
    let (kind, data) = (text(row, 3)?, text(row, 6)?);
    let understood = rows::event::from_row(kind, data);
    match understood.map_err(|error| Fault::from(error).about(|| format!("event {seq} of type {kind}")))? {
        Some(event) => Ok(Entry::Known(Logged { seq, session, at, cursor: row.get(5)?, event })),
        None => {
            let turn = row.get::<_, Option<u32>>(4)?.map(TurnNumber::new);
            Ok(Entry::Opaque(Opaque { seq, session, at, type_name: kind.to_owned(), turn, data: data.to_owned() }))
        }
    }
}

/// A column as text, without a copy.
pub(super) fn text<'r>(row: &'r Row<'_>, column: usize) -> Outcome<&'r str> {
    Ok(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?)
}
