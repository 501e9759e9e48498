//! Room on the disk: a full one shows as a dozen failures that name everything but their cause.

use std::path::Path;

use anyhow::{Context, Result};

/// What a whole run writes: its build, the pinned agents, and what tests leave while they run.
const WANTED_BYTES: u64 = 8_000_000_000;

/// Says how much is free where the build goes, when that may not be enough. A build that is there already needs less, so
/// that it is no failure.
pub(crate) fn tell(place: &Path) -> Result<()> {
    let room = rustix::fs::statvfs(place).with_context(|| format!("cannot look at the disk of {}", place.display()))?;
    if let Some(words) = words(room.f_bavail.saturating_mul(room.f_frsize)) {
        say!("{words}");
    }
    Ok(())
}

fn words(free: u64) -> Option<String> {
    const GB: u64 = 1_000_000_000;
    (free < WANTED_BYTES).then(|| {
        format!(
            "NOTE: {}.{} GB are free on the disk, and a whole run from nothing writes up to {} GB; what fails below may have that cause",
            free / GB,
            free % GB / (GB / 10),
            WANTED_BYTES / GB
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_may_be_too_small_is_told() {
        assert_eq!(words(WANTED_BYTES), None);
        assert!(words(385_000_000).is_some_and(|words| words.contains("0.3 GB are free")));
        assert!(tell(Path::new("/")).is_ok() && tell(Path::new("/not/there")).is_err());
    }
}
