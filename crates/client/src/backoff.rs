//! Pauses between attempts.

use std::time::Duration;

use tokio::time::{Instant, timeout};

/// Pauses that grow from a millisecond to a quarter of a second, or more where patience is wanted, until a deadline.
pub(crate) struct Backoff {
    pause: Duration,
    longest: Duration,
    until: Option<Instant>,
}

const FIRST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(250);

/// Each attempt to reach another machine is a process and a handshake.
const LONGEST_FAR: Duration = Duration::from_secs(5);

impl Backoff {
    /// Pauses without an end.
    pub(crate) fn endless() -> Self {
        Self { pause: FIRST, longest: LONGEST, until: None }
    }

    /// Pauses until a point in time.
    pub(crate) fn until(until: Instant) -> Self {
        Self { pause: FIRST, longest: LONGEST, until: Some(until) }
    }

    /// Begins with short pauses again.
    pub(crate) fn reset(&mut self) {
        self.pause = FIRST;
        self.longest = LONGEST;
    }

    /// The pauses may grow longer: nobody is there, and asking is dear.
    pub(crate) fn grow_patient(&mut self) {
        self.longest = LONGEST_FAR;
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
        self.pause = (self.pause * 2).min(self.longest);
        true
    }
}
