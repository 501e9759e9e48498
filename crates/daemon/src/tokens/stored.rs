//! How much the messages of a token's sessions hold in the store: those that have ended, or were taken back, stay there until
//! their session is forgotten.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use adjutant_core::TokenId;

use crate::testpoint;

/// Bytes that the messages of one token's sessions may hold.
const BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// What a message counts beside its text, in bytes: it has a record and events.
pub(crate) const RECORD_BYTES: u64 = 1_024;

/// How long it is believed that a token has no room: counting anew reads each record.
const BELIEVED: Duration = Duration::from_secs(60);

/// Tokens whose messages are counted here; the oldest is counted anew.
const COUNTED_MAX: usize = 1_000;

/// What is known of each token.
#[derive(Debug, Default)]
pub(crate) struct Stored(Mutex<BTreeMap<TokenId, Known>>);

#[derive(Clone, Copy, Debug)]
struct Known {
    bytes: u64,
    counted_at: Instant,
}

/// Whether there is room for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// There is, and it is taken.
    Taken,
    /// There is none.
    None,
    /// The messages of the token have to be counted first.
    Uncounted,
}

/// The bound, in bytes.
pub(crate) fn limit() -> u64 {
    testpoint::number("ADJ_TEST_STORED_BYTES").unwrap_or(BYTES_MAX)
}

impl Stored {
    /// Takes room for a message of so many bytes.
    pub(crate) fn take(&self, token: TokenId, bytes: u64, now: Instant) -> Room {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = all.get_mut(&token) else { return Room::Uncounted };
        if known.bytes + bytes + RECORD_BYTES <= limit() {
            known.bytes += bytes + RECORD_BYTES;
            return Room::Taken;
        }
        // Something may have been forgotten meanwhile.
        match now.saturating_duration_since(known.counted_at) < BELIEVED {
            true => Room::None,
            false => Room::Uncounted,
        }
    }

    /// What the messages of a token hold now.
    pub(crate) fn counted(&self, token: TokenId, bytes: u64, now: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= COUNTED_MAX && !all.contains_key(&token) {
            all.pop_first();
        }
        all.insert(token, Known { bytes, counted_at: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_room_until_it_is_taken_and_is_counted_anew_after_a_while() {
        let (stored, token, now) = (Stored::default(), TokenId::new(7), Instant::now());
        assert_eq!(stored.take(token, 1, now), Room::Uncounted);
        stored.counted(token, BYTES_MAX - 2 * (RECORD_BYTES + 10), now);
        assert_eq!((stored.take(token, 10, now), stored.take(token, 11, now)), (Room::Taken, Room::None));
        assert_eq!((stored.take(token, 10, now), stored.take(token, 0, now)), (Room::Taken, Room::None));
        assert_eq!(stored.take(token, 0, now + BELIEVED), Room::Uncounted);
        (0..COUNTED_MAX as u64 * 2).for_each(|token| stored.counted(TokenId::new(token), 0, now));
        assert_eq!(stored.0.lock().unwrap().len(), COUNTED_MAX);
    }
}
