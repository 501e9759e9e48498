//! The files: one for each machine, replaced whole.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use adjutant_api::home::Home;
use adjutant_api::types::session::{Session, SourceWord, StatusWord, Why};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::CommandError;
use crate::way::Remote;

/// What one machine last said.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Known {
    /// What its user calls it.
    pub(crate) name: String,
    /// Where `ssh` goes.
    pub(crate) target: String,
    /// What `adj` is called there.
    pub(crate) program: String,
    /// Its sessions, ended ones too.
    pub(crate) sessions: Vec<Session>,
}

/// Largest file, in bytes; a larger one is not ours.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Sessions of one host that are noted down one by one; the oldest make room.
const NOTED_MAX: usize = 1_000;

impl Known {
    /// Nothing is known yet.
    pub(crate) fn of(remote: &Remote) -> Self {
        Self {
            name: remote.name.clone(),
            target: remote.target.to_string(),
            program: remote.program.to_string(),
            sessions: Vec::new(),
        }
    }

    /// What was kept of a machine. A file that cannot be read says nothing, and is written anew.
    pub(crate) fn load(home: &Home, remote: &Remote) -> Self {
        let kept = read(&path(home, &remote.name)).filter(|kept| kept.name == remote.name);
        Self { sessions: kept.map(|kept| kept.sessions).unwrap_or_default(), ..Self::of(remote) }
    }

    /// What was kept of all machines.
    pub(crate) fn all(home: &Home) -> Vec<Self> {
        let entries = fs::read_dir(directory(home)).into_iter().flatten().flatten();
        entries.filter_map(|entry| read(&entry.path())).collect()
    }

    /// Whether it has named this session, by its id or its UUID.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.sessions.iter().any(|session| session.id == id || session.uuid == id)
    }

    /// Keeps it.
    pub(crate) fn save(&self, home: &Home) -> io::Result<()> {
        let directory = directory(home);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        let path = path(home, &self.name);
        let new = path.with_extension(format!("{}.new", std::process::id()));
        let text = serde_json::to_vec(self).map_err(io::Error::other)?;
        let mut file = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
        file.write_all(&text)?;
        fs::rename(new, path)
    }

    /// Takes in what the machine has just said of all its sessions, and gives what there is to show. One that lived when it
    /// was last named, and that is not named now, is unknown; one that had ended is gone.
    pub(crate) fn update(&mut self, told: Vec<Session>) -> Vec<Session> {
        let is_told = |kept: &Session| told.iter().any(|one| one.uuid == kept.uuid);
        let lived = |kept: &Session| kept.status != StatusWord::Exited;
        let missing: Vec<Session> =
            self.sessions.iter().filter(|kept| !is_told(kept) && lived(kept)).cloned().collect();
        let why = format!("{} does not name it any more", self.name);
        let unknown = missing.iter().cloned().map(|session| doubted(session, &why));
        let shown = told.iter().cloned().chain(unknown).collect();
        self.sessions = told.into_iter().chain(missing).collect();
        shown
    }

    /// Its sessions while it is out of reach.
    pub(crate) fn out_of_reach(&self, why: &str) -> Vec<Session> {
        let ended = |session: &Session| session.status == StatusWord::Exited;
        let shown = |session: &Session| if ended(session) { session.clone() } else { doubted(session.clone(), why) };
        self.sessions.iter().map(shown).collect()
    }
}

/// A session as it was last seen, of which nobody can say what it is now.
fn doubted(session: Session, why: &str) -> Session {
    let why = Why {
        summary: why.to_owned(),
        evidence: Vec::new(),
        contradictions: Vec::new(),
        needs: Some("an answer of that host".to_owned()),
        last_known: Some(session.status.clone()),
    };
    Session { status: StatusWord::Unknown, source: SourceWord::Daemon, why: Some(why), ..session }
}

/// Notes down a session that was created on another machine, so that it is found there by its id alone.
pub(crate) fn remember_created(remote: &Remote, session: &Session) -> Result<(), CommandError> {
    let home = Context::home()?;
    let mut known = Known::load(&home, remote);
    known.sessions.retain(|kept| kept.uuid != session.uuid);
    known.sessions.push(session.clone());
    let surplus = known.sessions.len().saturating_sub(NOTED_MAX);
    known.sessions.drain(..surplus);
    Ok(known.save(&home)?)
}

fn directory(home: &Home) -> PathBuf {
    home.state.join("hosts")
}

/// A name may hold what no file's name holds.
fn path(home: &Home, name: &str) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let mark = name.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    let shown: String = name.chars().take(40).map(plain).collect();
    directory(home).join(format!("{shown}-{mark:016x}.json"))
}

fn read(path: &Path) -> Option<Known> {
    let is_file = path.extension().is_some_and(|extension| extension == "json");
    let fits = fs::metadata(path).ok()?.len() <= BYTES_MAX;
    serde_json::from_slice(&fs::read(path).ok().filter(|_| is_file && fits)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: &str, uuid: &str, status: &str) -> Session {
        let text = serde_json::json!({
            "id": id, "uuid": uuid, "cli": "shell", "mode": "native", "status": status, "source": "daemon",
            "observed_at": "2026-01-01T00:00:00.000Z", "why": null, "resumable": false, "path": "/", "project": null,
            "worktree": null, "checkout": null, "workspace": null, "branch": null, "host": "box", "description": null,
            "model": null, "effort": null, "headless": false, "parent": null, "agent_session": null,
            "created_at": "2026-01-01T00:00:00.000Z", "last_used_at": "2026-01-01T00:00:00.000Z", "turn": null,
            "last_turn": null, "pending": [], "queued": 0, "held": false, "goal": null, "exit": null, "lent": false,
        });
        serde_json::from_value(text).unwrap()
    }

    fn known(sessions: Vec<Session>) -> Known {
        Known { name: "box".to_owned(), target: "box".to_owned(), program: "adj".to_owned(), sessions }
    }

    #[test]
    fn i2_what_lived_and_is_not_named_is_unknown_and_what_had_ended_is_gone() {
        let mut known =
            known(vec![session("a-top", "1", "idle"), session("b-top", "2", "exited"), session("c-top", "3", "idle")]);
        for _ in 0..2 {
            let shown = known.update(vec![session("c-top", "3", "working")]);
            let words: Vec<_> = shown.iter().map(|one| (one.id.as_str(), one.status.as_str())).collect();
            assert_eq!(words, [("c-top", "working"), ("a-top", "unknown")], "however often it is asked");
        }
        let why = known.update(Vec::new())[0].why.clone().unwrap();
        assert!(why.last_known.is_some() && why.summary.contains("box"));
    }

    #[test]
    fn while_a_host_is_away_only_what_has_ended_is_known() {
        let known = known(vec![session("a-top", "1", "working"), session("b-top", "2", "exited")]);
        let shown = known.out_of_reach("no answer");
        let words: Vec<_> = shown.iter().map(|one| one.status.as_str()).collect();
        assert_eq!(words, ["unknown", "exited"]);
    }

    #[test]
    fn two_names_are_two_files() {
        let home = Home::below(Path::new("/x"));
        assert_ne!(path(&home, "a@b"), path(&home, "a/b"));
        assert!(path(&home, "ssh://u@box:22").to_str().unwrap().starts_with("/x/hosts/ssh___u_box_22-"));
    }
}
