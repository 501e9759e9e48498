//! What the program writes: lines for the journal, and complaints for a file.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use crate::limits::{LINE_BYTES_MAX, PIPE_LINE_BYTES_MAX, WAITING_BYTES_MAX};
use crate::runner::{AnswerRecord, Attachment, Journal, OutputLog, Record};

/// Bytes that are read at once: what a pipe holds.
const READ_BYTES: usize = 64 * 1024;

/// A line that stands in the journal itself, in bytes; every one of them may be escaped to six.
const INLINE_BYTES_MAX: usize = LINE_BYTES_MAX / 8;

/// The directory of longer lines, in the session's state directory.
const LINES: &str = "lines";

/// The end of the complaints that is quoted, in bytes.
const QUOTED_BYTES_MAX: usize = 2048;

/// A file with a line, until the daemon has it for sure.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    /// Where the record that names it ends in the journal.
    end: u64,
}

/// The standard output, line by line.
#[derive(Debug)]
pub(super) struct Output {
    room: Vec<u8>,
    line: Vec<u8>,
    /// The line is too long, and what comes of it is dropped.
    too_long: bool,
    passing: Vec<String>,
    state_dir: PathBuf,
    number: u64,
    kept: VecDeque<Kept>,
}

impl Output {
    /// Output of which lines that begin like this are not kept.
    pub(super) fn new(state_dir: &Path, passing: Vec<String>) -> Self {
        Self {
            room: vec![0; READ_BYTES],
            line: Vec::new(),
            too_long: false,
            passing,
            state_dir: state_dir.to_owned(),
            number: 0,
            kept: VecDeque::new(),
        }
    }

    /// Where the next piece is read to.
    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.room
    }

    /// Takes so much of what was read.
    pub(super) fn take(&mut self, read: usize, journal: &mut Journal) {
        let room = std::mem::take(&mut self.room);
        for piece in room[..read].split_inclusive(|byte| *byte == b'\n') {
            let (piece, whole) = piece.strip_suffix(b"\n").map_or((piece, false), |piece| (piece, true));
            self.too_long |= self.line.len() + piece.len() > PIPE_LINE_BYTES_MAX;
            if !self.too_long {
                self.line.extend_from_slice(piece);
            }
            if whole {
                self.keep(journal);
            }
        }
        self.room = room;
    }

    /// Another program speaks from here on: half a line of the one before belongs to nobody.
    pub(super) fn begin_anew(&mut self) {
        self.line.clear();
        self.too_long = false;
    }

    /// Writes down the line that is whole.
    fn keep(&mut self, journal: &mut Journal) {
        let line = std::mem::take(&mut self.line);
        if std::mem::replace(&mut self.too_long, false) {
            return journal.append(&Record::Lost { records: 1 });
        }
        if self.passing.iter().any(|passing| line.starts_with(passing.as_bytes())) {
            return;
        }
        let text =
            String::from_utf8(line).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        let record = AnswerRecord { bytes: text.len() as u64, ..AnswerRecord::default() };
        if text.len() <= INLINE_BYTES_MAX {
            return journal.append(&Record::Line(AnswerRecord { text: Some(text), ..record }));
        }
        if journal.waiting_bytes() + text.len() > WAITING_BYTES_MAX {
            return journal.append(&Record::Lost { records: 1 });
        }
        self.number += 1;
        let name = format!("{LINES}/{}", self.number);
        let path = self.state_dir.join(&name);
        let attachment = Attachment { path: path.clone(), bytes: text.into_bytes() };
        journal.append_with(&Record::Line(AnswerRecord { file: Some(name), ..record }), Some(attachment));
        self.kept.push_back(Kept { path, end: journal.end() });
    }

    /// Deletes the lines whose records the daemon has committed.
    pub(super) fn forget(&mut self, committed: u64) {
        while self.kept.front().is_some_and(|kept| kept.end <= committed) {
            if let Some(kept) = self.kept.pop_front() {
                // One that stays costs only room.
                let _ = std::fs::remove_file(kept.path);
            }
        }
    }
}

/// The standard error: kept in the session's log, its end quoted.
#[derive(Debug)]
pub(super) struct Complaints {
    room: Vec<u8>,
    log: OutputLog,
    end: VecDeque<u8>,
}

impl Complaints {
    pub(super) fn new(state_dir: &Path) -> Self {
        Self { room: vec![0; READ_BYTES], log: OutputLog::new(state_dir), end: VecDeque::new() }
    }

    /// Where the next piece is read to.
    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.room
    }

    /// Takes so much of what was read.
    pub(super) fn take(&mut self, read: usize) {
        self.log.write(&self.room[..read]);
        self.end.extend(&self.room[..read]);
        let over = self.end.len().saturating_sub(QUOTED_BYTES_MAX);
        self.end.drain(..over);
    }

    /// The last lines; `None` when nothing was said.
    pub(super) fn last_lines(&self) -> Option<String> {
        let bytes: Vec<u8> = self.end.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&str], passing: &[&str]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(dir.path(), &Record::Ready).unwrap();
        let mut output = Output::new(dir.path(), passing.iter().map(|text| (*text).to_owned()).collect());
        for piece in pieces {
            output.room()[..piece.len()].copy_from_slice(piece.as_bytes());
            output.take(piece.len(), &mut journal);
        }
        let read = crate::runner::JournalReader::open(dir.path(), 0).unwrap().map(|found| found.unwrap().entry.record);
        let lines = read.filter_map(|record| if let Record::Line(line) = record { Some(line) } else { None });
        lines
            .map(|line| match (line.text, line.file) {
                (Some(text), _) => text,
                (None, file) => {
                    let text = std::fs::read_to_string(dir.path().join(file.unwrap())).unwrap();
                    assert_eq!(text.len() as u64, line.bytes);
                    format!("{} in a file", text.len())
                }
            })
            .collect()
    }

    #[test]
    fn lines_come_whole_whatever_the_pieces() {
        assert_eq!(lines(&["a\nb", "c\n", "\n", "torn"], &[]), ["a", "bc", ""]);
        assert_eq!(lines(&["{\"x\"}\n{\"y\"}\n"], &["{\"x\""]), ["{\"y\"}"]);
    }

    #[test]
    fn half_a_line_of_the_program_before_is_no_part_of_the_next_ones() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(dir.path(), &Record::Ready).unwrap();
        let mut output = Output::new(dir.path(), Vec::new());
        for piece in [b"torn".as_slice(), b"whole\n"] {
            output.begin_anew();
            output.room()[..piece.len()].copy_from_slice(piece);
            output.take(piece.len(), &mut journal);
        }
        let all = crate::runner::JournalReader::open(dir.path(), 0).unwrap().map(|found| found.unwrap().entry.record);
        let line = AnswerRecord { bytes: 5, text: Some("whole".into()), ..AnswerRecord::default() };
        assert_eq!(all.last(), Some(Record::Line(line)));
    }

    #[test]
    fn a_long_line_goes_into_a_file() {
        let long = "x".repeat(INLINE_BYTES_MAX + 1);
        let pieces: Vec<&str> = long.as_bytes().chunks(1000).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
        let pieces: Vec<&str> = pieces.into_iter().chain(["\n", "short\n"]).collect();
        assert_eq!(lines(&pieces, &[]), [format!("{} in a file", long.len()), "short".to_owned()]);
    }
}
