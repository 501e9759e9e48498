//! Takes a terminal's stream apart: characters, controls and sequences, in whatever pieces they come.

use super::screen::Screen;
use super::sequence::{Parameters, control, escape, sequence};

/// Longest string of a control sequence, in bytes; a longer one has lost its end, and what was read of it is text.
const STRING_BYTES_MAX: usize = 65_536;

/// Where in the stream the parser is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ground,
    Escape,
    /// Behind an escape and this byte.
    Intermediate(u8),
    Sequence,
    /// A string up to BEL or ST, such as a title.
    Command,
    CommandEscape,
    /// A string up to ST alone.
    String,
    StringEscape,
}

/// The parser and the screen it draws on.
#[derive(Debug)]
pub(super) struct Parser {
    state: State,
    parameters: Parameters,
    /// What a string holds so far: it becomes text if its end never comes.
    string: Vec<u8>,
    /// What is parsed is such a string: another that begins in it has no end either.
    replaying: bool,
    /// The beginning of a character.
    partial: Vec<u8>,
    /// Line drawing instead of letters, for each of the two character sets, and which of them is in use.
    drawing: [bool; 2],
    set: usize,
    pub(super) invalid_bytes: u64,
    pub(super) screen: Screen,
}

impl Parser {
    pub(super) fn new(screen: Screen) -> Self {
        Self {
            state: State::Ground,
            parameters: Parameters::default(),
            string: Vec::new(),
            replaying: false,
            partial: Vec::new(),
            drawing: [false; 2],
            set: 0,
            invalid_bytes: 0,
            screen,
        }
    }

    /// Takes a piece of the stream.
    pub(super) fn push(&mut self, mut piece: &[u8]) {
        while let Some((first, rest)) = piece.split_first() {
            let used = if self.state == State::Ground { self.ground(piece) } else { usize::from(self.byte(*first)) };
            piece = if used == 1 { rest } else { &piece[used..] };
        }
    }

    /// The stream has ended: what waits for its end is text, and half a character is none.
    pub(super) fn finish(&mut self) {
        if !self.partial.is_empty() {
            self.invalid();
        }
        match self.state {
            State::Command | State::CommandEscape | State::String | State::StringEscape => self.replay(),
            State::Ground | State::Escape | State::Intermediate(_) | State::Sequence => {}
        }
        self.state = State::Ground;
    }

    /// Text, up to the next control.
    fn ground(&mut self, piece: &[u8]) -> usize {
        if self.partial.is_empty() {
            let plain = piece.iter().position(|byte| !matches!(byte, 0x20..=0x7e)).unwrap_or(piece.len());
            if plain > 0 {
                self.print_plain(&piece[..plain]);
                return plain;
            }
        }
        match piece[0] {
            byte @ (..0x80) => {
                if !self.partial.is_empty() {
                    self.invalid();
                    return 0;
                }
                self.control(byte);
            }
            byte => self.beyond_ascii(byte),
        }
        1
    }

    fn print_plain(&mut self, text: &[u8]) {
        if self.screen.alternate {
            return;
        }
        if self.drawing[self.set] {
            text.iter().for_each(|byte| self.screen.print(line_drawing(*byte)));
        } else {
            self.screen.print_ascii(text);
        }
    }

    fn control(&mut self, byte: u8) {
        match byte {
            0x1b => self.state = State::Escape,
            0x0e => self.set = 1,
            0x0f => self.set = 0,
            _ if self.screen.alternate => {}
            _ => control(&mut self.screen, byte),
        }
    }

    /// A byte of a character of several.
    fn beyond_ascii(&mut self, byte: u8) {
        self.partial.push(byte);
        match std::str::from_utf8(&self.partial) {
            Ok(text) => {
                let character = text.chars().next().unwrap_or(char::REPLACEMENT_CHARACTER);
                self.partial.clear();
                self.character(character);
            }
            Err(error) if error.error_len().is_none() => {}
            Err(_) => {
                // What came before this byte is no character; the byte itself may begin one.
                let last = self.partial.pop();
                if !self.partial.is_empty() {
                    self.invalid();
                    last.into_iter().for_each(|byte| self.beyond_ascii(byte));
                } else {
                    self.invalid();
                }
            }
        }
    }

    fn invalid(&mut self) {
        self.invalid_bytes += self.partial.len().max(1) as u64;
        self.partial.clear();
        self.character(char::REPLACEMENT_CHARACTER);
    }

