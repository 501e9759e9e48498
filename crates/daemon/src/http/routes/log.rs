//! The conversation of a session.

use adjutant_api::types::log::{LogEntry, LogQuery, Role};
use adjutant_core::agent::TurnOrigin;
use adjutant_core::message::{Message, Sender};
use adjutant_core::turn::EndedTurn;
use adjutant_core::{Host, SessionId, TurnNumber};
use adjutant_store::{ReadError, Reader, Selection};
use axum::Json;

use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::to_api;

/// Turns that one call shows.
const TURNS_MAX: u32 = 1_000;

/// A turn with all that was said in it.
struct Told {
    turn: EndedTurn,
    asked: Vec<(Message, String)>,
    answer: Option<String>,
}

/// `GET /v1/sessions/{id}/log`
pub(super) async fn log(call: Incoming) -> Result<Json<Vec<LogEntry>>, Failure> {
    let session = call.session_to_read().await?;
    let query: LogQuery = call.query()?;
    let told = call.app.read(move |reader| conversation(reader, session, &query)).await?;
    let look = move |host: &Host| told.into_iter().flat_map(|told| entries(host, told)).collect::<Vec<_>>();
    Ok(Json(call.app.look(look).await?))
}

fn conversation(reader: &Reader, session: SessionId, query: &LogQuery) -> Result<Vec<Told>, ReadError> {
    let count = query.n.unwrap_or(TURNS_MAX).min(TURNS_MAX) as usize;
    let selection = match query.since {
        Some(since) => Selection::Since(TurnNumber::new(since), count),
        None => Selection::Last(count),
    };
    let turns = reader.turns_of(session, selection)?;
    turns.into_iter().map(|turn| told(reader, session, turn)).collect()
}

fn told(reader: &Reader, session: SessionId, turn: EndedTurn) -> Result<Told, ReadError> {
    let mut asked = Vec::new();
    for id in &turn.messages {
        if let (Some(message), Some(text)) = (reader.message(*id)?, reader.text_of_message(*id)?) {
            asked.push((message, text));
        }
    }
    let answer = reader.answer(session, turn.number)?;
    Ok(Told { turn, asked, answer })
}

fn entries(host: &Host, told: Told) -> Vec<LogEntry> {
    let turn = told.turn.number.get();
    let human = |(message, text): (Message, String)| LogEntry {
        role: Role::Human,
        text,
        turn: Some(turn),
        at: Some(to_api::time(told.turn.started_at)),
        from: Some(from(host, message.from)),
        message: Some(message.id.to_string()),
        tool: None,
    };
    let typed = matches!(told.turn.origin, TurnOrigin::Person).then(|| LogEntry {
        role: Role::Human,
        text: "(typed at the terminal)".to_owned(),
        turn: Some(turn),
        at: Some(to_api::time(told.turn.started_at)),
        from: Some("terminal".to_owned()),
        message: None,
        tool: None,
    });
    let assistant = told.answer.map(|text| LogEntry {
        role: Role::Assistant,
        text,
        turn: Some(turn),
        at: Some(to_api::time(told.turn.ended_at)),
        from: None,
        message: None,
        tool: None,
    });
    typed.into_iter().chain(told.asked.into_iter().map(human)).chain(assistant).collect()
}

fn from(host: &Host, sender: Sender) -> String {
    match sender {
        Sender::Host => "adjutant".to_owned(),
        Sender::Human => "human".to_owned(),
        Sender::Session(id) => to_api::caller_name(host, id),
    }
}
