//! Words that have no place: sleeps in tests, tests that look away, drawers for modules.

use super::config::Config;
use super::fact::Fact;
use super::mask::words;
use super::source::{Source, attributes};

/// All of them but the sleeps, over all files.
pub(crate) fn check(sources: &[Source], config: &Config) -> Vec<Fact> {
    let mut facts = Vec::new();
    for source in sources {
        facts.extend(attributes_that_look_away(source));
        facts.extend(unfinished(source));
        facts.extend(drawers(source, config));
    }
    facts
}

/// A test waits for a named point; a sleep is too short on a busy machine and too long on all others.
pub(crate) fn sleeps(sources: &[Source], config: &Config) -> Vec<Fact> {
    let unexcused = sources.iter().filter(|source| !config.sleeps.contains_key(&source.path));
    unexcused.flat_map(sleeps_in).collect()
}

fn sleeps_in(source: &Source) -> Vec<Fact> {
    let is_call = |at: usize, word: &str| source.code[at + word.len()..].trim_start().starts_with('(');
    let calls = words(&source.code).filter(|(at, word)| matches!(*word, "sleep" | "sleep_until") && is_call(*at, word));
    calls
        .filter(|(at, _)| source.is_test(*at))
        .map(|(at, _)| Fact::at(&source.path, source.line(at), "a test sleeps; wait for a named point"))
        .collect()
}

fn attributes_that_look_away(source: &Source) -> Vec<Fact> {
    let spans = attributes(&source.code).into_iter();
    spans
        .filter_map(|span| Some((span.start, looks_away(&source.code[span])?)))
        .map(|(at, name)| Fact::at(&source.path, source.line(at), format!("#[{name}] makes a test look away")))
        .collect()
}

/// The attribute itself, or what `cfg_attr` puts in its place; `#[serde(ignore)]` is somebody else's word.
fn looks_away(attribute: &str) -> Option<&str> {
    let names: Vec<&str> = words(attribute).map(|(_, word)| word).collect();
    let reach = if names.first() == Some(&"cfg_attr") { names.len() } else { 1 };
    names.into_iter().take(reach).find(|name| matches!(*name, "ignore" | "should_panic"))
}

fn unfinished(source: &Source) -> Vec<Fact> {
    let is_macro = |at: usize, word: &str| source.code[at + word.len()..].starts_with('!');
    let calls =
        words(&source.code).filter(|(at, word)| matches!(*word, "todo" | "unimplemented") && is_macro(*at, word));
    calls.map(|(at, word)| Fact::at(&source.path, source.line(at), format!("{word}! is not finished"))).collect()
}

fn drawers(source: &Source, config: &Config) -> Vec<Fact> {
    let fact = |line: usize, name: &str| {
        Fact::at(&source.path, line, format!("`{name}` is a drawer; code lives beside its user, under its own name"))
    };
    let of_path =
        source.path.trim_end_matches(".rs").split('/').filter(|part| config.modules.forbidden.contains(*part));
    let mut facts: Vec<Fact> = of_path.map(|name| fact(0, name)).collect();
    let mut before = "";
    for (at, word) in words(&source.code) {
        if before == "mod" && config.modules.forbidden.contains(word) {
            facts.push(fact(source.line(at), word));
        }
        before = word;
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::super::config::sample;
    use super::*;

    fn facts(path: &str, text: &str) -> Vec<String> {
        let sources = [Source::read(path, text)];
        let facts = sleeps(&sources, &sample()).into_iter().chain(check(&sources, &sample()));
        facts.map(|fact| fact.to_string()).collect()
    }

    #[test]
    fn only_tests_may_not_sleep() {
        let call = "thread::sleep(SPAN); // sleep(";
        let text =
            format!("fn a() {{\n    {call}\n}}\n#[cfg(test)]\nmod tests {{\n    {call}\n    let sleep = 1;\n}}\n");
        let expected = "crates/core/src/a.rs:6: a test sleeps; wait for a named point";
        assert_eq!(facts("crates/core/src/a.rs", &text), [expected]);
    }

    #[test]
    fn tests_do_not_look_away() {
        let text = format!(
            "#[{}]\n#[{} = \"later\"]\n#[cfg_attr(unix, {})]\n#[serde(ignore)]\nfn a() {{}}\n",
            "should_panic", "ignore", "ignore"
        );
        assert_eq!(facts("crates/core/src/a.rs", &text).len(), 3);
    }

    #[test]
    fn nothing_is_left_unfinished() {
        assert_eq!(facts("crates/core/src/a.rs", "fn a() { todo!() } // todo!(\nlet todo = 1;\n").len(), 1);
    }

    #[test]
    fn drawers_are_found_by_file_and_by_module() {
        assert_eq!(facts("crates/core/src/utils/a.rs", "pub mod manager { }\n").len(), 2);
        assert_eq!(facts("crates/core/src/a.rs", "use x::common::y;\n").len(), 0);
    }
}
