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
}

impl KeyWatch {
    /// Ctrl-] twice is one Ctrl-] for the session; before any other key it goes on with that key.
    pub(crate) fn take(&mut self, typed: &[u8]) -> Typed {
        let mut bytes = Vec::with_capacity(typed.len() + 1);
        for byte in typed {
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
}
