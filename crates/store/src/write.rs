//! The statements that write rows.

use adjutant_core::agent::RequestEnd;
use adjutant_core::event::Logged;
use adjutant_core::id::SessionId;
use adjutant_core::input::Text;
use adjutant_core::message::{Message, MessageState};
use adjutant_core::request::Request;
use adjutant_core::session::{Session, Status};
use adjutant_core::turn::EndedTurn;
use rusqlite::{Connection, Result};

use crate::rows::{self, KeptRequest};
use crate::unknown::{Unknown, complete};

pub(crate) fn event(conn: &Connection, logged: &Logged) -> Result<()> {
    let sql = "INSERT INTO events (seq, session, at, type, turn, cursor, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let Logged { seq, session, at, cursor, event } = logged;
    let turn = rows::event::turn_of(event).map(|turn| turn.get());
    let data = rows::event::to_row(event);
    let row = (seq.get(), session.as_bytes(), at.as_millis(), event.type_name(), turn, cursor, data);
    conn.prepare_cached(sql)?.execute(row).map(drop)
}

pub(crate) fn text(conn: &Connection, text: &Text) -> Result<()> {
    match text {
        Text::Message { message, text } => {
            let sql = "INSERT INTO message_texts (message, body) VALUES (?1, ?2)
                       ON CONFLICT (message) DO UPDATE SET body = excluded.body";
            conn.prepare_cached(sql)?.execute((message.get(), text)).map(drop)
        }
        Text::Answer { session, turn, text } => {
            let sql = "INSERT INTO answers (session, turn, body) VALUES (?1, ?2, ?3)
                       ON CONFLICT (session, turn) DO UPDATE SET body = excluded.body";
            conn.prepare_cached(sql)?.execute((session.as_bytes(), turn.get(), text)).map(drop)
        }
    }
}

/// A column that an index is over is only set where it can change: SQLite rewrites the index for each that is named.
pub(crate) fn session(conn: &Connection, session: &Session, unknown: Option<&Unknown>) -> Result<()> {
    let sql = "INSERT INTO sessions (id, name, agent, parent, status, last_used_at, row)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
               ON CONFLICT (id) DO UPDATE SET parent = excluded.parent, status = excluded.status,
               last_used_at = excluded.last_used_at, row = excluded.row";
    let row = complete(rows::to_json(session), unknown);
    let parent = session.parent.as_ref().map(SessionId::as_bytes);
    let (name, agent) = (session.name.as_str(), session.profile.agent.as_str());
    let (status, last_used_at) = (status_word(session.status()), session.last_used_at.as_millis());
    let row = (session.id.as_bytes(), name, agent, parent, status, last_used_at, row);
    conn.prepare_cached(sql)?.execute(row).map(drop)
}

fn status_word(status: Status) -> &'static str {
    match status {
        Status::Starting => "starting",
        Status::Idle => "idle",
        Status::Working => "working",
        Status::WaitingForInput => "waiting_for_input",
        Status::Unknown => "unknown",
        Status::Exited => "exited",
    }
}

pub(crate) fn message(conn: &Connection, message: &Message, unknown: Option<&Unknown>) -> Result<()> {
    let alive = "INSERT INTO messages (id, session, alive, state, row) VALUES (?1, ?2, 1, ?3, ?4)
                 ON CONFLICT (id) DO UPDATE SET state = excluded.state, row = excluded.row";
    let ended = "INSERT INTO messages (id, session, alive, state, row) VALUES (?1, ?2, 0, ?3, ?4)
                 ON CONFLICT (id) DO UPDATE SET alive = 0, state = excluded.state, row = excluded.row";
    let row = complete(rows::to_json(message), unknown);
    let (sql, state) = match &message.state {
        MessageState::Delayed { .. } => (alive, "delayed"),
        MessageState::Ready => (alive, "ready"),
        MessageState::Delivering { .. } => (alive, "delivering"),
        MessageState::Running { .. } => (alive, "running"),
        MessageState::Ended { .. } => (ended, "ended"),
    };
    conn.prepare_cached(sql)?.execute((message.id.get(), message.session.as_bytes(), state, row)).map(drop)
}

pub(crate) fn turn(conn: &Connection, session: SessionId, turn: &EndedTurn, unknown: Option<&Unknown>) -> Result<()> {
    let sql = "INSERT INTO turns (session, number, row) VALUES (?1, ?2, ?3)
               ON CONFLICT (session, number) DO UPDATE SET row = excluded.row";
    let row = complete(rows::to_json(turn), unknown);
    conn.prepare_cached(sql)?.execute((session.as_bytes(), turn.number.get(), row)).map(drop)
}

pub(crate) fn request(
    conn: &Connection,
    request: &Request,
    end: Option<&RequestEnd>,
    unknown: Option<&Unknown>,
) -> Result<()> {
    let open = "INSERT INTO requests (id, session, open, row) VALUES (?1, ?2, 1, ?3)
                ON CONFLICT (id) DO UPDATE SET row = excluded.row";
    let closed = "INSERT INTO requests (id, session, open, row) VALUES (?1, ?2, 0, ?3)
                  ON CONFLICT (id) DO UPDATE SET open = 0, row = excluded.row";
    let kept = KeptRequest { request: request.clone(), end: end.cloned() };
    let row = complete(rows::to_json(&kept), unknown);
    let sql = if end.is_none() { open } else { closed };
    conn.prepare_cached(sql)?.execute((request.id.get(), request.session.as_bytes(), row)).map(drop)
}
