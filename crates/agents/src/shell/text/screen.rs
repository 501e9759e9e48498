//! The screen of a terminal, as far as it decides what text a person would have seen.
//!
//! Rows that scroll off the top are the text; colours are not kept. A row that is full goes on in the next, and the
//! text has no line break there. A tabulator stays one, and what runs over the right edge is never lost: in these
//! two the text is truer than a picture of the screen.

use std::collections::VecDeque;

use super::answer::{Answer, Kept};
use super::row::{Row, TAB_COLUMNS, width};

/// The screen.
#[derive(Debug)]
pub(super) struct Screen {
    columns: usize,
    rows: VecDeque<Row>,
    row: usize,
    column: usize,
    /// The row is full, and the next character goes to the next row.
    full: bool,
    saved: (usize, usize),
    /// First and last row of the part that scrolls.
    margins: (usize, usize),
    /// The second screen, on which full-screen programs draw, is shown: nothing of it is text.
    pub(super) alternate: bool,
    pub(super) wraps: bool,
    pub(super) inserts: bool,
    last_character: Option<char>,
    answer: Answer,
    line: String,
}

/// Which part of a row or of the screen is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    After,
    Before,
    All,
}

impl Screen {
    pub(super) fn new(columns: u16, rows: u16) -> Self {
        let (columns, height) = (usize::from(columns.max(2)), usize::from(rows.max(2)));
        Self {
            columns,
            rows: (0..height).map(|_| Row::default()).collect(),
            row: 0,
            column: 0,
            full: false,
            saved: (0, 0),
            margins: (0, height - 1),
            alternate: false,
            wraps: true,
            inserts: false,
            last_character: None,
            answer: Answer::default(),
            line: String::new(),
        }
    }

    /// Takes the size that the terminal has from now on. What is on the screen stays as it is; rows that no longer
    /// fit scroll off.
    pub(super) fn resize(&mut self, columns: u16, rows: u16) {
        self.columns = usize::from(columns.max(2));
        let height = usize::from(rows.max(2));
        while self.rows.len() > height {
            if self.row + 1 < self.rows.len() && self.rows.back().is_some_and(Row::is_empty) {
                self.rows.pop_back();
            } else {
                let row = self.rows.pop_front().unwrap_or_default();
                self.commit(&row);
                self.row = self.row.saturating_sub(1);
            }
        }
        self.rows.resize_with(height, Row::default);
        self.margins = (0, height - 1);
        self.column = self.column.min(self.columns - 1);
        self.full = false;
    }

    /// The text of the row with the cursor: where a program that asks has left off.
    pub(super) fn current_line(&self) -> String {
        let mut text = String::new();
        self.rows[self.row].write_to(&mut text);
        text
    }

    /// The whole text.
    pub(super) fn finish(mut self) -> Kept {
        let written = self.rows.iter().rposition(|row| !row.is_empty()).unwrap_or(0);
        let rows = std::mem::take(&mut self.rows);
        let last = written.max(self.row);
        for (at, row) in rows.iter().enumerate().take(last + 1) {
            if at < last {
                self.commit(row);
            } else {
                self.line.clear();
                row.write_to(&mut self.line);
                self.answer.push(&self.line);
            }
        }
        self.answer.finish()
    }

    fn commit(&mut self, row: &Row) {
        self.line.clear();
        row.write_to(&mut self.line);
        if !row.wrapped {
            self.line.push('\n');
        }
        self.answer.push(&self.line);
    }

    /// Prints a run of printable ASCII.
    pub(super) fn print_ascii(&mut self, mut text: &[u8]) {
        if self.inserts || !self.wraps {
            text.iter().for_each(|byte| self.print(char::from(*byte)));
            return;
        }
        while !text.is_empty() {
            self.wrap_if_full();
            let fits = text.len().min(self.columns - self.column);
            let (now, later) = text.split_at(fits);
            self.rows[self.row].put_ascii(self.column, now);
            self.last_character = now.last().map(|byte| char::from(*byte));
            self.advance(fits);
            text = later;
        }
    }

    /// Prints a character.
    pub(super) fn print(&mut self, character: char) {
        let columns = width(character);
        if columns == 0 {
            let before = self.column + usize::from(self.full);
            self.rows[self.row].put_mark(before, character);
            return;
        }
        if columns == 2 && self.column + 2 > self.columns && self.wraps {
            self.full = true;
        }
        self.wrap_if_full();
        let column = self.column.min(self.columns - columns);
        if self.inserts {
            self.rows[self.row].insert(column, columns, self.columns);
        }
        self.rows[self.row].put_char(column, character, columns);
        self.last_character = Some(character);
        self.advance(columns);
    }

    /// Prints the last character again.
    pub(super) fn repeat(&mut self, count: usize) {
        if let Some(character) = self.last_character {
            // More than the screen holds cannot be told from the screen full of it.
            (0..count.min(self.columns * self.rows.len())).for_each(|_| self.print(character));
        }
    }

    fn advance(&mut self, columns: usize) {
        self.column += columns;
        if self.column >= self.columns {
            self.column = self.columns - 1;
            self.full = self.wraps;
        }
    }

    fn wrap_if_full(&mut self) {
        if self.full {
            self.rows[self.row].wrapped = true;
            self.column = 0;
            self.line_feed();
        }
    }