    fn character(&mut self, character: char) {
        match character {
            '\u{90}' | '\u{98}' | '\u{9e}' | '\u{9f}' => self.begin_string(State::String),
            '\u{9b}' => self.begin_sequence(),
            '\u{9d}' => self.begin_string(State::Command),
            '\u{80}'..='\u{9f}' => {}
            _ if self.screen.alternate => {}
            _ => self.screen.print(character),
        }
    }

    fn begin_sequence(&mut self) {
        self.parameters.clear();
        self.state = State::Sequence;
    }

    fn begin_string(&mut self, state: State) {
        self.string.clear();
        self.state = if self.replaying { State::Ground } else { state };
    }

    /// A byte within a sequence; `false` when it does not belong to it and has to be taken as text.
    fn byte(&mut self, byte: u8) -> bool {
        match self.state {
            State::Ground => false,
            State::Escape => self.escaped(byte),
            State::Intermediate(intermediate) => self.after_intermediate(intermediate, byte),
            State::Sequence => self.in_sequence(byte),
            State::Command | State::String => self.in_string(byte),
            State::CommandEscape | State::StringEscape => self.string_escaped(byte),
        }
    }

    fn escaped(&mut self, byte: u8) -> bool {
        self.state = State::Ground;
        match byte {
            b'[' => self.begin_sequence(),
            b']' => self.begin_string(State::Command),
            b'P' | b'X' | b'^' | b'_' => self.begin_string(State::String),
            0x20..=0x2f => self.state = State::Intermediate(byte),
            0x30..=0x7e => {
                if byte == b'c' {
                    self.drawing = [false; 2];
                    self.set = 0;
                }
                escape(&mut self.screen, byte);
            }
            _ => return false,
        }
        true
    }

    fn after_intermediate(&mut self, intermediate: u8, byte: u8) -> bool {
        match byte {
            0x20..=0x2f => return true,
            0x30..=0x7e => match intermediate {
                b'(' => self.drawing[0] = byte == b'0',
                b')' => self.drawing[1] = byte == b'0',
                _ => {}
            },
            _ => {
                self.state = State::Ground;
                return false;
            }
        }
        self.state = State::Ground;
        true
    }

    fn in_sequence(&mut self, byte: u8) -> bool {
        match byte {
            0x20..=0x3f => self.parameters.push(byte),
            0x40..=0x7e => {
                self.state = State::Ground;
                sequence(&mut self.screen, &self.parameters, byte);
            }
            _ => {
                self.state = State::Ground;
                return false;
            }
        }
        true
    }

    fn in_string(&mut self, byte: u8) -> bool {
        let command = self.state == State::Command;
        match byte {
            0x1b => self.state = if command { State::CommandEscape } else { State::StringEscape },
            0x07 if command => self.end_string(),
            0x18 | 0x1a => self.end_string(),
            // ST as one character.
            0x9c if self.string.last() == Some(&0xc2) => self.end_string(),
            _ if self.string.len() >= STRING_BYTES_MAX => {
                self.replay();
                return false;
            }
            _ => self.string.push(byte),
        }
        true
    }

    fn string_escaped(&mut self, byte: u8) -> bool {
        match (byte, self.state) {
            (b'\\', _) => self.end_string(),
            (_, State::StringEscape) => {
                self.string.push(0x1b);
                self.state = State::String;
                return false;
            }
            // Another escape in a command means that its end was lost: what was read is text.
            (_, _) => {
                self.replay();
                self.state = State::Escape;
                return false;
            }
        }
        true
    }

    fn end_string(&mut self) {
        self.string = Vec::new();
        self.state = State::Ground;
    }

    /// Takes a string whose end was lost as text, all but its introducer.
    fn replay(&mut self) {
        let string = std::mem::take(&mut self.string);
        self.state = State::Ground;
        let outer = std::mem::replace(&mut self.replaying, true);
        self.push(&string);
        self.replaying = outer;
        self.state = State::Ground;
    }
}

/// The character set with which programs drew lines before there was Unicode.
fn line_drawing(byte: u8) -> char {
    const DRAWN: [char; 31] = [
        '◆', '▒', '␉', '␌', '␍', '␊', '°', '±', '␤', '␋', '┘', '┐', '┌', '└', '┼', '⎺', '⎻', '─', '⎼', '⎽', '├', '┤',
        '┴', '┬', '│', '≤', '≥', 'π', '≠', '£', '·',
    ];
    match byte {
        0x60..=0x7e => DRAWN[usize::from(byte - 0x60)],
        _ => char::from(byte),
    }
}
