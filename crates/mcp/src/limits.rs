//! Every bound of the server.

use std::time::Duration;

/// How long a tool waits that waits for something, unless the call says otherwise, in milliseconds: less than what
/// clients give a call.
pub(crate) const WAIT_MS_DEFAULT: u64 = 50_000;

/// The longest that a call may ask a tool to wait, in milliseconds.
pub(crate) const WAIT_MS_MAX: u64 = 600_000;

/// What a call may take beyond what it was asked to wait: starting an agent, ending many sessions, git in large trees.
pub(crate) const CALL: Duration = Duration::from_secs(300);

/// Connections that are served at once; a further one waits.
pub(crate) const CONNECTIONS_MAX: usize = 64;

/// Largest request, in bytes: the largest message, and what stands around it.
pub(crate) const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024 + 64 * 1024;

/// Time for the head of a request.
pub(crate) const HEAD: Duration = Duration::from_secs(10);

/// Bytes of the secret in the address.
pub(crate) const SECRET_BYTES: usize = 32;
