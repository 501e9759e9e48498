//! `adj hook <state directory> <event>`: one call of a hook.
//!
//! Whatever goes wrong here, the agent goes on: the exit code is 0 and nothing is said, which is no opinion.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::value::RawValue;

use super::refusal;
use super::spool::{Spool, answer_path, make_answers};
use crate::limits::HOOK_BYTES_MAX;
use crate::runner::wall_ms;

/// Hooks that may decide something, and wait until somebody has.
const DECIDING: [&str; 2] = ["PermissionRequest", "Elicitation"];

/// The hidden command `adj hook`; `words` are what stands behind it.
pub fn hook_main(words: &[OsString]) -> ExitCode {
    // An agent must neither fail nor be held up because of us, so there is nobody to tell of an error.
    let _ = run(words);
    ExitCode::SUCCESS
}

fn run(words: &[OsString]) -> io::Result<()> {
    let [state_dir, event] = words else { return Ok(()) };
    let (state_dir, event) = (PathBuf::from(state_dir), event.to_string_lossy().into_owned());
    let payload = payload()?;
    let id = format!("{}-{}", std::process::id(), wall_ms());
    if event == "PreToolUse" {
        let Some(asked) = refusal::by_rules(&state_dir, payload.get()) else { return Ok(()) };
        io::stdout().lock().write_all(refusal::words(&asked).as_bytes())?;
        return Spool::open(&state_dir)?.add_call(id, &event, payload);
    }
    let decides = DECIDING.contains(&event.as_str());
    // The watch comes before the call is told: an answer may follow at once.
    let watched = if decides { Some(Watched::new(&state_dir, &id)?) } else { None };
    Spool::open(&state_dir)?.add_call(id, &event, payload)?;
    match watched {
        Some(watched) => watched.wait_and_print(),
        None => Ok(()),
    }
}

/// What the agent tells, as one line of JSON.
fn payload() -> io::Result<Box<RawValue>> {
    let mut text = String::new();
    io::stdin().lock().take(HOOK_BYTES_MAX).read_to_string(&mut text)?;
    let text = text.trim();
    if !text.contains('\n')
        && let Ok(raw) = RawValue::from_string(text.to_owned())
    {
        return Ok(raw);
    }
    // Written over several lines, or cut; what cannot be read is told as the text that it is.
    let value = serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::from(text));
    Ok(serde_json::value::to_raw_value(&value)?)
}

/// A decision that is waited for.
struct Watched {
    answer: PathBuf,
    changes: std::os::fd::OwnedFd,
    agent: Option<std::os::fd::OwnedFd>,
}

impl Watched {
    fn new(state_dir: &Path, id: &str) -> io::Result<Self> {
        let directory = make_answers(state_dir)?;
        let changes = inotify::init(CreateFlags::CLOEXEC)?;
        inotify::add_watch(&changes, &directory, WatchFlags::MOVED_TO | WatchFlags::DELETE_SELF)?;
        Ok(Self { answer: answer_path(state_dir, id), changes, agent: agent() })
    }

    /// Waits for the decision, or the end of the agent, which then needs none any more.
    fn wait_and_print(self) -> io::Result<()> {
        let mut some = [0_u8; 4096];
        loop {
            match std::fs::read(&self.answer) {
                Ok(answer) => {
                    io::stdout().lock().write_all(&answer)?;
                    return std::fs::remove_file(&self.answer);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            if !self.answer.parent().is_some_and(Path::is_dir) {
                return Ok(());
            }
            let mut fds = vec![PollFd::new(&self.changes, PollFlags::IN)];
            fds.extend(self.agent.as_ref().map(|agent| PollFd::new(agent, PollFlags::IN)));
            poll(&mut fds, None)?;
            if fds.get(1).is_some_and(|agent| !agent.revents().is_empty()) {
                return Ok(());
            }
            rustix::io::read(&self.changes, &mut some)?;
        }
    }
}

/// The agent that called; without it the decision alone is waited for.
fn agent() -> Option<std::os::fd::OwnedFd> {
    let pid = std::env::var("CLAUDE_PID").ok()?.parse().ok()?;
    pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()
}
