//! Where a message's output begins and ends in the stream of the terminal.

use memchr::{memchr, memmem};

/// What the stream of the terminal consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Output.
    Bytes(&'a [u8]),
    /// The output of this message begins.
    Start(u64),
    /// The output of this message has ended.
    End(u64),
    /// A person's command begins.
    Person,
}

/// Longest mark, in bytes; what only looks like one is output.
const MARK_BYTES_MAX: usize = 96;

/// Takes the marks out of the stream, in whatever pieces it comes. A mark is `ESC ] nonce ; kind [; id] BEL`; the
/// nonce is known to nobody but the loop in bash.
#[derive(Debug)]
pub(super) struct Marks {
    introducer: Vec<u8>,
    finder: memmem::Finder<'static>,
    /// The end of the last piece, if it may be the beginning of a mark.
    held: Vec<u8>,
}

impl Marks {
    /// Marks with this nonce.
    pub(super) fn new(nonce: &str) -> Self {
        let introducer = format!("\x1b]{nonce};").into_bytes();
        let finder = memmem::Finder::new(&introducer).into_owned();
        Self { introducer, finder, held: Vec::new() }
    }

    /// Takes a piece apart.
    pub(super) fn split(&mut self, piece: &[u8], mut part: impl FnMut(Part<'_>)) {
        if self.held.is_empty() {
            let rest = self.take_apart(piece, &mut part);
            self.held.extend_from_slice(rest);
        } else {
            let mut joined = std::mem::take(&mut self.held);
            joined.extend_from_slice(piece);
            let rest = self.take_apart(&joined, &mut part);
            self.held = rest.to_vec();
        }
    }

    /// Gives back what was held: nothing follows that could make it a mark.
    pub(super) fn flush(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Tells the parts of `bytes` and returns what must wait for more.
    fn take_apart<'a>(&self, mut bytes: &'a [u8], part: &mut impl FnMut(Part<'_>)) -> &'a [u8] {
        while let Some(at) = self.finder.find(bytes) {
            let inner = &bytes[at + self.introducer.len()..];
            let window = &inner[..inner.len().min(MARK_BYTES_MAX)];
            let Some(end) = memchr(0x07, window) else {
                let whole = inner.len() < MARK_BYTES_MAX;
                let (before, rest) = bytes.split_at(if whole { at } else { at + self.introducer.len() });
                emit(before, part);
                if whole {
                    return rest;
                }
                bytes = rest;
                continue;
            };
            emit(&bytes[..at], part);
            if let Some(mark) = parse(&window[..end]) {
                part(mark);
            }
            bytes = &inner[end + 1..];
        }
        let (before, rest) = bytes.split_at(bytes.len() - self.begun(bytes));
        emit(before, part);
        rest
    }

    /// How many bytes at the end may be the beginning of an introducer.
    fn begun(&self, bytes: &[u8]) -> usize {
        let longest = bytes.len().min(self.introducer.len() - 1);
        (1..=longest).rev().find(|count| bytes.ends_with(&self.introducer[..*count])).unwrap_or(0)
    }
}

fn emit(bytes: &[u8], part: &mut impl FnMut(Part<'_>)) {
    if !bytes.is_empty() {
        part(Part::Bytes(bytes));
    }
}

fn parse(mark: &[u8]) -> Option<Part<'static>> {
    let (kind, id) = match mark {
        b"p" => return Some(Part::Person),
        [kind, b';', id @ ..] => (*kind, std::str::from_utf8(id).ok()?.parse().ok()?),
        _ => return None,
    };
    match kind {
        b's' => Some(Part::Start(id)),
        b'e' => Some(Part::End(id)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(raw: &[u8], size: usize) -> (Vec<u8>, Vec<(usize, String)>) {
        let (mut marks, mut bytes, mut found) = (Marks::new("n0"), Vec::new(), Vec::new());
        for piece in raw.chunks(size) {
            marks.split(piece, |part| {
                if let Part::Bytes(more) = part {
                    bytes.extend_from_slice(more);
                } else {
                    found.push((bytes.len(), format!("{part:?}")));
                }
            });
        }
        bytes.extend(marks.flush());
        (bytes, found)
    }

    #[test]
    fn marks_are_found_in_any_pieces() {
        let raw = b"noise\x1b]n0;s;42\x07hi\r\n\x1b]0;title\x07\x1b]n0;e;42\x07\x1b]n0;p\x07rest\x1b]n";
        for size in 1..=raw.len() {
            let (bytes, found) = parts(raw, size);
            assert_eq!(bytes, b"noisehi\r\n\x1b]0;title\x07rest\x1b]n", "pieces of {size}");
            let expected = [(5, "Start(42)"), (19, "End(42)"), (19, "Person")];
            assert_eq!(found, expected.map(|(at, what)| (at, what.to_owned())), "pieces of {size}");
        }
    }

    #[test]
    fn what_only_looks_like_a_mark_is_output() {
        let endless = [b"\x1b]n0;s;".as_slice(), &[b'1'; 500], b"\x07x"].concat();
        for size in [1, 7, 64, 1000] {
            let (bytes, found) = parts(&endless, size);
            assert_eq!((bytes.as_slice(), found.len()), (endless.as_slice(), 0), "pieces of {size}");
        }
    }
}
