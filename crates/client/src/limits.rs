//! Every bound of the client.

use std::time::Duration;

/// Time for a connection to be accepted.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);

/// Time for the answer to an ordinary call.
pub(crate) const ANSWER: Duration = Duration::from_secs(30);

/// What a call that waits for something is given beyond what it waits for.
pub(crate) const ANSWER_EXTRA: Duration = Duration::from_secs(15);

/// Time for ending sessions: grace, force and proof, for many of them.
pub(crate) const KILL: Duration = Duration::from_secs(120);

/// Time for somebody to decide what a hook asks; agents wait no longer either.
pub(crate) const HOOK: Duration = Duration::from_secs(86_400);

/// Time for folding the log anew.
pub(crate) const CHECK: Duration = Duration::from_secs(1_800);

/// Time for another caller to start the daemon, while it holds the lock.
pub(crate) const START_LOCK: Duration = Duration::from_secs(10);

/// Time for a new daemon to say that it serves. Adopting sessions comes after that; migrating a large store before.
pub(crate) const START_READY: Duration = Duration::from_secs(60);

/// A stream that shows no life for this long is broken: three times the interval at which it should.
pub(crate) const STREAM_SILENCE: Duration = Duration::from_millis(3 * adjutant_api::protocol::ALIVE_INTERVAL_MS);

/// What the daemon is given to say that a wait timed out, before the client says so itself.
pub(crate) const WAIT_EXTRA: Duration = Duration::from_secs(2);

/// How long a caller that may start no daemon looks for one again after it was connected to one.
pub(crate) const RECONNECT: Duration = Duration::from_secs(10);

/// A call that waits and was open for this long was taken by a daemon.
pub(crate) const ANSWERED_AFTER: Duration = Duration::from_secs(1);

/// How often a stream is tried that was never open.
pub(crate) const FIRST_ATTEMPTS: u32 = 5;

/// Attempts to find the successor of a daemon that was told to end before that is said: about a second.
pub(crate) const STOPPED_TOLD_AFTER: u32 = 12;

/// Daemons that may die in a row while they start before a stream that was open gives up.
pub(crate) const STARTS_FAILED_MAX: u32 = 20;

/// Largest answer, in bytes.
pub(crate) const ANSWER_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Longest record of a stream, in bytes: the largest message, every byte of it escaped.
pub(crate) const RECORD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Time for what asks git about work trees, several of them one after another.
pub(crate) const GIT: Duration = Duration::from_secs(300);

/// Time for `ssh` to connect and for the other machine's daemon to be there; it may have to be started.
pub(crate) const DIAL: Duration = Duration::from_secs(60);

/// Time for `ssh` to say why it failed, once its output has ended.
pub(crate) const LAST_WORDS: Duration = Duration::from_secs(2);

/// What a login shell may say before the other machine's `adj` does, in bytes.
pub(crate) const NOISE_BYTES_MAX: usize = 64 * 1024;

/// Longest greeting of the other machine, in bytes: it holds an environment.
pub(crate) const GREETING_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What is kept of what `ssh` says on standard error, in bytes.
pub(crate) const LAST_WORDS_BYTES: usize = 8 * 1024;
