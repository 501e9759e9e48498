//! The one clock that the benches and the commands inside of a session share.

use std::path::Path;

use anyhow::{Context, Result};
use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of the monotonic clock, which is the same for every process since the machine started.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default()
}

/// Nanoseconds of the wall clock since midnight, UTC; a bench that runs over midnight measures nonsense for that moment.
pub(crate) fn day_ns() -> u64 {
    let now = clock_gettime(ClockId::Realtime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default() % 86_400;
    seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default()
}

/// `xtask clock <file>`: writes the clock into the file and ends, the last thing that a measured command does.
///
/// The file is opened first, so that as little as possible happens between the look at the clock and the end.
pub(crate) fn write(path: &Path) -> Result<()> {
    use std::io::Write;
    let mut file = std::fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(now_ns().to_string().as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

/// What `write` has written.
pub(crate) fn read(path: &Path) -> Result<u64> {
    let text = std::fs::read_to_string(path).with_context(|| format!("no clock in {}", path.display()))?;
    text.trim().parse().with_context(|| format!("no clock in {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_is_past() {
        let folder = tempfile::tempdir().unwrap();
        let (file, before) = (folder.path().join("clock"), now_ns());
        write(&file).unwrap();
        let written = read(&file).unwrap();
        assert!(before <= written && written <= now_ns());
    }
}
