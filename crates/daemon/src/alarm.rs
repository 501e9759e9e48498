//! The one alarm of the supervisor: it counts on the clock that goes on while the machine sleeps, and rings too when
//! somebody sets the wall clock, because what is due at a point in time may then be due at once.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::testpoint;

/// Two timers of the kernel.
#[derive(Debug)]
pub(crate) struct Alarm {
    /// Rings when the pause is over.
    boot: AsyncFd<OwnedFd>,
    /// Never rings by itself; the kernel calls it off when the wall clock is set.
    wall: AsyncFd<OwnedFd>,
}

impl Alarm {
    /// An alarm that is not set.
    ///
    /// # Errors
    /// When the kernel has no more timers, or there is no runtime.
    pub(crate) fn new() -> io::Result<Self> {
        let boot = watch(timer(TimerfdClockId::Boottime)?)?;
        let wall = watch(timer(TimerfdClockId::Realtime)?)?;
        let never = spec(Timespec { tv_sec: i64::MAX / 4_000_000_000, tv_nsec: 0 });
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        timerfd_settime(wall.get_ref(), flags, &never)?;
        Ok(Self { boot, wall })
    }

    /// Waits until the pause is over or the wall clock was set; for the second alone without a pause. Dropped before its
    /// end, it has done nothing.
    pub(crate) async fn ring(&self, pause: Option<Duration>) {
        // A span of nothing would take the timer back instead of setting it.
        let value = pause.map_or(Duration::ZERO, |pause| pause.max(Duration::from_nanos(1)));
        let value = Timespec::try_from(value).unwrap_or(Timespec { tv_sec: i64::from(u32::MAX), tv_nsec: 0 });
        if let Err(error) = timerfd_settime(self.boot.get_ref(), TimerfdTimerFlags::empty(), &spec(value)) {
            tracing::error!(%error, "the alarm cannot be set");
        }
        tokio::select! {
            () = rung(&self.boot) => {}
            () = rung(&self.wall) => tracing::info!("the wall clock was set"),
            () = testpoint::wall_was_set() => tracing::info!("the wall clock was set by a test"),
        }
    }
}

fn timer(clock: TimerfdClockId) -> rustix::io::Result<OwnedFd> {
    timerfd_create(clock, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)
}

fn spec(value: Timespec) -> Itimerspec {
    Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value }
}

#[expect(deprecated, reason = "its successor is unsafe, for types that lie about their descriptor; this one cannot")]
fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, Interest::READABLE)
}

/// Reading takes the ring away. A timer that was called off answers with an error, which is its ring.
async fn rung(timer: &AsyncFd<OwnedFd>) {
    let read = |file: &OwnedFd| Ok(rustix::io::read(file, &mut [0; 8])?);
    let _ = timer.async_io(Interest::READABLE, read).await;
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn it_rings_once_when_the_pause_is_over() {
        let alarm = Alarm::new().unwrap();
        let began = Instant::now();
        alarm.ring(Some(Duration::from_millis(20))).await;
        assert!(began.elapsed() >= Duration::from_millis(20));
        alarm.ring(Some(Duration::ZERO)).await;
        let silent = tokio::time::timeout(Duration::from_millis(20), alarm.ring(None)).await;
        assert!(silent.is_err(), "without a pause it is silent");
    }

    #[tokio::test]
    async fn one_that_was_dropped_is_set_anew() {
        let alarm = Alarm::new().unwrap();
        let long = tokio::time::timeout(Duration::from_millis(5), alarm.ring(Some(Duration::from_secs(60)))).await;
        assert!(long.is_err());
        alarm.ring(Some(Duration::from_millis(1))).await;
    }
}
