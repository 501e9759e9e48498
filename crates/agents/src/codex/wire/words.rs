//! Words of the protocol of which a version may have more than are known here.

use serde_json::Value;

/// What the app-server says that a thread does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::codex) enum ThreadStatus {
    /// Nobody has it in memory.
    NotLoaded,
    /// It waits for input.
    Idle,
    /// Its last turn failed; it takes input all the same.
    SystemError,
    /// A turn runs.
    Active {
        /// What the turn waits for, in the app-server's words.
        flags: Vec<String>,
    },
    /// A word that is not known here.
    Unknown(String),
}

impl ThreadStatus {
    /// Reads a status: a tagged object, or in other versions a bare word, or an object whose one member is the word.
    pub(in crate::codex) fn read(value: &Value) -> Self {
        let word = value["type"].as_str().or(value.as_str());
        let only = value.as_object().and_then(|members| members.keys().next()).map(String::as_str);
        match word.or(only) {
            Some("notLoaded") => Self::NotLoaded,
            Some("idle") => Self::Idle,
            Some("systemError") => Self::SystemError,
            Some("active") => Self::Active { flags: flags_of(value) },
            Some(other) => Self::Unknown(other.to_owned()),
            None => Self::Unknown(value.to_string()),
        }
    }

    /// Whether a turn runs, as far as this tells.
    pub(in crate::codex) fn is_working(&self) -> Option<bool> {
        match self {
            Self::Active { .. } => Some(true),
            Self::NotLoaded | Self::Idle | Self::SystemError => Some(false),
            Self::Unknown(_) => None,
        }
    }
}

fn flags_of(value: &Value) -> Vec<String> {
    let flags = value["activeFlags"].as_array().or(value["active"]["activeFlags"].as_array());
    flags.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The text of a member, empty where there is none.
pub(super) fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}
