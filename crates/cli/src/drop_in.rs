//! Called by the name of the tool that was there before: its command lines mean here what they meant there.
//!
//! What its scripts may notice all the same: more exit codes than 1, keys in `snake_case`, and a `send` that answers no
//! questions.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::Command;

use crate::{commands, globals::Globals, grammar};

/// The name.
const NAME: &str = "dev-sessions";

/// Whether a program of this name was called.
pub(crate) fn is_called(program: Option<&OsStr>) -> bool {
    program.and_then(|program| Path::new(program).file_name()) == Some(OsStr::new(NAME))
}

/// The same call in the words of `adj`. What is wrong with it is left for `adj` to tell.
pub(crate) fn translated(tokens: Vec<OsString>) -> Vec<OsString> {
    let globals = Globals::command();
    let Ok(head) = grammar::head(&globals, tokens.clone()) else { return tokens };
    let Some(word) = head.word.as_deref().and_then(OsStr::to_str) else { return tokens };
    let more: &[&str] = match word {
        // It counts blocks of text, and prints them as an array of strings.
        "last-message" => &["--blocks"],
        // Its columns, with a line below their heads.
        "list" => &["--dev-sessions"],
        "goal" => return with_one_objective(&tokens, word, head.rest).unwrap_or(tokens),
        _ => &[],
    };
    with_more(tokens, word, more)
}

/// Puts options behind the verb, where they are options whatever follows.
fn with_more(mut tokens: Vec<OsString>, word: &str, more: &[&str]) -> Vec<OsString> {
    let at = tokens.iter().position(|token| token == word).map_or(tokens.len(), |at| at + 1);
    tokens.splice(at..at, more.iter().map(OsString::from));
    tokens
}

/// Several words are one objective.
fn with_one_objective(tokens: &[OsString], word: &str, rest: Vec<OsString>) -> Option<Vec<OsString>> {
    let verb = commands::find(word)?;
    let command = (verb.augment)(Globals::command().name(verb.name));
    let sorted = grammar::sort(&[&command as &Command], rest).ok().filter(|sorted| !sorted.help)?;
    let (id, words) = sorted.positionals.split_first()?;
    let before = tokens.iter().take_while(|token| *token != word).cloned();
    let mut call: Vec<OsString> = before.chain([word.into()]).chain(sorted.options).collect();
    call.extend(["--".into(), id.clone()]);
    if !words.is_empty() {
        call.push(words.join(OsStr::new(" ")));
    }
    Some(call)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> String {
        let tokens = line.split(' ').map(OsString::from).collect();
        let words = translated(tokens).into_iter().map(|word| word.into_string().unwrap().replace(' ', "_"));
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn only_its_own_name_is_its_name() {
        assert!(is_called(Some(OsStr::new("/usr/bin/dev-sessions"))) && is_called(Some(OsStr::new("dev-sessions"))));
        assert!(!is_called(Some(OsStr::new("adj"))) && !is_called(None));
    }

    #[test]
    fn its_words_are_understood() {
        assert_eq!(said("last-message fizz-top -n 2"), "last-message --blocks fizz-top -n 2");
        assert_eq!(said("--json list"), "--json list --dev-sessions");
        assert_eq!(said("goal fizz-top all tests pass --budget 5"), "goal --budget=5 -- fizz-top all_tests_pass");
        assert_eq!(said("goal fizz-top --clear"), "goal --clear -- fizz-top");
        assert_eq!(said("send fizz-top hello"), "send fizz-top hello");
        assert_eq!(said("--nonsense list"), "--nonsense list");
    }
}
