//! The spool: a line of JSON per call of a hook and per note of a driver, in the order in which they were written.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::runner::{GIVEN_BACK_BYTES_MIN, give_back, skip_hole, wall_ms};

/// The spool's name in a session's state directory.
const FILE: &str = "hooks";

/// The directory of decisions, beside it.
const ANSWERS: &str = "answers";

/// Bytes of a spool on the disk; beyond it a hook's call is not taken down. What a driver notes is taken all the same, so
/// that it can give room back.
const SPOOL_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    /// When it was written, in milliseconds of the wall clock.
    pub(crate) at: i64,
    /// The call; a decision is filed under this name.
    pub(crate) id: String,
    /// The hook's event, or `adj.…` for a note of a driver.
    pub(crate) event: String,
    /// What was told.
    pub(crate) payload: Box<RawValue>,
}

/// The writer's side; several processes may write at the same time.
#[derive(Debug)]
pub(crate) struct Spool {
    file: File,
    /// Up to here it has been given back to the disk by this writer.
    forgotten: u64,
    most: u64,
}

impl Spool {
    /// Opens the spool of a session, or makes it.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(crate) fn open(state_dir: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(state_dir.join(FILE))?;
        Ok(Self { file, forgotten: 0, most: SPOOL_BYTES_MAX })
    }

    /// Whether it takes no more calls of hooks.
    pub(crate) fn is_full(&self) -> bool {
        // What cannot be asked is found out by writing.
        self.file.metadata().is_ok_and(|file| file.blocks() * 512 >= self.most)
    }

    /// Whether so much stands before a place that it is worth giving back.
    pub(crate) fn is_worth_forgetting(&self, up_to: u64) -> bool {
        up_to >= self.forgotten + GIVEN_BACK_BYTES_MIN
    }

    /// Gives the room of lines back to the disk that nobody reads again. Offsets stay as they are.
    pub(crate) fn forget(&mut self, up_to: u64) {
        self.forgotten = give_back(&self.file, self.forgotten, up_to);
    }

    /// Adds the call of a hook, as [`Self::add`] does.
    ///
    /// # Errors
    /// When the spool is full, or the disk does not take it.
    pub(crate) fn add_call(&self, id: String, event: &str, payload: Box<RawValue>) -> io::Result<()> {
        match self.is_full() {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => self.add(id, event, payload),
        }
    }

    /// Adds a line, whole or not at all as far as readers are concerned.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn add(&self, id: String, event: &str, payload: Box<RawValue>) -> io::Result<()> {
        let line = Line { at: wall_ms(), id, event: event.to_owned(), payload };
        let mut bytes = serde_json::to_vec(&line)?;
        bytes.push(b'\n');
        (&self.file).write_all(&bytes).inspect_err(|_| {
            // What stands there may be half a line; the next one must not be glued to it.
            let _ = (&self.file).write_all(b"\n");
        })
    }

    /// Adds a note of the driver's own.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn note<T: Serialize>(&self, event: &str, note: &T) -> io::Result<()> {
        self.add(String::new(), event, serde_json::value::to_raw_value(note)?)
    }
}

/// Reads a spool line by line; a torn last line waits for its rest, and a line that is none is skipped.
#[derive(Debug)]
pub(crate) struct SpoolReader {
    file: io::BufReader<File>,
    next: u64,
    /// Where the line that was given last begins.
    began: u64,
}

impl SpoolReader {
    /// Begins at an offset behind a line, or at 0.
    ///
    /// # Errors
    /// When there is no spool, or it cannot be read.
    pub(crate) fn open(state_dir: &Path, offset: u64) -> io::Result<Self> {
        let mut file = io::BufReader::new(File::open(state_dir.join(FILE))?);
        file.seek(io::SeekFrom::Start(offset))?;
        Ok(Self { file, next: offset, began: offset })
    }

    /// Where the line that was given last begins.
    pub(crate) fn began(&self) -> u64 {
        self.began
    }

    /// Up to where it has been read.
    pub(crate) fn next_offset(&self) -> u64 {
        self.next
    }

