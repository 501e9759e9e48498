//! The log, read and followed.

use std::sync::Arc;

use adjutant_api::ErrorCode;
use adjutant_api::protocol::NDJSON;
use adjutant_api::stream::EventRecord;
use adjutant_api::types::event::{Event as WireEvent, EventsQuery};
use adjutant_core::event::type_matches;
use adjutant_core::{Right, Seq, SessionId};
use adjutant_store::Entry;
use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::feed::Told;
use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::follow::{Follower, GAP, gap, scope};
use crate::http::resolve::Rule;
use crate::http::sight::Sight;
use crate::http::stream::{self, Form, ReaderGone, Records, told_to_end};
use crate::http::{App, to_api};

/// Events that one call without `follow` shows.
const EVENTS_MAX: u64 = 10_000;

/// Bytes that are written to a follower at once, when so many events are there.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// Events that `tail` shows unless it says how many.
const TAIL_DEFAULT: u64 = 20;

/// `GET /v1/events`
pub(super) async fn events(call: Incoming) -> Result<Response, Failure> {
    let query: EventsQuery = call.query()?;
    let mut sessions = Vec::new();
    for text in &query.session {
        sessions.push(call.resolve(text, Rule::Read, Right::See).await?);
    }
    let types = query.types.iter().flat_map(|types| types.split(',')).map(|glob| glob.trim().to_owned());
    let wanted = Wanted { sessions, types: types.filter(|glob| !glob.is_empty()).collect() };
    let cursor = cursor(&call, &query)?;
    check_cursor(&call, cursor).await?;
    let sight = Sight::of(&call.app, call.caller);
    let tail = past(&call, &query, &wanted, &sight).await?;
    if !query.follow {
        let shown = on_wire(&call.app, tail).await?;
        return if call.wants_lines() { lines(shown) } else { Ok(Json(shown).into_response()) };
    }
    let (response, records) = stream::open(&call)?;
    let from = start(&call, cursor, &tail).await?;
    let app = call.app.clone();
    tokio::spawn(async move {
        let _ = write(&app, &records, tail, from, &wanted, sight).await;
    });
    Ok(response)
}

/// Which events are asked for.
#[derive(Clone)]
struct Wanted {
    sessions: Vec<SessionId>,
    types: Vec<String>,
}

impl Wanted {
    fn has(&self, event: &Entry) -> bool {
        let name = event.type_name();
        // Whoever asks for some types has lost events of these too.
        self.types.is_empty() || name == GAP || self.types.iter().any(|pattern| type_matches(pattern, name))
    }
}

/// The events before the present that the answer begins with.
async fn past(call: &Incoming, query: &EventsQuery, wanted: &Wanted, sight: &Sight) -> Result<Vec<Entry>, Failure> {
    let resumed = call.last_event_id().is_some() || query.since.is_some();
    if query.follow && (resumed || query.tail.is_none()) {
        return Ok(Vec::new());
    }
    let (since, mut wanted) = (query.since, wanted.clone());
    if wanted.sessions.is_empty()
        && let Some(seen) = sight.sessions().await?
    {
        if seen.is_empty() {
            return Ok(Vec::new());
        }
        wanted.sessions = seen;
    }
    let count = query.tail.unwrap_or(if since.is_some() { EVENTS_MAX } else { TAIL_DEFAULT }).min(EVENTS_MAX) as usize;
    let read = move |reader: &adjutant_store::Reader| {
        let types: Vec<&str> = wanted.types.iter().map(String::as_str).collect();
        let scope = scope(&wanted.sessions, &types);
        match since {
            Some(since) => {
                let page = reader.events_after(Seq::new(since), scope, count)?;
                let lost = page.lost.map(|lost| gap(lost, &wanted.sessions));
                Ok(lost.into_iter().chain(page.entries).collect())
            }
            None => reader.events_tail(count, scope),
        }
    };
    call.app.read(read).await
}

