//! The conversation of a session.

use adjutant_agents::{ConversationEntry, ConversationError, ConversationOf, Place, Speaker};
use adjutant_api::types::log::{LogEntry, LogQuery, Role};
use adjutant_core::agent::TurnOrigin;
use adjutant_core::message::{Message, Sender};
use adjutant_core::turn::EndedTurn;
use adjutant_core::{Host, SessionId, Timestamp, TurnNumber};
use adjutant_store::{ReadError, Reader, Selection};
use axum::Json;

use crate::frame;
use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::room::{Room, SHOWN_BYTES_MAX};
use crate::http::to_api;

/// Turns that one call shows.
const TURNS_MAX: u32 = 1_000;

/// Entries of an agent's own record that one call shows, the newest.
const ENTRIES_MAX: usize = 20_000;

/// A turn with all that was said in it.
struct Told {
    turn: EndedTurn,
    asked: Vec<Asked>,
    answer: Option<String>,
}

/// A message of a turn.
struct Asked {
    message: Message,
    text: String,
    /// What was put beside it.
    frame: Option<String>,
}

impl Asked {
    fn bytes(&self) -> usize {
        self.text.len() + self.frame.as_ref().map_or(0, String::len)
    }

    /// Whether the agent's record of what it was told is of this message.
    fn is(&self, recorded: &str) -> bool {
        let whole =
            |frame: &String| recorded.strip_suffix(frame.as_str()).is_some_and(|text| text.trim() == self.text.trim());
        recorded == self.text.trim() || self.frame.as_ref().is_some_and(whole)
    }
}

/// `GET /v1/sessions/{id}/log`
pub(super) async fn log(call: Incoming) -> Result<Json<Vec<LogEntry>>, Failure> {
    let session = call.session_to_read().await?;
    let query: LogQuery = call.query()?;
    let tools = query.tools;
    let whole = query.n.is_none() && query.since.is_none();
    let forward = query.since.is_some();
    let (told, left_out) = call.app.read(move |reader| conversation(reader, session, &query)).await?;
    let first = told.first().map(|told| told.turn.number.get()).filter(|first| !whole && *first > 1);
    let before =
        move |reader: &Reader| first.map_or(Ok(None), |first| reader.turn(session, TurnNumber::new(first - 1)));
    let after = call.app.read(before).await?.map(|turn| turn.ended_at);
    let kept = record(&call, session, after).await?;
    let left_out = left_out.filter(|_| kept.is_none());
    let look = move |host: &Host| match kept {
        Some(kept) => recorded(host, session, &told, kept, after, tools),
        None => told.into_iter().flat_map(|told| entries(host, told)).collect(),
    };
    let mut shown: Vec<LogEntry> = call.app.look(look).await?;
    if let Some(why) = cut(&mut shown, forward).or(left_out) {
        shown.insert(if forward { shown.len() } else { 0 }, notice(why));
    }
    Ok(Json(shown))
}

/// Leaves out what one call has no room for, the oldest or, `forward`, the newest; in a line what it was.
fn cut(shown: &mut Vec<LogEntry>, forward: bool) -> Option<String> {
    let mut room = Room::default();
    let mut is_left_out =
        |entry: &LogEntry| !room.has(&entry.text) || !room.has(entry.appended.as_deref().unwrap_or_default());
    if forward {
        let first = shown.iter().position(&mut is_left_out)?;
        let next = shown.split_off(first).first().and_then(|entry| entry.turn);
        let next = next.map_or(String::new(), |next| format!(": adj logs --since {next}"));
        return Some(format!("More follows{next}"));
    }
    let last = shown.iter().rposition(&mut is_left_out)?;
    drop(shown.drain(..=last));
    Some("What was said before is left out here: adj logs --since 1".to_owned())
}

