//! One row of the screen.

use super::width::columns_of;

/// Nothing was written here, or it was erased.
const EMPTY: u32 = 0;
/// The second column of a wide character.
const WIDE_TAIL: u32 = 0x11_0000;
/// The column at which a tabulator was printed over nothing.
const TAB: u32 = 0x11_0001;
/// A further column up to the tabulator's stop.
const TAB_FILL: u32 = 0x11_0002;

/// Columns between tabulator stops.
pub(super) const TAB_COLUMNS: usize = 8;

/// Marks over characters that one row holds; a program that prints more of them loses them.
const MARKS_MAX: usize = 1024;

/// One row of the screen. Most rows are plain text, and cost a byte per column.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// The columns, as long as they hold nothing but printable ASCII.
    plain: Vec<u8>,
    /// The columns otherwise.
    cells: Vec<u32>,
    is_plain_no_more: bool,
    /// Marks that stand over the character of a column.
    marks: Vec<(usize, char)>,
    /// The text goes on in the next row without a line break.
    pub(super) wrapped: bool,
}

impl Row {
    /// Makes it empty and keeps its memory.
    pub(super) fn clear(&mut self) {
        self.plain.clear();
        self.cells.clear();
        self.is_plain_no_more = false;
        self.marks.clear();
        self.wrapped = false;
    }

    /// Whether nothing stands in it.
    pub(super) fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.cells.iter().all(|cell| *cell == EMPTY)
    }

    /// Writes printable ASCII from a column on.
    pub(super) fn put_ascii(&mut self, column: usize, text: &[u8]) {
        if !self.is_plain_no_more && column <= self.plain.len() {
            if column + text.len() <= self.plain.len() {
                return self.plain[column..column + text.len()].copy_from_slice(text);
            }
            self.plain.truncate(column);
            return self.plain.extend_from_slice(text);
        }
        for (at, byte) in text.iter().enumerate() {
            self.put(column + at, u32::from(*byte));
        }
    }

    /// Writes a character of one or two columns.
    pub(super) fn put_char(&mut self, column: usize, character: char, columns: usize) {
        self.put(column, u32::from(character));
        if columns == 2 {
            self.put_raw(column + 1, WIDE_TAIL);
        }
    }

    /// Puts a mark over the character before a column.
    pub(super) fn put_mark(&mut self, column: usize, mark: char) {
        if self.marks.len() >= MARKS_MAX {
            return;
        }
        let cells = self.any();
        let mut under = column.min(cells.len()).saturating_sub(1);
        if cells.get(under) == Some(&WIDE_TAIL) {
            under = under.saturating_sub(1);
        }
        if cells.is_empty() {
            cells.push(EMPTY);
        }
        self.marks.push((under, mark));
    }

    /// Prints a tabulator from one column up to another, if nothing stands between them.
    pub(super) fn put_tab(&mut self, column: usize, stop: usize) {
        let cells = self.any();
        if cells.iter().skip(column).take(stop - column).any(|cell| *cell != EMPTY) {
            return;
        }
        for at in column..stop {
            self.put_raw(at, if at == column { TAB } else { TAB_FILL });
        }
    }

    /// Erases columns. What is erased up to the end is as if it had never been written.
    pub(super) fn erase(&mut self, from: usize, to: usize) {
        let length = self.length();
        if to >= length {
            self.wrapped = false;
            self.truncate(from);
            return;
        }
        for column in from..to {
            self.put(column, EMPTY);
        }
    }

    /// Moves what stands from a column on to the right, and off the edge.
    pub(super) fn insert(&mut self, column: usize, count: usize, columns: usize) {
        let cells = self.any();
        if column < cells.len() {
            let count = count.min(columns.saturating_sub(column));
            cells.splice(column..column, std::iter::repeat_n(EMPTY, count));
            cells.truncate(columns);
            self.shift_marks(column, |at| at + count);
        }
    }

    /// Takes columns out; what stands behind them moves left.
    pub(super) fn delete(&mut self, column: usize, count: usize) {
        let cells = self.any();
        let end = (column + count).min(cells.len());
        if column < end {
            cells.drain(column..end);
            self.marks.retain(|(at, _)| *at < column || *at >= end);
            self.shift_marks(end, |at| at - (end - column));
        }
    }

    /// Adds the row's text.
    pub(super) fn write_to(&self, text: &mut String) {
        if self.is_plain_no_more {
            self.write_any(&self.cells, text);
        } else {
            text.push_str(std::str::from_utf8(&self.plain).unwrap_or_default());
        }
    }

    fn write_any(&self, cells: &[u32], text: &mut String) {
        let marked = self.marks.iter().map(|(at, _)| at + 1).max().unwrap_or(0);
        let end = cells.iter().rposition(|cell| *cell != EMPTY).map_or(0, |at| at + 1).max(marked).min(cells.len());
        let mut column = 0;
        while column < end {
            let stop = ((column / TAB_COLUMNS + 1) * TAB_COLUMNS).min(cells.len().max(column + 1));
            match cells[column] {
                TAB if cells[column + 1..stop].iter().all(|cell| *cell == TAB_FILL) => {
                    text.push('\t');
                    column = stop - 1;
                }
                WIDE_TAIL => {}
                cell => text.push(char::from_u32(cell).filter(|_| cell != EMPTY).unwrap_or(' ')),
            }
            if !self.marks.is_empty() {
                text.extend(self.marks.iter().filter(|(at, _)| *at == column).map(|(_, mark)| *mark));
            }
            column += 1;
        }
    }

    fn length(&self) -> usize {
        self.plain.len().max(self.cells.len())
    }

    fn truncate(&mut self, length: usize) {
        if self.cells.get(length) == Some(&WIDE_TAIL) {
            self.put(length, EMPTY);
        }
        self.plain.truncate(length);
        self.cells.truncate(length);
        self.marks.retain(|(at, _)| *at < length);
    }

    /// Writes one column; a wide character of which it was a half is gone.
    fn put(&mut self, column: usize, cell: u32) {
        let cells = self.any();
        if cells.get(column) == Some(&WIDE_TAIL) && column > 0 {
            cells[column - 1] = EMPTY;
        }
        if cells.get(column + 1) == Some(&WIDE_TAIL) {
            cells[column + 1] = EMPTY;
        }
        self.put_raw(column, cell);
    }

    fn put_raw(&mut self, column: usize, cell: u32) {
        let cells = self.any();
        if column == cells.len() {
            return cells.push(cell);
        }
        if column > cells.len() {
            cells.resize(column + 1, EMPTY);
        } else if cells.get(column + 1) == Some(&WIDE_TAIL) && cell == WIDE_TAIL {
            cells[column + 1] = EMPTY;
        }
        cells[column] = cell;
        self.marks.retain(|(at, _)| *at != column);
    }

    fn any(&mut self) -> &mut Vec<u32> {
        if !self.is_plain_no_more {
            self.cells.extend(self.plain.iter().map(|byte| u32::from(*byte)));
            self.plain.clear();
            self.is_plain_no_more = true;
        }
        &mut self.cells
    }

    fn shift_marks(&mut self, from: usize, shifted: impl Fn(usize) -> usize) {
        for (at, _) in self.marks.iter_mut().filter(|(at, _)| *at >= from) {
            *at = shifted(*at);
        }
    }
}

/// The columns of a character, for whoever places it.
pub(super) fn width(character: char) -> usize {
    columns_of(character)
}
