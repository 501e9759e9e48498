//! Starting the daemon: one caller does it, however many want it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::{Child, ChildStdout};

use adjutant_api::protocol::READY_LINE;
use adjutant_api::{ErrorBody, ErrorCode, ErrorDocument};
use rustix::fs::{FlockOperation, flock};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::time::{Instant, timeout};

use crate::backoff::Backoff;
use crate::endpoint::Local;
use crate::error::ClientError;
use crate::{limits, spawn};

/// The daemon that this process has started, to be reaped if it ends before us.
#[derive(Default)]
pub(crate) struct Started(Option<Child>);

impl Started {
    /// Forgets a daemon that has ended.
    pub(crate) fn reap(&mut self) {
        let ended = self.0.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
        if ended {
            self.0 = None;
        }
    }
}

impl Local {
    /// Starts the daemon unless somebody else just did, and connects to it.
    pub(crate) async fn start_and_open(&self, started: &mut Started) -> Result<UnixStream, ClientError> {
        self.make_directories()?;
        let _alone = self.start_lock().await?;
        let mut backoff = Backoff::until(Instant::now() + limits::START_LOCK);
        loop {
            if let Some(stream) = self.open().await? {
                return Ok(stream);
            }
            match self.start(started).await {
                Ok(()) => return self.open().await?.ok_or_else(|| died("")),
                // The last one has closed its socket and still holds its lock for a moment.
                Err(error) if is_held(&error) && backoff.pause().await => started.reap(),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether a daemon holds the home, wherever it listens.
    pub(crate) fn is_home_held(&self) -> bool {
        let Ok(file) = File::open(self.home.daemon_lock()) else { return false };
        flock(&file, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK)
    }

    async fn start(&self, started: &mut Started) -> Result<(), ClientError> {
        let mut child = spawn::daemon(self).map_err(ClientError::NotStarted)?;
        let stdout = child.stdout.take();
        started.0 = Some(child);
        let words = match stdout {
            Some(stdout) => timeout(limits::START_READY, first_words(stdout)).await,
            None => Ok(Ok(String::new())),
        };
        match words {
            Ok(Ok(words)) => judge(&words, || self.last_log_line()),
            Ok(Err(error)) => Err(died(&error.to_string())),
            Err(_) => Err(late()),
        }
    }

    /// State and run directory, 0700. What they must be like is for the daemon to check.
    fn make_directories(&self) -> Result<(), ClientError> {
        let home = &self.home;
        if let Some(anchor) = &home.anchor
            && !anchor.is_dir()
        {
            let message = format!("the directory {} does not exist", anchor.display());
            let hint = "export ADJ_HOME=/some/directory";
            return Err(ClientError::NotStarted(ErrorBody::new(ErrorCode::HomeMissing, message).with_hint(hint)));
        }
        for directory in [&home.state, &home.run] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
            made.map_err(|error| unusable(directory, &error))?;
        }
        Ok(())
    }

    async fn start_lock(&self) -> Result<File, ClientError> {
        let path = self.home.start_lock();
        let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = opened.map_err(|error| unusable(&path, &error))?;
        let mut backoff = Backoff::until(Instant::now() + limits::START_LOCK);
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(file),
                Err(rustix::io::Errno::WOULDBLOCK) if backoff.pause().await => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(late()),
                Err(error) => return Err(unusable(&path, &error.into())),
            }
        }
    }

    fn last_log_line(&self) -> String {
        let log = std::fs::read(self.home.daemon_log()).unwrap_or_default();
        let tail = &log[log.len().saturating_sub(4096)..];
        let tail = String::from_utf8_lossy(tail);
        let line = tail.lines().next_back().unwrap_or_default();
        line.strip_prefix("adj: ").unwrap_or(line).to_owned()
    }
}

/// The line that a detached daemon says; it is bounded, since an answer of another program may not be.
async fn first_words(stdout: ChildStdout) -> io::Result<String> {
    let pipe = pipe::Receiver::from_owned_fd(OwnedFd::from(stdout))?;
    let mut line = String::new();
    BufReader::new(pipe).take(64 * 1024).read_line(&mut line).await?;
    Ok(line)
}

fn judge(words: &str, last_log_line: impl Fn() -> String) -> Result<(), ClientError> {
    let words = words.trim_end();
    if words == READY_LINE {
        return Ok(());
    }
    match serde_json::from_str::<ErrorDocument>(words) {
        Ok(document) => Err(ClientError::NotStarted(document.error)),
        Err(_) => Err(died(if words.is_empty() { last_log_line() } else { words.to_owned() }.as_str())),
    }
}

/// Whether another daemon holds the home.
fn is_held(error: &ClientError) -> bool {
    matches!(error, ClientError::NotStarted(body) if body.code == ErrorCode::DaemonUnreachable)
}

fn died(last_words: &str) -> ClientError {
    ClientError::DiedAtStart { last_words: last_words.to_owned() }
}

fn late() -> ClientError {
    let message = "the daemon is being started and does not serve yet";
    ClientError::NotStarted(ErrorBody::new(ErrorCode::DaemonUnreachable, message).with_hint("adj daemon status"))
}

fn unusable(path: &Path, error: &io::Error) -> ClientError {
    let message = format!("cannot use {}: {error}", path.display());
    ClientError::NotStarted(ErrorBody::new(ErrorCode::StateDirUnusable, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_decides() {
        let log = || "panicked at nothing".to_owned();
        assert_eq!(judge("ready\n", log), Ok(()));
        let error = ErrorBody::new(ErrorCode::StoreCorrupt, "the store is damaged");
        assert_eq!(judge(&error.to_json_line(), log), Err(ClientError::NotStarted(error)));
        assert_eq!(judge("", log), Err(died("panicked at nothing")));
        assert_eq!(judge("Usage: adj\n", log), Err(died("Usage: adj")));
    }
}
