//! The two clocks of the house, read in one place.

use adjutant_core::time::{BootId, BootMoment, Now, Timestamp};
use rustix::time::{ClockId, clock_gettime};

use crate::testpoint;

/// Reads the wall clock and the boot clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    boot: BootId,
}

impl Clock {
    /// A clock of this boot. Where the boot has no readable id, an id of zeros stands for it: delays then count by the
    /// boot clock alone, which a reboot sets back to 0, so that nothing fires early.
    pub(crate) fn new() -> Self {
        Self { boot: adjutant_agents::process::boot_id().unwrap_or(BootId([0; 16])) }
    }

    pub(crate) fn now(self) -> Now {
        let boot = BootMoment { boot: self.boot, millis: millis(ClockId::Boottime).unsigned_abs() };
        Now { wall: wall(), boot }
    }
}

/// The present moment on the wall clock.
pub(crate) fn wall() -> Timestamp {
    Timestamp::from_millis(millis(ClockId::Realtime) + testpoint::wall_offset_ms())
}

fn millis(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
}