    pub(super) fn tab(&mut self) {
        self.wrap_if_full();
        let stop = ((self.column / TAB_COLUMNS + 1) * TAB_COLUMNS).min(self.columns);
        self.rows[self.row].put_tab(self.column, stop);
        let columns = stop - self.column;
        self.advance(columns);
    }

    pub(super) fn back_tab(&mut self, count: usize) {
        let stop = self.column.div_ceil(TAB_COLUMNS).saturating_sub(count);
        self.move_to_column(stop * TAB_COLUMNS);
    }

    pub(super) fn carriage_return(&mut self) {
        self.move_to_column(0);
    }

    pub(super) fn backspace(&mut self) {
        self.move_to_column(self.column.saturating_sub(1));
    }

    pub(super) fn line_feed(&mut self) {
        self.full = false;
        if self.row == self.margins.1 {
            self.scroll_up(1);
        } else if self.row + 1 < self.rows.len() {
            self.row += 1;
        }
    }

    pub(super) fn reverse_line_feed(&mut self) {
        self.full = false;
        if self.row == self.margins.0 {
            self.scroll_down(1);
        } else {
            self.row = self.row.saturating_sub(1);
        }
    }

    /// Moves the part that scrolls up. What leaves the top of the screen is text.
    pub(super) fn scroll_up(&mut self, count: usize) {
        let (top, bottom) = self.margins;
        for _ in 0..count.min(bottom - top + 1) {
            let Some(mut row) = self.rows.remove(top) else { return };
            if top == 0 {
                self.commit(&row);
            }
            row.clear();
            self.rows.insert(bottom, row);
        }
    }

    pub(super) fn scroll_down(&mut self, count: usize) {
        let (top, bottom) = self.margins;
        self.shift_down(top, bottom, count);
    }

    pub(super) fn insert_lines(&mut self, count: usize) {
        if (self.margins.0..=self.margins.1).contains(&self.row) {
            self.move_to_column(0);
            self.shift_down(self.row, self.margins.1, count);
        }
    }

    pub(super) fn delete_lines(&mut self, count: usize) {
        let bottom = self.margins.1;
        if (self.margins.0..=bottom).contains(&self.row) {
            self.move_to_column(0);
            for _ in 0..count.min(bottom - self.row + 1) {
                self.rows.remove(self.row);
                self.rows.insert(bottom, Row::default());
            }
        }
    }

    fn shift_down(&mut self, top: usize, bottom: usize, count: usize) {
        for _ in 0..count.min(bottom - top + 1) {
            self.rows.remove(bottom);
            self.rows.insert(top, Row::default());
        }
    }

    pub(super) fn move_to_column(&mut self, column: usize) {
        self.column = column.min(self.columns - 1);
        self.full = false;
    }

    pub(super) fn move_to_row(&mut self, row: usize) {
        self.row = row.min(self.rows.len() - 1);
        self.full = false;
    }

    pub(super) fn right(&mut self, count: usize) {
        self.move_to_column(self.column + count);
    }

    pub(super) fn left(&mut self, count: usize) {
        self.move_to_column(self.column.saturating_sub(count));
    }

    pub(super) fn up(&mut self, count: usize) {
        let top = if self.row >= self.margins.0 { self.margins.0 } else { 0 };
        self.move_to_row(self.row.saturating_sub(count).max(top));
    }

    pub(super) fn down(&mut self, count: usize) {
        let bottom = if self.row <= self.margins.1 { self.margins.1 } else { self.rows.len() - 1 };
        self.move_to_row((self.row + count).min(bottom));
    }

    pub(super) fn erase_in_line(&mut self, part: Part) {
        let (from, to) = match part {
            Part::After => (self.column, self.columns),
            Part::Before => (0, self.column + 1),
            Part::All => (0, self.columns),
        };
        self.rows[self.row].erase(from, to);
    }

    pub(super) fn erase_in_display(&mut self, part: Part) {
        self.erase_in_line(part);
        let rows = match part {
            Part::After => self.row + 1..self.rows.len(),
            Part::Before => 0..self.row,
            Part::All => 0..self.rows.len(),
        };
        rows.for_each(|at| self.rows[at].clear());
    }

    pub(super) fn erase_columns(&mut self, count: usize) {
        self.rows[self.row].erase(self.column, (self.column + count).min(self.columns));
    }

    pub(super) fn insert_columns(&mut self, count: usize) {
        self.rows[self.row].insert(self.column, count, self.columns);
    }

    pub(super) fn delete_columns(&mut self, count: usize) {
        self.rows[self.row].delete(self.column, count);
    }

    /// Sets the part that scrolls; rows count from 0, and a part that is none is the whole screen.
    pub(super) fn set_margins(&mut self, top: usize, bottom: usize) {
        let last = self.rows.len() - 1;
        let bottom = bottom.min(last);
        self.margins = if top < bottom { (top, bottom) } else { (0, last) };
        self.move_to_row(0);
        self.move_to_column(0);
    }

    pub(super) fn save_cursor(&mut self) {
        self.saved = (self.row, self.column);
    }

    pub(super) fn restore_cursor(&mut self) {
        let (row, column) = self.saved;
        self.move_to_row(row);
        self.move_to_column(column);
    }

    pub(super) fn reset(&mut self) {
        self.erase_in_display(Part::All);
        self.margins = (0, self.rows.len() - 1);
        (self.alternate, self.wraps, self.inserts, self.saved) = (false, true, false, (0, 0));
        self.move_to_row(0);
        self.move_to_column(0);
    }
}
