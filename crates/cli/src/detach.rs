//! The key that leaves a session's terminal: Ctrl-] and then d.

/// What is said at the start.
pub(crate) const HOW: &str = "Ctrl-] d detaches";

/// Ctrl-].
const PREFIX: u8 = 0x1d;

/// What typed bytes mean.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Typed {
    /// What goes on to the session.
    pub(crate) bytes: Vec<u8>,
    /// The person leaves; what comes behind is not looked at.
    pub(crate) leaves: bool,
}

/// Watches what is typed for the detach key.
#[derive(Debug, Default)]
pub(crate) struct KeyWatch {
    prefixed: bool,
    between: Between,
}

/// What comes between the two keys. A terminal answers what a program asks of it by escape sequences, in the middle of
/// what a person types; they are no key.
#[derive(Clone, Copy, Debug, Default)]
enum Between {
    #[default]
    Nothing,
    Escape,
    Control,
    Words,
    WordsEscape,
}

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

impl Between {
    /// Where the byte leads to; nothing when it is of no sequence.
    fn with(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Nothing, ESCAPE) => Some(Self::Escape),
            (Self::Escape, b'[') => Some(Self::Control),
            (Self::Escape, b']' | b'P' | b'^' | b'_') => Some(Self::Words),
            (Self::Nothing | Self::Escape, _) => None,
            (Self::Control, 0x40..=0x7e) | (Self::Words, BELL) | (Self::WordsEscape, _) => Some(Self::Nothing),
            (Self::Control, _) => Some(Self::Control),
            (Self::Words, ESCAPE) => Some(Self::WordsEscape),
            (Self::Words, _) => Some(Self::Words),
        }
    }
}

impl KeyWatch {
    /// Ctrl-] twice is one Ctrl-] for the session; before any other key it goes on with that key.
    pub(crate) fn take(&mut self, typed: &[u8]) -> Typed {
        let mut bytes = Vec::with_capacity(typed.len() + 1);
        for byte in typed {
            if let Some(between) = self.between.with(*byte).filter(|_| self.prefixed) {
                self.between = between;
                bytes.push(*byte);
                continue;
            }
            self.between = Between::Nothing;
            match (std::mem::take(&mut self.prefixed), *byte) {
                (false, PREFIX) => self.prefixed = true,
                (false, other) => bytes.push(other),
                (true, b'd' | b'D' | 0x04) => return Typed { bytes, leaves: true },
                (true, PREFIX) => bytes.push(PREFIX),
                (true, other) => bytes.extend([PREFIX, other]),
            }
        }
        Typed { bytes, leaves: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(watch: &mut KeyWatch, typed: &[u8]) -> (Vec<u8>, bool) {
        let typed = watch.take(typed);
        (typed.bytes, typed.leaves)
    }

    #[test]
    fn the_key_works_in_one_piece_and_in_two() {
        assert_eq!(take(&mut KeyWatch::default(), b"ls\x1ddxx"), (b"ls".to_vec(), true));
        let mut watch = KeyWatch::default();
        assert_eq!(take(&mut watch, b"ls\x1d"), (b"ls".to_vec(), false));
        assert_eq!(take(&mut watch, b"d"), (Vec::new(), true));
    }

    #[test]
    fn everything_else_reaches_the_session() {
        let all: Vec<u8> = (0..=255).filter(|byte| *byte != PREFIX).collect();
        assert_eq!(take(&mut KeyWatch::default(), &all), (all.clone(), false));
        assert_eq!(take(&mut KeyWatch::default(), b"\x1d\x1dd"), (b"\x1dd".to_vec(), false));
        assert_eq!(take(&mut KeyWatch::default(), b"\x1dx\x1d"), (b"\x1dx".to_vec(), false));
    }

    #[test]
    fn what_a_terminal_answers_between_the_keys_is_no_key() {
        for answer in [&b"\x1b[?62;4c"[..], b"\x1b]11;rgb:00/00/00\x1b\\", b"\x1b]11;d\x07", b"\x1bP>|tmux\x1b\\"] {
            let typed = [b"\x1d", answer, b"d"].concat();
            assert_eq!(take(&mut KeyWatch::default(), &typed), (answer.to_vec(), true), "{answer:?}");
            for at in 1..typed.len() {
                let mut watch = KeyWatch::default();
                let (first, left) = take(&mut watch, &typed[..at]);
                let (rest, leaves) = take(&mut watch, &typed[at..]);
                assert_eq!(
                    ([first, rest].concat(), left, leaves),
                    (answer.to_vec(), false, true),
                    "{answer:?} at {at}"
                );
            }
        }
    }
}
