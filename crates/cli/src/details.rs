//! What an agent says of a request, as lines for a person.

use serde_json::Value;

/// Lines that are shown of one request.
const LINES_MAX: usize = 200;

/// The details, each under its name; texts of several lines, such as a diff, as they are. What is left out is said.
pub(crate) fn lines(details: &Value) -> Vec<String> {
    let mut all = Vec::new();
    members(&mut all, 2, details);
    let left_out = all.len().saturating_sub(LINES_MAX);
    if left_out > 0 {
        all.truncate(LINES_MAX);
        all.push(format!("  … {left_out} lines more; `--json` has them"));
    }
    all
}

fn members(all: &mut Vec<String>, indent: usize, value: &Value) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| member(all, indent, name, value)),
        Value::Array(items) => items.iter().for_each(|item| members(all, indent, item)),
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) => text(all, indent, &word(value)),
    }
}

fn member(all: &mut Vec<String>, indent: usize, name: &str, value: &Value) {
    let is_plain = |value: &Value| !value.is_object() && !value.is_array() && !word(value).contains('\n');
    let name = clean(name);
    let inline = match value {
        Value::Null => return,
        Value::Array(items) if items.iter().all(is_plain) => items.iter().map(word).collect::<Vec<_>>().join(", "),
        value if is_plain(value) => word(value),
        Value::Object(_) | Value::Array(_) | Value::String(_) | Value::Bool(_) | Value::Number(_) => {
            all.push(format!("{:indent$}{name}:", ""));
            return members(all, indent + 2, value);
        }
    };
    all.push(format!("{:indent$}{name}: {}", "", clean(&inline)));
}

fn text(all: &mut Vec<String>, indent: usize, text: &str) {
    all.extend(text.lines().map(|line| format!("{:indent$}{}", "", clean(line))));
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Without what would move a terminal's cursor. A tab keeps columns apart.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_diff_is_shown_as_it_is() {
        let change = json!({"path": "/a", "kind": "add", "diff": "one\n\ttwo\n"});
        let shown = lines(&json!({"changes": [change], "reason": null, "words": ["x", "y"], "deep": {"n": 3}}));
        let expected = [
            "  changes:",
            "    diff:",
            "      one",
            "      \ttwo",
            "    kind: add",
            "    path: /a",
            "  deep:",
            "    n: 3",
            "  words: x, y",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn nothing_plays_with_the_terminal_and_nothing_floods_it() {
        assert_eq!(lines(&json!({"a\u{1b}": "x\u{1b}[2Jy\r"})), ["  a\u{fffd}: x\u{fffd}[2Jy\u{fffd}"]);
        let shown = lines(&json!({"text": "line\n".repeat(1000)}));
        assert_eq!(shown.len(), LINES_MAX + 1);
        assert!(shown[LINES_MAX].contains("801 lines more"), "{shown:?}");
    }
}
