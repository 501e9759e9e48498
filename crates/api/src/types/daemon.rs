//! The daemon itself.

use crate::schema::{answer, call, words};

words! {
    /// What a check found.
    pub enum CheckStatus {
        /// All is well.
        Ok = "ok",
        /// Somebody should look at it.
        Warning = "warning",
        /// It is broken.
        Failed = "failed",
    }
}

answer! {
    /// That a daemon serves.
    pub struct Health {
        /// Always true.
        pub ok: bool,
        /// Its version.
        pub version: String,
        /// The protocol that it speaks.
        pub protocol: u32,
    }

    /// What a daemon says of itself.
    pub struct DaemonStatus {
        /// Its process.
        pub pid: u32,
        /// Its version.
        pub version: String,
        /// The protocol that it speaks.
        pub protocol: u32,
        /// Where it listens.
        pub socket: String,
        /// Where it keeps its state.
        pub state_dir: String,
        /// How long it has been running.
        pub uptime_ms: u64,
        /// How many sessions it holds.
        pub sessions: SessionCounts,
        /// How many waits and watches are under way.
        pub streams: u64,
        /// What keeps it from doing all of its work; empty when nothing does.
        pub degraded: Vec<String>,
    }

    /// How many sessions are in which state.
    pub struct SessionCounts {
        /// Sessions whose process lives.
        pub live: u64,
        /// Of these: in a turn.
        pub working: u64,
        /// Of these: in a turn that waits for an answer.
        pub waiting_for_input: u64,
        /// Sessions of which nothing is known at the moment.
        pub unknown: u64,
        /// Ended sessions whose record is kept.
        pub exited: u64,
    }

    /// That the daemon is about to end.
    pub struct Stopping {
        /// Its process.
        pub pid: u32,
        /// The sessions that go on without it.
        pub sessions: u64,
    }

    /// One thing that was checked.
    pub struct Check {
        /// What was looked at.
        pub check: String,
        /// What was found.
        pub status: CheckStatus,
        /// In words.
        pub detail: String,
        /// What to run next.
        pub hint: Option<String>,
    }
}

call! {
    /// How the daemon is to end; it refuses while sessions work unless told otherwise.
    pub struct StopDaemon {
        /// Wait until no session works.
        #[serde(default)]
        pub drain: bool,
        /// End although sessions work; they go on.
        #[serde(default)]
        pub force: bool,
        /// With `drain`: how long.
        pub timeout_ms: Option<u64>,
    }

    /// What is checked.
    pub struct CheckDaemon {
        /// Fold the log anew and compare the result with the projections.
        #[serde(default)]
        pub rebuild: bool,
    }
}
