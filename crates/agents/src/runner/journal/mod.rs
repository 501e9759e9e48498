//! The journal of a runner: what it saw, in a file that outlives it.
//!
//! The file is made whole or not at all, and only once: whoever makes it first, the runner with `opened` or a daemon
//! with `withdrawn`, has decided whether the session starts. Lines are appended whole; a torn last line is what a
//! killed writer leaves, and is not a record.

mod hole;
mod read;

pub(crate) use hole::{GIVEN_BACK_BYTES_MIN, give_back, skip_hole};
pub(crate) use read::{Found, Reader, parse_line};

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tokio::sync::watch;

use self::hole::BLOCK_BYTES;
use super::record::{Entry, Record};
use crate::limits::{LINE_BYTES_MAX, RECORDS_WAITING_MAX};

/// The journal's name in a session's state directory.
const FILE: &str = "journal";

/// Where the journal of a session is.
pub(crate) fn journal_path(state_dir: &Path) -> PathBuf {
    state_dir.join(FILE)
}

/// Milliseconds of the wall clock.
pub(crate) fn wall_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn line_of(record: &Record) -> io::Result<Vec<u8>> {
    let entry = Entry { at: wall_ms(), record: record.clone() };
    let mut line = serde_json::to_vec(&entry)?;
    line.push(b'\n');
    Ok(line)
}

/// Makes the journal with its first record. The name appears with the record in it, and only if it was not there.
///
/// # Errors
/// `AlreadyExists` when somebody else was first.
pub(crate) fn create(state_dir: &Path, first: &Record) -> io::Result<(File, u64)> {
    let line = line_of(first)?;
    let draft = state_dir.join(format!("{FILE}.{}", std::process::id()));
    let made = write_draft(&draft, &line).and_then(|file| {
        std::fs::hard_link(&draft, journal_path(state_dir))?;
        Ok(file)
    });
    let removed = std::fs::remove_file(&draft);
    let file = made?;
    removed?;
    // Nothing is synced: a crash of the machine that could lose the name ends the processes too.
    Ok((file, line.len() as u64))
}

fn write_draft(draft: &Path, line: &[u8]) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).read(true).mode(0o600).open(draft)?;
    file.write_all(line)?;
    Ok(file)
}

/// A file that a record names, and that is there before the record is.
#[derive(Debug)]
pub(crate) struct Attachment {
    /// Where it is to be.
    pub(crate) path: PathBuf,
    /// What it is to hold.
    pub(crate) bytes: Vec<u8>,
}

impl Attachment {
    fn write(&self) -> io::Result<()> {
        let dir = self.path.parent().unwrap_or(Path::new("/"));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&self.path)?;
        file.write_all(&self.bytes).inspect_err(|_| {
            // Half a file is of no use, and its room may be what another record needs.
            let _ = std::fs::remove_file(&self.path);
        })
    }
}

/// A record that waits for room on the disk.
#[derive(Debug)]
struct Waiting {
    line: Vec<u8>,
    attachment: Option<Attachment>,
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.line.len() + self.attachment.as_ref().map_or(0, |attachment| attachment.bytes.len())
    }
}

/// The writer's side.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    written: u64,
    /// Up to here its records have been given up, but for the first block.
    forgotten: u64,
    waiting: VecDeque<Waiting>,
    lost: u64,
    published: watch::Sender<u64>,
}

impl Journal {
    /// Makes the journal of a session with the record that claims it.
    ///
    /// # Errors
    /// `AlreadyExists` when the plan was withdrawn.
    pub(crate) fn open(state_dir: &Path, first: &Record) -> io::Result<Self> {
        let (file, written) = create(state_dir, first)?;
        let published = watch::Sender::new(written);
        Ok(Self { file, written, forgotten: 0, waiting: VecDeque::new(), lost: 0, published })
    }

    /// Gives the room of records that the daemon has for sure back to the disk. Offsets stay as they are: the file
    /// has a hole there. Its beginning stays, which says whose it is.
    pub(crate) fn forget(&mut self, committed: u64) {
        self.forgotten = give_back(&self.file, self.forgotten.max(BLOCK_BYTES), committed);
    }

    /// Tells whoever asks how many bytes of whole records the file holds.
    pub(crate) fn length(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }

    /// Where the last record ends, or will end when the disk has room.
    pub(crate) fn end(&self) -> u64 {
        self.written + self.waiting.iter().map(|waiting| waiting.line.len() as u64).sum::<u64>()
    }

    /// A second handle for reading.
    pub(crate) fn reader(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Adds a record. When the disk takes none, it waits in memory, in order; [`Self::is_behind`] tells.
    pub(crate) fn append(&mut self, record: &Record) {
        self.append_with(record, None);
    }

    /// Adds a record that names a file. Both wait together.
    pub(crate) fn append_with(&mut self, record: &Record, attachment: Option<Attachment>) {
        let waiting = Waiting { line: line_of(record).unwrap_or_default(), attachment };
        let length = waiting.line.len();
        if self.waiting.len() >= RECORDS_WAITING_MAX || length > LINE_BYTES_MAX || length == 0 {
            self.lost += 1;
        } else {
            self.waiting.push_back(waiting);
        }
        self.catch_up();
    }

    /// Bytes that wait for room on the disk.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting.iter().map(Waiting::bytes).sum()
    }

    /// Whether records wait for room on the disk.
    pub(crate) fn is_behind(&self) -> bool {
        !self.waiting.is_empty() || self.lost > 0
    }

    /// Tries to write what waits.
    pub(crate) fn catch_up(&mut self) {
        while let Some(next) = self.waiting.front_mut() {
            if next.attachment.as_ref().is_some_and(|attachment| attachment.write().is_err()) {
                return;
            }
            next.attachment = None;
            if write_whole(&self.file, &next.line, self.written).is_err() {
                return;
            }
            self.written += next.line.len() as u64;
            self.waiting.pop_front();
        }
        self.published.send_replace(self.written);
        if self.lost > 0 {
            let records = std::mem::take(&mut self.lost);
            self.append(&Record::Lost { records });
        }
    }

    /// Makes sure that what was written survives a crash of the machine.
    pub(crate) fn sync(&self) {
        // A disk that cannot sync has the records all the same as far as any process can see.
        let _ = self.file.sync_data();
    }
}

/// Writes a line at the end, or leaves the file as it was.
fn write_whole(file: &File, line: &[u8], end: u64) -> io::Result<()> {
    file.write_all_at(line, end).inspect_err(|_| {
        // What stands behind the end after this fails too is a torn line, which readers leave alone.
        let _ = file.set_len(end);
    })
}

#[cfg(test)]
mod tests;
