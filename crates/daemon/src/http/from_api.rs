//! From wire types to domain types, checked on the way.

use std::sync::Arc;

use adjutant_api::ErrorCode;
use adjutant_api::WireTime;
use adjutant_api::types::session::ModeWord;
use adjutant_core::Timestamp;
use adjutant_core::agent::Mode;
use adjutant_core::limits::{DESCRIPTION_CHARS_MAX, KEY_BYTES_MAX};
use adjutant_core::time::{Due, Now};

use super::error::Failure;

/// A message's text, checked: not empty, not too large, no control characters but TAB, LF and CR LF.
pub(crate) fn text(text: String, bytes_max: usize) -> Result<Arc<str>, Failure> {
    if text.len() > bytes_max {
        let message = format!("the message has {} bytes, and {bytes_max} is the limit", text.len());
        let failure = Failure::new(ErrorCode::MessageTooLarge, message);
        return Err(failure.with_detail("bytes", text.len() as u64).with_detail("limit", bytes_max as u64));
    }
    // A byte order mark is none to a reader either: some agents count it as white space, and run nothing.
    if text.chars().all(|one| one.is_whitespace() || one == '\u{feff}') {
        return Err(Failure::new(ErrorCode::MessageEmpty, "the message is empty"));
    }
    if let Some(offset) = control_at(text.as_bytes()) {
        let code = text.as_bytes()[offset];
        let message = format!("the message has the control character 0x{code:02x} at byte {offset}");
        return Err(Failure::new(ErrorCode::MessageNotText, message).with_detail("offset", offset as u64));
    }
    Ok(Arc::from(text))
}

/// The first control character that a message may not have.
fn control_at(bytes: &[u8]) -> Option<usize> {
    let allowed = |i: usize, b: u8| match b {
        b'\t' | b'\n' => true,
        b'\r' => bytes.get(i + 1) == Some(&b'\n'),
        0..=0x1f | 0x7f => false,
        _text => true,
    };
    bytes.iter().enumerate().find(|(i, b)| !allowed(*i, **b)).map(|(i, _)| i)
}

/// A key, checked for its length.
pub(crate) fn key(key: Option<String>) -> Result<Option<String>, Failure> {
    match key {
        Some(key) if key.is_empty() || key.len() > KEY_BYTES_MAX => {
            Err(Failure::new(ErrorCode::Usage, format!("a key has 1 to {KEY_BYTES_MAX} bytes")))
        }
        key => Ok(key),
    }
}

/// A description, checked: one line, not too long.
pub(crate) fn description(text: Option<String>) -> Result<Option<String>, Failure> {
    match text {
        Some(text) if text.chars().any(char::is_control) || text.chars().count() > DESCRIPTION_CHARS_MAX => {
            Err(Failure::new(
                ErrorCode::Usage,
                format!("a description is one line of at most {DESCRIPTION_CHARS_MAX} characters"),
            ))
        }
        text => Ok(text),
    }
}

/// A mode; `None` for a word that this version does not know.
pub(crate) fn mode(word: &ModeWord) -> Option<Mode> {
    match word {
        ModeWord::Native => Some(Mode::Native),
        ModeWord::Guarded => Some(Mode::Guarded),
        ModeWord::Docker => Some(Mode::Docker),
        ModeWord::Other(_) => None,
    }
}

/// When a message becomes due. A delay counts on the boot clock, a point in time on the wall clock.
pub(crate) fn due(delay_ms: Option<u64>, run_at: Option<WireTime>, now: Now) -> Result<Option<Due>, Failure> {
    match (delay_ms, run_at) {
        (None, None) => Ok(None),
        (Some(millis), None) => Ok(Some(Due::after(now, millis))),
        (None, Some(at)) => Ok(Some(Due::At(Timestamp::from_millis(at.as_millis())))),
        (Some(_), Some(_)) => Err(Failure::new(ErrorCode::Usage, "a delay and a point in time exclude each other")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a7_control_characters_are_refused_with_their_offset() {
        let flaw = |s: &str| text(s.to_owned(), 100).err().map(|f| f.body.message);
        for good in ["a", "a\tb\nc\r\nd", "é\n\n", "- item", "a\u{85}b"] {
            assert_eq!(flaw(good), None, "{good:?}");
        }
        for (bad, offset) in [("ab\x1b[201~", 2), ("a\rb", 1), ("\x03", 0), ("x\0", 1), ("a\x7f", 1)] {
            let message = flaw(bad).unwrap_or_default();
            assert!(message.ends_with(&format!("at byte {offset}")) || bad.trim().is_empty(), "{bad:?}: {message}");
        }
    }

    #[test]
    fn size_is_counted_in_bytes() {
        assert!(text("é".repeat(50), 100).is_ok());
        assert!(text("é".repeat(51), 100).is_err());
    }
}
