//! The public items of the libraries, and which of them no sentence describes.

use super::mask::words;
use super::source::{Source, module_folder};

const KINDS: [&str; 10] = ["fn", "struct", "enum", "union", "trait", "type", "const", "static", "mod", "macro"];
const QUALIFIERS: [&str; 4] = ["async", "unsafe", "extern", "const"];

/// One item that other crates can see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicItem {
    pub(crate) path: String,
    pub(crate) line: usize,
    /// Kind and name: `fn handle`.
    pub(crate) name: String,
    pub(crate) documented: bool,
}

/// The public items of all files, tests left out.
pub(crate) fn items(sources: &[Source]) -> Vec<PublicItem> {
    sources.iter().flat_map(|source| in_file(source, sources)).collect()
}

fn in_file(source: &Source, all: &[Source]) -> Vec<PublicItem> {
    let starts = words(&source.code).filter(|(at, word)| *word == "pub" && !source.is_test(*at));
    starts.filter_map(|(at, _)| item(source, at, all)).collect()
}

/// The item behind a `pub`; `pub(crate)`, `pub use` and fields are none.
fn item(source: &Source, at: usize, all: &[Source]) -> Option<PublicItem> {
    let (kind, name) = kind_and_name(&source.code[at + 3..])?;
    let documented = has_doc(source, at) || (kind == "mod" && says_it_inside(source, name, all));
    let (line, name) = (source.line(at), format!("{kind} {name}"));
    Some(PublicItem { path: source.path.clone(), line, name, documented })
}

fn kind_and_name(behind: &str) -> Option<(&str, &str)> {
    if behind.starts_with('(') {
        return None;
    }
    let mut found = words(behind).peekable();
    let (_, mut kind) = found.next()?;
    while QUALIFIERS.contains(&kind) && found.peek().is_some_and(|(_, next)| is_kind(next)) {
        (_, kind) = found.next()?;
    }
    let (at, name) = KINDS.contains(&kind).then(|| found.next()).flatten()?;
    // A macro's `$name` becomes an item where the macro is used, with whatever is said there.
    (!behind[..at].ends_with('$')).then_some((kind, name))
}

fn is_kind(word: &str) -> bool {
    KINDS.contains(&word) || QUALIFIERS.contains(&word)
}

/// Whether a doc comment stands between this item and the code before it, attributes aside.
fn has_doc(source: &Source, at: usize) -> bool {
    let mut from = at;
    loop {
        from = source.code[..from].trim_end().len();
        match attribute_before(&source.code[..from]) {
            Some(start) => from = start,
            None => break,
        }
    }
    let between = &source.text[from..at];
    ["///", "/**", "#[doc"].iter().any(|mark| between.contains(mark))
}

/// The start of the attribute that ends with this text.
fn attribute_before(code: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (offset, byte) in code.bytes().enumerate().rev() {
        match byte {
            b']' => depth += 1,
            b'[' => depth -= 1,
            _ => {}
        }
        if depth <= 0 {
            let hash = offset.checked_sub(1)?;
            return (byte == b'[' && code.as_bytes()[hash] == b'#').then_some(hash);
        }
    }
    None
}

/// A module may carry its sentence in its own file, as `//!`.
fn says_it_inside(source: &Source, name: &str, all: &[Source]) -> bool {
    let folder = module_folder(&source.path);
    let paths = [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")];
    all.iter().any(|source| paths.contains(&source.path) && source.text.trim_start().starts_with("//!"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undocumented(text: &str) -> (usize, Vec<String>) {
        let found = items(&[Source::read("crates/core/src/lib.rs", text)]);
        let without = found.iter().filter(|item| !item.documented).map(|item| item.name.clone());
        (found.len(), without.collect())
    }

    #[test]
    fn a_sentence_may_stand_before_the_attributes() {
        let text =
            "/// Said.\n#[derive(Debug)]\n#[expect(\n    x,\n    reason = \"]\"\n)]\npub struct A;\npub struct B;\n";
        assert_eq!(undocumented(text), (2, vec!["struct B".to_owned()]));
    }

    #[test]
    fn only_items_that_others_see_count() {
        let text = "pub(crate) fn a() {}\npub use b::c;\npub struct D {\n    pub e: u8,\n}\nfn f() {}\n";
        assert_eq!(undocumented(text), (1, vec!["struct D".to_owned()]));
    }

    #[test]
    fn qualifiers_are_no_kind() {
        let text = "pub const fn a() {}\npub const B: u8 = 1;\npub async unsafe fn c() {}\npub struct $d;\n";
        assert_eq!(undocumented(text).1, ["fn a", "const B", "fn c"]);
    }

    #[test]
    fn a_module_may_say_it_inside() {
        let lib = Source::read("crates/core/src/lib.rs", "pub mod queue;\npub mod turn;\n");
        let queue = Source::read("crates/core/src/queue.rs", "//! The queue.\n");
        let turn = Source::read("crates/core/src/turn.rs", "fn a() {}\n");
        let found: Vec<bool> = items(&[lib, queue, turn]).iter().map(|item| item.documented).collect();
        assert_eq!(found, [true, false]);
    }
}
