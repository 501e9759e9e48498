//! How often a stream is written to, so that many readers of the same events slow nobody.
//!
//! A piece costs the same whatever it holds, and a thousand readers take a thousand pieces. So a stream rests after each
//! piece, the longer the more streams are open, and what comes meanwhile goes into the next one. A few readers hear of
//! everything at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Time that each open stream adds to the rest of all, in microseconds: a piece costs about as much of a processor.
const REST_US_PER_STREAM: u64 = 10;

/// The shortest rest that is taken, in milliseconds; a timer keeps no shorter one.
const REST_MS_MIN: u64 = 1;

/// The longest rest, in milliseconds.
const REST_MS_MAX: u64 = 100;

/// The streams of events that are open.
#[derive(Debug, Default)]
pub(crate) struct Crowd(AtomicUsize);

impl Crowd {
    /// One more, as long as what is returned lives.
    pub(crate) fn join(&self) -> Member<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Member(self)
    }
}

/// One of the streams.
#[derive(Debug)]
pub(crate) struct Member<'a>(&'a Crowd);

impl Member<'_> {
    /// Rests after a piece.
    #[expect(clippy::disallowed_methods, reason = "this is the named timer: what comes meanwhile is not waited for")]
    pub(crate) async fn rest(&self) {
        if let Some(time) = self.time() {
            tokio::time::sleep(time).await;
        }
    }

    /// How long to rest; `None` while there are few.
    fn time(&self) -> Option<Duration> {
        let streams = self.0.0.load(Ordering::Relaxed) as u64;
        let us = streams.saturating_mul(REST_US_PER_STREAM).min(REST_MS_MAX * 1_000);
        (us >= REST_MS_MIN * 1_000).then(|| Duration::from_micros(us))
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_never_rest_and_many_rest_within_a_bound() {
        let crowd = Crowd::default();
        let mut members = vec![crowd.join()];
        assert_eq!(members[0].time(), None);
        members.extend((1..1_000).map(|_| crowd.join()));
        assert_eq!(members[0].time(), Some(Duration::from_millis(10)));
        members.extend((0..100_000).map(|_| crowd.join()));
        assert_eq!(members[0].time(), Some(Duration::from_millis(REST_MS_MAX)));
        members.truncate(1);
        assert_eq!(members[0].time(), None);
    }
}
