//! The journal of a runner: what it saw, in a file that outlives it.
//!
//! The file is made whole or not at all, and only once: whoever makes it first, the runner with `opened` or a daemon
//! with `withdrawn`, has decided whether the session starts. Lines are appended whole; a torn last line is what a
//! killed writer leaves, and is not a record.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tokio::sync::watch;

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
    File::open(state_dir)?.sync_all()?;
    Ok((file, line.len() as u64))
}

fn write_draft(draft: &Path, line: &[u8]) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).read(true).mode(0o600).open(draft)?;
    file.write_all(line)?;
    file.sync_data()?;
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
        Ok(Self { file, written, waiting: VecDeque::new(), lost: 0, published })
    }

    /// Tells whoever asks how many bytes of whole records the file holds.
    pub(crate) fn length(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }

    /// Bytes of whole records in the file.
    pub(crate) fn written(&self) -> u64 {
        self.written
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

/// What was found at a place of a journal.
#[derive(Debug, PartialEq)]
pub(crate) struct Found {
    /// The record.
    pub(crate) entry: Entry,
    /// The place behind it.
    pub(crate) next: u64,
}

/// Reads a journal record by record; a torn last line is left out, and so is a line that is none.
#[derive(Debug)]
pub(crate) struct Reader {
    file: io::BufReader<File>,
    next: u64,
    line: Vec<u8>,
}

impl Reader {
    /// Begins at an offset behind a record, or at 0.
    ///
    /// # Errors
    /// When the journal cannot be opened; `NotFound` means that there is none.
    pub(crate) fn open(state_dir: &Path, offset: u64) -> io::Result<Self> {
        let mut file = io::BufReader::new(File::open(journal_path(state_dir))?);
        file.seek(io::SeekFrom::Start(offset))?;
        Ok(Self { file, next: offset, line: Vec::new() })
    }

    fn read(&mut self) -> io::Result<Option<Found>> {
        loop {
            self.line.clear();
            let read = self.file.read_until(b'\n', &mut self.line)?;
            if read == 0 || self.line.last() != Some(&b'\n') {
                return Ok(None);
            }
            self.next += read as u64;
            if let Some(entry) = parse_line(&self.line) {
                return Ok(Some(Found { entry, next: self.next }));
            }
        }
    }
}

impl Iterator for Reader {
    type Item = io::Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// Reads one line. Zeros before it are a part of the file that was given back to the disk.
pub(crate) fn parse_line(line: &[u8]) -> Option<Entry> {
    let start = line.iter().position(|byte| *byte != 0)?;
    serde_json::from_slice(&line[start..]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> Record {
        let runner = (&crate::process::own_incarnation().unwrap()).into();
        Record::Opened { version: 1, runner }
    }

    fn found(dir: &Path, offset: u64) -> Vec<Found> {
        Reader::open(dir, offset).unwrap().collect::<io::Result<_>>().unwrap()
    }

    fn records(dir: &Path, offset: u64) -> Vec<Record> {
        found(dir, offset).into_iter().map(|found| found.entry.record).collect()
    }

    #[test]
    fn only_the_first_maker_decides() {
        let dir = tempfile::tempdir().unwrap();
        let first = Journal::open(dir.path(), &opened()).unwrap();
        let second = create(dir.path(), &opened()).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(records(dir.path(), 0), [opened()]);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(first.written(), std::fs::metadata(journal_path(dir.path())).unwrap().len());
    }

    #[test]
    fn a_cursor_goes_on_behind_its_record() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(dir.path(), &opened()).unwrap();
        journal.append(&Record::Ready);
        journal.append(&Record::Given { message: 1, attempt: 1 });
        let all = found(dir.path(), 0);
        assert_eq!(all.len(), 3);
        assert_eq!(records(dir.path(), all[1].next), [Record::Given { message: 1, attempt: 1 }]);
        assert_eq!(all[2].next, journal.written());
        assert_eq!(*journal.length().borrow(), journal.written());
    }

    #[test]
    fn x_records_wait_for_a_full_disk_and_keep_their_order() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(dir.path(), &opened()).unwrap();
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let real = std::mem::replace(&mut journal.file, full);
        let before = journal.written();
        journal.append(&Record::Ready);
        journal.append(&Record::Given { message: 1, attempt: 1 });
        assert!(journal.is_behind());
        assert_eq!((journal.written(), *journal.length().borrow()), (before, before));
        journal.file = real;
        journal.append(&Record::Taken { message: 1, attempt: 1 });
        assert!(!journal.is_behind());
        let expected =
            [Record::Ready, Record::Given { message: 1, attempt: 1 }, Record::Taken { message: 1, attempt: 1 }];
        assert_eq!(records(dir.path(), before), expected);
    }

    #[test]
    fn x_records_beyond_the_bound_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(dir.path(), &opened()).unwrap();
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let real = std::mem::replace(&mut journal.file, full);
        (0..RECORDS_WAITING_MAX + 3).for_each(|_| journal.append(&Record::Ready));
        journal.file = real;
        journal.catch_up();
        assert!(!journal.is_behind());
        assert_eq!(records(dir.path(), 0).last(), Some(&Record::Lost { records: 3 }));
    }

    #[test]
    fn a_torn_last_line_and_a_foreign_line_are_no_records() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(dir.path(), &opened()).unwrap();
        journal.append(&Record::Ready);
        let path = journal_path(dir.path());
        let mut raw = std::fs::read(&path).unwrap();
        raw.extend_from_slice(b"\0\0\0{\"at\":1,\"type\":\"ready\"}\nno json\n{\"at\":1,\"type\":\"rea");
        std::fs::write(&path, raw).unwrap();
        assert_eq!(records(dir.path(), 0), [opened(), Record::Ready, Record::Ready]);
    }
}
