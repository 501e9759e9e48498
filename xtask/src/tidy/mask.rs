//! Rust text with its comments and the contents of its literals blanked, so that a word that is left is code.

/// A string literal: where its contents begin, and the contents as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Literal {
    pub(crate) at: usize,
    pub(crate) value: String,
}

/// The text with blanks, byte for byte as long as the original, and the literals that were blanked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Masked {
    pub(crate) code: String,
    pub(crate) literals: Vec<Literal>,
}

/// Blanks comments and literals; line breaks stay, so that offsets and lines are those of the original.
pub(crate) fn mask(text: &str) -> Masked {
    let mut masker = Masker { text, at: 0, code: Vec::with_capacity(text.len()), literals: Vec::new() };
    while masker.at < text.len() {
        masker.step();
    }
    Masked { code: String::from_utf8_lossy(&masker.code).into_owned(), literals: masker.literals }
}

struct Masker<'a> {
    text: &'a str,
    at: usize,
    code: Vec<u8>,
    literals: Vec<Literal>,
}

impl Masker<'_> {
    fn step(&mut self) {
        let rest = self.rest();
        match rest.as_bytes() {
            [b'/', b'/', ..] => self.blank(rest.find('\n').unwrap_or(rest.len())),
            [b'/', b'*', ..] => self.blank(block_comment_len(rest)),
            [b'"', ..] => self.literal(1, string_len(rest), 1),
            [b'\'', ..] => self.quote(),
            [first, ..] if is_word(*first) => self.word(),
            _ => self.keep(rest.chars().next().map_or(1, char::len_utf8)),
        }
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// A word is code, unless it is the prefix of a raw string.
    fn word(&mut self) {
        let rest = self.rest();
        let len = rest.bytes().take_while(|byte| is_word(*byte)).count();
        let hashes = rest[len..].bytes().take_while(|byte| *byte == b'#').count();
        let is_raw = matches!(&rest[..len], "r" | "br" | "cr") && rest[len + hashes..].starts_with('"');
        self.keep(len);
        if is_raw {
            let close = format!("\"{}", "#".repeat(hashes));
            let rest = self.rest();
            let open = hashes + 1;
            let end = rest[open..].find(&close).map_or(rest.len(), |end| open + end + close.len());
            self.literal(open, end, close.len());
        }
    }

    /// A quote opens a character or a lifetime.
    fn quote(&mut self) {
        let mut chars = self.rest().chars().skip(1);
        match (chars.next(), chars.next()) {
            (Some('\\'), _) => self.blank(escaped_char_len(self.rest())),
            (Some(inner), Some('\'')) => self.blank(inner.len_utf8() + 2),
            _ => self.keep(1),
        }
    }

    /// Keeps the quotes of a literal of `len` bytes and blanks what stands between them.
    fn literal(&mut self, open: usize, len: usize, close: usize) {
        let contents = len.saturating_sub(open + close);
        let value = self.rest().get(open..open + contents).unwrap_or_default().to_owned();
        self.literals.push(Literal { at: self.at + open, value });
        self.keep(open);
        self.blank(contents);
        self.keep(close);
    }

    fn keep(&mut self, len: usize) {
        let end = (self.at + len).min(self.text.len());
        self.code.extend_from_slice(&self.text.as_bytes()[self.at..end]);
        self.at = end;
    }

    fn blank(&mut self, len: usize) {
        let end = (self.at + len).min(self.text.len());
        let blanks = self.text.as_bytes()[self.at..end].iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' });
        self.code.extend(blanks);
        self.at = end;
    }
}

/// Whether a byte may stand in an identifier.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// Block comments nest.
fn block_comment_len(rest: &str) -> usize {
    let (bytes, mut depth, mut at) = (rest.as_bytes(), 0_usize, 0);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

fn string_len(rest: &str) -> usize {
    closing_quote(rest, b'"')
}

fn escaped_char_len(rest: &str) -> usize {
    closing_quote(rest, b'\'')
}

/// The length up to and with the closing quote; a backslash takes the byte behind it along.
fn closing_quote(rest: &str, quote: u8) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The identifiers of masked code with their offsets, in order.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let bytes = code.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        at += bytes[at..].iter().position(|byte| is_word(*byte))?;
        let len = bytes[at..].iter().take_while(|byte| is_word(**byte)).count();
        let word = (at, &code[at..at + len]);
        at += len;
        Some(word)
    })
}

/// The offset behind the item that begins at `from`: behind its closing brace, or behind its semicolon.
pub(crate) fn item_end(code: &str, from: usize) -> usize {
    let body = body_start(code, from);
    match code.as_bytes().get(body) {
        Some(b'{') => closing_brace(code, body),
        _ => (body + 1).min(code.len()),
    }
}

/// The offset of the first `{` or `;` outside of parentheses and brackets.
pub(crate) fn body_start(code: &str, from: usize) -> usize {
    let mut depth = 0_i32;
    for (offset, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' | b';' if depth <= 0 => return offset,
            _ => {}
        }
    }
    code.len()
}

/// The offset behind the brace that closes the one at `open`.
pub(crate) fn closing_brace(code: &str, open: usize) -> usize {
    let mut depth = 0_i32;
    for (offset, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return offset + 1;
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        let masked = mask(text).code;
        assert_eq!(masked.len(), text.len(), "offsets must stay");
        masked.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_are_blank() {
        assert_eq!(code("a // fn b\nc /* d /* e */ f */ g"), "a c g");
        assert_eq!(code("a /* never closed"), "a");
    }

    #[test]
    fn literals_are_blank_and_kept_aside() {
        let masked = mask(r##"f("one\" two", r#"three " four"#, b"five")"##);
        let values: Vec<&str> = masked.literals.iter().map(|literal| literal.value.as_str()).collect();
        assert_eq!(values, [r#"one\" two"#, r#"three " four"#, "five"]);
        assert!(!masked.code.contains("two") && !masked.code.contains("four") && masked.code.contains("b\""));
    }

    #[test]
    fn quotes_in_characters_open_nothing() {
        assert_eq!(code(r#"x('"', '\'', '{') fn y<'a>(b: &'a str) "#), "x( , , ) fn y<'a>(b: &'a str)");
    }

    #[test]
    fn raw_identifiers_and_other_letters_are_words() {
        let masked = mask("let r#type = größe; let r = 1;");
        let found: Vec<&str> = words(&masked.code).map(|(_, word)| word).collect();
        assert_eq!(found, ["let", "r", "type", "größe", "let", "r", "1"]);
    }

    #[test]
    fn an_item_ends_at_its_brace_or_semicolon() {
        let text = "fn a(b: [u8; 4]) -> c { { } } fn d();";
        assert_eq!(&text[..item_end(text, 0)], "fn a(b: [u8; 4]) -> c { { } }");
        assert_eq!(&text[30..item_end(text, 30)], "fn d();");
    }
}
