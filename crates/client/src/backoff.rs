//! Pauses between attempts.

use std::time::Duration;

use tokio::time::{Instant, timeout};

/// Pauses that grow from a millisecond to a quarter of a second, until a deadline.
pub(crate) struct Backoff {
    pause: Duration,
    until: Option<Instant>,
}

const FIRST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(250);

impl Backoff {
    /// Pauses without an end.
    pub(crate) fn endless() -> Self {
        Self { pause: FIRST, until: None }
    }

    /// Pauses until a point in time.
    pub(crate) fn until(until: Instant) -> Self {
        Self { pause: FIRST, until: Some(until) }
    }

    /// Begins with short pauses again.
    pub(crate) fn reset(&mut self) {
        self.pause = FIRST;
    }

    /// Pauses; false when the deadline has come.
    pub(crate) async fn pause(&mut self) -> bool {
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return false;
        }
        let pause = left.map_or(self.pause, |left| left.min(self.pause));
        // Nothing ever comes, so the timer is what ends this.
        let _ = timeout(pause, std::future::pending::<()>()).await;
        self.pause = (self.pause * 2).min(LONGEST);
        true
    }
}
