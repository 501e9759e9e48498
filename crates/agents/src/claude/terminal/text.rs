//! What becomes of a text that is pasted into Claude Code, known before any key is sent: it arrives exactly, or with a
//! change that the receipt names, or it is refused.

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// A text as it is typed, and as the agent will have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Typed {
    /// What is typed; what arrives is the same.
    pub(super) text: String,
    /// What differs from the message, each in a few words; nothing when it is exact.
    pub(super) changes: Vec<&'static str>,
}

/// The line before a text that would be a command of the agent's without it.
const BEFORE: &str = "[message]\n";

/// The line behind a text whose last backslash would swallow the Enter.
const BEHIND: &str = "\n[end of message]";

/// Words that end the agent when they stand alone.
const EXITS: [&str; 4] = ["exit", "quit", ":q", ":wq"];

/// Newlines in one paste, at the most: one more line makes it an attachment, of which the model is told that it may hold
/// what the user did not write.
const PIECE_NEWLINES_MAX: usize = 2;

/// UTF-16 units in one paste, at the most; see [`PIECE_NEWLINES_MAX`].
const PIECE_UNITS_MAX: usize = 700;

/// The message as it is typed.
///
/// # Errors
/// Why it cannot be carried, in a sentence.
pub(super) fn typed(message: &str) -> Result<Typed, String> {
    if let Some((at, refused)) = refused_character(message) {
        return Err(format!(
            "Claude Code's terminal does not take the character U+{:04X} at byte {at}; a headless session does",
            u32::from(refused)
        ));
    }
    let mut changes = Vec::new();
    let mut text = message.to_owned();
    change(&mut text, &mut changes, "line ends are written as newlines", |t| {
        t.replace("\r\n", "\n").replace('\r', "\n")
    });
    change(&mut text, &mut changes, "a tab arrives as four spaces", |t| t.replace('\t', "    "));
    change(&mut text, &mut changes, "letters with marks are composed (NFC)", composed);
    change(&mut text, &mut changes, "the tag `pasted_content` arrives with a backslash", |t| {
        t.replace("</pasted_content", "<\\/pasted_content").replace("<pasted_content", "<\\pasted_content")
    });
    change(&mut text, &mut changes, "white space at the end is cut off", |t| t.trim_end().to_owned());
    if text.is_empty() {
        return Err("a text of white space alone is no message for Claude Code".to_owned());
    }
    if is_command(&text) {
        text.insert_str(0, BEFORE);
        changes.push("the line `[message]` stands before it, so that it is no command");
    }
    if text.ends_with('\\') {
        text.push_str(BEHIND);
        changes.push("the line `[end of message]` stands behind it, since a last backslash would hold back the Enter");
    }
    Ok(Typed { text, changes })
}

/// A command of the agent's own, as it is typed.
///
/// # Errors
/// Why it is none.
pub(super) fn command(message: &str) -> Result<String, String> {
    let command = message.trim();
    let plain = !command.chars().any(|c| c.is_control()) && !command.ends_with('\\');
    if command.starts_with('/') && command.len() > 1 && plain {
        return Ok(command.to_owned());
    }
    Err("a command of Claude Code is one line that begins with `/`".to_owned())
}

fn change(text: &mut String, changes: &mut Vec<&'static str>, what: &'static str, make: impl FnOnce(&str) -> String) {
    let made = make(text);
    if made != *text {
        changes.push(what);
        *text = made;
    }
}

fn composed(text: &str) -> String {
    if is_nfc(text) { text.to_owned() } else { text.nfc().collect() }
}

/// What is said of a text with such a name: whether there is such a file is found out by Claude Code.
pub(super) const MENTIONED: &str = "where `@` names a file, Claude Code adds that";

/// Whether a file may be named with `@`: in front of a word, and not within one as in an address.
pub(super) fn mentions(text: &str) -> bool {
    let at_of_word = |(at, _): (usize, &str)| {
        let names = text[at + 1..].chars().next().is_some_and(|c| !c.is_whitespace());
        names && !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    text.match_indices('@').any(at_of_word)
}

fn is_command(text: &str) -> bool {
    let text = text.trim();
    text.starts_with(['/', '!']) || EXITS.contains(&text)
}

/// The first character that would be dropped, or would hold the whole message back.
fn refused_character(text: &str) -> Option<(usize, char)> {
    let mut before = '\0';
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let behind = characters.peek().map(|(_, c)| *c);
        if is_dropped(c) && !is_kept_between(before, c, behind) {
            return Some((at, c));
        }
        before = c;
    }
    None
}

fn is_dropped(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => false,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' => true,
        '\u{feff}' | '\u{ffa0}' | '\u{2028}' | '\u{2029}' => true,
        '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => true,
        '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{fff0}'..='\u{fffb}' => true,
        '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => true,
        c => c.is_control(),
    }
}

