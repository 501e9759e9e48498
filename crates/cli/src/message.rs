//! The text of a message: from where it comes, and what it may hold.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use adjutant_api::{ErrorBody, ErrorCode};

use crate::error::CommandError;

/// Where the message comes from; exactly one of the first three.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct TextArgs {
    /// The message, one argument; `--` before it if it looks like an option
    #[arg(value_name = "message")]
    positional: Option<OsString>,

    /// The message, whatever it looks like
    #[arg(long = "message", value_name = "text", allow_hyphen_values = true)]
    option: Option<OsString>,

    /// Read the message from a file; `-` is standard input
    #[arg(short, long, value_name = "path")]
    file: Option<PathBuf>,

    /// Drop control characters instead of refusing them
    #[arg(long)]
    strip_control: bool,
}

/// A message that may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) text: String,
    /// How many control characters were dropped.
    pub(crate) dropped: usize,
}

impl TextArgs {
    /// The places, as another grammar has found them.
    pub(crate) fn of(
        positional: Option<OsString>,
        option: Option<OsString>,
        file: Option<PathBuf>,
        strip_control: bool,
    ) -> Self {
        Self { positional, option, file, strip_control }
    }

    /// The message; an error if there is none.
    pub(crate) fn required(&self, bytes_max: u64) -> Result<Text, CommandError> {
        self.optional(bytes_max)?.ok_or_else(|| CommandError::new(ErrorCode::MessageEmpty, "no message is given"))
    }

    /// The message, if one is given.
    pub(crate) fn optional(&self, bytes_max: u64) -> Result<Option<Text>, CommandError> {
        let given = [self.positional.is_some(), self.option.is_some(), self.file.is_some()];
        if given.iter().filter(|given| **given).count() > 1 {
            let message = "a message is taken from one place: the argument, --message or --file";
            return Err(CommandError::usage(message));
        }
        let bytes = match (&self.positional, &self.option, &self.file) {
            (Some(text), _, _) | (None, Some(text), _) => text.clone().into_encoded_bytes(),
            (None, None, Some(path)) => read(path, bytes_max)?,
            (None, None, None) => return Ok(None),
        };
        checked(bytes, bytes_max, self.strip_control).map(Some)
    }
}

fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, CommandError> {
    if path == Path::new("-") {
        return read_all(&mut io::stdin().lock(), bytes_max).map_err(|error| unreadable(path, &error));
    }
    let mut file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let size = file.metadata().map_or(0, |found| found.len());
    if size > bytes_max {
        return Err(too_large(&size.to_string(), bytes_max));
    }
    read_all(&mut file, bytes_max).map_err(|error| unreadable(path, &error))
}

