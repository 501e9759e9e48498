//! A Rust file as tidy sees it: code without comments, and which of its lines are tests.

use std::collections::BTreeSet;
use std::ops::Range;

use super::mask::{self, Literal, Masked, item_end, words};
use super::tree::Tree;

/// One Rust file of the project.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// From the root, with `/`.
    pub(crate) path: String,
    /// The crate it belongs to, by the name of its folder (`core`, `xtask`).
    pub(crate) krate: String,
    /// As it is written.
    pub(crate) text: String,
    /// The same length, with comments and literals blank.
    pub(crate) code: String,
    pub(crate) literals: Vec<Literal>,
    line_starts: Vec<usize>,
    test_lines: Vec<bool>,
}

impl Source {
    /// The line of an offset, counted from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    /// Whether the offset lies in test code.
    pub(crate) fn is_test(&self, at: usize) -> bool {
        self.line(at).checked_sub(1).and_then(|line| self.test_lines.get(line)).copied().unwrap_or(false)
    }

    /// All lines of the file.
    pub(crate) fn lines(&self) -> usize {
        self.test_lines.len()
    }

    /// Those of them that are tests.
    pub(crate) fn lines_of_tests(&self) -> usize {
        self.test_lines.iter().filter(|is_test| **is_test).count()
    }

    /// Reads one file on its own; what other files say of it is added by `sources`.
    pub(crate) fn read(path: &str, text: &str) -> Self {
        let Masked { code, literals } = mask::mask(text);
        let line_starts = line_starts(text);
        let lines = text.lines().count();
        let mut source = Self {
            path: path.to_owned(),
            krate: crate_of(path),
            text: text.to_owned(),
            code,
            literals,
            line_starts,
            test_lines: vec![false; lines],
        };
        source.mark_own_tests();
        source
    }

    fn mark_own_tests(&mut self) {
        for span in test_spans(&self.code) {
            let (first, last) = (self.line(span.start), self.line(span.end.saturating_sub(1)));
            let last = last.min(self.test_lines.len());
            self.test_lines[first.saturating_sub(1)..last].fill(true);
        }
    }

    fn mark_all_tests(&mut self) {
        self.test_lines.fill(true);
    }
}

/// All Rust files of a tree; `test_crates` hold nothing but tests and what they stand on.
pub(crate) fn sources(tree: &Tree, test_crates: &BTreeSet<String>) -> Vec<Source> {
    let rust = tree.files.iter().filter(|file| file.path.ends_with(".rs"));
    let texts = rust.filter_map(|file| Some((file.path.as_str(), std::str::from_utf8(&file.bytes).ok()?)));
    let mut sources: Vec<Source> = texts.map(|(path, text)| Source::read(path, text)).collect();
    let declared = declared_test_files(&sources);
    for source in &mut sources {
        let is_test = in_tests_folder(&source.path)
            || test_crates.contains(&source.krate)
            || declared
                .iter()
                .any(|stem| source.path == format!("{stem}.rs") || source.path.starts_with(&format!("{stem}/")));
        if is_test {
            source.mark_all_tests();
        }
    }
    sources
}

/// Paths, without their ending, of modules that are declared as `#[cfg(test)] mod name;`.
fn declared_test_files(sources: &[Source]) -> Vec<String> {
    let of_source = |source: &Source| {
        let folder = module_folder(&source.path);
        let children = child_modules(&source.code).into_iter();
        let tests: Vec<String> =
            children.filter(|(at, _)| source.is_test(*at)).map(|(_, name)| format!("{folder}/{name}")).collect();
        tests
    };
    sources.iter().flat_map(of_source).collect()
}

/// The folder in which the child modules of a file lie.
pub(crate) fn module_folder(path: &str) -> String {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
    match name {
        "lib" | "main" | "mod" | "build" => folder.to_owned(),
        _ => stem.to_owned(),
    }
}

/// Modules that are declared here and written elsewhere: offset and name of each `mod name;`.
pub(crate) fn child_modules(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut before = "";
    for (at, word) in words(code) {
        let is_declared = before == "mod" && code[at + word.len()..].trim_start().starts_with(';');
        if is_declared {
            found.push((at, word.to_owned()));
        }
        before = word;
    }
    found
}

