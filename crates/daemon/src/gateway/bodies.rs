//! Room for the bodies that are being read: so much for all, and so much for one token, which holds up nobody else by bodies
//! that do not come.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies that are held at once, in KiB; a request whose body does not fit waits.
const ALL_KIB_MAX: usize = 64 * 1024;

/// Of these, those of one token.
const TOKEN_KIB_MAX: usize = 16 * 1024;

/// The room.
pub(super) struct Bodies {
    all: Arc<Semaphore>,
    of_token: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// The room that one body takes, for as long as it is held.
pub(super) struct Room {
    _of_token: Option<OwnedSemaphorePermit>,
    _of_all: Option<OwnedSemaphorePermit>,
}

impl Default for Bodies {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(ALL_KIB_MAX)), of_token: Mutex::default() }
    }
}

impl Bodies {
    /// Waits for room for a body of so many bytes: first among those of the same token, so that whoever waits there takes
    /// nothing of what others wait for.
    pub(super) async fn room(&self, token: &str, bytes: usize) -> Room {
        let kib = u32::try_from(bytes.div_ceil(1_024).min(TOKEN_KIB_MAX)).unwrap_or(u32::MAX);
        let of_token = self.of(token).acquire_many_owned(kib).await;
        let of_all = Arc::clone(&self.all).acquire_many_owned(kib).await;
        Room { _of_token: of_token.ok(), _of_all: of_all.ok() }
    }

    /// The share of a token. Those that nobody waits for or holds are forgotten.
    fn of(&self, token: &str) -> Arc<Semaphore> {
        let mut known = self.of_token.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|of, share| of == token || Arc::strong_count(share) > 1);
        Arc::clone(known.entry(token.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(TOKEN_KIB_MAX))))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const SHARE: usize = TOKEN_KIB_MAX * 1_024;

    #[test]
    fn bodies_that_do_not_come_hold_up_their_own_token_alone() {
        let bodies = Bodies::default();
        let held: Vec<Room> = (0..2).filter_map(|_| bodies.room("greedy", SHARE / 2).now_or_never()).collect();
        assert_eq!(held.len(), 2);
        assert!(bodies.room("greedy", 1).now_or_never().is_none());
        assert!(bodies.room("modest", SHARE).now_or_never().is_some(), "another's room is another one");
        drop(held);
        assert!(bodies.room("greedy", usize::MAX).now_or_never().is_some(), "a body may fill the whole share");
        assert!(bodies.room("third", 1).now_or_never().is_some());
        assert_eq!(bodies.of_token.lock().unwrap().len(), 1, "what nobody holds is forgotten");
    }

    #[test]
    fn all_bodies_together_have_a_bound() {
        let bodies = Bodies::default();
        let shares = ALL_KIB_MAX / TOKEN_KIB_MAX;
        let held: Vec<Room> =
            (0..shares).filter_map(|number| bodies.room(&number.to_string(), SHARE).now_or_never()).collect();
        assert_eq!(held.len(), shares);
        assert!(bodies.room("next", 1).now_or_never().is_none());
    }
}
