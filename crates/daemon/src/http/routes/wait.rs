//! Waiting for work, so that a waiter can be cut off and go on with the same wait.
//!
//! The cursor of the stream holds what is still waited for and the place in the log up to which that is true. A client
//! that comes back with it, to this daemon or to its successor, continues from the log.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use adjutant_api::ErrorCode;
use adjutant_api::stream::{WaitEnd, WaitRecord, WaitResult};
use adjutant_api::types::turn::{OutcomeWord, TurnResult, WaitQuery};
use adjutant_core::call::Caller;
use adjutant_core::event::{Event, Logged};
use adjutant_core::message::{MessageEnd, Undeliverable};
use adjutant_core::outcome::UnknownReason;
use adjutant_core::session::{Phase, Session};
use adjutant_core::wait::{Fallen, Verdict, WaitOptions, Waiting};
use adjutant_core::{Host, MessageId, Right, Seq, SessionId, TurnNumber};
use adjutant_store::Entry;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::answers::result_of;
use super::heard::heard;
use super::messages::session_of_own;
use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::follow::{Follower, GAP};
use crate::http::resolve::{self, Rule};
use crate::http::stream::{self, ReaderGone, Records, told_to_end};
use crate::http::{App, to_api};

/// Sessions that one call can wait for.
const SESSIONS_MAX: usize = 1_000;

