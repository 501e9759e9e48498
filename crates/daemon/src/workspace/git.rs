//! Calls of git: an argument vector, no variables of the caller's, no hooks, no prompts, bounded output and a deadline.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

/// Time for one call that only looks.
pub(super) const LOOK: Duration = Duration::from_secs(30);

/// Time for one call that writes a tree.
pub(super) const WRITE: Duration = Duration::from_secs(60);

/// Output that is taken of one call, in bytes.
const OUTPUT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What is kept of the words of a call that failed, in characters.
const SAID_CHARS_MAX: usize = 300;

/// Why a call gave nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum GitError {
    /// It ended with another code than 0.
    #[error("git {what}: {said}")]
    Refused {
        /// Which call.
        what: String,
        /// Its code.
        code: Option<i32>,
        /// What it said.
        said: String,
    },
    /// It did not end in time and was ended; what it had done is not known.
    #[error("git {0} did not end in time")]
    TooSlow(String),
    /// It wrote more than is taken.
    #[error("git {0} has too much to say")]
    TooMuch(String),
    /// It could not be run.
    #[error("git cannot be run: {0}")]
    Io(#[from] io::Error),
}

/// Git in one directory.
#[derive(Clone, Debug)]
pub(super) struct Git<'a> {
    directory: &'a Path,
    index: Option<&'a Path>,
}

impl<'a> Git<'a> {
    pub(super) fn new(directory: &'a Path) -> Self {
        Self { directory, index: None }
    }

    /// With an index of its own, so that the tree's is not touched.
    pub(super) fn with_index(self, index: &'a Path) -> Self {
        Self { index: Some(index), ..self }
    }

    /// Runs a call; its output, when it ends with 0.
    pub(super) async fn run<S: AsRef<OsStr>>(&self, words: &[S], limit: Duration) -> Result<Vec<u8>, GitError> {
        let what = words.first().map(|word| word.as_ref().to_string_lossy().into_owned()).unwrap_or_default();
        let mut child = self.command(words).spawn()?;
        match tokio::time::timeout(limit, finish(&mut child, &what)).await {
            Ok(done) => done,
            Err(_) => {
                end(&mut child).await;
                Err(GitError::TooSlow(what))
            }
        }
    }

    /// The output of a call as one line of text.
    pub(super) async fn line<S: AsRef<OsStr>>(&self, words: &[S]) -> Result<String, GitError> {
        let output = self.run(words, LOOK).await?;
        Ok(String::from_utf8_lossy(&output).trim_end_matches('\n').to_owned())
    }

    /// Whether a call ends with 0 or with 1; anything else is an error.
    pub(super) async fn holds<S: AsRef<OsStr>>(&self, words: &[S]) -> Result<bool, GitError> {
        match self.run(words, LOOK).await {
            Ok(_) => Ok(true),
            Err(GitError::Refused { code: Some(1), .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "git is a program of its own, and nothing of a session is in it")]
    fn command<S: AsRef<OsStr>>(&self, words: &[S]) -> Command {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"GIT_") {
                command.env_remove(name);
            }
        }
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C");
        if let Some(index) = self.index {
            command.env("GIT_INDEX_FILE", index);
        }
        command.args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false"]);
        command.arg("-C").arg(self.directory).args(words);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        command
    }
}

async fn finish(child: &mut Child, what: &str) -> Result<Vec<u8>, GitError> {
    let (mut output, mut said) = (Vec::new(), Vec::new());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let taken = async {
        match out {
            Some(out) => out.take(OUTPUT_BYTES_MAX + 1).read_to_end(&mut output).await,
            None => Ok(0),
        }
    };
    let told = async {
        match err {
            Some(err) => err.take(OUTPUT_BYTES_MAX).read_to_end(&mut said).await,
            None => Ok(0),
        }
    };
    let (taken, told) = tokio::join!(taken, told);
    taken.and(told)?;
    if output.len() as u64 > OUTPUT_BYTES_MAX {
        end(child).await;
        return Err(GitError::TooMuch(what.to_owned()));
    }
    let status = child.wait().await?;
    if status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&said);
    let said = said.lines().last().unwrap_or("it failed").chars().take(SAID_CHARS_MAX).collect();
    Err(GitError::Refused { what: what.to_owned(), code: status.code(), said })
}

/// Ends the call and what it has started. Its group is its own, and cannot be another's while it is not reaped.
async fn end(child: &mut Child) {
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        let _ = kill_process_group(pid, Signal::KILL);
    }
    let _ = child.wait().await;
}
