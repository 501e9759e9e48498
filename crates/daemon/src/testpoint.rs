//! Named points at which a test kills or holds the daemon. In a build without the feature they are nothing at all.
//!
//! `ADJ_TESTPOINT_KILL=<name>:<n>` ends the daemon with SIGKILL when it passes the point for the n-th time, counted from
//! 1; just what a power cut of the process would do there.

/// All points, in the order in which one call passes them.
pub const TESTPOINTS: [&str; 9] = [
    "before_commit",
    "after_commit",
    "before_reply",
    "before_launch",
    "after_launch",
    "before_deliver",
    "after_deliver",
    "before_end",
    "after_report_commit",
];

/// Passes a named point.
#[cfg(not(feature = "testpoints"))]
pub(crate) fn pass(_name: &'static str) {}

/// Passes a named point.
#[cfg(feature = "testpoints")]
pub(crate) fn pass(name: &'static str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let text = std::env::var("ADJ_TESTPOINT_KILL").ok()?;
        let (name, count) = text.rsplit_once(':')?;
        Some((name.to_owned(), count.parse().ok()?))
    });
    static PASSED: AtomicU64 = AtomicU64::new(0);

    debug_assert!(TESTPOINTS.contains(&name), "{name} is not listed");
    if let Some((wanted, count)) = WANTED.as_ref()
        && wanted == name
        && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *count
    {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// A number that a test sets in the place of a bound.
#[cfg(not(feature = "testpoints"))]
pub(crate) fn number(_name: &str) -> Option<u64> {
    None
}

/// A number that a test sets in the place of a bound.
#[cfg(feature = "testpoints")]
pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
