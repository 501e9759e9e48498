//! Telling people what happens: a command is run, or a web hook called, for each event of the types that are named.
//!
//! The task reads the log behind a cursor of its own, one event after another, so that a receiver that is slow or away
//! holds up nobody and costs no memory. The cursor is kept in a small file: what happened while the daemon was away is told
//! by the next one. An event is told at least once, and its number tells a repetition.

mod command;
mod webhook;

use std::path::Path;
use std::time::Duration;

use adjutant_core::event::type_matches;
use adjutant_core::{Host, Seq};
use serde::{Deserialize, Serialize};

pub use self::webhook::Webhook;
use crate::feed::Told;
use crate::http::{App, Follower};
use crate::{clock, file};

/// Pauses between the attempts for one event; there is one attempt more than pauses.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(25)];

/// Events that are older than this when their turn comes are passed over, in milliseconds.
const AGE_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// The file of the cursor in the state directory.
const FILE: &str = "notify.json";

/// What people are told, and how.
#[derive(Clone, Debug)]
pub struct Notify {
    /// The program and its arguments; the event is on its standard input.
    pub command: Vec<String>,
    /// Where the event is posted.
    pub webhook: Option<Webhook>,
    /// The types of events; `*` at the end stands for anything.
    pub events: Vec<String>,
    /// Time for one attempt.
    pub attempt: Duration,
}

/// Why an attempt has failed.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Failed {
    text: String,
    /// Another attempt may go better.
    again: bool,
}

impl Failed {
    fn passing(text: impl Into<String>) -> Self {
        Self { text: text.into(), again: true }
    }

    fn lasting(text: impl Into<String>) -> Self {
        Self { text: text.into(), again: false }
    }
}

#[derive(Serialize, Deserialize)]
struct Cursor {
    seq: u64,
}

impl Notify {
    fn wants(&self, type_name: &str) -> bool {
        self.events.iter().any(|pattern| type_matches(pattern, type_name))
    }
}

/// Tells people what happens until the daemon ends. Dropped at any time, it has lost nothing.
pub(crate) async fn run(app: App, notify: Option<Notify>) {
    let Some(notify) = notify else { return };
    let path = app.home.state.join(FILE);
    let Ok(present) = app.supervisor.look(|host: &Host| host.counters().next_seq - 1).await else { return };
    let seen = begin(&path, present);
    let mut follower = Follower::new(&app, Vec::new(), Seq::new(seen));
    while let Ok(told) = follower.next().await {
        if !notify.wants(told.entry.type_name()) {
            continue;
        }
        tell(&notify, &told).await;
        keep(&path, told.entry.seq().get());
    }
}

/// Where the last daemon came to; the present where there was none, or where its file says something impossible.
fn begin(path: &Path, present: u64) -> u64 {
    let kept = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<Cursor>(&bytes).ok());
    match kept {
        Some(cursor) => cursor.seq.min(present),
        None => {
            keep(path, present);
            present
        }
    }
}

fn keep(path: &Path, seq: u64) {
    let bytes = format!("{{\"seq\":{seq}}}\n");
    if let Err(error) = file::write_whole(path, bytes.as_bytes()) {
        tracing::warn!(%error, "how far people were told could not be kept; they may be told again");
    }
}

/// Both ways, each with its own attempts. What came of it is in the log.
async fn tell(notify: &Notify, told: &Told) {
    let seq = told.entry.seq().get();
    let age = clock::wall().millis_since(told.at());
    if age > AGE_MS_MAX {
        tracing::warn!(seq, "an event is too old for people to be told of it");
        return;
    }
    let by_command = async {
        if !notify.command.is_empty() {
            let attempt = || command::run(&notify.command, told.json(), seq, notify.attempt);
            note("command", seq, told, attempts(&PAUSES, attempt).await);
        }
    };
    let by_webhook = async {
        if let Some(webhook) = &notify.webhook {
            let attempt = || webhook.post(told.json(), seq, notify.attempt);
            note("webhook", seq, told, attempts(&PAUSES, attempt).await);
        }
    };
    tokio::join!(by_command, by_webhook);
}

/// Tries until it succeeds, cannot succeed, or was tried often enough; says how often.
async fn attempts<F: Future<Output = Result<(), Failed>>>(
    pauses: &[Duration],
    attempt: impl Fn() -> F,
) -> (usize, Result<(), Failed>) {
    for (number, pause) in pauses.iter().enumerate() {
        match attempt().await {
            Err(failed) if failed.again => {
                tracing::info!(%failed, attempt = number + 1, "people could not be told yet");
                let _ = tokio::time::timeout(*pause, std::future::pending::<()>()).await;
            }
            done => return (number + 1, done),
        }
    }
    (pauses.len() + 1, attempt().await)
}

fn note(way: &str, seq: u64, told: &Told, (attempts, done): (usize, Result<(), Failed>)) {
    let event = told.entry.type_name();
    match done {
        Ok(()) => tracing::info!(way, seq, event, attempts, "people were told"),
        Err(failed) => tracing::warn!(way, seq, event, attempts, %failed, "people were not told"),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn attempts_are_bounded_and_end_with_what_cannot_succeed() {
        let (tried, pauses) = (Cell::new(0), [Duration::ZERO; 3]);
        let count = |failed: fn() -> Failed| {
            tried.set(tried.get() + 1);
            async move { Err(failed()) }
        };
        let (attempts_made, done) = attempts(&pauses, || count(|| Failed::passing("busy"))).await;
        assert_eq!((attempts_made, tried.get(), done.is_err()), (4, 4, true));
        tried.set(0);
        let (attempts_made, _) = attempts(&pauses, || count(|| Failed::lasting("gone"))).await;
        assert_eq!((attempts_made, tried.get()), (1, 1));
        let (attempts_made, done) = attempts(&pauses, || async { Ok(()) }).await;
        assert_eq!((attempts_made, done.is_ok()), (1, true));
    }

    #[test]
    fn a_cursor_goes_on_where_it_was_and_never_beyond_the_present() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        assert_eq!(begin(&path, 7), 7, "what was before is nobody's news");
        keep(&path, 9);
        assert_eq!(begin(&path, 20), 9);
        assert_eq!(begin(&path, 5), 5);
        std::fs::write(&path, "garbage").unwrap();
        assert_eq!(begin(&path, 30), 30);
    }

    #[test]
    fn types_are_named_with_or_without_a_star() {
        let events = ["turn.*", "request.opened"].map(str::to_owned).to_vec();
        let notify = Notify { command: Vec::new(), webhook: None, events, attempt: Duration::ZERO };
        assert!(notify.wants("turn.failed") && notify.wants("request.opened"));
        assert!(!notify.wants("request.closed") && !notify.wants("turns"));
    }
}
