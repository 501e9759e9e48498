//! The text that has left the screen, of which head and tail are kept.

use adjutant_core::limits::ANSWER_BYTES_MAX;

/// Room for the line that states the cut.
const CUT_LINE_BYTES: usize = 64;

/// Bytes kept of the beginning, and as many of the end.
const HALF_BYTES: usize = (ANSWER_BYTES_MAX as usize - CUT_LINE_BYTES) / 2;

/// A text of which at most [`ANSWER_BYTES_MAX`] bytes are kept.
#[derive(Debug, Default)]
pub(super) struct Answer {
    head: Vec<u8>,
    /// The end is at most this and what is in `last`; when that is full it takes this one's place.
    before_last: Vec<u8>,
    last: Vec<u8>,
    total_bytes: u64,
}

/// The text as it is kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) text: String,
    pub(super) cut_bytes: u64,
}

impl Answer {
    /// Adds to the text.
    pub(super) fn push(&mut self, more: &str) {
        self.total_bytes += more.len() as u64;
        let mut more = more;
        if self.last.is_empty() && self.before_last.is_empty() {
            let fits = more.floor_char_boundary(HALF_BYTES - self.head.len());
            self.head.extend_from_slice(&more.as_bytes()[..fits]);
            more = &more[fits..];
        }
        let mut more = more.as_bytes();
        while !more.is_empty() {
            if self.last.len() == HALF_BYTES {
                self.before_last = std::mem::take(&mut self.last);
            }
            let fits = more.len().min(HALF_BYTES - self.last.len());
            self.last.extend_from_slice(&more[..fits]);
            more = &more[fits..];
        }
    }

    /// The end of the text: what is kept of it, without the single last newline.
    pub(super) fn finish(self) -> Kept {
        let mut text = self.head;
        let mut tail = [self.before_last, self.last].concat();
        let whole = (text.len() + tail.len()) as u64 == self.total_bytes && self.total_bytes <= ANSWER_BYTES_MAX;
        let mut cut_bytes = 0;
        if !whole {
            let mut start = tail.len().saturating_sub(HALF_BYTES);
            // A character is not cut in two.
            while tail.get(start).is_some_and(|byte| byte & 0xC0 == 0x80) {
                start += 1;
            }
            tail.drain(..start);
            cut_bytes = self.total_bytes - (text.len() + tail.len()) as u64;
            let line_break = if text.ends_with(b"\n") { "" } else { "\n" };
            text.extend_from_slice(format!("{line_break}[... {cut_bytes} bytes left out ...]\n").as_bytes());
        }
        text.extend_from_slice(&tail);
        if text.ends_with(b"\n") {
            text.pop();
        }
        let text =
            String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        Kept { text, cut_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(pieces: impl IntoIterator<Item = String>) -> Kept {
        let mut answer = Answer::default();
        pieces.into_iter().for_each(|piece| answer.push(&piece));
        answer.finish()
    }

    #[test]
    fn a_text_up_to_the_bound_is_whole() {
        let whole = "é".repeat(ANSWER_BYTES_MAX as usize / 2);
        for size in [1, 333, 700_000] {
            let pieces = whole.chars().collect::<Vec<_>>();
            let got = kept(pieces.chunks(size).map(|piece| piece.iter().collect()));
            assert_eq!(got, Kept { text: whole.clone(), cut_bytes: 0 });
        }
        assert_eq!(kept(["a\n\n".to_owned()]), Kept { text: "a\n".to_owned(), cut_bytes: 0 });
    }

    #[test]
    fn a_longer_text_keeps_head_and_tail_and_says_what_it_lost() {
        for lines in [40_000_u64, 100_000, 1_000_000] {
            let got = kept((0..lines).map(|line| format!("line {line:>20} ü\n")));
            let (head, rest) = got.text.split_once("\n[... ").expect("a cut line");
            let (count, tail) = rest.split_once(" bytes left out ...]\n").expect("a cut line");
            assert_eq!(count.parse(), Ok(got.cut_bytes));
            assert!(got.text.len() as u64 <= ANSWER_BYTES_MAX);
            assert!(head.starts_with("line                    0 ü\n"));
            assert!(tail.ends_with(&format!("line {:>20} ü", lines - 1)));
            // Of the two line breaks that are not the text's own, one is the last that is always left out.
            let total = lines * 29;
            assert!(total.abs_diff((head.len() + tail.len()) as u64 + got.cut_bytes) <= 2, "{lines}");
        }
    }
}
