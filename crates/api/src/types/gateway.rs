//! The gateway: tokens for callers outside, and what it says of itself.

use std::collections::BTreeMap;

use crate::schema::{answer, call};
use crate::time::WireTime;
use crate::types::session::ModeWord;

answer! {
    /// What a token of the gateway allows; the token itself is not kept.
    pub struct Token {
        /// Its id, by which it is revoked.
        pub id: String,
        /// What it is for.
        pub label: Option<String>,
        /// The directories of this host in which it may create sessions, resolved; none but these and what is below.
        pub roots: Vec<String>,
        /// The modes in which it may create sessions; the first where a create names none.
        pub modes: Vec<ModeWord>,
        /// Sessions of it that may live at once.
        pub sessions_max: u64,
        /// Sessions of it that live.
        pub sessions_live: u64,
        /// The names of the variables that its sessions get.
        pub variables: Vec<String>,
        /// When it was made.
        pub created_at: WireTime,
        /// When it ends; `null` is never.
        pub expires_at: Option<WireTime>,
        /// It has ended.
        pub expired: bool,
    }

    /// A token that was made. Its text is shown this once.
    pub struct CreatedToken {
        /// The token's text.
        pub secret: String,
        /// What it allows.
        pub token: Token,
    }

    /// That a gateway answers; all that is said without a token.
    pub struct GatewayHealth {
        /// Always true.
        pub ok: bool,
    }

    /// What a gateway says of itself to the user whose it is.
    pub struct GatewayStatus {
        /// Its process.
        pub pid: u32,
        /// Its version.
        pub version: String,
        /// Where it listens: `http://` and `unix:` addresses.
        pub addresses: Vec<String>,
        /// The port that it listens on; `null` where it has a socket alone.
        pub port: Option<u16>,
        /// How long it has been running.
        pub uptime_ms: u64,
        /// Connections that are open.
        pub connections: u64,
        /// Requests that it has answered.
        pub requests: u64,
        /// Requests that it has refused: without a good token, from a web page, too many, too large, too slow.
        pub refused: u64,
        /// The daemon answers.
        pub daemon: bool,
    }
}

call! {
    /// A token that is to be made.
    pub struct CreateToken {
        /// What it is for: one line.
        pub label: Option<String>,
        /// The directories in which it may create sessions, absolute.
        #[serde(default)]
        pub roots: Vec<String>,
        /// The modes in which it may create sessions; `guarded` and `docker` unless given.
        #[serde(default)]
        pub modes: Vec<ModeWord>,
        /// Sessions of it that may live at once; 20 unless given.
        pub sessions_max: Option<u64>,
        /// When it ends, from now; never unless given.
        pub expires_ms: Option<u64>,
        /// The variables of its sessions. A caller outside sets none of its own, unless it may create native sessions.
        #[serde(default)]
        pub environment: BTreeMap<String, String>,
    }

    /// Whom a session is introduced to.
    pub struct IntroduceSession {
        /// The other session.
        pub to: String,
    }
}
