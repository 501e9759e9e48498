//! What controls and control sequences do to the screen.

use super::screen::{Part, Screen};

/// Longest parameters of a sequence, in bytes; a longer sequence does nothing.
const PARAMETER_BYTES_MAX: usize = 64;

/// Largest number in a sequence that means anything.
const NUMBER_MAX: usize = 9_999;

/// What stands between the introducer of a sequence and its final byte.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    bytes: Vec<u8>,
}

impl Parameters {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    pub(super) fn push(&mut self, byte: u8) {
        if self.bytes.len() <= PARAMETER_BYTES_MAX {
            self.bytes.push(byte);
        }
    }

    /// The mark of a private sequence, such as `?`, or an intermediate: either makes it another sequence.
    fn kind(&self) -> Kind {
        let private = self.bytes.first().is_some_and(|byte| matches!(byte, b'<'..=b'?'));
        let odd = self.bytes.len() > PARAMETER_BYTES_MAX || self.bytes.iter().any(|byte| matches!(byte, 0x20..=0x2f));
        match self.bytes.first() {
            _ if odd => Kind::Other,
            Some(b'?') => Kind::Private,
            _ if private => Kind::Other,
            _ => Kind::Plain,
        }
    }

    /// A number by its place; `None` where there is none.
    fn number(&self, at: usize) -> Option<usize> {
        let bytes = self.bytes.strip_prefix(b"?").unwrap_or(&self.bytes);
        let digits = bytes.split(|byte| *byte == b';').nth(at)?;
        let text = std::str::from_utf8(digits).ok()?;
        text.parse::<u64>().ok().map(|number| usize::try_from(number).unwrap_or(NUMBER_MAX).min(NUMBER_MAX))
    }

    /// A count: none and 0 are 1.
    fn count(&self) -> usize {
        self.number(0).unwrap_or(1).max(1)
    }

    /// A place, counted from 1 in the sequence and from 0 here.
    fn place(&self, at: usize) -> usize {
        self.number(at).unwrap_or(1).max(1) - 1
    }

    fn part(&self) -> Option<Part> {
        match self.number(0).unwrap_or(0) {
            0 => Some(Part::After),
            1 => Some(Part::Before),
            2 => Some(Part::All),
            _ => None,
        }
    }

    fn numbers(&self) -> impl Iterator<Item = usize> {
        (0..16).map_while(|at| self.number(at))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Private,
    Other,
}

/// A control character.
pub(super) fn control(screen: &mut Screen, byte: u8) {
    match byte {
        b'\n' | 0x0b | 0x0c => screen.line_feed(),
        b'\r' => screen.carriage_return(),
        b'\t' => screen.tab(),
        0x08 => screen.backspace(),
        _ => {}
    }
}

/// An escape with one final byte.
pub(super) fn escape(screen: &mut Screen, byte: u8) {
    if byte == b'c' {
        return screen.reset();
    }
    if screen.alternate {
        return;
    }
    match byte {
        b'7' => screen.save_cursor(),
        b'8' => screen.restore_cursor(),
        b'D' => screen.line_feed(),
        b'E' => {
            screen.carriage_return();
            screen.line_feed();
        }
        b'M' => screen.reverse_line_feed(),
        _ => {}
    }
}

/// A control sequence with its final byte.
pub(super) fn sequence(screen: &mut Screen, parameters: &Parameters, last: u8) {
    match parameters.kind() {
        Kind::Private => private(screen, parameters, last),
        Kind::Plain if !screen.alternate => {
            moving(screen, parameters, last);
            changing(screen, parameters, last);
        }
        Kind::Plain | Kind::Other => {}
    }
}

fn moving(screen: &mut Screen, parameters: &Parameters, last: u8) {
    let count = parameters.count();
    match last {
        b'A' => screen.up(count),
        b'B' | b'e' => screen.down(count),
        b'C' | b'a' => screen.right(count),
        b'D' => screen.left(count),
        b'E' => {
            screen.down(count);
            screen.carriage_return();
        }
        b'F' => {
            screen.up(count);
            screen.carriage_return();
        }
        b'G' | b'`' => screen.move_to_column(parameters.place(0)),
        b'H' | b'f' => {
            screen.move_to_row(parameters.place(0));
            screen.move_to_column(parameters.place(1));
        }
        b'I' => (0..count.min(64)).for_each(|_| screen.tab()),
        b'Z' => screen.back_tab(count),
        b'd' => screen.move_to_row(parameters.place(0)),
        b's' => screen.save_cursor(),
        b'u' => screen.restore_cursor(),
        _ => {}
    }
}

fn changing(screen: &mut Screen, parameters: &Parameters, last: u8) {
    let count = parameters.count();
    match last {
        b'J' => parameters.part().into_iter().for_each(|part| screen.erase_in_display(part)),
        b'K' => parameters.part().into_iter().for_each(|part| screen.erase_in_line(part)),
        b'L' => screen.insert_lines(count),
        b'M' => screen.delete_lines(count),
        b'P' => screen.delete_columns(count),
        b'@' => screen.insert_columns(count),
        b'X' => screen.erase_columns(count),
        b'S' => screen.scroll_up(count),
        b'T' => screen.scroll_down(count),
        b'b' => screen.repeat(count),
        b'r' => screen.set_margins(parameters.place(0), parameters.number(1).map_or(NUMBER_MAX, |row| row.max(1) - 1)),
        b'h' | b'l' if parameters.number(0) == Some(4) => screen.inserts = last == b'h',
        _ => {}
    }
}

/// Modes that programs set: of these only the second screen and the wrapping matter.
fn private(screen: &mut Screen, parameters: &Parameters, last: u8) {
    if !matches!(last, b'h' | b'l') {
        return;
    }
    let set = last == b'h';
    for mode in parameters.numbers() {
        match mode {
            47 | 1047 | 1049 => screen.alternate = set,
            7 => screen.wraps = set,
            _ => {}
        }
    }
}
