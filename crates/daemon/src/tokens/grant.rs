//! What one token allows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use adjutant_core::Timestamp;
use adjutant_core::agent::Mode;
use serde::{Deserialize, Serialize};

/// Sessions of one token that may live at once unless it says otherwise.
pub(crate) const SESSIONS_MAX_DEFAULT: u64 = 20;

/// A mode, as the file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ModeRow {
    Native,
    Guarded,
    Docker,
}

impl From<ModeRow> for Mode {
    fn from(row: ModeRow) -> Self {
        match row {
            ModeRow::Native => Self::Native,
            ModeRow::Guarded => Self::Guarded,
            ModeRow::Docker => Self::Docker,
        }
    }
}

impl From<Mode> for ModeRow {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Native => Self::Native,
            Mode::Guarded => Self::Guarded,
            Mode::Docker => Self::Docker,
        }
    }
}

/// What one token allows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grant {
    /// The SHA-256 of its text, in hexadecimal digits.
    pub(crate) hash: String,
    /// What it is for.
    pub(crate) label: Option<String>,
    /// The directories in which it may create sessions, resolved.
    pub(crate) roots: Vec<PathBuf>,
    /// The modes in which it may; the first where none is named.
    pub(crate) modes: Vec<ModeRow>,
    /// Sessions of it that may live at once.
    pub(crate) sessions_max: u64,
    /// Milliseconds since 1970.
    pub(crate) created_at: i64,
    /// Milliseconds since 1970; `None` is never.
    pub(crate) expires_at: Option<i64>,
    /// The variables of its sessions.
    pub(crate) environment: BTreeMap<String, String>,
}

impl Grant {
    /// Whether it has not ended.
    pub(crate) fn is_good_at(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now.as_millis() < end)
    }

    /// Whether a resolved directory is one of its own.
    pub(crate) fn holds(&self, directory: &Path) -> bool {
        self.roots.iter().any(|root| directory.starts_with(root))
    }

    /// Whether it may create sessions that nobody is asked about. What else would let a session do as it likes is then its
    /// own too.
    pub(crate) fn is_unbound(&self) -> bool {
        self.modes.contains(&ModeRow::Native)
    }

    /// Whether it may create sessions of a mode.
    pub(crate) fn permits(&self, mode: Mode) -> bool {
        self.modes.contains(&ModeRow::from(mode))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_holds_whole_components() {
        let grant = Grant { roots: vec!["/srv/app".into()], ..Grant::default() };
        assert!(grant.holds(Path::new("/srv/app")) && grant.holds(Path::new("/srv/app/sub")));
        for outside in ["/srv/app2", "/srv", "/", "/srv/ap", "srv/app"] {
            assert!(!grant.holds(Path::new(outside)), "{outside}");
        }
    }
}
