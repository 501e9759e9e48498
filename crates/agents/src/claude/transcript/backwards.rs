//! The lines of a file from its end.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::limits::TRANSCRIPT_LINE_BYTES_MAX;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Reads lines from the end on; a line that is too long is left out, and so is a last line without its end.
pub(super) struct Backwards {
    file: File,
    /// What stands before this has not been read.
    start: u64,
    /// What was read and not given, in the order of the file.
    held: Vec<u8>,
    /// Up to here `held` has no newline, from its end.
    searched: usize,
    /// The line that is being read is too long.
    too_long: bool,
}

impl Backwards {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let start = file.metadata()?.len();
        let mut lines = Self { file, start, held: Vec::new(), searched: 0, too_long: false };
        // What stands behind the last newline is half a line, or nothing.
        if lines.next_line()?.is_none() {
            (lines.held, lines.searched) = (Vec::new(), 0);
        }
        Ok(lines)
    }

    /// What stands between the newline before and the end of what is held.
    fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let unsearched = self.held.len() - self.searched;
            if let Some(at) = memchr::memrchr(b'\n', &self.held[..unsearched]) {
                let line = self.held.split_off(at + 1);
                self.held.truncate(at);
                self.searched = 0;
                if !std::mem::take(&mut self.too_long) {
                    return Ok(Some(line));
                }
                return Ok(Some(Vec::new()));
            }
            self.searched = self.held.len();
            if self.start == 0 {
                return Ok(None);
            }
            if self.held.len() > TRANSCRIPT_LINE_BYTES_MAX {
                (self.too_long, self.searched) = (true, 0);
                self.held.clear();
            }
            self.read_piece()?;
        }
    }

    fn read_piece(&mut self) -> io::Result<()> {
        let length = self.start.min(PIECE_BYTES as u64);
        self.start -= length;
        let mut piece = vec![0; usize::try_from(length).unwrap_or(PIECE_BYTES)];
        self.file.read_exact_at(&mut piece, self.start)?;
        piece.append(&mut self.held);
        self.held = piece;
        Ok(())
    }

    /// The first line of the file, before which there is no newline.
    fn first(&mut self) -> Option<Vec<u8>> {
        let whole = self.start == 0 && !self.held.is_empty() && !self.too_long;
        self.searched = 0;
        whole.then(|| std::mem::take(&mut self.held))
    }
}

impl Iterator for Backwards {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        match self.next_line() {
            Ok(Some(line)) => Some(line),
            Ok(None) => self.first(),
            // What cannot be read is not there.
            Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(content: &[u8]) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        Backwards::open(file.path()).unwrap().map(|line| String::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn from_the_end_and_without_half_a_line() {
        assert_eq!(lines(b"a\nbc\n\nd\nhalf"), ["d", "", "bc", "a"]);
        assert_eq!(lines(b"a\n"), ["a"]);
        assert!(lines(b"half").is_empty() && lines(b"").is_empty());
    }

    #[test]
    fn long_lines_are_read_over_pieces_and_longer_ones_left_out() {
        let (long, longer) = ("x".repeat(3 * PIECE_BYTES + 7), "y".repeat(TRANSCRIPT_LINE_BYTES_MAX + 2 * PIECE_BYTES));
        let found = lines(format!("a\n{longer}\n{long}\nb\n").as_bytes());
        assert_eq!((found[0].as_str(), found[1].len(), found[2].len(), found[3].as_str()), ("b", long.len(), 0, "a"));
    }
}
