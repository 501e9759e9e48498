//! Rules that answer an agent's requests without anybody.
//!
//! A rule is the name of a tool, `*` standing for any characters, or such a name with a pattern of what the tool is to
//! do: `Bash`, `mcp__files__*`, `Bash(git status*)`. What the pattern is held against is the agent's one line about it.
//! A rule that refuses wins over one that permits, and a pattern permits no line that may hold more than one command:
//! `git status; rm -rf .` is not what `Bash(git status*)` was meant for.

use adjutant_core::session::Policy;

/// What the rules say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is permitted.
    Allow,
    /// It is refused.
    Deny,
}

/// What the rules say of a tool that is to do `what`; `None` when somebody has to be asked.
pub fn verdict(policy: &Policy, tool: &str, what: &str) -> Option<Verdict> {
    if policy.deny.iter().any(|rule| fits(rule, tool, what)) {
        Some(Verdict::Deny)
    } else if policy.allow.iter().any(|rule| fits(rule, tool, what) && !reaches_too_far(rule, what)) {
        Some(Verdict::Allow)
    } else {
        None
    }
}

/// Signs in a line by which more than one command may be run, or written to somewhere else.
const JOINTS: [&str; 9] = [";", "|", "&", "\n", "\r", "`", "$(", "<", ">"];

fn reaches_too_far(rule: &str, what: &str) -> bool {
    let pattern = rule.split_once('(').map_or("", |(_, pattern)| pattern);
    pattern.contains('*') && JOINTS.iter().any(|joint| what.contains(joint))
}

fn fits(rule: &str, tool: &str, what: &str) -> bool {
    let (name, pattern) = parts(rule);
    matches(name, tool) && pattern.is_none_or(|pattern| matches(pattern, what))
}

/// The tool that a rule names, and the pattern of what it does, where there is one.
fn parts(rule: &str) -> (&str, Option<&str>) {
    match rule.strip_suffix(')').and_then(|rule| rule.split_once('(')) {
        Some((name, pattern)) => (name.trim(), Some(pattern)),
        None => (rule.trim(), None),
    }
}

/// Whether one of the rules is about a tool.
pub(crate) fn names(rules: &[String], tool: &str) -> bool {
    rules.iter().any(|rule| matches(parts(rule).0, tool))
}

/// Whether a rule has the form of one: the name of a tool, and in parentheses behind it what the tool is to do. A rule of
/// another form would hold for nothing.
pub fn is_rule(rule: &str) -> bool {
    let (name, _) = parts(rule);
    !name.is_empty() && !name.contains(['(', ')', ',']) && !name.contains(char::is_whitespace)
}

/// Whether a text has the form of a pattern in which `*` stands for any characters, none included.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(allow: &[&str], deny: &[&str]) -> Policy {
        let owned = |rules: &[&str]| rules.iter().map(|rule| (*rule).to_owned()).collect();
        Policy { allow: owned(allow), deny: owned(deny) }
    }

    #[test]
    fn a_rule_names_a_tool_and_what_it_does() {
        let rules = policy(&["Read", "Bash(git *)", "mcp__files__*"], &["Bash(git push*)"]);
        let cases = [
            ("Read", "x", Some(Verdict::Allow)),
            ("Reader", "x", None),
            ("Bash", "git status", Some(Verdict::Allow)),
            ("Bash", "git push --force", Some(Verdict::Deny)),
            ("Bash", "rm -rf / # git ", None),
            ("Bash", "git status; rm -rf /", None),
            ("Bash", "git log $(rm x)", None),
            ("Bash", "git add . && git push", None),
            ("mcp__files__write", "", Some(Verdict::Allow)),
            ("mcp__other__write", "", None),
        ];
        for (tool, what, expected) in cases {
            assert_eq!(verdict(&rules, tool, what), expected, "{tool} {what}");
        }
    }

    #[test]
    fn a_rule_that_would_hold_for_nothing_is_none() {
        for rule in ["Read", "Bash(git *)", "mcp__x__*", "Bash(a(b), c)", "*", "Bash()"] {
            assert!(is_rule(rule), "{rule}");
        }
        for rule in ["", " ", "Bash(", "Bash(git *", "(x)", "Bash git", "Read,Write", "Bash)"] {
            assert!(!is_rule(rule), "{rule}");
        }
        assert!(names(&["Bash(x *)".to_owned()], "Bash") && !names(&["Read".to_owned()], "Bash"));
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, expected) in [
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*b*c", "axbxc", true),
            ("*", "", true),
            ("a*a", "a", false),
            ("abc", "abcd", false),
            ("*b", "ab\nb", true),
            ("a(b)*", "a(b)c", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
