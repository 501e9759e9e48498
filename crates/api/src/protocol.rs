//! How client and daemon recognise each other.

/// The protocol that this build speaks. It changes only when an older side could misunderstand a newer one.
pub const PROTOCOL: u32 = 1;

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Header of both directions: the protocol that the sender speaks.
pub const PROTOCOL_HEADER: &str = "adj-protocol";

/// Header of both directions: the version of the sender.
pub const VERSION_HEADER: &str = "adj-version";

/// Header under which a reconnecting client names the last cursor it has seen.
pub const LAST_EVENT_ID_HEADER: &str = "last-event-id";

/// Header that the gateway adds to what it passes on, and takes from nobody: who is connected to it. A call with it needs a
/// token of the gateway.
pub const GATEWAY_HEADER: &str = "adj-gateway";

/// Header of answers to the gateway: the id of the token that a call was made with.
pub const TOKEN_HEADER: &str = "adj-token";

/// The port of the gateway unless it is told another.
pub const GATEWAY_PORT: u16 = 6767;

/// The content type that asks for a stream as JSON lines instead of server-sent events.
pub const NDJSON: &str = "application/x-ndjson";

/// The content type of server-sent events.
pub const EVENT_STREAM: &str = "text/event-stream";

/// The protocol named by an `Upgrade` header of the terminal route: frames of `adjutant_agents::runner::frame`.
pub const TERMINAL_UPGRADE: &str = "adj-terminal";

/// How often a stream that has nothing to say shows that it lives, in milliseconds.
pub const ALIVE_INTERVAL_MS: u64 = 15_000;

/// What a body may hold beyond the largest message, in bytes.
pub const BODY_BYTES_EXTRA: u64 = 64 * 1024;

/// The line that a detached daemon writes on its standard output when it serves; anything else is one JSON error line.
pub const READY_LINE: &str = "ready";

/// The file in the state directory in which a daemon names the socket that it listens on, so that a caller with another
/// `XDG_RUNTIME_DIR` (or none: cron, sudo) finds it too.
pub const SOCKET_POINTER_FILE: &str = "socket";
