//! The moments at which messages become due or expire, in the order in which they come.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{MessageId, SessionId};
use crate::message::{Message, MessageState};
use crate::time::{BootId, Due, Now, Timestamp};

/// A message and its session.
type Owner = (SessionId, MessageId);

/// Every moment that has to be watched. Looking for the next one costs the same with one message and with a million.
#[derive(Clone, Debug, Default)]
pub(super) struct Timetable {
    moments: BTreeMap<Owner, Vec<Due>>,
    /// Points on the wall clock.
    wall: BTreeSet<(Timestamp, Owner)>,
    /// Spans, by the boot in which they were asked for. There are as many as there were boots meanwhile.
    boots: BTreeMap<BootId, Spans>,
}

/// Ends of spans that were asked for in one boot: its own clock counts while it lasts, the wall clock afterwards.
#[derive(Clone, Debug, Default)]
struct Spans {
    boot: BTreeSet<(u64, Owner)>,
    wall: BTreeSet<(Timestamp, Owner)>,
}

impl Timetable {
    /// Watches the moments of a message, as it is now.
    pub(super) fn watch(&mut self, message: &Message) {
        let owner = (message.session, message.id);
        self.forget(owner);
        let moments = moments_of(message);
        for due in &moments {
            match due {
                Due::At(at) => {
                    self.wall.insert((*at, owner));
                }
                Due::Elapsed { boot, wall } => {
                    let spans = self.boots.entry(boot.boot).or_default();
                    spans.boot.insert((boot.millis, owner));
                    spans.wall.insert((*wall, owner));
                }
            }
        }
        if !moments.is_empty() {
            self.moments.insert(owner, moments);
        }
    }

    /// Watches a message no longer.
    pub(super) fn forget(&mut self, owner: Owner) {
        for due in self.moments.remove(&owner).unwrap_or_default() {
            match due {
                Due::At(at) => {
                    self.wall.remove(&(at, owner));
                }
                Due::Elapsed { boot, wall } => self.forget_span(boot.boot, (boot.millis, owner), (wall, owner)),
            }
        }
    }

    fn forget_span(&mut self, boot: BootId, by_boot: (u64, Owner), by_wall: (Timestamp, Owner)) {
        let Some(spans) = self.boots.get_mut(&boot) else { return };
        spans.boot.remove(&by_boot);
        spans.wall.remove(&by_wall);
        if spans.boot.is_empty() {
            self.boots.remove(&boot);
        }
    }

    /// How long it is until the first moment comes; 0 when it has.
    pub(super) fn millis_left(&self, now: Now) -> Option<u64> {
        let wall = self.wall.first().map(|(at, _)| at.millis_since(now.wall));
        let spans = self.boots.iter().filter_map(|(boot, spans)| spans.millis_left(*boot, now));
        wall.into_iter().chain(spans).min()
    }

    /// The messages of which a moment has come.
    pub(super) fn come(&self, now: Now) -> BTreeSet<Owner> {
        let mut come: BTreeSet<Owner> = come_by(&self.wall, now.wall).collect();
        for (boot, spans) in &self.boots {
            if *boot == now.boot.boot {
                come.extend(come_by(&spans.boot, now.boot.millis));
            } else {
                come.extend(come_by(&spans.wall, now.wall));
            }
        }
        come
    }
}

impl Spans {
    fn millis_left(&self, boot: BootId, now: Now) -> Option<u64> {
        if boot == now.boot.boot {
            self.boot.first().map(|(millis, _)| millis.saturating_sub(now.boot.millis))
        } else {
            self.wall.first().map(|(wall, _)| wall.millis_since(now.wall))
        }
    }
}

fn come_by<T: Ord + Copy>(moments: &BTreeSet<(T, Owner)>, now: T) -> impl Iterator<Item = Owner> {
    moments.iter().take_while(move |(moment, _)| *moment <= now).map(|(_, owner)| *owner)
}

/// The moments of a message that still waits.
fn moments_of(message: &Message) -> Vec<Due> {
    let due = match &message.state {
        // What waits for others too is not due when its time comes.
        MessageState::Delayed { until } => until.filter(|_| message.is_met()),
        MessageState::Ready => None,
        MessageState::Delivering { .. } | MessageState::Running { .. } | MessageState::Ended { .. } => {
            return Vec::new();
        }
    };
    due.into_iter().chain(message.expires).collect()
}
