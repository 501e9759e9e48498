//! What a driver writes down for the next daemon, beside what the daemon's own records say.
//!
//! The cursor that goes along with reports counts the beginnings and ends of turns: an odd one says that the beginning of
//! a turn is on record, the even one behind it that its end is. So the next driver knows which of the app-server's turns
//! have been told, and tells the rest, each once.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::goal_notes::GoalNotes;
use crate::Place;
use crate::codex::wire::TokenCount;

/// In the session's state directory.
const NOTES: &str = "codex.json";

/// In the session's runtime directory, which no backup holds: there are secrets of the session in it.
const SETTINGS: &str = "thread.json";

/// What is known of a session's thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::codex) struct Notes {
    /// The directory of the server that the session has claimed.
    pub(in crate::codex) server: PathBuf,
    /// The thread; `None` until the app-server has given it.
    pub(in crate::codex) thread: Option<String>,
    /// The number of the last turn that was seen to begin, from 1; 0 for none.
    #[serde(default)]
    pub(in crate::codex) begun: u64,
    /// That turn; or before the first, the last one that the thread had when it was taken up.
    #[serde(default)]
    pub(in crate::codex) turn: Option<String>,
    /// What the thread had used up when that turn began.
    #[serde(default)]
    pub(in crate::codex) before: Option<TokenCount>,
    /// The requests that were open, by the ids under which they were told.
    #[serde(default)]
    pub(in crate::codex) open: Vec<String>,
    /// The numbers of the messages that were put into the turn that runs.
    #[serde(default)]
    pub(in crate::codex) steered: Vec<u64>,
    /// What is known of its goal; `None` where it has none.
    #[serde(default)]
    pub(in crate::codex) goal: Option<GoalNotes>,
    /// The version of the server that was spoken to last.
    #[serde(default)]
    pub(in crate::codex) version: Option<String>,
    /// The tmux that the session's creator had.
    #[serde(default)]
    pub(in crate::codex) tmux: Option<PathBuf>,
}

impl Notes {
    /// Reads the notes of a session; `None` where there are none.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(in crate::codex) fn load(place: &Place) -> io::Result<Option<Self>> {
        load(&place.state_dir.join(NOTES))
    }

    /// Writes them down; they are there whole, or as they were.
    ///
    /// # Errors
    /// When the disk takes nothing.
    pub(super) fn save(&self, place: &Place) -> io::Result<()> {
        save(&place.state_dir, NOTES, self)
    }

    /// The cursor that says that the last turn's beginning is told.
    pub(super) fn cursor_begun(&self) -> u64 {
        (2 * self.begun).saturating_sub(1)
    }

    /// The cursor that says that its end is told.
    pub(super) fn cursor_ended(&self) -> u64 {
        2 * self.begun
    }
}

/// What a thread has to be given each time it is loaded, since the app-server keeps it in memory alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Settings {
    /// What its commands have in their environment besides the server's.
    pub(super) commands: BTreeMap<String, String>,
    /// Overrides of the configuration.
    pub(super) overrides: BTreeMap<String, Value>,
}

impl Settings {
    pub(super) fn load(place: &Place) -> io::Result<Option<Self>> {
        load(&place.run_dir.join(SETTINGS))
    }

    pub(super) fn save(&self, place: &Place) -> io::Result<()> {
        save(&place.run_dir, SETTINGS, self)
    }

    /// Removes them with the session: among them is its token.
    pub(super) fn forget(place: &Place) {
        // What is not there needs no removing; the directory goes with the session's record at the latest.
        let _ = std::fs::remove_file(place.run_dir.join(SETTINGS));
    }

    /// As the app-server takes it.
    pub(super) fn config(&self) -> Value {
        let mut config: serde_json::Map<String, Value> = self.overrides.clone().into_iter().collect();
        config.insert("shell_environment_policy".to_owned(), serde_json::json!({ "set": self.commands }));
        Value::Object(config)
    }
}

fn load<T: DeserializeOwned>(file: &Path) -> io::Result<Option<T>> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn save(dir: &Path, name: &str, what: &impl Serialize) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let draft = dir.join(format!("{name}.new"));
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
    io::Write::write_all(&mut file, &serde_json::to_vec(what)?)?;
    std::fs::rename(draft, dir.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_survive_and_cursors_count_beginnings_and_ends() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place {
            state_dir: dir.path().join("s"),
            run_dir: dir.path().join("r"),
            adj: PathBuf::from("/bin/adj"),
            host_id: "h".to_owned(),
        };
        assert_eq!(Notes::load(&place).unwrap(), None);
        let notes = Notes { thread: Some("t".to_owned()), begun: 2, turn: Some("u".to_owned()), ..Notes::default() };
        notes.save(&place).unwrap();
        assert_eq!(Notes::load(&place).unwrap(), Some(notes.clone()));
        assert_eq!((notes.cursor_begun(), notes.cursor_ended()), (3, 4));
        assert_eq!((Notes::default().cursor_begun(), Notes::default().cursor_ended()), (0, 0));
    }
}
