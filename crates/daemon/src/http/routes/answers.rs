//! Answers: the final texts of turns.

use adjutant_agents::Speaker;
use adjutant_api::types::turn::{Answer, AnswersQuery, TurnResult, TurnsQuery};
use adjutant_core::agent::TurnOrigin;
use adjutant_core::turn::EndedTurn;
use adjutant_core::{SessionId, Timestamp, TurnNumber};
use adjutant_store::{ReadError, Reader, Selection};
use axum::Json;

use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::room::Room;
use crate::http::{App, to_api};

/// Answers that one call shows.
const ANSWERS_MAX: u32 = 1_000;

/// Turns in a row of people who had the conversation at a terminal and to whom nothing was said that are passed over.
const SILENT_MAX: usize = 64;

/// Whether there was anything to say: a person who only looked was told nothing.
fn has_spoken(turn: &EndedTurn) -> bool {
    turn.origin != TurnOrigin::Person || turn.end.answer.bytes > 0
}

/// `GET /v1/sessions/{id}/answers`
pub(super) async fn answers(call: Incoming) -> Result<Json<Vec<Answer>>, Failure> {
    let session = call.session_to_read().await?;
    let query: AnswersQuery = call.query()?;
    let wanted = query.n.unwrap_or(1).min(ANSWERS_MAX) as usize;
    let read = move |reader: &Reader| {
        let mut turns = reader.turns_of(session, Selection::Last(wanted + SILENT_MAX))?;
        turns.retain(has_spoken);
        let turns = turns.split_off(turns.len().saturating_sub(wanted));
        newest_first(reader, session, turns)
    };
    let found = call.app.read(read).await?;
    let before = found.first().map(|(_, turn)| turn.number.get()).filter(|first| *first > 1);
    let earlier =
        move |reader: &Reader| before.map_or(Ok(None), |first| reader.turn(session, TurnNumber::new(first - 1)));
    let mut since = call.app.read(earlier).await?.map(|turn| turn.ended_at);
    let said = if query.full || query.blocks { super::log::record(&call, session, since).await? } else { None };
    let Some(said) = said else {
        let answers = found.iter().map(|(text, turn)| to_api::answer(turn, text.as_deref().unwrap_or_default()));
        return Ok(Json(answers.collect()));
    };
    let mut answers = Vec::new();
    for (text, turn) in &found {
        let within = |at: Timestamp| since.is_none_or(|since| at > since) && at <= turn.ended_at;
        let blocks = said.iter().filter(|entry| entry.role == Speaker::Assistant && entry.at.is_some_and(within));
        let mut blocks: Vec<&str> = blocks.map(|entry| entry.text.as_str()).collect();
        // A record that was cut, or is not written to its end yet, says less than the answer that is kept here.
        let kept = text.as_deref().unwrap_or_default();
        if blocks.last().is_none_or(|last| !kept.trim_end().ends_with(last.trim_end())) {
            blocks.push(kept);
        }
        match query.blocks {
            true => answers.extend(blocks.iter().map(|block| to_api::answer(turn, block))),
            false => answers.push(to_api::answer(turn, &blocks.join("\n\n"))),
        }
        since = Some(turn.ended_at);
    }
    let mut room = Room::default();
    for answer in answers.iter_mut().rev().filter(|answer| !room.has(&answer.text)) {
        answer.cut_bytes += std::mem::take(&mut answer.text).len() as u64;
    }
    Ok(Json(answers))
}

/// Ended turns with their texts, in this order. Where there is no room for a text any more, it is left out and counted.
fn with_texts(
    reader: &Reader,
    session: SessionId,
    turns: impl Iterator<Item = EndedTurn>,
) -> Result<Vec<(Option<String>, EndedTurn)>, ReadError> {
    let mut room = Room::default();
    let read = |mut turn: EndedTurn| {
        let size = &mut turn.end.answer;
        let text = match room.is_full() && size.bytes > 0 {
            true => None,
            false => reader.answer(session, turn.number)?,
        };
        match text {
            Some(text) if room.has(&text) => Ok((Some(text), turn)),
            None if size.bytes == 0 => Ok((None, turn)),
            Some(_) | None => {
                size.cut_bytes += size.bytes;
                Ok((Some(String::new()), turn))
            }
        }
    };
    turns.map(read).collect()
}

/// The same for turns of which the newest come first in line for the room.
fn newest_first(
    reader: &Reader,
    session: SessionId,
    turns: Vec<EndedTurn>,
) -> Result<Vec<(Option<String>, EndedTurn)>, ReadError> {
    let mut found = with_texts(reader, session, turns.into_iter().rev())?;
    found.reverse();
    Ok(found)
}

/// `GET /v1/sessions/{id}/turns`
pub(super) async fn turns(call: Incoming) -> Result<Json<Vec<TurnResult>>, Failure> {
    let session = call.session_to_read().await?;
    let query: TurnsQuery = call.query()?;
    let wanted = query.n.unwrap_or(ANSWERS_MAX).min(ANSWERS_MAX) as usize;
    let selection = match query.since {
        Some(since) => Selection::Since(TurnNumber::new(since), wanted),
        None => Selection::Last(wanted),
    };
    let read = move |reader: &Reader| {
        let turns = reader.turns_of(session, selection)?;
        match selection {
            Selection::Since(..) => with_texts(reader, session, turns.into_iter()),
            Selection::Last(_) => newest_first(reader, session, turns),
        }
    };
    let found = call.app.read(read).await?;
    let name = call.app.look(move |host| to_api::caller_name(host, session)).await?;
    Ok(Json(found.into_iter().map(|(text, turn)| to_api::turn_result(&name, &turn, text)).collect()))
}

/// The result of a turn that has ended.
pub(super) async fn result_of(
    app: &App,
    session: SessionId,
    name: &str,
    turn: TurnNumber,
) -> Result<TurnResult, Failure> {
    let read = move |reader: &Reader| Ok((reader.turn(session, turn)?, reader.answer(session, turn)?));
    match app.read(read).await? {
        (Some(turn), text) => Ok(to_api::turn_result(name, &turn, text)),
        (None, _) => Err(Failure::internal(format!("turn {turn} of {name} is not in the store"))),
    }
}
