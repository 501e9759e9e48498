//! Room for connections. Those that have shown a good token keep theirs; of the others the oldest makes room for the next, so
//! that ten thousand of them keep nobody out.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Connections without a good token that may be open at once.
const STRANGERS_MAX: usize = 256;

/// Connections with a good token that may be open at once.
const GUESTS_MAX: usize = 1_024;

/// Of these, with one and the same token.
const GUESTS_OF_ONE_TOKEN_MAX: usize = 128;

#[derive(Default)]
struct Taken {
    next: u64,
    strangers: BTreeMap<u64, Arc<Notify>>,
    guests: BTreeMap<u64, String>,
    of_token: HashMap<String, usize>,
}

/// The room.
#[derive(Clone, Default)]
pub(super) struct Seats {
    taken: Arc<Mutex<Taken>>,
    left: Arc<Notify>,
}

/// The place of one connection, for as long as it is open.
pub(super) struct Seat {
    seats: Seats,
    number: u64,
    called_off: Arc<Notify>,
}

impl Seats {
    /// A place for a connection that has just been made.
    pub(super) fn stranger(&self) -> Seat {
        let mut taken = self.taken();
        if taken.strangers.len() >= STRANGERS_MAX
            && let Some((_, oldest)) = taken.strangers.pop_first()
        {
            oldest.notify_one();
        }
        let (number, called_off) = (taken.next, Arc::new(Notify::new()));
        taken.next += 1;
        taken.strangers.insert(number, Arc::clone(&called_off));
        Seat { seats: self.clone(), number, called_off }
    }

    /// How many are taken.
    pub(super) fn count(&self) -> usize {
        let taken = self.taken();
        taken.strangers.len() + taken.guests.len()
    }

    /// Completes when nobody is there any more.
    pub(super) async fn empty(&self) {
        while self.count() > 0 {
            self.left.notified().await;
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// The connection has shown a good token; false when there is no room for one more with that token.
    pub(super) fn is_guest_of(&self, token: &str) -> bool {
        let mut taken = self.seats.taken();
        if taken.guests.get(&self.number).is_some_and(|of| of == token) {
            return true;
        }
        let of_token = taken.of_token.get(token).copied().unwrap_or(0);
        if taken.guests.len() >= GUESTS_MAX || of_token >= GUESTS_OF_ONE_TOKEN_MAX {
            return false;
        }
        taken.strangers.remove(&self.number);
        leave(&mut taken, self.number);
        taken.guests.insert(self.number, token.to_owned());
        *taken.of_token.entry(token.to_owned()).or_default() += 1;
        true
    }

    /// Completes when the place is wanted for another.
    pub(super) async fn called_off(&self) {
        self.called_off.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        taken.strangers.remove(&self.number);
        leave(&mut taken, self.number);
        self.seats.left.notify_one();
    }
}

fn leave(taken: &mut Taken, number: u64) {
    let Some(token) = taken.guests.remove(&number) else { return };
    if let Some(count) = taken.of_token.get_mut(&token) {
        *count -= 1;
        if *count == 0 {
            taken.of_token.remove(&token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_stranger_makes_room_and_guests_stay() {
        let seats = Seats::default();
        let guest = seats.stranger();
        assert!(guest.is_guest_of("t") && guest.is_guest_of("t"));
        let oldest = seats.stranger();
        let others: Vec<Seat> = (0..STRANGERS_MAX).map(|_| seats.stranger()).collect();
        oldest.called_off().await;
        assert_eq!(seats.count(), STRANGERS_MAX + 1);
        assert!(guest.is_guest_of("t"));
        drop((others, oldest, guest));
        seats.empty().await;
        assert!(seats.taken().of_token.is_empty());
    }

    #[test]
    fn one_token_cannot_take_all_places() {
        let seats = Seats::default();
        let mut guests: Vec<Seat> = (0..GUESTS_OF_ONE_TOKEN_MAX).map(|_| seats.stranger()).collect();
        assert!(guests.iter().all(|guest| guest.is_guest_of("greedy")));
        let next = seats.stranger();
        assert!(!next.is_guest_of("greedy") && next.is_guest_of("modest"));
        guests.pop();
        assert!(seats.stranger().is_guest_of("greedy"));
    }
}
