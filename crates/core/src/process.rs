//! The identity of a process and what can be said of its life.

use crate::time::BootId;

/// One life of one process: a pid alone is used again by others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incarnation {
    /// The boot of the machine in which it was started.
    pub boot: BootId,
    /// Its process id.
    pub pid: u32,
    /// Its start, in clock ticks since boot (field 22 of `/proc/<pid>/stat`).
    pub start_ticks: u64,
}

/// A fact in three values; `Unknown` never authorises destruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It lives.
    Alive,
    /// It is proven gone.
    Dead,
    /// Nobody can say.
    Unknown,
}

/// What looking for a pid answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// No such process.
    Absent,
    /// A process with this pid exists.
    Exists {
        /// It has ended and waits to be reaped.
        zombie: bool,
    },
    /// It may not be looked at.
    Denied,
    /// The look itself failed.
    Failed,
}

/// Judges whether the recorded process lives, from what a look at its pid showed (`host.md` F16).
///
/// `start_now` is the start of the process that has the pid now, `None` where it cannot be read.
pub fn process_liveness(recorded: &Incarnation, boot_now: BootId, probe: Probe, start_now: Option<u64>) -> Liveness {
    if !(2..=4_194_304).contains(&recorded.pid) {
        return Liveness::Unknown;
    }
    if recorded.boot != boot_now || probe == Probe::Absent {
        return Liveness::Dead;
    }
    let same_start = start_now.map(|ticks| ticks == recorded.start_ticks);
    match (probe, same_start) {
        (Probe::Absent, _) | (Probe::Exists { .. } | Probe::Denied, Some(false)) => Liveness::Dead,
        (Probe::Exists { zombie: true }, Some(true)) => Liveness::Dead,
        (Probe::Exists { zombie: false } | Probe::Denied, Some(true)) => Liveness::Alive,
        (Probe::Failed, _) | (Probe::Exists { .. } | Probe::Denied, None) => Liveness::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBES: [Probe; 5] =
        [Probe::Absent, Probe::Exists { zombie: false }, Probe::Exists { zombie: true }, Probe::Denied, Probe::Failed];

    fn expected(boot_same: bool, probe: Probe, start: Option<bool>) -> Liveness {
        match (boot_same, probe, start) {
            (false, _, _) | (true, Probe::Absent, _) => Liveness::Dead,
            (true, Probe::Failed, _) | (true, _, None) => Liveness::Unknown,
            (true, _, Some(false)) | (true, Probe::Exists { zombie: true }, Some(true)) => Liveness::Dead,
            (true, Probe::Exists { zombie: false } | Probe::Denied, Some(true)) => Liveness::Alive,
        }
    }

    #[test]
    fn f16_every_combination() {
        let recorded = Incarnation { boot: BootId([1; 16]), pid: 77, start_ticks: 500 };
        for boot in [1u8, 2] {
            for probe in PROBES {
                for start in [Some(500u64), Some(501), None] {
                    let got = process_liveness(&recorded, BootId([boot; 16]), probe, start);
                    assert_eq!(got, expected(boot == 1, probe, start.map(|s| s == 500)), "{boot} {probe:?} {start:?}");
                }
            }
        }
    }

    #[test]
    fn f16_an_invalid_pid_is_never_dead() {
        for pid in [0, 1, 4_194_305] {
            let recorded = Incarnation { boot: BootId([1; 16]), pid, start_ticks: 1 };
            assert_eq!(process_liveness(&recorded, BootId([1; 16]), Probe::Absent, None), Liveness::Unknown);
        }
    }
}
