//! Time as it comes in: a wall clock to show and a boot clock to wait by.

use std::fmt;

/// A moment on the wall clock, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Takes milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This moment plus a span; the far end of the range instead of an overflow.
    #[must_use]
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add_unsigned(millis))
    }

    /// Milliseconds from `earlier` to this moment; 0 when the clock went backwards.
    pub fn millis_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// One boot of the machine; a boot clock's value means nothing in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootId(pub [u8; 16]);

/// A moment on the clock that counts from the machine's boot and goes on during suspend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootMoment {
    /// The boot it belongs to.
    pub boot: BootId,
    /// Milliseconds since that boot.
    pub millis: u64,
}

/// The present moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// What the wall clock says.
    pub wall: Timestamp,
    /// What the boot clock says.
    pub boot: BootMoment,
}

/// When something becomes due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// At a point of wall-clock time, wherever that clock jumps.
    At(Timestamp),
    /// After a span that no clock setting shortens or lengthens; `wall` serves after a reboot.
    Elapsed {
        /// When, on the boot clock of the boot in which it was asked for.
        boot: BootMoment,
        /// The same moment as the wall clock saw it then.
        wall: Timestamp,
    },
}

impl Due {
    /// The moment that lies `millis` after `now`, kept by the boot clock.
    pub fn after(now: Now, millis: u64) -> Self {
        let boot = BootMoment { boot: now.boot.boot, millis: now.boot.millis.saturating_add(millis) };
        Self::Elapsed { boot, wall: now.wall.plus_millis(millis) }
    }

    /// How many milliseconds are left; 0 when it is due.
    pub fn millis_left(&self, now: Now) -> u64 {
        match self {
            Self::At(at) => at.millis_since(now.wall),
            Self::Elapsed { boot, .. } if boot.boot == now.boot.boot => boot.millis.saturating_sub(now.boot.millis),
            Self::Elapsed { wall, .. } => wall.millis_since(now.wall),
        }
    }

    /// How many milliseconds it is past; 0 when it is not due.
    pub fn millis_over(&self, now: Now) -> u64 {
        match self {
            Self::At(at) => now.wall.millis_since(*at),
            Self::Elapsed { boot, .. } if boot.boot == now.boot.boot => now.boot.millis.saturating_sub(boot.millis),
            Self::Elapsed { wall, .. } => now.wall.millis_since(*wall),
        }
    }

    /// Whether the moment has come.
    pub fn is_due(&self, now: Now) -> bool {
        self.millis_left(now) == 0
    }

    /// The moment as the wall clock should show it to a person.
    pub const fn wall(&self) -> Timestamp {
        match self {
            Self::At(at) => *at,
            Self::Elapsed { wall, .. } => *wall,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(wall: i64, boot: u64, id: u8) -> Now {
        Now { wall: Timestamp::from_millis(wall), boot: BootMoment { boot: BootId([id; 16]), millis: boot } }
    }

    #[test]
    fn a_delay_ignores_a_jump_of_the_wall_clock() {
        let due = Due::after(now(1_000, 50, 1), 500);
        assert_eq!(due.millis_left(now(999_000, 51, 1)), 499);
        assert!(due.is_due(now(0, 550, 1)));
    }

    #[test]
    fn a_delay_outlives_a_reboot_by_the_wall_clock() {
        let due = Due::after(now(1_000, 50, 1), 500);
        assert_eq!(due.millis_left(now(1_200, 3, 2)), 300);
    }

    #[test]
    fn a_point_in_time_follows_the_wall_clock() {
        let due = Due::At(Timestamp::from_millis(2_000));
        assert!(due.is_due(now(2_000, 0, 1)));
        assert_eq!(due.millis_left(now(1_990, 99_999, 1)), 10);
    }
}
