//! An agent's name outside its folder: behaviour follows from capabilities.

use super::config::{Config, Reasons};
use super::fact::Fact;
use super::source::Source;

/// String literals that are an agent's name, in code that is no test and not in the agents' home.
pub(crate) fn check(sources: &[Source], config: &Config) -> Vec<Fact> {
    let outside = sources.iter().filter(|source| !source.path.starts_with(&config.agents.home));
    outside.flat_map(|source| named(source, config)).collect()
}

fn named(source: &Source, config: &Config) -> Vec<Fact> {
    let names = source.literals.iter().filter(|literal| config.agents.names.contains(&literal.value));
    names
        .filter(|literal| !source.is_test(literal.at))
        .filter(|literal| !is_excused(&config.agent_names, &source.path, &literal.value))
        .map(|literal| {
            let text = format!("names the agent `{}`; ask for a capability instead", literal.value);
            Fact::at(&source.path, source.line(literal.at), text)
        })
        .collect()
}

fn is_excused(reasons: &Reasons, path: &str, name: &str) -> bool {
    reasons.contains_key(&format!("{path} {name}"))
}

#[cfg(test)]
mod tests {
    use super::super::config::sample;
    use super::*;

    fn facts(path: &str, text: &str) -> Vec<usize> {
        check(&[Source::read(path, text)], &sample()).into_iter().map(|fact| fact.line).collect()
    }

    #[test]
    fn a_comparison_is_found_wherever_it_hides() {
        assert_eq!(facts("crates/daemon/src/a.rs", "if name == \"codex\" {}\nmatch name { \"acp\" => {} }\n"), [1, 2]);
    }

    #[test]
    fn words_around_a_name_are_no_comparison() {
        let text = "// \"codex\"\nlet help = \"claude, codex\";\nlet shell = 1;\n";
        assert_eq!(facts("crates/cli/src/a.rs", text), [0; 0]);
    }

    #[test]
    fn the_agents_home_and_tests_may() {
        assert_eq!(facts("crates/agents/src/shell/mod.rs", "const NAME: &str = \"shell\";"), [0; 0]);
        assert_eq!(
            facts("crates/daemon/src/a.rs", "#[cfg(test)]\nmod tests {\n    const A: &str = \"shell\";\n}\n"),
            [0; 0]
        );
    }

    #[test]
    fn an_exception_counts_for_its_path_and_name_alone() {
        let text = "(\"shell\", \"codex\")";
        assert_eq!(facts("xtask/src/bench/world.rs", text).len(), 1);
    }
}
