//! The end of a turn with its final text, of which no more is kept than the house keeps.

use adjutant_core::agent::{AnswerSize, TurnEnd};
use adjutant_core::limits::ANSWER_BYTES_MAX;
use adjutant_core::outcome::{FailReason, Outcome};

/// Room for the line that states the cut.
const CUT_LINE_BYTES: usize = 64;

/// The end of a turn, and its final text as it is kept.
pub(in crate::claude) fn ended(outcome: Outcome, detail: Option<String>, said: &str) -> (TurnEnd, String) {
    let (text, cut_bytes) = cut(said, usize::try_from(ANSWER_BYTES_MAX).unwrap_or(usize::MAX));
    let answer = AnswerSize { bytes: text.len() as u64, cut_bytes };
    (TurnEnd { detail, answer, ..TurnEnd::bare(outcome) }, text)
}

/// A turn that failed, in the agent's own words.
pub(in crate::claude) fn failed(reason: FailReason, words: &str) -> (TurnEnd, String) {
    let line = words.lines().next().unwrap_or_default().to_owned();
    ended(Outcome::Failed { reason }, Some(line), "")
}

/// Cuts out the middle where a text is too long.
fn cut(text: &str, most: usize) -> (String, u64) {
    if text.len() <= most {
        return (text.to_owned(), 0);
    }
    let half = (most - CUT_LINE_BYTES) / 2;
    let (head, tail) = (text.floor_char_boundary(half), text.ceil_char_boundary(text.len() - half));
    let cut = tail - head;
    (format!("{}\n[… {cut} bytes left out …]\n{}", &text[..head], &text[tail..]), cut as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_cut_and_the_cut_is_stated() {
        let (text, cut_bytes) = cut(&"é".repeat(500), 300);
        assert!(text.len() <= 300 && text.contains("bytes left out"), "{text}");
        assert_eq!(cut_bytes as usize + text.matches('é').count() * 2, 1000);
        assert_eq!(cut("short", 300), ("short".to_owned(), 0));
    }
}
