//! The bounds of the fake model.

/// Bytes of a request's body that are taken in; agents send whole conversations.
pub const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Requests that are kept in memory; the oldest go first.
pub const REQUESTS_KEPT_MAX: usize = 4096;

/// Bytes of bodies that are kept in memory; the oldest go first, and are counted all the same.
pub const BODIES_KEPT_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Faults that are kept; later ones are counted.
pub const FAULTS_KEPT_MAX: usize = 256;

/// Steps of scripts whose tries are counted at the same time.
pub const TRIES_KEPT_MAX: usize = 16 * 1024;

/// Frames of an answer that may wait for a slow reader.
pub const FRAMES_WAITING_MAX: usize = 16;

/// The longest pause that a marker may ask for, in milliseconds.
pub const PAUSE_MS_MAX: u64 = 10 * 60 * 1000;
