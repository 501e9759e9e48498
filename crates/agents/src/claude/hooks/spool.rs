//! The spool: a line of JSON per call of a hook and per note of a driver, in the order in which they were written.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::runner::wall_ms;

/// The spool's name in a session's state directory.
const FILE: &str = "hooks";

/// The directory of decisions, beside it.
const ANSWERS: &str = "answers";

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
}

impl Spool {
    /// Opens the spool of a session, or makes it.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(crate) fn open(state_dir: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(state_dir.join(FILE))?;
        Ok(Self { file })
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
}

impl SpoolReader {
    /// Begins at an offset behind a line, or at 0.
    ///
    /// # Errors
    /// When there is no spool, or it cannot be read.
    pub(crate) fn open(state_dir: &Path, offset: u64) -> io::Result<Self> {
        let mut file = io::BufReader::new(File::open(state_dir.join(FILE))?);
        file.seek(io::SeekFrom::Start(offset))?;
        Ok(Self { file, next: offset })
    }

    /// The next line and the place behind it; `None` when there is none yet.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn next(&mut self) -> io::Result<Option<(Line, u64)>> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let read = self.file.read_until(b'\n', &mut bytes)?;
            if bytes.last() != Some(&b'\n') {
                self.file.seek(io::SeekFrom::Start(self.next))?;
                return Ok(None);
            }
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
}