/// `GET /v1/wait`
pub(super) async fn wait(call: Incoming) -> Result<Response, Failure> {
    let query: WaitQuery = call.query()?;
    let mut sessions = Vec::new();
    for text in &query.session {
        sessions.push(named(&call, text, query.r#for.as_deref()).await?);
    }
    check(&query, &sessions)?;
    let own_only = is_limited(&call, &query, &sessions).await?;
    let state = begin(&call, &query, &sessions, own_only).await?;
    let (response, records) = stream::open(&call)?;
    let app = call.app.clone();
    tokio::spawn(async move {
        let _ = run(&app, &records, state, &query).await;
    });
    Ok(response)
}

/// A session that is waited for; also one that is not the caller's own, for the end of a message that the caller sent.
async fn named(call: &Incoming, text: &str, only: Option<&str>) -> Result<SessionId, Failure> {
    match only.map(resolve::message_id).transpose()? {
        Some(message) => session_of_own(call, text, message).await,
        None => call.resolve(text, Rule::Read, Right::See).await,
    }
}

/// Whether the caller may see nothing of the session but what becomes of its own message there.
async fn is_limited(call: &Incoming, query: &WaitQuery, sessions: &[SessionId]) -> Result<bool, Failure> {
    for session in sessions {
        if !call.may(*session, Right::See).await? {
            return match query.running {
                true => Err(Failure::new(ErrorCode::Forbidden, "the turn that runs there is another's")),
                false => Ok(true),
            };
        }
    }
    Ok(false)
}

fn distinct(sessions: &[SessionId]) -> Vec<SessionId> {
    sessions.iter().copied().collect::<BTreeSet<_>>().into_iter().collect()
}

fn check(query: &WaitQuery, sessions: &[SessionId]) -> Result<(), Failure> {
    let usage = |message: String| Err(Failure::new(ErrorCode::Usage, message));
    match () {
        () if sessions.is_empty() => usage("a wait names a session".to_owned()),
        () if sessions.len() > SESSIONS_MAX => usage(format!("a wait names at most {SESSIONS_MAX} sessions")),
        () if query.goal => Err(Failure::new(ErrorCode::NotSupported, "no agent of these sessions has goals")),
        () if query.r#for.is_some() && sessions.len() > 1 => usage("a message belongs to one session".to_owned()),
        () if query.next_turn && query.r#for.is_some() => {
            usage("the next turn and a message exclude each other".to_owned())
        }
        () if query.count == Some(0) => usage("a count begins at 1".to_owned()),
        () if query.count.is_some_and(|count| count as usize > distinct(sessions).len()) => {
            let named = distinct(sessions).len();
            usage(format!(
                "a count of {} never comes: {named} {} named",
                query.count.unwrap_or_default(),
                if named == 1 { "session is" } else { "sessions are" }
            ))
        }
        () => Ok(()),
    }
}

/// A wait under way.
struct State {
    /// Who waits.
    caller: Caller,
    /// The sessions that are still waited for.
    open: BTreeMap<SessionId, Waiting>,
    /// What is known at once.
    verdicts: Vec<(SessionId, Verdict)>,
    names: BTreeMap<SessionId, String>,
    follower: Follower,
    /// How many sessions have to be done.
    needed: usize,
    results: Vec<TurnResult>,
    waits_for_input: bool,
    /// One message is waited for, whatever holds it up.
    is_for_one: bool,
    /// What the session asks, and of whom, is not the waiter's to see.
    own_only: bool,
}

async fn begin(call: &Incoming, query: &WaitQuery, sessions: &[SessionId], own_only: bool) -> Result<State, Failure> {
    let distinct = distinct(sessions);
    // A cursor says what is waited for, and whoever may see one message alone decides nothing of that: how the message ended
    // is in the store, so that the wait begins anew and is the same.
    let begun = match call.last_event_id().filter(|_| !own_only) {
        Some(text) => resume(call, query, &distinct, text).await,
        None => fresh(call, query, distinct).await,
    };
    begun.map(|state| State { own_only, ..state })
}

async fn fresh(call: &Incoming, query: &WaitQuery, sessions: Vec<SessionId>) -> Result<State, Failure> {
    let only = query.r#for.as_deref().map(resolve::message_id).transpose()?;
    let options = WaitOptions {
        next_turn: query.next_turn,
        only,
        through_input: query.through_input,
        include_delayed: query.include_delayed,
    };
    let mut follower = Follower::live(&call.app, sessions.clone());
    let (ids, running) = (sessions.clone(), query.running);
    let look = move |host: &Host| {
        let begun = ids.iter().filter_map(|id| host.session(*id)).map(|session| {
            let name = session.name.to_string();
            let begun = Waiting::begin(session, options);
            (session.id, name, if running { only_running(session, begun) } else { begun })
        });
        (begun.collect::<Vec<_>>(), Seq::new(host.counters().next_seq - 1))
    };
    let (begun, seq) = call.app.look(look).await?;
    follower.starts_at(seq);
    let needed = needed(query, sessions.len());
    let mut state = State {
        caller: call.caller,
        open: BTreeMap::new(),
        verdicts: Vec::new(),
        names: BTreeMap::new(),
        follower,
        needed,
        results: Vec::new(),
        waits_for_input: false,
        is_for_one: query.r#for.is_some(),
        own_only: false,
    };
    for (id, name, (waiting, verdict)) in begun {
        let verdict = match verdict {
            Some(Verdict::EndedBefore(message)) => Some(ended_message(call, id, message).await?),
            other => other,
        };
        state.names.insert(id, name);
        match verdict {
            Some(verdict) => state.verdicts.push((id, verdict)),
            None => drop(state.open.insert(id, waiting)),
        }
    }
    Ok(state)
}

/// Narrows a wait to the turn that runs, or the last one where none does.
fn only_running(session: &Session, (mut waiting, verdict): (Waiting, Option<Verdict>)) -> (Waiting, Option<Verdict>) {
    waiting.messages.clear();
    waiting.readiness = false;
    let last = session.last_turn.as_ref().map_or(Verdict::NeverWorked, |turn| Verdict::Turn(turn.number));
    let verdict = verdict.or_else(|| waiting.turn.is_none().then_some(last));
    (waiting, verdict)
}

fn needed(query: &WaitQuery, sessions: usize) -> usize {
    query.count.map_or(sessions, |count| (count as usize).min(sessions))
}

/// The verdict about a message that has left its queue before the wait began.
async fn ended_message(call: &Incoming, session: SessionId, id: MessageId) -> Result<Verdict, Failure> {
    use adjutant_core::message::{MessageEnd, MessageState};
    let message = call.app.read(move |reader| reader.message(id)).await?.filter(|message| message.session == session);
    let message =
        message.ok_or_else(|| Failure::new(ErrorCode::MessageNotFound, format!("no message {id} in that session")))?;
    match message.state {
        MessageState::Ended { end: MessageEnd::Settled { turn, .. }, .. } => Ok(Verdict::Turn(turn)),
        MessageState::Ended { end, .. } => Ok(Verdict::Fallen(Fallen { message: id, end })),
        MessageState::Delayed { .. }
        | MessageState::Ready
        | MessageState::Delivering { .. }
        | MessageState::Running { .. } => {
            Err(Failure::internal(format!("{id} has not ended, and is not in its session")))
        }
    }
}

async fn run(app: &App, records: &Records, mut state: State, query: &WaitQuery) -> Result<(), ReaderGone> {
    records.write(&WaitRecord::Waiting { cursor: state.cursor() }, Some(&state.cursor())).await?;
    // What is known at once is told even to a caller that only looks.
    let known = state.settle_known(app, records).await;
    let done = match known {
        Err(failure) => Err(failure),
        Ok(()) => tokio::select! {
            biased;
            done = state.watch(app, records) => done,
            () = deadline(query.timeout_ms) => Ok(Some(WaitEnd::Timeout)),
            () = records.reader_gone() => return Err(ReaderGone),
        },
    };
    let last = match done {
        Ok(Some(ended_by)) => WaitRecord::Result(state.result(ended_by)),
        Ok(None) => WaitRecord::Stopping,
        Err(failure) => WaitRecord::Error { error: *failure.body },
    };
    records.write(&last, None).await
}

async fn deadline(timeout_ms: Option<u64>) {
    match timeout_ms {
        Some(millis) => deadline_in(Duration::from_millis(millis)).await,
        None => std::future::pending().await,
    }
}

#[expect(clippy::disallowed_methods, reason = "the deadline that the caller asked for")]
async fn deadline_in(limit: Duration) {
    tokio::time::sleep(limit).await;
}

impl State {
    /// The whole result; after a timeout also the sessions that are not done.
    fn result(mut self, ended_by: WaitEnd) -> WaitResult {
        if ended_by == WaitEnd::Timeout {
            let names = self.open.keys().filter_map(|id| self.names.get(id));
            self.results.extend(names.map(|name| to_api::timed_out(name)));
        }
        WaitResult { ended_by, results: self.results }
    }

    async fn settle_known(&mut self, app: &App, records: &Records) -> Result<(), Failure> {
        for (id, verdict) in std::mem::take(&mut self.verdicts) {
            self.settle(app, records, id, verdict).await?;
        }
        Ok(())
    }

    /// Follows the sessions to the end of the wait. `None` when the daemon ends first.
    async fn watch(&mut self, app: &App, records: &Records) -> Result<Option<WaitEnd>, Failure> {
        let mut alive = stream::alive_clock();
        let mut ending = app.ending.subscribe();
        loop {
            if self.waits_for_input {
                return Ok(Some(WaitEnd::Input));
            }
            if self.results.len() >= self.needed || self.open.is_empty() {
                return Ok(Some(WaitEnd::Done));
            }
            tokio::select! {
                biased;
                () = told_to_end(&mut ending) => return Ok(None),
                event = self.follower.next() => {
                    let event = event?;
                    let verdict = match &event.entry {
                        Entry::Known(logged) => self.take_in(app, logged).await?,
                        Entry::Opaque(opaque) if opaque.type_name == GAP => return Err(gone()),
                        Entry::Opaque(_) => None,
                    };
                    if let Some(verdict) = verdict {
                        self.settle(app, records, event.entry.session(), verdict).await?;
                    }
                }
                _ = alive.tick() => written(records.write(&WaitRecord::Alive, None).await)?,
            }
        }
    }

    async fn take_in(&mut self, app: &App, logged: &Logged) -> Result<Option<Verdict>, Failure> {
        let verdict = self.open.get_mut(&logged.session).and_then(|waiting| waiting.on_event(logged));
        let may_stand = matches!(logged.event, Event::QueueHeld { .. } | Event::MessageReturned { .. });
        let may_stand = may_stand && !self.is_for_one;
        let is_seen = logged.event == Event::SessionSeen;
        if verdict.is_some() || !(may_stand || is_seen) {
            return Ok(verdict);
        }
        let id = logged.session;
        let Some(mut waiting) = self.open.get(&id).cloned() else { return Ok(None) };
        let look = move |host: &Host| {
            let found = |session| if is_seen { waiting.on_seen(session) } else { waiting.leave_held(session) };
            let verdict = host.session(id).and_then(found);
            (waiting, verdict)
        };
        let (waiting, verdict) = app.look(look).await?;
        self.open.insert(id, waiting);
        Ok(verdict)
    }

    async fn settle(&mut self, app: &App, records: &Records, id: SessionId, verdict: Verdict) -> Result<(), Failure> {
        self.open.remove(&id);
        let name = self.names.get(&id).cloned().unwrap_or_else(|| id.to_string());
        let mut result = result(app, id, &name, verdict).await?;
        if self.own_only && result.outcome == OutcomeWord::WaitingForInput {
            (result.turn, result.pending) = (None, Vec::new());
        }
        heard(app, self.caller, &result.messages).await;
        self.waits_for_input |= result.outcome == OutcomeWord::WaitingForInput;
        self.results.push(result.clone());
        let cursor = self.cursor();
        written(records.write(&WaitRecord::Session { result }, Some(&cursor)).await)
    }

    fn cursor(&self) -> String {
        let open = self.open.values().map(OpenWait::of).collect();
        let unread = self.verdicts.iter().map(|(id, _)| id.to_string()).collect();
        let cursor = Cursor { seq: self.follower.seen().get(), open, unread, done: self.results.len() };
        serde_json::to_string(&cursor).unwrap_or_default()
    }
}

/// A wait that was cut off for so long that the log has gone on without it.
fn gone() -> Failure {
    let text = "what has happened since this wait was cut off is no longer in the log; begin it anew";
    Failure::new(ErrorCode::OutcomeUnknown, text)
}

fn written(written: Result<(), ReaderGone>) -> Result<(), Failure> {
    written.map_err(|ReaderGone| Failure::internal("the reader has gone"))
}

async fn result(app: &App, id: SessionId, name: &str, verdict: Verdict) -> Result<TurnResult, Failure> {
    match verdict {
        Verdict::Turn(turn) => result_of(app, id, name, turn).await,
        Verdict::Fallen(fallen) => Ok(to_api::fallen(name, &fallen)),
        Verdict::NeverWorked => Ok(to_api::idle(name)),
        Verdict::EndedBefore(message) => Err(Failure::internal(format!("the end of {message} was not looked up"))),
        Verdict::Exited => {
            let look = move |host: &Host| {
                let Phase::Exited { end, .. } = &host.session(id)?.phase else { return None };
                to_api::exit_detail(end)
            };
            Ok(to_api::exited(name, app.look(look).await?))
        }
        Verdict::Input(_) => {
            let look = move |host: &Host| {
                let session = host.session(id);
                let turn = session.and_then(|s| s.turn()).map(|turn| turn.number.get());
                (turn, session.map_or_else(Vec::new, |s| s.requests().map(|r| to_api::request(s, r)).collect()))
            };
            let (turn, pending) = app.look(look).await?;
            Ok(to_api::input(name, turn, pending))
        }
    }
}

/// What a client carries over a restart.
#[derive(Serialize, Deserialize)]
struct Cursor {
    /// The place in the log up to which the rest is true.
    seq: u64,
    /// What is still waited for.
    open: Vec<OpenWait>,
    /// Sessions whose result was known at once and not written yet.
    unread: Vec<String>,
    /// How many results were written.
    done: usize,
}

#[derive(Serialize, Deserialize)]
struct OpenWait {
    session: String,
    turn: Option<u32>,
    messages: Vec<u64>,
    next_turn: bool,
    readiness: bool,
    through_input: bool,
    ended: Option<u32>,
    /// The message of the set that ended without a turn, if one did.
    #[serde(default)]
    fallen: Option<OpenFallen>,
}

/// A message that ended without a turn, as far as a wait's result tells of it.
#[derive(Serialize, Deserialize)]
struct OpenFallen {
    message: u64,
    how: FallenWord,
    /// What was seen, where the result says so.
    #[serde(default)]
    detail: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FallenWord {
    Exited,
    NeverTaken,
    Cancelled,
    Expired,
    Unproven,
    Unseen,
}

impl OpenFallen {
    fn of(fallen: &Fallen) -> Option<Self> {
        let (how, detail) = match &fallen.end {
            MessageEnd::Undeliverable { why: Undeliverable::SessionExited } => (FallenWord::Exited, String::new()),
            MessageEnd::Undeliverable { why: Undeliverable::NeverTaken { detail } } => {
                (FallenWord::NeverTaken, detail.clone())
            }
            MessageEnd::Cancelled => (FallenWord::Cancelled, String::new()),
            MessageEnd::Expired => (FallenWord::Expired, String::new()),
            MessageEnd::Unknown { why: UnknownReason::HandoverUnproven { detail } } => {
                (FallenWord::Unproven, detail.clone())
            }
            MessageEnd::Unknown { why: UnknownReason::EndUnseen { detail } } => (FallenWord::Unseen, detail.clone()),
            MessageEnd::Unknown { why } => (FallenWord::Unseen, to_api::unknown_text(why)),
            MessageEnd::Settled { .. } => return None,
        };
        Some(Self { message: fallen.message.get(), how, detail })
    }

    fn fallen(self) -> Fallen {
        let detail = self.detail;
        let end = match self.how {
            FallenWord::Exited => MessageEnd::Undeliverable { why: Undeliverable::SessionExited },
            FallenWord::NeverTaken => MessageEnd::Undeliverable { why: Undeliverable::NeverTaken { detail } },
            FallenWord::Cancelled => MessageEnd::Cancelled,
            FallenWord::Expired => MessageEnd::Expired,
            FallenWord::Unproven => MessageEnd::Unknown { why: UnknownReason::HandoverUnproven { detail } },
            FallenWord::Unseen => MessageEnd::Unknown { why: UnknownReason::EndUnseen { detail } },
        };
        Fallen { message: MessageId::new(self.message), end }
    }
}

impl OpenWait {
    fn of(waiting: &Waiting) -> Self {
        Self {
            session: waiting.session.to_string(),
            turn: waiting.turn.map(TurnNumber::get),
            messages: waiting.messages.iter().map(|id| id.get()).collect(),
            next_turn: waiting.next_turn,
            readiness: waiting.readiness,
            through_input: waiting.through_input,
            ended: waiting.ended.map(TurnNumber::get),
            fallen: waiting.fallen.as_ref().and_then(OpenFallen::of),
        }
    }

    fn waiting(self, session: SessionId) -> Waiting {
        Waiting {
            session,
            turn: self.turn.map(TurnNumber::new),
            messages: self.messages.into_iter().map(MessageId::new).collect(),
            next_turn: self.next_turn,
            readiness: self.readiness,
            through_input: self.through_input,
            ended: self.ended.map(TurnNumber::new),
            fallen: self.fallen.map(OpenFallen::fallen),
        }
    }
}

/// Takes a wait up again where its cursor left it. Only the sessions that the call names are looked at.
async fn resume(call: &Incoming, query: &WaitQuery, sessions: &[SessionId], text: &str) -> Result<State, Failure> {
    let malformed = || Failure::new(ErrorCode::Usage, "the Last-Event-ID is no cursor of a wait");
    let cursor: Cursor = serde_json::from_str(text).map_err(|_| malformed())?;
    let last = call.app.look(|host| host.counters().next_seq - 1).await?;
    if cursor.seq > last {
        let message = format!("the Last-Event-ID is of another log: this one ends at {last}");
        return Err(Failure::new(ErrorCode::Usage, message));
    }
    let named = |text: &str| text.parse::<SessionId>().ok().filter(|id| sessions.contains(id)).ok_or_else(malformed);
    if !cursor.unread.is_empty() {
        // Nothing was written yet but the cursor itself: beginning anew is the same wait for those that were done, and
        // their sets cannot have grown.
        return fresh(call, query, sessions.to_vec()).await;
    }
    let mut open = BTreeMap::new();
    for wait in cursor.open {
        let session = named(&wait.session)?;
        open.insert(session, wait.waiting(session));
    }
    let ids: Vec<SessionId> = open.keys().copied().collect();
    let names = ids.clone();
    let look =
        move |host: &Host| names.iter().map(|id| (*id, to_api::caller_name(host, *id))).collect::<BTreeMap<_, _>>();
    let names = call.app.look(look).await?;
    Ok(State {
        caller: call.caller,
        open,
        verdicts: Vec::new(),
        names,
        follower: Follower::new(&call.app, ids, Seq::new(cursor.seq)),
        needed: needed(query, sessions.len()).saturating_sub(cursor.done),
        results: Vec::new(),
        waits_for_input: false,
        is_for_one: query.r#for.is_some(),
        own_only: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_is_taken_up_again_is_the_same_wait() {
        let detail = || "what was seen".to_owned();
        for end in [
            MessageEnd::Undeliverable { why: Undeliverable::SessionExited },
            MessageEnd::Undeliverable { why: Undeliverable::NeverTaken { detail: detail() } },
            MessageEnd::Cancelled,
            MessageEnd::Expired,
            MessageEnd::Unknown { why: UnknownReason::HandoverUnproven { detail: detail() } },
            MessageEnd::Unknown { why: UnknownReason::EndUnseen { detail: detail() } },
        ] {
            let waiting = Waiting {
                session: SessionId::from_bytes([7; 16]),
                turn: Some(TurnNumber::new(3)),
                messages: BTreeSet::from([MessageId::new(5)]),
                next_turn: false,
                readiness: true,
                through_input: true,
                ended: Some(TurnNumber::new(2)),
                fallen: Some(Fallen { message: MessageId::new(4), end }),
            };
            let carried = serde_json::to_string(&OpenWait::of(&waiting)).unwrap();
            let again: OpenWait = serde_json::from_str(&carried).unwrap();
            assert_eq!(again.waiting(waiting.session), waiting);
        }
        let older = r#"{"session":"","turn":null,"messages":[],"next_turn":true,"readiness":false,"through_input":false,"ended":null}"#;
        let older: OpenWait = serde_json::from_str(older).unwrap();
        assert_eq!(older.waiting(SessionId::from_bytes([7; 16])).fallen, None);
    }
}
