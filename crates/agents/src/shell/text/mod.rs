//! The clean text of a turn: what its commands printed, as a person would have seen it in the end.

mod answer;
mod parse;
mod row;
mod screen;
mod sequence;
mod width;

use self::parse::Parser;
use self::screen::Screen;

/// The text of a turn while it grows. Its memory is bounded, however much is printed.
#[derive(Debug)]
pub(crate) struct TurnText {
    parser: Parser,
}

/// The text of a turn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CleanText {
    /// The text, without the single newline at its end.
    pub(crate) text: String,
    /// Bytes left out of its middle.
    pub(crate) cut_bytes: u64,
    /// Bytes that were no characters, and stand as U+FFFD.
    pub(crate) invalid_bytes: u64,
}

impl TurnText {
    /// The text of a terminal of this size.
    pub(crate) fn new(columns: u16, rows: u16) -> Self {
        Self { parser: Parser::new(Screen::new(columns, rows)) }
    }

    /// Takes a piece of what was printed.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.parser.push(piece);
    }

    /// Takes the size that the terminal has from now on.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.parser.screen.resize(columns, rows);
    }

    /// A full-screen program draws on the second screen.
    pub(crate) fn is_alternate(&self) -> bool {
        self.parser.screen.alternate
    }

    /// What stands on the line of the cursor.
    pub(crate) fn current_line(&self) -> String {
        self.parser.screen.current_line()
    }

    /// The whole text.
    pub(crate) fn finish(mut self) -> CleanText {
        self.parser.finish();
        let kept = self.parser.screen.finish();
        CleanText { text: kept.text, cut_bytes: kept.cut_bytes, invalid_bytes: self.parser.invalid_bytes }
    }
}

#[cfg(test)]
mod tests;