/// Reads to the end, or just beyond the limit, so that a file without an end is refused too.
fn read_all(from: &mut impl Read, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(path: &Path, error: &io::Error) -> CommandError {
    let missing = error.kind() == io::ErrorKind::NotFound;
    let code = if missing { ErrorCode::PathNotFound } else { ErrorCode::Usage };
    CommandError::new(code, format!("cannot read the message from {}: {error}", path.display()))
}

/// Checks what a message may hold. Offsets count bytes from 0.
fn checked(bytes: Vec<u8>, bytes_max: u64, strip: bool) -> Result<Text, CommandError> {
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if length > bytes_max {
        // What was read from a stream ends just beyond the limit, whatever is behind it.
        let known = if length == bytes_max + 1 { format!("at least {length}") } else { length.to_string() };
        return Err(too_large(&known, bytes_max));
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| not_text("the message is not UTF-8", error.utf8_error().valid_up_to(), None))?;
    if let Some(offset) = text.find('\0') {
        return Err(not_text("the message holds a NUL", offset, None));
    }
    let text = without_control(text, strip)?;
    // As in the daemon: a byte order mark is no text.
    if text.text.chars().all(|one| one.is_whitespace() || one == '\u{feff}') {
        return Err(CommandError::new(ErrorCode::MessageEmpty, "the message has no text"));
    }
    Ok(text)
}

fn without_control(text: String, strip: bool) -> Result<Text, CommandError> {
    let refused = |(offset, c): (usize, char)| is_refused(&text, offset, c);
    let Some((offset, first)) = text.char_indices().find(|place| refused(*place)) else {
        return Ok(Text { text, dropped: 0 });
    };
    if !strip {
        let what = format!("the message holds the control character U+{:04X}", u32::from(first));
        return Err(not_text(&what, offset, Some(first)));
    }
    let kept: String = text.char_indices().filter(|place| !refused(*place)).map(|(_, c)| c).collect();
    let dropped = text.chars().count() - kept.chars().count();
    Ok(Text { text: kept, dropped })
}

/// Control characters other than tab, line feed, and carriage return before a line feed.
fn is_refused(text: &str, offset: usize, c: char) -> bool {
    match c {
        '\t' | '\n' => false,
        '\r' => !text[offset..].starts_with("\r\n"),
        other => other.is_control(),
    }
}

fn too_large(length: &str, bytes_max: u64) -> CommandError {
    let message = format!("the message has {length} bytes, and {bytes_max} are allowed");
    let body = ErrorBody::new(ErrorCode::MessageTooLarge, message);
    body.with_detail("bytes", length).with_detail("bytes_max", bytes_max).into()
}

fn not_text(what: &str, offset: usize, c: Option<char>) -> CommandError {
    let body = ErrorBody::new(ErrorCode::MessageNotText, format!("{what} at byte {offset}"));
    let body = body.with_detail("offset", offset);
    c.map_or(body.clone(), |c| body.with_detail("code", u32::from(c))).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(bytes: &[u8]) -> (ErrorCode, String) {
        match checked(bytes.to_vec(), 100, false) {
            Err(CommandError::Told(body)) => (body.code, body.message),
            other => panic!("{other:?}"),
        }
    }

    fn text(bytes: &[u8]) -> String {
        checked(bytes.to_vec(), 100, false).unwrap().text
    }

    #[test]
    fn a6_texts_are_kept_byte_for_byte() {
        for exact in ["x", "a\n\n", " a ", "a\r\nb", "\ta", "- item", "é\u{1F600}"] {
            assert_eq!(text(exact.as_bytes()), exact);
        }
    }

    #[test]
    fn a7_a8_what_is_refused_says_where() {
        for (bytes, expected) in [
            (b"ab\xffc".as_slice(), "the message is not UTF-8 at byte 2"),
            (b"ab\0c", "the message holds a NUL at byte 2"),
            (b"a\rb", "the message holds the control character U+000D at byte 1"),
            (b"\x1b[201~", "the message holds the control character U+001B at byte 0"),
            ("é\u{9b}".as_bytes(), "the message holds the control character U+009B at byte 2"),
            (b"a\x7f", "the message holds the control character U+007F at byte 1"),
            (b"a\r", "the message holds the control character U+000D at byte 1"),
        ] {
            assert_eq!(code(bytes), (ErrorCode::MessageNotText, expected.to_owned()));
        }
        assert_eq!(code(b" \n\t ").0, ErrorCode::MessageEmpty);
        assert_eq!(code(&[b'x'; 101]).0, ErrorCode::MessageTooLarge);
    }

    #[test]
    fn control_characters_are_dropped_on_demand_and_counted() {
        let stripped = checked(b"a\x1b[1mb\r\n\rc\x03".to_vec(), 100, true).unwrap();
        assert_eq!(stripped, Text { text: "a[1mb\r\nc".to_owned(), dropped: 3 });
        assert!(checked(b"a\0".to_vec(), 100, true).is_err());
    }

    #[test]
    fn one_place_only() {
        let both = TextArgs { positional: Some("a".into()), option: Some("b".into()), ..TextArgs::default() };
        assert_eq!(both.optional(100).unwrap_err().exit(), 2);
        assert_eq!(TextArgs::default().optional(100).unwrap(), None);
        assert_eq!(TextArgs::default().required(100).unwrap_err().exit(), 2);
    }
}
