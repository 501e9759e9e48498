//! Processes as the kernel shows them: who they are, whether they live, and how they are ended.
//!
//! A pid is no identity, since it is used again; an [`Incarnation`] is. Whatever is lethal goes through a
//! [`ProcessHandle`], which is bound to one incarnation and cannot hit its successor.

mod handle;
mod inherited;
mod place;
mod stat;
mod survey;

pub use handle::ProcessHandle;
pub use inherited::{Inherited, raise_open_files};
pub(crate) use place::StartIn;
pub(crate) use stat::takes_signal_by_default;
pub use stat::{ProcStat, parse_proc_stat};
pub(crate) use survey::{Left, left_below, left_of, members_of_group};
pub use survey::{Stamp, end_leftovers};

use std::io;
use std::sync::OnceLock;

use adjutant_core::process::{Incarnation, Liveness, Probe, process_liveness};
use adjutant_core::time::BootId;

/// The boot in which this process runs.
///
/// # Errors
/// When the kernel does not tell, or tells something that is no id.
pub fn boot_id() -> io::Result<BootId> {
    static BOOT: OnceLock<BootId> = OnceLock::new();
    if let Some(known) = BOOT.get() {
        return Ok(*known);
    }
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let id = boot_id_from_text(text.trim()).ok_or_else(|| io::Error::other("the boot id is not a UUID"))?;
    Ok(*BOOT.get_or_init(|| id))
}

/// Reads a boot id as the kernel writes it: a hyphenated UUID.
pub fn boot_id_from_text(text: &str) -> Option<BootId> {
    text.parse::<adjutant_core::SessionId>().ok().map(|uuid| BootId(*uuid.as_bytes()))
}

/// A boot id as the kernel writes it.
pub fn boot_id_to_text(boot: BootId) -> String {
    adjutant_core::SessionId::from_bytes(boot.0).to_string()
}

/// Who has this pid now; `None` when nobody has.
///
/// # Errors
/// When the look itself fails; that says nothing about the process.
pub fn incarnation_of(pid: u32) -> io::Result<Option<Incarnation>> {
    let boot = boot_id()?;
    Ok(stat_of(pid)?.map(|stat| Incarnation { boot, pid, start_ticks: stat.start_ticks }))
}

/// This process.
///
/// # Errors
/// When `/proc` does not show it.
pub fn own_incarnation() -> io::Result<Incarnation> {
    incarnation_of(std::process::id())?.ok_or_else(|| io::Error::other("/proc does not show this process"))
}

/// What `/proc` says of a process; `None` when there is none of this pid.
///
/// # Errors
/// When its `stat` cannot be read for any other reason, or cannot be understood.
pub fn stat_of(pid: u32) -> io::Result<Option<ProcStat>> {
    match std::fs::read(format!("/proc/{pid}/stat")) {
        Ok(raw) => match parse_proc_stat(&raw) {
            Some(stat) => Ok(Some(stat)),
            None => Err(io::Error::other(format!("/proc/{pid}/stat has an unknown form"))),
        },
        Err(error) if means_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Looks for a pid: what is there, and when it started.
pub fn probe(pid: u32) -> (Probe, Option<u64>) {
    match stat_of(pid) {
        Ok(None) => (Probe::Absent, None),
        Ok(Some(stat)) => (Probe::Exists { zombie: stat.is_dead() }, Some(stat.start_ticks)),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => (Probe::Denied, None),
        Err(_) => (Probe::Failed, None),
    }
}

/// Whether a recorded process lives (`host.md` F16).
pub fn liveness(recorded: &Incarnation) -> Liveness {
    let Ok(boot) = boot_id() else { return Liveness::Unknown };
    let (probe, start) = probe(recorded.pid);
    process_liveness(recorded, boot, probe, start)
}

/// Absence is `ENOENT`, or `ESRCH` from a file of `/proc` whose process ended between open and read.
fn means_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_its_neighbour_in_time_does_not() {
        let own = own_incarnation().unwrap();
        assert_eq!(liveness(&own), Liveness::Alive);
        let earlier = Incarnation { start_ticks: own.start_ticks - 1, ..own };
        assert_eq!(liveness(&earlier), Liveness::Dead);
        let other_boot = Incarnation { boot: BootId([7; 16]), ..own };
        assert_eq!(liveness(&other_boot), Liveness::Dead);
    }

    #[test]
    fn boot_id_survives_its_text() {
        let boot = boot_id().unwrap();
        assert_eq!(boot_id_from_text(&boot_id_to_text(boot)), Some(boot));
        assert_eq!(boot_id_from_text("not an id"), None);
    }
}