/// What the agent itself keeps of the conversation, if it keeps anything; what was said before a moment may be left out.
pub(super) async fn record(
    call: &Incoming,
    id: SessionId,
    since: Option<Timestamp>,
) -> Result<Option<Vec<ConversationEntry>>, Failure> {
    let known = move |host: &Host| {
        let session = host.session(id).ok_or_else(|| Failure::gone(id))?;
        Ok::<_, Failure>((session.profile.clone(), session.conversation.clone(), session.revivals))
    };
    let (profile, conversation, revivals) = call.app.look(known).await??;
    let Some(agent) = call.app.agents.get(&profile.agent).cloned() else { return Ok(None) };
    let places: Vec<Place> = (0..=revivals).rev().map(|life| call.app.places.of_life(id, life)).collect();
    let read = tokio::task::spawn_blocking(move || {
        let native = conversation.as_deref();
        let of = |place| ConversationOf { place, profile: &profile, native, entries_max: ENTRIES_MAX, since };
        // A life that came to nothing may know nothing of the conversation; the one before it does.
        let read = places.iter().map(|place| agent.conversation(of(place)));
        let told = |read: &Result<_, ConversationError>| !matches!(read, Err(ConversationError::None));
        read.into_iter().find(told).unwrap_or(Err(ConversationError::None))
    });
    match read.await.map_err(|_| Failure::internal("reading the agent's record failed"))? {
        Ok(entries) => Ok(Some(entries)),
        Err(ConversationError::None) => Ok(None),
        Err(ConversationError::Unreadable { detail }) => {
            tracing::warn!(session = %id, detail, "the agent's own record cannot be read; messages and answers are shown");
            Ok(None)
        }
    }
}

/// The agent's record as entries. Their turns follow from their times: what was said belongs to the first turn that
/// ended after it, or else to the one that runs. `after` is the end of the last turn that is not wanted.
fn recorded(
    host: &Host,
    id: SessionId,
    told: &[Told],
    kept: Vec<ConversationEntry>,
    after: Option<Timestamp>,
    tools: bool,
) -> Vec<LogEntry> {
    let running = host.session(id).and_then(|session| session.turn()).map(|turn| turn.number.get());
    let wanted = |entry: &ConversationEntry| {
        let shown = tools || !matches!(entry.role, Speaker::Tool | Speaker::ToolResult);
        shown && (entry.at.is_none() || entry.at > after)
    };
    let wire = |entry: ConversationEntry| {
        let turn = told.iter().find(|told| entry.at.is_some_and(|at| told.turn.ended_at >= at));
        let human = entry.role == Speaker::Human;
        let asked = turn
            .filter(|_| human)
            .and_then(|told| told.asked.iter().find(|asked| asked.is(entry.text.trim())).map(|asked| &asked.message));
        LogEntry {
            role: role(entry.role),
            text: entry.text,
            turn: turn.map(|told| told.turn.number.get()).or(running.filter(|_| entry.at.is_some())),
            at: entry.at.map(to_api::time),
            from: asked.map(|message| from(host, message.from)),
            message: asked.map(|message| message.id.to_string()),
            tool: entry.tool,
            // It is part of what the agent has recorded.
            appended: None,
        }
    };
    let mut entries: Vec<LogEntry> = kept.into_iter().filter(wanted).map(wire).collect();
    add_last_answer(&mut entries, told.last());
    entries
}

/// Adds the answer of the last turn where the agent's record does not have it: it is written a moment after the end.
fn add_last_answer(entries: &mut Vec<LogEntry>, last: Option<&Told>) {
    let Some((turn, answer)) = last.and_then(|last| Some((&last.turn, last.answer.as_deref()?.trim_end()))) else {
        return;
    };
    let number = Some(turn.number.get());
    let says = |entry: &LogEntry| {
        entry.role == Role::Assistant && entry.turn == number && entry.text.trim_end().ends_with(answer)
    };
    if answer.is_empty() || entries.iter().any(says) {
        return;
    }
    let behind = entries.iter().position(|entry| entry.turn > number).unwrap_or(entries.len());
    let at = Some(to_api::time(turn.ended_at));
    let (role, text) = (Role::Assistant, answer.to_owned());
    let said = LogEntry { role, text, turn: number, at, from: None, message: None, tool: None, appended: None };
    entries.insert(behind, said);
}

fn role(speaker: Speaker) -> Role {
    match speaker {
        Speaker::Human => Role::Human,
        Speaker::Assistant => Role::Assistant,
        Speaker::Tool | Speaker::ToolResult => Role::Tool,
        Speaker::Notice => Role::Notice,
    }
}

