//! Retention: exited sessions are forgotten after their time, and an unused daemon ends.

use std::path::Path;
use std::time::{Duration, Instant};

use adjutant_agents::Place;
use adjutant_agents::runner::may_be_held;
use adjutant_core::call::{Call, Caller};
use adjutant_core::session::Phase;
use adjutant_core::{Host, SessionId, Timestamp};
use adjutant_store::CompactionLimits;
use tokio::time::MissedTickBehavior;

use crate::clock;
use crate::http::App;
use crate::launch::{Places, life_of_directory};
use crate::testpoint;

/// How often old sessions are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// The first time after a start, so that a start is not slowed by it.
const SWEEP_FIRST: Duration = Duration::from_secs(10 * 60);

/// Events that the log keeps at the most, however young they are.
const LOG_EVENTS_MAX: u64 = 1_000_000;

/// Settled turns, messages and requests of one session that are kept when their events go; of each this many.
const SETTLED_KEPT_MAX: usize = 1_000;

/// Fewer events than this are not worth a step of compaction.
const COMPACTION_EVENTS_MIN: u64 = 1_000;

/// Events that go in one step, which the writer is busy with for some tens of milliseconds.
const COMPACTION_EVENTS_MAX: u64 = 20_000;

/// Steps of one sweep.
const COMPACTION_STEPS_MAX: u32 = 1_000;

/// Sessions that are forgotten in one sweep.
const PURGED_MAX: usize = 10_000;

/// Once a day: makes a copy of the store, drops the beginning of its log, and forgets exited sessions that are older than `keep_days`.
pub(crate) async fn sweep(app: App, keep_days: u32) {
    let often = testpoint::number("ADJ_TEST_SWEEP_MS").map(Duration::from_millis);
    let (first, every) = (often.unwrap_or(SWEEP_FIRST), often.unwrap_or(SWEEP_EVERY));
    let mut clock = tokio::time::interval_at(tokio::time::Instant::now() + first, every);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        copy_store(&app).await;
        let before = clock::wall().as_millis() - i64::from(keep_days) * 24 * 60 * 60 * 1_000;
        compact(&app, (keep_days > 0).then(|| Timestamp::from_millis(before))).await;
        if keep_days == 0 {
            continue;
        }
        let Ok(old) = app.supervisor.look(move |host| exited_before(host, Timestamp::from_millis(before))).await else {
            return;
        };
        for session in old {
            let purged = app.supervisor.call(Caller::Human, Call::Purge { session }).await;
            if let Err(refusal) = purged {
                tracing::warn!(%refusal, "an old session could not be forgotten");
            }
        }
    }
}

/// Drops the beginning of the log, step by step: each is planned on a reader's thread and short for the writer, and between
/// two of them whoever waits is served.
async fn compact(app: &App, before: Option<Timestamp>) {
    for _ in 0..COMPACTION_STEPS_MAX {
        let limits = CompactionLimits {
            before,
            events_kept_max: limit_of("ADJ_TEST_LOG_EVENTS_MAX", LOG_EVENTS_MAX),
            settled_kept_max: testpoint::number("ADJ_TEST_SETTLED_KEPT_MAX").map_or(SETTLED_KEPT_MAX, |n| n as usize),
            step_events_min: limit_of("ADJ_TEST_COMPACTION_EVENTS_MIN", COMPACTION_EVENTS_MIN),
            step_events_max: COMPACTION_EVENTS_MAX,
        };
        let plan = match app.read(move |reader| reader.plan_compaction(limits)).await {
            Ok(Some(plan)) => plan,
            Ok(None) => break,
            Err(failure) => {
                tracing::warn!(error = %failure.body.message, "the log could not be looked through");
                break;
            }
        };
        let (through, events, began) = (plan.through(), plan.events(), Instant::now());
        match app.supervisor.compact(plan).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the beginning of the log could not be dropped");
                break;
            }
            Err(_) => break,
        }
        let took_ms = began.elapsed().as_millis() as u64;
        tracing::info!(%through, events, took_ms, "the beginning of the log was dropped, and what it came to is kept");
    }
}

/// A bound that tests may lower in a daemon that is made for them.
fn limit_of(name: &str, usual: u64) -> u64 {
    testpoint::number(name).unwrap_or(usual)
}

/// Removes the directories of sessions that are forgotten: a daemon that died between forgetting one and removing its
/// files has left them, and nobody else would ever look there.
pub(crate) async fn remove_forgotten(app: App) {
    let places = app.places.clone();
    let Ok(found) = tokio::task::spawn_blocking(move || session_directories(&places)).await else { return };
    // The list comes first: a session that is created now is on record before it has a directory.
    let unknown =
        move |host: &Host| found.into_iter().filter(|(id, _)| host.session(*id).is_none()).collect::<Vec<_>>();
    let Ok(unknown) = app.supervisor.look(unknown).await else { return };
    let removed = tokio::task::spawn_blocking(move || {
        let places = || unknown.iter().map(|(id, life)| (*id, app.places.of_life(*id, *life)));
        let held: Vec<SessionId> =
            places().filter(|(_, place)| may_be_held(&place.state_dir)).map(|(id, _)| id).collect();
        for (_, place) in places().filter(|(id, _)| !held.contains(id)) {
            remove_files(&place);
        }
    });
    if let Err(error) = removed.await {
        tracing::warn!(%error, "removing the files of forgotten sessions ended in a panic");
    }
}

/// The lives of sessions that have a directory of their own.
fn session_directories(places: &Places) -> Vec<(SessionId, u32)> {
    let [state, run] = places.of_all();
    let entries = [state, run].into_iter().filter_map(|directory| std::fs::read_dir(directory).ok()).flatten();
    let mut lives: Vec<(SessionId, u32)> =
        entries.flatten().filter_map(|entry| life_of_directory(entry.file_name().to_str()?)).collect();
    lives.sort_unstable();
    lives.dedup();
    lives
}

/// Removes what one life of a session has on the disk.
pub(crate) fn remove_files(place: &Place) {
    remove_directory(&place.state_dir);
    remove_directory(&place.run_dir);
}

/// Removes a directory of a session that nobody needs any more, if it is there.
pub(crate) fn remove_directory(directory: &Path) {
    if let Err(error) = std::fs::remove_dir_all(directory)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, directory = %directory.display(), "the files of a session that has ended cannot be removed");
    }
}

/// The copy that a repair falls back on.
async fn copy_store(app: &App) {
    let state_dir = app.home.state.clone();
    match tokio::task::spawn_blocking(move || adjutant_store::backup(&state_dir)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the store could not be copied"),
        Err(error) => tracing::warn!(%error, "copying the store ended in a panic"),
    }
}

fn exited_before(host: &Host, before: Timestamp) -> Vec<SessionId> {
    let old = host.sessions().filter(|session| matches!(&session.phase, Phase::Exited { at, .. } if *at < before));
    old.map(|session| session.id).take(PURGED_MAX).collect()
}

/// Completes when no session has lived for `idle`.
pub(crate) async fn unused(app: App, idle: Option<Duration>) {
    let Some(idle) = idle else { return std::future::pending().await };
    let mut events = app.feed.follow(&[]);
    loop {
        let quiet = tokio::time::timeout(idle, events.recv()).await.is_err();
        let live = app.supervisor.look(|host| host.sessions().any(|session| !session.has_exited())).await;
        match live {
            Ok(false) if quiet => return,
            Ok(_) => {}
            Err(_) => return,
        }
    }
}
