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

/// What a test has added to the wall clock, in milliseconds.
#[cfg(not(feature = "testpoints"))]
pub(crate) fn wall_offset_ms() -> i64 {
    0
}

/// Waits until a test sets the wall clock.
#[cfg(not(feature = "testpoints"))]
pub(crate) async fn wall_was_set() {
    std::future::pending().await
}

/// Lets a test set the wall clock.
#[cfg(not(feature = "testpoints"))]
pub(crate) fn watch_wall() {}

#[cfg(feature = "testpoints")]
pub(crate) use self::wall::{wall_offset_ms, wall_was_set, watch_wall};

/// A wall clock that a test sets: `ADJ_TEST_WALL_FILE` holds what is added to it, in milliseconds, and is read again at each
/// SIGUSR1. It stands in for the kernel's clock, which belongs to the whole machine; from the news that it was set on,
/// everything is as it is without it.
#[cfg(feature = "testpoints")]
mod wall {
    use std::sync::atomic::{AtomicI64, Ordering};

    use tokio::signal::unix::{SignalKind, signal};
    use tokio::sync::Notify;

    static OFFSET_MS: AtomicI64 = AtomicI64::new(0);
    static SET: Notify = Notify::const_new();

    pub(crate) fn wall_offset_ms() -> i64 {
        OFFSET_MS.load(Ordering::SeqCst)
    }

    pub(crate) async fn wall_was_set() {
        SET.notified().await;
    }

    pub(crate) fn watch_wall() {
        let Some(path) = std::env::var_os("ADJ_TEST_WALL_FILE") else { return };
        let Ok(mut asked) = signal(SignalKind::user_defined1()) else { return };
        tokio::spawn(async move {
            while asked.recv().await.is_some() {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                OFFSET_MS.store(text.trim().parse().unwrap_or(0), Ordering::SeqCst);
                SET.notify_one();
            }
        });
    }
}