    /// The next line and the place behind it; `None` when there is none yet.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn next(&mut self) -> io::Result<Option<(Line, u64)>> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            skip_hole(&mut self.file, &mut self.next)?;
            let read = self.file.read_until(b'\n', &mut bytes)?;
            if bytes.last() != Some(&b'\n') {
                self.file.seek(io::SeekFrom::Start(self.next))?;
                return Ok(None);
            }
            self.began = self.next;
            self.next += read as u64;
            if let Ok(line) = serde_json::from_slice(&bytes) {
                return Ok(Some((line, self.next)));
            }
        }
    }
}

/// Where the decision about a call is filed.
pub(crate) fn answer_path(state_dir: &Path, id: &str) -> PathBuf {
    state_dir.join(ANSWERS).join(id)
}

/// Makes the directory of decisions, in that of a session that is there.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn make_answers(state_dir: &Path) -> io::Result<PathBuf> {
    let path = state_dir.join(ANSWERS);
    match std::fs::DirBuilder::new().mode(0o700).create(&path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(path),
    }
}

/// Files a decision; an empty one is no opinion, and lets the call return. The name appears with the decision in it.
///
/// # Errors
/// When the disk does not take it.
pub(crate) fn file_answer(state_dir: &Path, id: &str, answer: &str) -> io::Result<()> {
    let directory = make_answers(state_dir)?;
    let draft = directory.join(format!(".{id}"));
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
    file.write_all(answer.as_bytes())?;
    std::fs::rename(draft, answer_path(state_dir, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn a_spool_is_read_behind_an_offset_and_over_torn_lines() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        spool.add("1".into(), "Stop", raw(r#"{"a":"ü"}"#)).unwrap();
        (&spool.file).write_all(b"{\"at\":1,\n").unwrap();
        spool.note("adj.note", &7).unwrap();
        (&spool.file).write_all(b"{\"at\":2").unwrap();
        let mut reader = SpoolReader::open(dir.path(), 0).unwrap();
        let (first, behind) = reader.next().unwrap().unwrap();
        assert_eq!((first.event.as_str(), first.payload.get()), ("Stop", r#"{"a":"ü"}"#));
        assert_eq!(reader.next().unwrap().unwrap().0.payload.get(), "7");
        assert!(reader.next().unwrap().is_none());
        (&spool.file).write_all(b",\"id\":\"\",\"event\":\"e\",\"payload\":null}\n").unwrap();
        assert_eq!(reader.next().unwrap().unwrap().0.event, "e");
        let mut later = SpoolReader::open(dir.path(), behind).unwrap();
        assert_eq!(later.next().unwrap().unwrap().0.event, "adj.note");
    }

    #[test]
    fn what_is_forgotten_costs_no_room_and_moves_no_offset() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(dir.path()).unwrap();
        let long = raw(&format!("\"{}\"", "x".repeat(10_000)));
        for number in 0..100 {
            spool.add(number.to_string(), "Stop", long.clone()).unwrap();
        }
        let mut reader = SpoolReader::open(dir.path(), 0).unwrap();
        let ends: Vec<u64> = std::iter::from_fn(|| reader.next().unwrap()).map(|(_, next)| next).collect();
        let before = spool.file.metadata().unwrap();
        spool.forget(ends[89]);
        let after = spool.file.metadata().unwrap();
        assert!(after.len() == before.len() && after.blocks() * 512 < 150_000, "{} blocks", after.blocks());
        let mut again = SpoolReader::open(dir.path(), 0).unwrap();
        let (line, next) = again.next().unwrap().unwrap();
        assert_eq!((line.id.as_str(), again.began(), next), ("90", ends[89], ends[90]));
    }

    #[test]
    fn a_full_spool_takes_notes_and_no_calls() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool { most: 12_288, ..Spool::open(dir.path()).unwrap() };
        let call = || spool.add_call("1".into(), "Stop", raw(&format!("\"{}\"", "x".repeat(5_000))));
        assert!((call(), call()).1.is_ok() && spool.is_full());
        assert_eq!(call().unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(spool.note("adj.note", &7).is_ok());
    }
}
