//! Reading a journal, from whichever side.

use std::fs::File;
use std::io::{self, BufRead, Seek};
use std::path::Path;

use super::{journal_path, skip_hole};
use crate::runner::record::Entry;

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
            skip_hole(&mut self.file, &mut self.next)?;
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

/// Reads one line; `None` when it is no record.
pub(crate) fn parse_line(line: &[u8]) -> Option<Entry> {
    serde_json::from_slice(line).ok()
}
