//! Every bound of the domain, with its unit last in its name.

/// Largest message, in bytes, unless the configuration says otherwise: what fits a long brief, and a queue of them fits a disk.
pub const MESSAGE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Messages that may wait in one session's queue; one more is refused, never dropped.
pub const QUEUE_MESSAGES_MAX: usize = 1_000;

/// Bytes that may wait in one session's queue; one more message is refused.
pub const QUEUE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Longest description, in characters: one line of a table.
pub const DESCRIPTION_CHARS_MAX: usize = 200;

/// Longest idempotency key, in bytes.
pub const KEY_BYTES_MAX: usize = 200;

/// Shortest and longest chosen session name, in characters.
pub const NAME_CHARS_MIN: usize = 2;
/// See [`NAME_CHARS_MIN`].
pub const NAME_CHARS_MAX: usize = 40;

/// Live sessions on one host; a create beyond it is refused.
pub const SESSIONS_LIVE_MAX: usize = 10_000;

/// Requests that one session may hold open; what it asks beyond that is not listed until one of them is closed.
pub const REQUESTS_OPEN_MAX: usize = 64;

/// Final text of a turn that is kept, in bytes; beyond it the middle is cut and the cut is stated.
pub const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// How often a message is handed over again after proof that it was not taken.
pub const ATTEMPTS_MAX: u32 = 5;

/// Time for an agent to get ready, in milliseconds, unless `--timeout` says otherwise.
pub const READY_MS_DEFAULT: u64 = 60_000;

/// Time for an agent to confirm an interrupt, in milliseconds; then the answer is `unknown`.
pub const INTERRUPT_CONFIRM_MS_MAX: u64 = 10_000;

/// Grace between the polite end of a session and its forced end, in milliseconds.
pub const KILL_GRACE_MS: u64 = 3_000;

/// Time for the proof that a killed session has no process left, in milliseconds.
pub const KILL_PROOF_MS_MAX: u64 = 10_000;

/// Depth of sessions that create sessions.
pub const DESCENDANT_DEPTH_MAX: usize = 16;

/// Sessions that one session may be introduced to; one more, and the first of them is forgotten.
pub const CONTACTS_MAX: usize = 256;

/// Sessions and messages that one message may wait for.
pub const AFTER_MAX: usize = 100;

/// Notices that may wait in one session's queue. Each is a turn of its own, so that somebody whose messages all fail is not
/// told of each: the last of these says that there may be more.
pub const NOTICES_WAITING_MAX: usize = 16;

/// Longest notice about a message, in bytes.
pub const NOTICE_BYTES_MAX: usize = 1_024;

/// Rules of one session that answer its requests.
pub const POLICY_RULES_MAX: usize = 200;

/// Words for an agent's own command line that one session may be given.
pub const ARGUMENTS_MAX: usize = 200;

/// Longest such word, rule, or name of a model, in bytes: what the kernel takes for one argument, and some room.
pub const WORD_BYTES_MAX: usize = 100 * 1024;

/// Longest line of a notice or a summary that an agent's driver reports, in characters.
pub const SUMMARY_CHARS_MAX: usize = 300;
