//! Answers that are on their way: a caller that asks for many and reads none holds them in memory, here or in the daemon, so
//! that there is a bound on their bytes. Streams, which have no size, hold a piece at a time and are not counted.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};

/// Bytes of answers that one token may have unread, beside the one that goes beyond.
const TOKEN_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// The same of all tokens together.
const ALL_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// What is unread, by the hash of its token.
#[derive(Clone, Default)]
pub(super) struct Unread(Arc<Mutex<HashMap<String, u64>>>);

/// One answer, for as long as it is not read.
pub(super) struct Answer {
    unread: Unread,
    token: String,
    bytes: u64,
}

impl Unread {
    /// Whether a call with this token may be made: what it changes must not be done before its answer is refused.
    pub(super) fn has_room(&self, token: &str) -> bool {
        let unread = self.bytes();
        unread.get(token).is_none_or(|own| *own < TOKEN_BYTES_MAX) && unread.values().sum::<u64>() < ALL_BYTES_MAX
    }

    /// Takes an answer in. One of a call that changed nothing is refused where it goes beyond the bounds, unless it is the
    /// only one.
    pub(super) fn take(&self, token: &str, bytes: u64, reads: bool) -> Option<Answer> {
        let mut unread = self.bytes();
        let (own, all) = (unread.get(token).copied().unwrap_or(0), unread.values().sum::<u64>());
        if reads && ((own > 0 && own + bytes > TOKEN_BYTES_MAX) || (all > 0 && all + bytes > ALL_BYTES_MAX)) {
            return None;
        }
        *unread.entry(token.to_owned()).or_default() += bytes;
        Some(Answer { unread: self.clone(), token: token.to_owned(), bytes })
    }

    fn bytes(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answer {
    /// The body of the answer, which is unread until it has ended or is let go.
    pub(super) fn counted(self, body: Incoming) -> Body {
        Body::new(Counted { body, _unread: self })
    }
}

/// A body, as it is, with what it counts.
struct Counted {
    body: Incoming,
    _unread: Answer,
}

impl hyper::body::Body for Counted {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let mut unread = self.unread.bytes();
        let Some(own) = unread.get_mut(&self.token) else { return };
        *own = own.saturating_sub(self.bytes);
        if *own == 0 {
            unread.remove(&self.token);
        }
    }
}

/// The size of an answer that is no stream.
pub(super) fn size(body: &Incoming) -> Option<u64> {
    body.size_hint().exact().filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: u64 = TOKEN_BYTES_MAX / 2;

    #[test]
    fn what_one_token_leaves_unread_is_bounded_and_holds_up_no_other() {
        let unread = Unread::default();
        let held: Vec<Answer> = (0..2).filter_map(|_| unread.take("greedy", SHARE, true)).collect();
        assert_eq!(held.len(), 2);
        assert!(!unread.has_room("greedy") && unread.take("greedy", 1, true).is_none());
        assert!(unread.has_room("modest") && unread.take("modest", SHARE, true).is_some());
        let changed = unread.take("greedy", SHARE, false);
        assert!(changed.is_some(), "what was done is told");
        drop((held, changed));
        assert!(unread.has_room("greedy") && unread.bytes().is_empty(), "what was read is forgotten");
        assert!(unread.take("greedy", TOKEN_BYTES_MAX * 9, true).is_some(), "one answer may be larger than the bound");
    }

    #[test]
    fn all_that_is_unread_has_a_bound() {
        let unread = Unread::default();
        let shares = ALL_BYTES_MAX / TOKEN_BYTES_MAX;
        let held: Vec<Answer> =
            (0..shares).filter_map(|n| unread.take(&n.to_string(), TOKEN_BYTES_MAX, true)).collect();
        assert_eq!(held.len() as u64, shares);
        assert!(!unread.has_room("next") && unread.take("next", 1, true).is_none());
    }
}