fn crate_of(path: &str) -> String {
    let mut parts = path.split('/');
    let first = parts.next().unwrap_or_default();
    let name = if first == "crates" { parts.next().unwrap_or_default() } else { first };
    name.to_owned()
}

fn in_tests_folder(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/")
}

fn line_starts(text: &str) -> Vec<usize> {
    let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(breaks).collect()
}

/// Spans of items under `#[cfg(test)]`; the whole file under `#![cfg(test)]`.
fn test_spans(code: &str) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    for attribute in attributes(code).into_iter().filter(|attribute| is_test_cfg(&code[attribute.clone()])) {
        let is_inner = code[attribute.clone()].starts_with("#!");
        let end = if is_inner { code.len() } else { item_end(code, behind_attributes(code, attribute.end)) };
        let is_covered = spans.last().is_some_and(|last| last.end >= end);
        if !is_covered {
            spans.push(attribute.start..end);
        }
    }
    spans
}

/// Spans of all attributes, outer and inner.
pub(crate) fn attributes(code: &str) -> Vec<Range<usize>> {
    let starts = code.match_indices('#').map(|(at, _)| at);
    starts.filter_map(|start| Some(start..attribute_end(code, start)?)).collect()
}

/// The end of the attribute that begins at this `#`, if one does.
fn attribute_end(code: &str, start: usize) -> Option<usize> {
    let open = code[start..].starts_with("#![").then_some(2).or(code[start..].starts_with("#[").then_some(1))?;
    let mut depth = 0_i32;
    for (offset, byte) in code.bytes().enumerate().skip(start + open) {
        match byte {
            b'[' => depth += 1,
            b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(offset + 1);
        }
    }
    None
}

fn behind_attributes(code: &str, mut at: usize) -> usize {
    loop {
        at += code[at..].len() - code[at..].trim_start().len();
        match attribute_end(code, at) {
            Some(end) => at = end,
            None => return at,
        }
    }
}

fn is_test_cfg(attribute: &str) -> bool {
    let names: Vec<&str> = words(attribute).map(|(_, word)| word).collect();
    let negated = names.windows(2).any(|pair| pair == ["not", "test"]);
    names.first() == Some(&"cfg") && names.contains(&"test") && !negated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test_lines(text: &str) -> Vec<usize> {
        let source = Source::read("crates/core/src/lib.rs", text);
        (1..=source.lines()).filter(|line| source.test_lines[line - 1]).collect()
    }

    #[test]
    fn a_test_module_is_test_from_its_attribute_to_its_brace() {
        let text = "fn a() {}\n#[cfg(test)]\n#[expect(x)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
        assert_eq!(test_lines(text), [2, 3, 4, 5, 6]);
    }

    #[test]
    fn other_cfgs_are_not_tests() {
        assert_eq!(test_lines("#[cfg(not(test))]\nfn a() {}\n#[cfg(feature = \"test\")]\nfn b() {}\n"), [0; 0]);
        assert_eq!(test_lines("#[cfg(all(test, unix))]\nfn a() {\n}\n"), [1, 2, 3]);
    }

    #[test]
    fn a_whole_file_can_be_a_test() {
        assert_eq!(test_lines("#![cfg(test)]\nfn a() {}\n"), [1, 2]);
    }

    #[test]
    fn files_become_tests_by_folder_crate_or_declaration() {
        let tree = Tree::of(&[
            ("crates/core/src/queue.rs", "#[cfg(test)]\nmod model;\nmod other;\n"),
            ("crates/core/src/queue/model.rs", "fn a() {}\n"),
            ("crates/core/src/queue/other.rs", "fn a() {}\n"),
            ("crates/core/tests/it/main.rs", "mod a;\n"),
            ("crates/testkit/src/lib.rs", "fn a() {}\n"),
        ]);
        let sources = sources(&tree, &BTreeSet::from(["testkit".to_owned()]));
        let tests: Vec<usize> = sources.iter().map(Source::lines_of_tests).collect();
        assert_eq!(tests, [2, 1, 0, 1, 1]);
    }

    #[test]
    fn lines_count_from_one() {
        let source = Source::read("xtask/src/main.rs", "a\nb\n\nc");
        assert_eq!((source.line(0), source.line(2), source.line(5), source.lines()), (1, 2, 4, 4));
        assert_eq!((source.krate.as_str(), module_folder("xtask/src/tidy.rs").as_str()), ("xtask", "xtask/src/tidy"));
    }
}
