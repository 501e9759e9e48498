//! Reading messages, turns, requests and texts.

use adjutant_core::agent::RequestEnd;
use adjutant_core::id::{MessageId, RequestId, SessionId, TurnNumber};
use adjutant_core::message::Message;
use adjutant_core::request::Request;
use adjutant_core::turn::EndedTurn;
use rusqlite::{Connection, OptionalExtension, Params};

use super::Reader;
use crate::error::ReadError;
use crate::fault::{Fault, Outcome};
use crate::rows::{self, KeptRequest, Stored};

/// Which of a session's ended turns are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The last ones.
    Last(usize),
    /// Those from this number on, at most so many.
    Since(TurnNumber, usize),
}

/// A turn that has left an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The turn.
    pub turn: EndedTurn,
    /// Its final text.
    pub text: String,
}

impl Reader {
    /// The messages of a session in the order of their ids: a page of at most `limit`, behind the first `offset`.
    pub fn messages_of(
        &self,
        session: SessionId,
        include_ended: bool,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<Message>, ReadError> {
        let sql = if include_ended {
            "SELECT row FROM messages WHERE session = ?1 ORDER BY id LIMIT ?2 OFFSET ?3"
        } else {
            "SELECT row FROM messages WHERE session = ?1 AND alive = 1 ORDER BY id LIMIT ?2 OFFSET ?3"
        };
        self.at_one_moment(|conn| decoded(conn, sql, (session.as_bytes(), limit, offset)))
    }

    /// The newest messages of a session, however they ended, newest first.
    pub fn newest_messages_of(&self, session: SessionId, count: usize) -> Result<Vec<Message>, ReadError> {
        let sql = "SELECT row FROM messages WHERE session = ?1 ORDER BY id DESC LIMIT ?2";
        self.at_one_moment(|conn| decoded(conn, sql, (session.as_bytes(), count)))
    }

    /// What the messages of these sessions hold, however they ended: the bytes of their texts, and so many more for each.
    pub fn message_bytes_of(&self, sessions: &[SessionId], each: u64) -> Result<u64, ReadError> {
        let sql = "SELECT coalesce(sum(json_extract(row, '$.bytes') + ?2), 0) FROM messages WHERE session = ?1";
        self.at_one_moment(|conn| {
            let mut statement = conn.prepare(sql)?;
            let of = |id: &SessionId| Ok(statement.query_row((id.as_bytes(), each), |row| row.get::<_, u64>(0))?);
            sessions.iter().map(of).sum()
        })
    }

    /// One message.
    pub fn message(&self, id: MessageId) -> Result<Option<Message>, ReadError> {
        self.at_one_moment(|conn| first(conn, "SELECT row FROM messages WHERE id = ?1", [id.get()]))
    }

    /// The text of a message, as it was changed last.
    pub fn text_of_message(&self, id: MessageId) -> Result<Option<String>, ReadError> {
        self.at_one_moment(|conn| text(conn, "SELECT body FROM message_texts WHERE message = ?1", [id.get()]))
    }

    /// These messages with their texts, in this order; one that is not there is left out.
    ///
    /// Together with [`EndedTurn::messages`] this is what a turn was told.
    pub fn messages_with_texts(&self, ids: &[MessageId]) -> Result<Vec<(Message, String)>, ReadError> {
        let sql = "SELECT m.row, t.body FROM messages m JOIN message_texts t ON t.message = m.id WHERE m.id = ?1";
        self.at_one_moment(|conn| {
            let found = ids.iter().map(|id| with_text(conn, sql, [id.get()]));
            Ok(found.collect::<Outcome<Vec<_>>>()?.into_iter().flatten().collect())
        })
    }

    /// Ended turns of a session, oldest first.
    pub fn turns_of(&self, session: SessionId, selection: Selection) -> Result<Vec<EndedTurn>, ReadError> {
        self.at_one_moment(|conn| match selection {
            Selection::Last(limit) => {
                let sql = "SELECT row FROM turns WHERE session = ?1 ORDER BY number DESC LIMIT ?2";
                let mut turns: Vec<EndedTurn> = decoded(conn, sql, (session.as_bytes(), limit))?;
                turns.reverse();
                Ok(turns)
            }
            Selection::Since(number, limit) => {
                let sql = "SELECT row FROM turns WHERE session = ?1 AND number >= ?2 ORDER BY number LIMIT ?3";
                decoded(conn, sql, (session.as_bytes(), number.get(), limit))
            }
        })
    }

    /// One ended turn.
    pub fn turn(&self, session: SessionId, number: TurnNumber) -> Result<Option<EndedTurn>, ReadError> {
        let sql = "SELECT row FROM turns WHERE session = ?1 AND number = ?2";
        self.at_one_moment(|conn| first(conn, sql, (session.as_bytes(), number.get())))
    }

    /// The final text of a turn.
    pub fn answer(&self, session: SessionId, turn: TurnNumber) -> Result<Option<String>, ReadError> {
        let sql = "SELECT body FROM answers WHERE session = ?1 AND turn = ?2";
        self.at_one_moment(|conn| text(conn, sql, (session.as_bytes(), turn.get())))
    }

    /// The last turns that have left an answer, at most `limit`, oldest first.
    pub fn answers(&self, session: SessionId, limit: usize) -> Result<Vec<Answered>, ReadError> {
        let sql = "SELECT t.row, a.body FROM answers a JOIN turns t ON t.session = a.session AND t.number = a.turn
                   WHERE a.session = ?1 ORDER BY a.turn DESC LIMIT ?2";
        let found = self.at_one_moment(|conn| with_text(conn, sql, (session.as_bytes(), limit)))?;
        Ok(found.into_iter().rev().map(|(turn, text)| Answered { turn, text }).collect())
    }

    /// The requests of a session in the order of their ids, closed ones included: a page of at most `limit`.
    pub fn requests_of(
        &self,
        session: SessionId,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<(Request, Option<RequestEnd>)>, ReadError> {
        let sql = "SELECT row FROM requests WHERE session = ?1 ORDER BY id LIMIT ?2 OFFSET ?3";
        let kept = self.at_one_moment(|conn| decoded::<KeptRequest>(conn, sql, (session.as_bytes(), limit, offset)))?;
        Ok(kept.into_iter().map(KeptRequest::into_parts).collect())
    }

    /// One request.
    pub fn request(&self, id: RequestId) -> Result<Option<(Request, Option<RequestEnd>)>, ReadError> {
        let sql = "SELECT row FROM requests WHERE id = ?1";
        let kept = self.at_one_moment(|conn| first::<KeptRequest>(conn, sql, [id.get()]))?;
        Ok(kept.map(KeptRequest::into_parts))
    }
}

/// All rows of a query whose first column is a row's JSON.
fn decoded<T: Stored>(conn: &Connection, sql: &str, params: impl Params) -> Outcome<Vec<T>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut found = statement.query(params)?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        all.push(decode(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    Ok(all)
}

/// The same for a query that gives a text beside each row.
fn with_text<T: Stored>(conn: &Connection, sql: &str, params: impl Params) -> Outcome<Vec<(T, String)>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut found = statement.query(params)?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        all.push((decode(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?, row.get(1)?));
    }
    Ok(all)
}

fn first<T: Stored>(conn: &Connection, sql: &str, params: impl Params) -> Outcome<Option<T>> {
    Ok(decoded(conn, sql, params)?.pop())
}

fn decode<T: Stored>(json: &str) -> Outcome<T> {
    rows::from_json(json).map_err(|error| Fault::from(error).about(|| "a record".to_owned()))
}

fn text(conn: &Connection, sql: &str, params: impl Params) -> Outcome<Option<String>> {
    Ok(conn.prepare_cached(sql)?.query_row(params, |row| row.get(0)).optional()?)
}
