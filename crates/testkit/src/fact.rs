//! Facts that nobody announces: what the kernel shows of sockets and files.

use std::time::{Duration, Instant};

use rustix::event::{Timespec, poll};

/// The pause between two looks.
const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// Looks until something is the case that no event announces, such as that a connection is open.
///
/// # Panics
/// Where it is not the case within the limit; `what` says what was hoped for.
pub fn await_fact(what: &str, limit: Duration, mut look: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    let pause = Timespec::try_from(LOOK_PAUSE).unwrap_or_default();
    while !look() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        let _ = poll(&mut [], Some(&pause));
    }
}