/// The cursor that the call brings along.
fn cursor(call: &Incoming, query: &EventsQuery) -> Result<Option<Seq>, Failure> {
    let cursor = call.last_event_id().map(str::parse::<Seq>).transpose();
    let cursor = cursor.map_err(|_| Failure::new(ErrorCode::Usage, "the Last-Event-ID is no cursor"))?;
    Ok(cursor.or(query.since.map(Seq::new)))
}

/// A cursor is of this log: whoever has one from the future would be told nothing, and nothing of that.
async fn check_cursor(call: &Incoming, cursor: Option<Seq>) -> Result<(), Failure> {
    let Some(cursor) = cursor else { return Ok(()) };
    let last = call.app.look(|host| Seq::new(host.counters().next_seq - 1)).await?;
    if cursor <= last {
        return Ok(());
    }
    let message = format!("the cursor {cursor} is not of this log, which ends at {last}");
    Err(Failure::new(ErrorCode::Usage, message).with_detail("last", last.get()))
}

/// The records of a stream that has ended.
fn lines(shown: Vec<WireEvent>) -> Result<Response, Failure> {
    let mut lines = Vec::new();
    for event in shown {
        let record = EventRecord::Event { event };
        let json = serde_json::to_string(&record).map_err(|error| Failure::internal(error.to_string()))?;
        lines.extend_from_slice(Form::Lines.framed(&json, None).as_slice());
    }
    Ok(([(CONTENT_TYPE, NDJSON)], lines).into_response())
}

/// Where following begins.
async fn start(call: &Incoming, cursor: Option<Seq>, tail: &[Entry]) -> Result<Seq, Failure> {
    match cursor.or(tail.last().map(Entry::seq)) {
        Some(seq) => Ok(seq),
        None => call.app.look(|host| Seq::new(host.counters().next_seq - 1)).await,
    }
}

async fn on_wire(app: &App, events: Vec<Entry>) -> Result<Vec<WireEvent>, Failure> {
    app.look(move |host| events.iter().map(|event| to_api::event(host, event)).collect()).await
}

async fn write(
    app: &App,
    records: &Records,
    tail: Vec<Entry>,
    from: Seq,
    wanted: &Wanted,
    mut sight: Sight,
) -> Result<(), ReaderGone> {
    let shown = on_wire(app, tail).await.map_err(|_| ReaderGone)?;
    for event in shown {
        let id = event.seq.to_string();
        records.write(&EventRecord::Event { event }, Some(&id)).await?;
    }
    // A reader passes over what is not behind its cursor, so the cursor comes behind what it is shown.
    records.write(&EventRecord::Alive { seq: Some(from.get()) }, None).await?;
    let mut follower = Follower::new(app, wanted.sessions.clone(), from);
    let mut alive = stream::alive_clock();
    let mut ending = app.ending.subscribe();
    let member = app.feed.crowd.join();
    loop {
        tokio::select! {
            next = follower.next() => match next {
                Ok(first) => {
                    pass_on(records, first, &mut follower, wanted, &mut sight).await?;
                    member.rest().await;
                }
                Err(failure) => return records.write(&EventRecord::Error { error: *failure.body }, None).await,
            },
            _ = alive.tick() => {
                let seq = Some(follower.seen().get());
                records.write(&EventRecord::Alive { seq }, None).await?;
            }
            () = records.reader_gone() => return Err(ReaderGone),
            // Its reader takes the stream up again at its cursor with the next daemon.
            () = told_to_end(&mut ending) => return records.write(&EventRecord::Stopping, None).await,
        }
    }
}

/// Writes an event and those that are here behind it, in one piece.
async fn pass_on(
    records: &Records,
    first: Arc<Told>,
    follower: &mut Follower,
    wanted: &Wanted,
    sight: &mut Sight,
) -> Result<(), ReaderGone> {
    let mut piece = Vec::new();
    let mut next = Some(first);
    while let Some(told) = next {
        let gap = told.entry.type_name() == GAP;
        if wanted.has(&told.entry) && (gap || sight.sees(told.entry.session()).await.map_err(|_| ReaderGone)?) {
            piece.extend_from_slice(told.record(records.form()));
        }
        next = if piece.len() < PIECE_BYTES_MAX { follower.try_next() } else { None };
    }
    records.send(piece).await
}
