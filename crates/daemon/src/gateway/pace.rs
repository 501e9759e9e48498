//! How often: a bound on what comes from one address, or with one token.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Addresses or tokens that are counted at once; the ones that have been quiet longest are forgotten.
const COUNTED_MAX: usize = 4_096;

/// Tokens that are remembered as good, and for how long after their last good call.
const KNOWN_MAX: usize = 1_024;
const KNOWN_FOR: Duration = Duration::from_secs(600);

/// A bucket for each key: it holds a burst, and fills again with time.
pub(super) struct Pace<K> {
    burst: f64,
    per_second: f64,
    buckets: Mutex<HashMap<K, Bucket>>,
}

struct Bucket {
    left: f64,
    at: Instant,
}

impl<K: Eq + Hash + Clone> Pace<K> {
    pub(super) fn new(burst: u32, per_second: u32) -> Self {
        Self { burst: f64::from(burst), per_second: f64::from(per_second), buckets: Mutex::default() }
    }

    /// Takes one out of the bucket; false when it is empty.
    pub(super) fn take(&self, key: &K, now: Instant) -> bool {
        self.with(key, now, |bucket| {
            let some = bucket.left >= 1.0;
            bucket.left -= if some { 1.0 } else { 0.0 };
            some
        })
    }

    /// Whether there is one in the bucket.
    pub(super) fn has(&self, key: &K, now: Instant) -> bool {
        self.with(key, now, |bucket| bucket.left >= 1.0)
    }

    fn with(&self, key: &K, now: Instant, work: impl FnOnce(&mut Bucket) -> bool) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= COUNTED_MAX && !buckets.contains_key(key) {
            self.forget_full(&mut buckets, now);
        }
        let bucket = buckets.entry(key.clone()).or_insert(Bucket { left: self.burst, at: now });
        bucket.left = self.filled(bucket, now);
        bucket.at = now;
        work(bucket)
    }

    fn filled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let seconds = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.left + seconds * self.per_second).min(self.burst)
    }

    /// A full bucket says what none says too. Where all are in use, the oldest goes.
    fn forget_full(&self, buckets: &mut HashMap<K, Bucket>, now: Instant) {
        buckets.retain(|_, bucket| self.filled(bucket, now) < self.burst);
        if buckets.len() >= COUNTED_MAX
            && let Some(oldest) = buckets.iter().min_by_key(|(_, bucket)| bucket.at).map(|(key, _)| key.clone())
        {
            buckets.remove(&oldest);
        }
    }
}

/// Tokens that the daemon has found good, by their hash. They are not held up by what strangers try; the daemon is asked for
/// each of their calls all the same.
#[derive(Default)]
pub(super) struct Known(Mutex<HashMap<String, Instant>>);

impl Known {
    pub(super) fn has(&self, hash: &str, now: Instant) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(hash).is_some_and(|at| now.saturating_duration_since(*at) < KNOWN_FOR)
    }

    pub(super) fn good(&self, hash: &str, now: Instant) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.retain(|_, at| now.saturating_duration_since(*at) < KNOWN_FOR);
        }
        if known.len() < KNOWN_MAX || known.contains_key(hash) {
            known.insert(hash.to_owned(), now);
        }
    }

    pub(super) fn bad(&self, hash: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_emptied_and_fills_again() {
        let (pace, begin) = (Pace::new(3, 2), Instant::now());
        let key = "a".to_owned();
        assert_eq!((0..5).filter(|_| pace.take(&key, begin)).count(), 3);
        assert!(pace.take(&"b".to_owned(), begin), "another's is another one");
        let later = begin + Duration::from_millis(600);
        assert!(pace.has(&key, later) && pace.take(&key, later) && !pace.take(&key, later));
        let much_later = begin + Duration::from_secs(100);
        assert_eq!((0..5).filter(|_| pace.take(&key, much_later)).count(), 3, "never more than a burst");
    }

    #[test]
    fn no_flood_of_addresses_fills_the_memory() {
        let (pace, now) = (Pace::new(2, 1), Instant::now());
        for number in 0..COUNTED_MAX * 2 {
            assert!(pace.take(&number, now));
        }
        assert!(pace.buckets.lock().unwrap().len() <= COUNTED_MAX);
        let known = Known::default();
        (0..KNOWN_MAX * 2).for_each(|number| known.good(&number.to_string(), now));
        assert!(known.0.lock().unwrap().len() <= KNOWN_MAX);
        assert!(known.has("0", now) && !known.has("0", now + KNOWN_FOR));
        known.bad("0");
        assert!(!known.has("0", now));
    }
}
