//! The transcript of Claude Code: what was said, from its own file, read from the end.
//!
//! A transcript grows without bound, may end in half a line, and holds lines of many megabytes and of unknown kinds. So it
//! is read backwards in pieces, and only as far as the answer needs; what cannot be understood is skipped.

mod backwards;
mod entry;
mod place;
mod time;

pub(crate) use entry::conversation;
pub(crate) use place::{find, newest};

use std::path::Path;

use adjutant_core::agent::Usage;

use self::backwards::Backwards;
use self::entry::Entry;

/// Lines that are looked at for one answer; what stands further back is of long ago.
const LINES_LOOKED_MAX: usize = 4_000;

/// Milliseconds by which an entry may seem older than what it follows: hooks and entries are stamped by two processes.
const CLOCK_SLACK_MS: i64 = 2_000;

/// The entries since a moment, newest first.
fn since(path: &Path, at: i64) -> impl Iterator<Item = Entry> {
    let lines = Backwards::open(path).ok().into_iter().flatten().take(LINES_LOOKED_MAX);
    let entries = lines.filter_map(|line| serde_json::from_slice::<Entry>(&line).ok());
    entries.take_while(move |entry| entry.at().is_none_or(|then| then >= at - CLOCK_SLACK_MS))
}

/// Where a prompt stands that was sent since a moment, in a sentence; `None` where it does not.
pub(crate) fn find_prompt(path: &Path, at: i64, is_it: impl Fn(&str) -> bool) -> Option<String> {
    let found = since(path, at).find(|entry| entry.prompts().iter().any(|text| is_it(text)))?;
    Some(format!("the transcript has it as `{}`", found.kind()))
}

/// Whether the end of a transcript has this text anywhere, such as the id under which a message was sent.
pub(crate) fn mentions(path: &Path, text: &str) -> bool {
    let lines = Backwards::open(path).ok().into_iter().flatten().take(LINES_LOOKED_MAX);
    let sought = memchr::memmem::Finder::new(text);
    lines.into_iter().any(|line| sought.find(&line).is_some())
}

/// Whether somebody stopped the turn that began at a moment.
pub(crate) fn was_interrupted(path: &Path, began_at: i64) -> bool {
    since(path, began_at).any(|entry| entry.is_interruption())
}

/// What became of a command of Claude Code's own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CommandEnd {
    /// It was carried out.
    Done,
    /// There is no such command.
    Unknown {
        /// What was said of it.
        words: String,
    },
}

/// What became of the command that was sent at a moment; `None` where nothing is told of it.
pub(crate) fn command_end(path: &Path, at: i64) -> Option<CommandEnd> {
    // What seems older is of the command before: all this is stamped on one machine.
    let mut later = since(path, at).filter(|entry| entry.at().is_some_and(|then| then >= at));
    later.find_map(|entry| entry.command_end())
}

/// Whether the model has said anything since a moment.
pub(crate) fn has_answer(path: &Path, began_at: i64) -> bool {
    since(path, began_at).any(|entry| entry.is_answer_since(began_at))
}

/// What the answers between two moments have cost, each counted once; `None` while the last of them, which says exactly
/// this, is not written. Of a turn that said nothing, what is there counts.
pub(crate) fn usage_between(path: &Path, began_at: i64, ended_at: i64, said: &str) -> Option<Usage> {
    let mut counted: Vec<String> = Vec::new();
    let mut total: Option<Usage> = None;
    let mut is_whole = said.is_empty();
    let answers = since(path, began_at).filter(|entry| entry.is_answer_since(began_at));
    for entry in answers.filter(|entry| entry.at().is_none_or(|at| at <= ended_at)) {
        is_whole = is_whole || entry.says(said);
        let Some((id, usage)) = entry.usage() else { continue };
        if !counted.contains(&id) {
            counted.push(id);
            let sum = total.get_or_insert_default();
            sum.input_tokens += usage.input_tokens;
            sum.output_tokens += usage.output_tokens;
            sum.cache_read_tokens += usage.cache_read_tokens;
            sum.cache_write_tokens += usage.cache_write_tokens;
        }
    }
    total.filter(|_| is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_ends_as_the_transcript_says_and_not_as_one_before() {
        let line = |second: u32, kind: &str, content: &str| {
            format!(r#"{{{kind},"timestamp":"2026-11-20T04:39:{second}.000Z","content":"{content}"}}"#)
        };
        let system = |second, subtype: &str, content: &str| {
            line(second, &format!(r#""type":"system","subtype":"{subtype}""#), content)
        };
        let output = "<local-command-stdout>Set</local-command-stdout>";
        let lines = [
            system(10, "local_command", output),
            system(20, "informational", "Unknown command: /x"),
            format!(r#"{{"type":"user","timestamp":"2026-11-20T04:39:30.000Z","message":{{"content":"{output}"}}}}"#),
            system(40, "local_command", "<command-name>/model</command-name>"),
            system(41, "informational", "Retrying"),
        ];
        let file = tempfile::NamedTempFile::new().unwrap();
        let end = |lines: &[String], from: &str| {
            std::fs::write(file.path(), lines.join("\n") + "\n").unwrap();
            command_end(file.path(), time::millis(&format!("2026-11-20T04:39:{from}.000Z")).unwrap())
        };
        assert_eq!(end(&lines[..1], "09"), Some(CommandEnd::Done));
        assert_eq!(end(&lines[..1], "11"), None, "it is of the command before");
        assert_eq!(end(&lines[..2], "11"), Some(CommandEnd::Unknown { words: "Unknown command: /x".to_owned() }));
        assert_eq!(end(&lines, "21"), Some(CommandEnd::Done));
        assert_eq!(end(&lines, "31"), None, "that it was begun is not its end");
    }

    const LINES: &str = concat!(
        r#"{"type":"user","timestamp":"2026-11-20T04:38:40.000Z","message":{"role":"user","content":"old"}}"#,
        "\n",
        r#"{"type":"user","timestamp":"2026-11-20T04:39:40.000Z","message":{"role":"user","content":"new"}}"#,
        "\n",
        r#"{"type":"assistant","timestamp":"2026-11-20T04:39:41.000Z","message":{"id":"m1","role":"assistant","content":[],"usage":{"input_tokens":3,"output_tokens":4}}}"#,
        "\n",
        r#"{"type":"assistant","timestamp":"2026-11-20T04:39:41.000Z","message":{"id":"m1","role":"assistant","content":[],"usage":{"input_tokens":3,"output_tokens":4}}}"#,
        "\n",
        r#"{"type":"mystery"}"#,
        "\n",
        r#"{"type":"user","timestamp":"2026-11-20T04:39:42.000Z","message":{"role":"user","content":[{"type":"text","text":"[Request interrupted by user]"}]}}"#,
        "\n",
        r#"{"type":"assistant","mess"#,
    );

    #[test]
    fn looks_back_to_a_moment_and_no_further() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), LINES).unwrap();
        let at = time::millis("2026-11-20T04:39:39.000Z").unwrap();
        assert!(find_prompt(file.path(), at, |text| text == "new").is_some());
        assert!(find_prompt(file.path(), at, |text| text == "old").is_none());
        assert!(was_interrupted(file.path(), at) && !was_interrupted(file.path(), at + 60_000));
        let usage = usage_between(file.path(), at, i64::MAX, "").unwrap();
        assert_eq!((usage.input_tokens, usage.output_tokens), (3, 4));
        assert_eq!(usage_between(file.path(), at, i64::MAX, "the last word"), None, "it is not written yet");
        assert_eq!(usage_between(file.path(), at, at, ""), None, "it was said later");
    }
}
