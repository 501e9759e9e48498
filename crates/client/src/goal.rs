//! Waiting for the end of a goal, across connections and daemons.

use std::time::Duration;

use adjutant_api::types::goal::{GoalQuery, GoalState};
use adjutant_api::{ErrorCode, methods};
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::call::Call;
use crate::error::ClientError;
use crate::{Client, limits};

/// The word of a goal that is pursued.
const ACTIVE: &str = "active";

/// What went wrong since a daemon last took the question and had time for it.
#[derive(Default)]
struct Trouble {
    /// Since when, and how often.
    since: Option<Instant>,
    failures: u32,
    /// The daemon was told to end: somebody else starts the next one.
    stopping: bool,
}

impl Client {
    /// Waits until the goal of a session is pursued no more, for so many milliseconds at most; then it is told as it
    /// stands. If the daemon ends in the middle, the next one is asked.
    ///
    /// # Errors
    /// What the daemon says of the call, or why there is no daemon.
    pub async fn goal_end(&mut self, id: &str, timeout_ms: Option<u64>) -> Result<GoalState, ClientError> {
        let until = timeout_ms.map(|millis| Instant::now() + Duration::from_millis(millis));
        let mut backoff = until.map_or_else(Backoff::endless, Backoff::until);
        // What is wrong with the question itself is said at once.
        let mut known = self.goal(id, &GoalQuery { await_end: false, timeout_ms: None }).await?;
        let mut trouble = Trouble::default();
        while is_pursued(&known) {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            let timeout_ms = left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
            let asked_at = Instant::now();
            match self.goal_end_here(id, timeout_ms, trouble.stopping).await {
                Ok(told) => known = told,
                Err(error) if trouble.passes(&error, asked_at, self.options.autostart) => {
                    let far = error.is_far_away();
                    if far {
                        backoff.grow_patient();
                    }
                    if !backoff.pause().await {
                        return if far { Err(error) } else { Ok(known) };
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(known)
    }

    /// Asks one daemon; it is not started where somebody has just ended it.
    async fn goal_end_here(
        &mut self,
        id: &str,
        timeout_ms: Option<u64>,
        ended: bool,
    ) -> Result<GoalState, ClientError> {
        let allowed = self.options.autostart;
        self.options.autostart = allowed && !ended;
        let query = GoalQuery { await_end: true, timeout_ms };
        let told = self.call_once(&Call::new(&methods::GOAL, &[id]).query(&query).within(limits::HOOK)).await;
        self.options.autostart = allowed;
        told
    }
}

impl Trouble {
    /// Whether to look for a daemon again after this.
    fn passes(&mut self, error: &ClientError, asked_at: Instant, may_start: bool) -> bool {
        if asked_at.elapsed() > limits::ANSWERED_AFTER {
            *self = Self::default();
        }
        self.failures += 1;
        self.stopping |= matches!(error, ClientError::Refused(body) if body.code == ErrorCode::DaemonUnreachable);
        if matches!(error, ClientError::DiedAtStart { .. }) && self.failures > limits::STARTS_FAILED_MAX {
            return false;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        error.is_passing() && (may_start || self.stopping || since.elapsed() < limits::RECONNECT)
    }
}

fn is_pursued(state: &GoalState) -> bool {
    state.goal.as_ref().is_some_and(|goal| goal.status == ACTIVE)
}