/// What belongs to a picture, or joins letters of a script that needs it, is kept.
fn is_kept_between(before: char, c: char, behind: Option<char>) -> bool {
    match c {
        '\u{fe0e}' | '\u{fe0f}' => is_picture(before) || (is_keycap(before) && behind == Some('\u{20e3}')),
        '\u{200d}' => is_joined(before) && behind.is_some_and(is_joined),
        '\u{200c}' => is_of_joining_script(before) && behind.is_some_and(is_of_joining_script),
        '\u{e0020}'..='\u{e007f}' => before == '\u{1f3f4}' || matches!(before, '\u{e0020}'..='\u{e007e}'),
        _ => false,
    }
}

fn is_joined(c: char) -> bool {
    is_picture(c) || c == '\u{fe0f}' || is_of_joining_script(c)
}

fn is_picture(c: char) -> bool {
    matches!(c, '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{1f000}'..='\u{1faff}')
        || matches!(c, '\u{2194}'..='\u{21aa}' | '\u{231a}'..='\u{23ff}' | '\u{25aa}'..='\u{27bf}' | '\u{2934}'..='\u{2b55}')
}

fn is_keycap(c: char) -> bool {
    c.is_ascii_digit() || c == '#' || c == '*'
}

/// Arabic, and the scripts of India.
fn is_of_joining_script(c: char) -> bool {
    matches!(c, '\u{620}'..='\u{6ff}' | '\u{900}'..='\u{dff}')
}

/// The text in pieces that are pasted one by one.
pub(super) fn pieces(text: &str) -> Vec<&str> {
    let (mut pieces, mut from, mut newlines, mut units) = (Vec::new(), 0, 0, 0);
    for (at, c) in text.char_indices() {
        let (newline, width) = (usize::from(c == '\n'), c.len_utf16());
        if newlines + newline > PIECE_NEWLINES_MAX || units + width > PIECE_UNITS_MAX {
            pieces.push(&text[from..at]);
            (from, newlines, units) = (at, 0, 0);
        }
        newlines += newline;
        units += width;
    }
    pieces.push(&text[from..]);
    pieces
}

/// What is remembered of a text to know it again: its length in bytes, and a sum over them (FNV-1a).
pub(super) fn mark(text: &str) -> (u64, u64) {
    let add = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    (text.len() as u64, text.bytes().fold(0xcbf2_9ce4_8422_2325, add))
}

/// The same of its letters and digits alone, to know a text again that was changed on its way.
pub(super) fn bones(text: &str) -> (u64, u64) {
    let letters: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    mark(&letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) {
        assert_eq!(typed(text).unwrap(), Typed { text: text.to_owned(), changes: vec![] }, "{text:?}");
    }

    #[test]
    fn ordinary_text_is_exact() {
        let joined = ["\u{2764}\u{fe0f}\u{200d}\u{1f525}", "1\u{fe0f}\u{20e3}", "\u{915}\u{94d}\u{200d}\u{937}"];
        joined.iter().for_each(|text| exact(text));
        for text in [
            "hi",
            "  lead",
            "\n\na",
            "#x",
            "@file",
            "- item",
            "$(x) `y` ;",
            "[[ -f x ]]",
            "Exit",
            "exit.",
            "👨\u{200d}👩",
        ] {
            exact(text);
        }
    }

    #[test]
    fn changes_are_named() {
        let changed = typed("a\tb\r\nc \n\n").unwrap();
        assert_eq!((changed.text.as_str(), changed.changes.len()), ("a    b\nc", 3));
        assert_eq!(typed("e\u{301}").unwrap().text, "\u{e9}");
    }

    #[test]
    fn commands_are_told_as_text() {
        for text in ["/clear", " /cost\nmore", "!ls", "exit", " quit \n"] {
            let typed = typed(text).unwrap();
            assert!(typed.text.starts_with("[message]\n") && !typed.changes.is_empty(), "{text:?}");
        }
        assert_eq!(typed("a\\").unwrap().text, "a\\\n[end of message]");
        assert_eq!(command(" /compact now "), Ok("/compact now".to_owned()));
        assert!(command("compact").is_err() && command("/a\nb").is_err() && command("/").is_err());
    }

    #[test]
    fn names_of_files_are_told_from_addresses() {
        for text in ["@a", "look at @/etc/passwd", "(@\"a b\")", "日本@x", "a\n@b"] {
            assert!(mentions(text), "{text:?}");
        }
        for text in ["", "@", "a @ b", "me@example.org", "x@"] {
            assert!(!mentions(text), "{text:?}");
        }
    }

    #[test]
    fn what_would_be_dropped_is_refused() {
        for text in ["a\u{1b}[31m", "a\0b", "a\u{200b}b", "\u{202e}x", "a\u{fe0f}", "x\u{200d}", " \n\t"] {
            assert!(typed(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn pieces_are_the_whole_and_small() {
        let text = format!("{}\n\n\n\n{}é🦀", "x\n".repeat(9), "🦀".repeat(1000));
        let made = pieces(&text);
        assert_eq!(made.concat(), text);
        for piece in made {
            assert!(piece.matches('\n').count() <= 2 && piece.encode_utf16().count() <= 700);
        }
        assert_eq!(pieces(""), [""]);
    }

    #[test]
    fn marks_tell_texts_apart() {
        assert_eq!(mark("a"), mark("a"));
        assert!(mark("ab") != mark("ba") && mark("") != mark("a"));
    }
}
