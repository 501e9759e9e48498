//! A pipe with a name, by which a session's command and the test wait for each other.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, mknodat};

/// One named pipe. The test holds both ends open, so that nobody ever waits for the other end.
#[derive(Debug)]
pub struct Bell {
    path: PathBuf,
    pipe: File,
    read: Vec<u8>,
}

impl Bell {
    /// Makes the pipe.
    ///
    /// # Panics
    /// Where it cannot be made.
    pub fn new(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a named pipe can be made");
        let pipe = OpenOptions::new().read(true).write(true).open(&path).expect("a named pipe can be opened");
        Self { path, pipe, read: Vec::new() }
    }

    /// Its name, for a command.
    pub fn path(&self) -> &OsStr {
        self.path.as_os_str()
    }

    /// Lets so many commands go on, each of which reads one line of the pipe.
    ///
    /// # Panics
    /// Where the pipe is full.
    pub fn release(&self, commands: usize) {
        (&self.pipe).write_all(&vec![b'\n'; commands]).expect("a pipe takes a few bytes");
    }

    /// Waits for a line that a command has written.
    ///
    /// # Panics
    /// Where none comes within the limit.
    pub fn line(&mut self, limit: Duration) -> String {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return String::from_utf8_lossy(&line[..end]).into_owned();
            }
            let left = Timespec::try_from(deadline.saturating_duration_since(Instant::now())).unwrap_or_default();
            let ready = poll(&mut [PollFd::new(&self.pipe, PollFlags::IN)], Some(&left));
            assert!(ready.is_ok_and(|ready| ready > 0), "no line on {} within {limit:?}", self.path.display());
            let mut some = [0; 256];
            let count = self.pipe.read(&mut some).expect("a pipe can be read");
            self.read.extend_from_slice(&some[..count]);
        }
    }
}
