//! The screen of Claude Code, read for two things only, neither of them the state of a turn: whether a person has begun to
//! type, and which dialog holds up a start.

use adjutant_core::agent::StartFailure;

/// What stands before the line in which a person types.
const PROMPT: char = '❯';

/// What the frames around that line are made of.
const FRAME: char = '─';

/// How a hint is coloured, which stands in an empty line.
const HINTS: [&str; 2] = ["\x1b[38;5;246m", "\x1b[2m"];

/// What a person has typed and not sent; empty for nothing, `None` where no such line is to be seen.
pub(super) fn draft(lines: &[String]) -> Option<String> {
    let framed: Vec<usize> = (0..lines.len()).filter(|at| is_frame(&plain(&lines[*at]))).collect();
    let [.., above, below] = framed.as_slice() else { return None };
    let typed = lines.get(above + 1..*below)?;
    let (_, first) = typed.first()?.split_once(PROMPT)?;
    if HINTS.iter().any(|hint| first.trim_start_matches('\u{a0}').starts_with(hint)) {
        return Some(String::new());
    }
    let rest = typed.iter().skip(1).map(|line| plain(line));
    let text: Vec<String> = std::iter::once(plain(first)).chain(rest).collect();
    Some(text.join("\n").trim_matches([' ', '\u{a0}', '\n']).to_owned())
}

fn is_frame(line: &str) -> bool {
    let line = line.trim();
    line.chars().count() > 10 && line.chars().all(|c| c == FRAME)
}

/// A line without the sequences that colour it.
pub(super) fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        if c != '\x1b' {
            text.push(c);
        } else if rest.next() == Some('[') {
            rest.by_ref().find(|c| ('\x40'..='\x7e').contains(c));
        }
    }
    text
}

/// The dialog that holds up a start, as what is to be done about it; `None` where none that is known is open.
pub(super) fn start_dialog(lines: &[String]) -> Option<StartFailure> {
    let shown: Vec<String> = lines.iter().map(|line| plain(line)).collect();
    let shows = |words: &str| shown.iter().any(|line| line.contains(words));
    if shows("Accessing workspace") || shows("Is this a project you created") || shows("Do you trust the files") {
        let detail = "Claude Code asks whether it may trust this directory; create the session with --trust, \
                      or start `claude` there once and say so";
        return Some(StartFailure::TrustRequired { detail: detail.to_owned() });
    }
    if shows("Bypass Permissions mode") && shows("Yes, I accept") {
        let detail = "Claude Code asks whether to work without asking (Bypass Permissions mode); create the session with \
                      --trust or --mode guarded, or start `claude --dangerously-skip-permissions` once and accept";
        return Some(StartFailure::TrustRequired { detail: detail.to_owned() });
    }
    if shows("Detected a custom API key") {
        let detail = "Claude Code asks whether to use the key in ANTHROPIC_API_KEY; start `claude` once and say so, \
                      or use ANTHROPIC_AUTH_TOKEN";
        return Some(StartFailure::AuthRequired { detail: detail.to_owned() });
    }
    if shows("Select login method") || shows("Paste code here") || shows("Please run /login") || shows("Not logged in")
    {
        let detail = "Claude Code is not logged in; start `claude` once and log in, or set ANTHROPIC_AUTH_TOKEN";
        return Some(StartFailure::AuthRequired { detail: detail.to_owned() });
    }
    if shows("Choose the text style") || shows("Let's get started") {
        let detail = "Claude Code has not been set up for this user; start `claude` once and answer its questions";
        return Some(StartFailure::AuthRequired { detail: detail.to_owned() });
    }
    if shows("needs an update") || shows("Please update") || shows("update is required") {
        let detail = "Claude Code asks to be updated; run `claude update`";
        return Some(StartFailure::AgentStartFailed { detail: detail.to_owned() });
    }
    None
}

/// The last lines with something on them, for a person.
pub(super) fn last_lines(lines: &[String], most: usize) -> String {
    let shown: Vec<String> = lines.iter().map(|line| plain(line).trim().to_owned()).filter(|l| !l.is_empty()).collect();
    shown[shown.len().saturating_sub(most)..].join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(typed: &str) -> Vec<String> {
        let frame = format!("\x1b[38;5;244m{}\x1b[39m", "─".repeat(40));
        let mut lines = vec!["● hello".to_owned(), frame.clone()];
        lines.extend(typed.lines().map(str::to_owned));
        lines.extend([frame, "  manual mode on".to_owned()]);
        lines
    }

    #[test]
    fn a_draft_is_told_from_a_hint() {
        assert_eq!(draft(&screen("\x1b[39m❯\u{a0}\x1b[7m \x1b[0m")), Some(String::new()));
        assert_eq!(draft(&screen("❯\u{a0}half a\x1b[7m \x1b[0m\n  line")), Some("half a \n  line".to_owned()));
        assert_eq!(draft(&screen("❯\u{a0}\x1b[38;5;246mPress up to edit\x1b[39m")), Some(String::new()));
        assert_eq!(draft(&["nothing".to_owned()]), None);
        assert_eq!(draft(&screen(" Do you want to proceed?\n 1. Yes")), None);
    }

    #[test]
    fn dialogs_are_named_with_what_to_do() {
        let trust = ["Accessing workspace:".to_owned(), "❯ No, exit".to_owned()];
        assert!(matches!(start_dialog(&trust), Some(StartFailure::TrustRequired { .. })));
        let key = ["\x1b[1mDetected a custom API key\x1b[0m in your environment".to_owned()];
        assert!(matches!(start_dialog(&key), Some(StartFailure::AuthRequired { .. })));
        assert_eq!(start_dialog(&screen("❯")), None);
    }
}
