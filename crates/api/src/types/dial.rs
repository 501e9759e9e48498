//! What the far end of a connection through `ssh` says of itself before anything else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What its line begins with; whatever a login shell says before it is passed over.
pub const GREETING: &str = "adj-dial-stdio ";

/// One line of JSON, in front of the bytes of the daemon's socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Greeting {
    /// The daemon is there, and everything behind this line is its.
    Connected(Far),
    /// It is not.
    Failed(crate::error::ErrorBody),
}

/// What a session on that machine finds there: what a command that is called there would hand on to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Far {
    /// The version of `adj` that bridges.
    pub version: String,
    /// Its variables.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The user's home directory.
    #[serde(default)]
    pub directory: Option<String>,
    /// Its umask.
    #[serde(default)]
    pub umask: Option<u32>,
    /// Its soft limits, by the names of `CreateSession::soft_limits`.
    #[serde(default)]
    pub soft_limits: BTreeMap<String, Option<u64>>,
}
