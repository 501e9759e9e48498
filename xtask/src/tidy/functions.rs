//! The sizes of functions: physical lines from `fn` to the closing brace.

use super::mask::{body_start, closing_brace, words};
use super::source::Source;

/// One function outside of tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) name: String,
    pub(crate) lines: usize,
}

impl Function {
    /// The key under which `xtask/tidy.toml` gives a reason for its size.
    pub(crate) fn key(&self) -> String {
        format!("{} {}", self.path, self.name)
    }
}

/// All functions with a body that are no tests, inner ones for themselves too.
pub(crate) fn functions(source: &Source) -> Vec<Function> {
    let starts = words(&source.code).filter(|(at, word)| *word == "fn" && !source.is_test(*at));
    starts.filter_map(|(at, _)| function(source, at)).collect()
}

fn function(source: &Source, at: usize) -> Option<Function> {
    let code = &source.code;
    let name = name(&code[at + 2..])?;
    let open = body_start(code, at);
    let has_body = code.as_bytes().get(open) == Some(&b'{');
    let last = has_body.then(|| source.line(closing_brace(code, open) - 1))?;
    let line = source.line(at);
    Some(Function { path: source.path.clone(), line, name: name.to_owned(), lines: last - line + 1 })
}

/// A type such as `fn(u8)` and a macro's `fn $name` have none.
fn name(behind: &str) -> Option<&str> {
    let (at, name) = words(behind).next()?;
    behind[..at].trim().is_empty().then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(text: &str) -> Vec<(String, usize, usize)> {
        let found = functions(&Source::read("crates/core/src/a.rs", text));
        found.into_iter().map(|function| (function.name, function.line, function.lines)).collect()
    }

    #[test]
    fn a_function_counts_from_its_fn_line_to_its_brace() {
        let text = "/// Doc.\n#[must_use]\npub fn a(\n    b: [u8; 2],\n) -> c {\n    \"}\";\n}\nfn d() {}\n";
        assert_eq!(sizes(text), [("a".into(), 3, 5), ("d".into(), 8, 1)]);
    }

    #[test]
    fn what_has_no_body_or_no_name_is_no_function() {
        assert_eq!(sizes("trait A {\n    fn b(&self) -> [u8; 2];\n}\ntype C = fn(u8);\n// fn d() {}\n"), []);
    }

    #[test]
    fn inner_functions_count_for_themselves() {
        let text = "fn a() {\n    fn b() {\n    }\n}\n";
        assert_eq!(sizes(text), [("a".into(), 1, 4), ("b".into(), 2, 2)]);
    }

    #[test]
    fn tests_are_not_measured() {
        assert_eq!(sizes("#[cfg(test)]\nmod tests {\n    fn a() {}\n}\n"), []);
    }
}
