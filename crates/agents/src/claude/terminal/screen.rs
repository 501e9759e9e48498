//! The screen of Claude Code, read for two things only, neither of them the state of a turn: whether a person has begun to
//! type, and which dialog holds up a start.

use adjutant_core::agent::StartFailure;

/// What stands before the line in which a person types.
const PROMPT: char = '❯';

/// What the frames around that line are made of.
const FRAME: char = '─';

/// What a person has typed and not sent; empty for nothing, `None` where no such line is to be seen.
pub(super) fn draft(lines: &[String]) -> Option<String> {
    let framed: Vec<usize> = (0..lines.len()).filter(|at| is_frame(&plain(&lines[*at]))).collect();
    let [.., above, below] = framed.as_slice() else { return None };
    let typed = lines.get(above + 1..*below)?;
    if is_scrolled(&plain(&lines[*above])) {
        // A long one stands higher than what is shown of it, its beginning among it.
        return Some(typed.iter().map(|line| plain(line)).collect::<Vec<_>>().join("\n"));
    }
    let (_, first) = typed.first()?.split_once(PROMPT)?;
    if is_hint(first) {
        return Some(String::new());
    }
    let rest = typed.iter().skip(1).map(|line| plain(line));
    let text: Vec<String> = std::iter::once(plain(first)).chain(rest).collect();
    Some(text.join("\n").trim_matches([' ', '\u{a0}', '\n']).to_owned())
}

/// Whether a line shows a hint of the agent's own: all of it is dim, but for the character under the cursor.
fn is_hint(line: &str) -> bool {
    let shown: Vec<(char, Look)> = looks(line).into_iter().filter(|(c, _)| !matches!(c, ' ' | '\u{a0}')).collect();
    let beside_cursor: Vec<&(char, Look)> = shown.iter().filter(|(_, look)| !look.inverse).collect();
    !beside_cursor.is_empty() && beside_cursor.iter().all(|(_, look)| look.dim || look.grey)
}

/// How a character is shown.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    dim: bool,
    grey: bool,
    inverse: bool,
}

/// The colour of what is said beside the work.
const GREY: &str = "246";

/// The characters of a line with how each is shown.
fn looks(line: &str) -> Vec<(char, Look)> {
    let (mut found, mut look, mut rest) = (Vec::new(), Look::default(), line.chars());
    while let Some(c) = rest.next() {
        if c != '\x1b' {
            found.push((c, look));
        } else if rest.next() == Some('[') {
            let sequence: String = rest.by_ref().take_while(|c| !('\x40'..='\x7e').contains(c)).collect();
            look = changed(look, &sequence);
        }
    }
    found
}

/// What a sequence makes of a look.
fn changed(mut look: Look, sequence: &str) -> Look {
    let mut parts = sequence.split(';');
    while let Some(part) = parts.next() {
        match part {
            "" | "0" => look = Look::default(),
            "2" => look.dim = true,
            "22" => look.dim = false,
            "39" => look.grey = false,
            "7" => look.inverse = true,
            "27" => look.inverse = false,
            "38" | "48" => {
                let colour = if parts.next() == Some("5") { parts.next() } else { parts.nth(2) };
                look.grey = if part == "38" { colour == Some(GREY) } else { look.grey };
            }
            _ => {}
        }
    }
    look
}

fn is_frame(line: &str) -> bool {
    let line = line.trim();
    // A conversation that has a name shows it near the end of the upper one.
    let ruled = line.chars().take_while(|c| *c == FRAME).count() > 10 && line.ends_with(FRAME);
    ruled || line.chars().count() > 10 && is_scrolled(line)
}

/// Whether a frame says that more of what it holds is not shown: `─── ↑ 20 more ───`.
fn is_scrolled(line: &str) -> bool {
    let words = line.trim().strip_prefix(FRAME).and_then(|line| line.strip_suffix(FRAME));
    let words = words.map(|line| line.trim_matches([FRAME, ' '])).unwrap_or_default();
    words.starts_with(['↑', '↓']) && words.ends_with("more")
}

/// A line without the sequences that colour it.
pub(super) fn plain(line: &str) -> String {
    looks(line).into_iter().map(|(c, _)| c).collect()
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
        let resend = "\x1b[39m❯\u{a0}\x1b[7mR\x1b[0;2m\x1b[39m\x1b[49mesend your message";
        assert_eq!(draft(&screen(resend)), Some(String::new()));
        assert_eq!(draft(&screen("❯\u{a0}\x1b[7mx\x1b[0m")), Some("x".to_owned()));
        let mut long = screen("  line 20\n  line 21");
        long[1] = format!("\x1b[38;5;244m─── ↑ 20 more {}\x1b[39m", "─".repeat(20));
        assert_eq!(draft(&long), Some("  line 20\n  line 21".to_owned()), "its beginning is not shown");
        let mut named = screen("❯\u{a0}half\x1b[7m \x1b[0m");
        named[1] = format!("\x1b[38;5;244m{} fizz top ─\x1b[39m", "─".repeat(20));
        assert_eq!(draft(&named), Some("half".to_owned()));
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
