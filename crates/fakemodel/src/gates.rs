//! Gates: where an answer waits until a test, or a person, lets it go on.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

#[derive(Debug)]
pub(crate) struct Gates {
    open: watch::Sender<BTreeSet<String>>,
    reached: Mutex<BTreeSet<String>>,
    arrival: Condvar,
}

impl Default for Gates {
    fn default() -> Self {
        Self { open: watch::channel(BTreeSet::new()).0, reached: Mutex::default(), arrival: Condvar::new() }
    }
}

impl Gates {
    /// Opens a gate, for all that wait at it and all that come later.
    pub(crate) fn open(&self, name: &str) {
        self.open.send_modify(|open| {
            open.insert(name.to_owned());
        });
    }

    /// Waits until a gate is open.
    pub(crate) async fn pass(&self, name: &str) {
        self.locked().insert(name.to_owned());
        self.arrival.notify_all();
        // The sender lives as long as `self`.
        let _ = self.open.subscribe().wait_for(|open| open.contains(name)).await;
    }

    /// Waits until somebody has come to a gate; false where nobody does in that time.
    pub(crate) fn await_reached(&self, name: &str, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut reached = self.locked();
        while !reached.contains(name) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            reached = self.arrival.wait_timeout(reached, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn locked(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