/// The turns that are shown, oldest first, and in a line what was left out beside what was not asked for.
fn conversation(
    reader: &Reader,
    session: SessionId,
    query: &LogQuery,
) -> Result<(Vec<Told>, Option<String>), ReadError> {
    let count = query.n.unwrap_or(TURNS_MAX).min(TURNS_MAX) as usize;
    if let Some(since) = query.since {
        let turns = reader.turns_of(session, Selection::Since(TurnNumber::new(since), count))?;
        let full = turns.len() == count;
        let (told, next) = told_within(reader, session, turns.into_iter())?;
        let next = next.or(told.last().filter(|_| full && query.n.is_none()).map(|last| last.turn.number.get() + 1));
        return Ok((told, next.map(|next| format!("Turns from {next} on may follow: adj logs --since {next}"))));
    }
    let turns = reader.turns_of(session, Selection::Last(count))?;
    let (mut told, cut) = told_within(reader, session, turns.into_iter().rev())?;
    told.reverse();
    let first = told.first().map_or(1, |first| first.turn.number.get());
    let left_out = first > 1 && (query.n.is_none() || cut.is_some());
    let why = left_out.then(|| format!("Turns before {first} are left out here: adj logs --since 1"));
    Ok((told, why))
}

/// As many turns as the bound on bytes allows, and the number of the first that it does not.
fn told_within(
    reader: &Reader,
    session: SessionId,
    turns: impl Iterator<Item = EndedTurn>,
) -> Result<(Vec<Told>, Option<u32>), ReadError> {
    let (mut shown, mut bytes) = (Vec::new(), 0);
    for turn in turns {
        if bytes > SHOWN_BYTES_MAX {
            return Ok((shown, Some(turn.number.get())));
        }
        let turn = told(reader, session, turn)?;
        bytes += turn.answer.as_ref().map_or(0, String::len);
        bytes += turn.asked.iter().map(Asked::bytes).sum::<usize>();
        shown.push(turn);
    }
    Ok((shown, None))
}

fn notice(text: String) -> LogEntry {
    LogEntry { role: Role::Notice, text, turn: None, at: None, from: None, message: None, tool: None, appended: None }
}

fn told(reader: &Reader, session: SessionId, turn: EndedTurn) -> Result<Told, ReadError> {
    let mut asked = Vec::new();
    for id in &turn.messages {
        if let (Some(message), Some(text)) = (reader.message(*id)?, reader.text_of_message(*id)?) {
            let answers = |session, turn| frame::final_text(reader, session, turn);
            let frame = message.after.as_ref().map(|after| frame::frame(after, &answers));
            asked.push(Asked { message, text, frame });
        }
    }
    let answer = reader.answer(session, turn.number)?;
    Ok(Told { turn, asked, answer })
}

fn entries(host: &Host, told: Told) -> Vec<LogEntry> {
    let turn = told.turn.number.get();
    let human = |Asked { message, text, frame }: Asked| LogEntry {
        role: Role::Human,
        text,
        turn: Some(turn),
        at: Some(to_api::time(told.turn.started_at)),
        from: Some(from(host, message.from)),
        message: Some(message.id.to_string()),
        tool: None,
        appended: frame,
    };
    let typed = matches!(told.turn.origin, TurnOrigin::Person).then(|| LogEntry {
        role: Role::Human,
        text: "(typed at the terminal)".to_owned(),
        turn: Some(turn),
        at: Some(to_api::time(told.turn.started_at)),
        from: Some("terminal".to_owned()),
        message: None,
        tool: None,
        appended: None,
    });
    let assistant = told.answer.map(|text| LogEntry {
        role: Role::Assistant,
        text,
        turn: Some(turn),
        at: Some(to_api::time(told.turn.ended_at)),
        from: None,
        message: None,
        tool: None,
        appended: None,
    });
    typed.into_iter().chain(told.asked.into_iter().map(human)).chain(assistant).collect()
}

fn from(host: &Host, sender: Sender) -> String {
    match sender {
        Sender::Host => "adjutant".to_owned(),
        Sender::Human => "human".to_owned(),
        Sender::Session(id) => to_api::caller_name(host, id),
        Sender::Token(id) => format!("token {id}"),
    }
}
