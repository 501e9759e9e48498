//! The status file of Claude Code: the level with which what the hooks told is reconciled.

use std::path::{Path, PathBuf};

use adjutant_core::process::Incarnation;
use serde::Deserialize;

use crate::process::stat_of;

/// What the agent says that it is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::claude) enum Activity {
    /// It was started and has not said.
    Starting,
    /// Nothing runs.
    Idle,
    /// Its turn is over, and a shell that it left in the background runs.
    Shell,
    /// A turn runs.
    Busy,
    /// It waits for a person, in one of its dialogs.
    Waiting {
        /// For what.
        what: String,
    },
    /// A word of another version.
    Other,
}

/// The file, as far as it is ours to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::claude) struct Status {
    pub(in crate::claude) activity: Activity,
    /// The conversation, which changes with `/clear`.
    pub(in crate::claude) conversation: String,
    /// When the activity changed last, in milliseconds of the wall clock.
    pub(in crate::claude) since: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    pid: u32,
    proc_start: Option<String>,
    #[serde(default)]
    session_id: String,
    status: Option<String>,
    waiting_for: Option<String>,
    status_updated_at: Option<i64>,
    #[serde(default)]
    started_at: i64,
}

/// The directory in which status files are.
pub(in crate::claude) fn directory(config_dir: &Path) -> PathBuf {
    config_dir.join("sessions")
}

/// Reads the status of exactly this process; `None` where there is no file of it.
pub(in crate::claude) fn read(config_dir: &Path, agent: &Incarnation) -> Option<Status> {
    let bytes = std::fs::read(directory(config_dir).join(format!("{}.json", agent.pid))).ok()?;
    parse(&bytes, agent)
}

/// Reads the status of the process behind a wrapper, which may be another than the one in the terminal, and of which the
/// number may be that of a container: the latest file of this conversation that is not older than the wrapper. `None`
/// where none is to be seen.
pub(in crate::claude) fn read_behind(config_dir: &Path, conversation: &str, not_before: i64) -> Option<Status> {
    let files = std::fs::read_dir(directory(config_dir)).ok()?;
    let files = files.filter_map(|entry| std::fs::read(entry.ok()?.path()).ok());
    let ours = files.filter_map(|bytes| serde_json::from_slice::<File>(&bytes).ok());
    let ours = ours.filter(|file| file.session_id == conversation && file.started_at >= not_before);
    ours.max_by_key(|file| file.started_at).map(File::status)
}

/// The living process that holds a conversation, if one besides this one does.
pub(in crate::claude) fn holder(config_dir: &Path, conversation: &str, besides: Option<u32>) -> Option<u32> {
    let files = std::fs::read_dir(directory(config_dir)).ok()?;
    let holds = |bytes: Vec<u8>| {
        let file: File = serde_json::from_slice(&bytes).ok()?;
        // What has been killed and waits for its parent to look at it writes nothing any more.
        let lives = stat_of(file.pid).ok()?.filter(|stat| !stat.is_dead());
        let same = lives.is_some_and(|now| file.proc_start == Some(now.start_ticks.to_string()));
        (same && file.session_id == conversation && Some(file.pid) != besides).then_some(file.pid)
    };
    files.filter_map(|entry| std::fs::read(entry.ok()?.path()).ok()).find_map(holds)
}

fn parse(bytes: &[u8], agent: &Incarnation) -> Option<Status> {
    let file: File = serde_json::from_slice(bytes).ok()?;
    // A file of an earlier process with this number says nothing of ours.
    let same_start = file.proc_start.as_ref().is_none_or(|start| *start == agent.start_ticks.to_string());
    if file.pid != agent.pid || !same_start {
        return None;
    }
    Some(file.status())
}

impl File {
    fn status(self) -> Status {
        let activity = match self.status.as_deref() {
            None => Activity::Starting,
            Some("idle") => Activity::Idle,
            Some("shell") => Activity::Shell,
            Some("busy") => Activity::Busy,
            Some("waiting") => Activity::Waiting { what: self.waiting_for.unwrap_or_default() },
            Some(_) => Activity::Other,
        };
        let since = self.status_updated_at.unwrap_or(self.started_at);
        Status { activity, conversation: self.session_id, since }
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::time::BootId;

    use super::*;

    #[test]
    fn a_file_counts_for_its_own_process() {
        let agent = Incarnation { boot: BootId([1; 16]), pid: 15614, start_ticks: 50914 };
        let text = r#"{"pid":15614,"sessionId":"s","procStart":"50914","startedAt":3,"status":"waiting",
            "statusUpdatedAt":7,"waitingFor":"permission prompt","more":{}}"#;
        let status = parse(text.as_bytes(), &agent).unwrap();
        let waiting = Activity::Waiting { what: "permission prompt".into() };
        assert_eq!(status, Status { activity: waiting, conversation: "s".into(), since: 7 });
        assert_eq!(parse(text.as_bytes(), &Incarnation { start_ticks: 1, ..agent }), None);
        assert_eq!(parse(b"{\"pid\":15614", &agent), None);
        let early = parse(br#"{"pid":15614,"procStart":"50914","startedAt":3}"#, &agent).unwrap();
        assert_eq!((early.activity, early.since), (Activity::Starting, 3));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a process to look at")]
    fn a_dead_process_holds_nothing_even_before_it_is_reaped() {
        let config = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory(config.path())).unwrap();
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let start = stat_of(child.id()).unwrap().unwrap().start_ticks;
        let text = format!(r#"{{"pid":{},"sessionId":"s","procStart":"{start}","startedAt":3}}"#, child.id());
        std::fs::write(directory(config.path()).join("1.json"), text).unwrap();
        assert_eq!(holder(config.path(), "s", None), Some(child.id()));
        assert_eq!(holder(config.path(), "s", Some(child.id())), None);
        assert_eq!(holder(config.path(), "t", None), None);
        drop(child.stdin.take());
        let id = rustix::process::WaitId::Pid(rustix::process::Pid::from_child(&child));
        let unreaped = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(id, unreaped).unwrap();
        assert_eq!(holder(config.path(), "s", None), None);
        child.wait().unwrap();
    }

    #[test]
    fn behind_a_wrapper_the_conversation_counts() {
        let config = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory(config.path())).unwrap();
        let file = |pid: u32, conversation: &str, started: i64, status: &str| {
            let text = format!(
                r#"{{"pid":{pid},"sessionId":"{conversation}","procStart":"1","startedAt":{started},"status":"{status}"}}"#
            );
            std::fs::write(directory(config.path()).join(format!("{pid}.json")), text).unwrap();
        };
        file(7, "ours", 10, "busy");
        file(8, "ours", 20, "idle");
        file(9, "other", 30, "busy");
        assert_eq!(read_behind(config.path(), "ours", 5).unwrap().activity, Activity::Idle);
        assert_eq!(read_behind(config.path(), "ours", 21), None, "a file of an earlier start says nothing");
    }
}
