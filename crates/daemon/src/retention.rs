//! Retention: exited sessions are forgotten after their time, and an unused daemon ends.

use std::time::Duration;

use adjutant_core::call::{Call, Caller};
use adjutant_core::session::Phase;
use adjutant_core::{Host, SessionId, Timestamp};
use tokio::time::MissedTickBehavior;

use crate::clock;
use crate::http::App;

/// How often old sessions are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// The first time after a start, so that a start is not slowed by it.
const SWEEP_FIRST: Duration = Duration::from_secs(10 * 60);

/// Sessions that are forgotten in one sweep.
const PURGED_MAX: usize = 10_000;

/// Once a day: makes a copy of the store, and forgets exited sessions that are older than `keep_days`.
pub(crate) async fn sweep(app: App, keep_days: u32) {
    let mut clock = tokio::time::interval_at(tokio::time::Instant::now() + SWEEP_FIRST, SWEEP_EVERY);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        copy_store(&app).await;
        if keep_days == 0 {
            continue;
        }
        let before = clock::wall().as_millis() - i64::from(keep_days) * 24 * 60 * 60 * 1_000;
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
