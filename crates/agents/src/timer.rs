//! Named timers: the only clocks by which this crate waits.

use std::time::Duration;

use tokio::time::Instant;

/// A set of one-shot timers, each with a name, of which the earliest is awaited.
#[derive(Debug)]
pub(crate) struct Timers<N> {
    armed: Vec<(N, Instant)>,
}

impl<N> Default for Timers<N> {
    fn default() -> Self {
        Self { armed: Vec::new() }
    }
}

impl<N: Copy + PartialEq> Timers<N> {
    /// Arms a timer; one of the same name that is armed already is set anew.
    pub(crate) fn arm(&mut self, name: N, millis: u64) {
        self.disarm(name);
        self.armed.push((name, Instant::now() + Duration::from_millis(millis)));
    }

    /// Arms a timer unless it is armed already.
    pub(crate) fn arm_once(&mut self, name: N, millis: u64) {
        if !self.is_armed(name) {
            self.arm(name, millis);
        }
    }

    /// Takes a timer back.
    pub(crate) fn disarm(&mut self, name: N) {
        self.armed.retain(|(armed, _)| *armed != name);
    }

    /// Whether the timer is armed.
    pub(crate) fn is_armed(&self, name: N) -> bool {
        self.armed.iter().any(|(armed, _)| *armed == name)
    }

    /// Waits for the earliest timer, takes it out and says its name. Never ends while none is armed. Dropped before
    /// its end, it takes nothing out.
    pub(crate) async fn due(&mut self) -> N {
        let Some(earliest) = (0..self.armed.len()).min_by_key(|at| self.armed[*at].1) else {
            return std::future::pending().await;
        };
        until(self.armed[earliest].1).await;
        self.armed.swap_remove(earliest).0
    }
}

/// Waits for a moment that the caller has given a name.
#[expect(clippy::disallowed_methods, reason = "this is the named timer that the ban points to")]
async fn until(moment: Instant) {
    tokio::time::sleep_until(moment).await;
}

/// Waits between two attempts; the caller's constant names the span.
pub(crate) async fn pause(millis: u64) {
    until(Instant::now() + Duration::from_millis(millis)).await;
}

/// A pause that doubles from attempt to attempt up to a bound.
#[derive(Debug)]
pub(crate) struct Backoff {
    next_ms: u64,
    min_ms: u64,
    max_ms: u64,
}

impl Backoff {
    /// Starts with the shortest pause.
    pub(crate) fn new(min_ms: u64, max_ms: u64) -> Self {
        Self { next_ms: min_ms, min_ms, max_ms }
    }

    /// The pause before the next attempt.
    pub(crate) fn next_ms(&mut self) -> u64 {
        let now = self.next_ms;
        self.next_ms = (now * 2).min(self.max_ms);
        now
    }

    /// Begins anew after a success.
    pub(crate) fn reset(&mut self) {
        self.next_ms = self.min_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_earliest_timer_comes_first_and_only_once() {
        let mut timers = Timers::default();
        timers.arm("late", 50);
        timers.arm("early", 10);
        timers.arm("gone", 5);
        timers.disarm("gone");
        timers.arm_once("early", 90);
        assert_eq!(timers.due().await, "early");
        assert_eq!(timers.due().await, "late");
        assert!(tokio::time::timeout(Duration::from_secs(9), timers.due()).await.is_err());
    }

    #[test]
    fn a_backoff_doubles_up_to_its_bound() {
        let mut backoff = Backoff::new(20, 50);
        assert_eq!([backoff.next_ms(), backoff.next_ms(), backoff.next_ms()], [20, 40, 50]);
        backoff.reset();
        assert_eq!(backoff.next_ms(), 20);
    }
}
