//! How much text one call shows.

/// Bytes of text that one call shows, as JSON writes them. The first text is shown however large it is.
pub(crate) const SHOWN_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The room for the texts of one call.
#[derive(Debug, Default)]
pub(crate) struct Room {
    taken: usize,
}

impl Room {
    /// Whether a text is shown. After one that has no room, none that is not empty has.
    pub(crate) fn has(&mut self, text: &str) -> bool {
        let bytes = written(text);
        let fits = bytes == 0 || self.taken == 0 || self.taken + bytes <= SHOWN_BYTES_MAX;
        self.taken = if fits { self.taken + bytes } else { SHOWN_BYTES_MAX };
        fits
    }

    /// Whether no text has room any more, so that none needs to be read.
    pub(crate) fn is_full(&self) -> bool {
        self.taken >= SHOWN_BYTES_MAX
    }
}

/// The size of a text in JSON: some characters are written as two, and control characters as six.
fn written(text: &str) -> usize {
    let of = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        0..0x20 => 6,
        _printed => 1,
    };
    text.bytes().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_room_until_it_is_taken_and_the_first_always() {
        let (half, large) = ("x".repeat(SHOWN_BYTES_MAX / 2), "x".repeat(SHOWN_BYTES_MAX * 2));
        let mut room = Room::default();
        assert!(room.has("") && room.has(&half) && !room.is_full() && room.has(&half));
        assert!(room.is_full() && !room.has("y") && room.has(""));
        let mut room = Room::default();
        assert!(room.has(&large) && room.is_full() && !room.has("y"));
        let mut room = Room::default();
        assert!(room.has("a") && !room.has(&large) && !room.has("b"), "what is shown has no gaps");
    }

    #[test]
    fn a_text_is_as_large_as_it_is_written() {
        for text in ["plain", "\"quoted\" \\", "a\nb\tc\rd", "\u{1}\u{1b}[0m", "größer"] {
            assert_eq!(written(text) + 2, serde_json::to_string(text).unwrap().len(), "{text:?}");
        }
    }
}
