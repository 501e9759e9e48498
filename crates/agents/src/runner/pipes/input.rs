//! What waits to be written to the program's standard input, in the order in which it came.

use std::collections::{BTreeSet, VecDeque};

use crate::limits::INPUT_WAITING_BYTES_MAX;

/// Lines that wait, and the tags of all that ever came.
#[derive(Debug, Default)]
pub(super) struct Input {
    waiting: VecDeque<Vec<u8>>,
    /// How much of the first line is written.
    written: usize,
    bytes: usize,
    tags: BTreeSet<String>,
}

impl Input {
    /// Whether a line of this tag came before.
    pub(super) fn knows(&self, tag: &str) -> bool {
        self.tags.contains(tag)
    }

    /// Whether so many bytes more may wait.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.bytes + bytes <= INPUT_WAITING_BYTES_MAX
    }

    /// Adds a line; its end is added to it.
    pub(super) fn push(&mut self, tag: String, mut line: Vec<u8>) {
        line.push(b'\n');
        self.bytes += line.len();
        self.tags.insert(tag);
        self.waiting.push_back(line);
    }

    /// The program is another one now: nothing that was for the one before is written to it.
    pub(super) fn begin_anew(&mut self) {
        self.waiting.clear();
        (self.written, self.bytes) = (0, 0);
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// What is to be written next.
    pub(super) fn next(&self) -> &[u8] {
        self.waiting.front().map_or(&[], |line| &line[self.written..])
    }

    /// So much of it has been written.
    pub(super) fn wrote(&mut self, count: usize) {
        self.written += count;
        self.bytes -= count;
        if self.waiting.front().is_some_and(|line| self.written >= line.len()) {
            self.waiting.pop_front();
            self.written = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_written_in_pieces_and_in_order() {
        let mut input = Input::default();
        input.push("a".into(), b"one".to_vec());
        input.push("b".into(), b"two".to_vec());
        let mut written = Vec::new();
        while input.is_waiting() {
            let piece = input.next()[..1].to_vec();
            input.wrote(1);
            written.extend(piece);
        }
        assert_eq!(written, b"one\ntwo\n");
        assert_eq!((input.bytes, input.knows("a"), input.knows("c")), (0, true, false));
    }
}
