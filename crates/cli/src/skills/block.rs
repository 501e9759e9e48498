//! The block in an `AGENTS.md`: a few lines of ours, between two marks, in a file that is somebody else's.

use std::fmt;

use adjutant_api::protocol::VERSION;

use super::{Skill, State, digest};

/// Begins the first line; the version and the digest of what is between the marks follow.
const BEGIN: &str = "<!-- adjutant:begin ";

/// The last line.
const END: &str = "<!-- adjutant:end -->";

/// Ends the first line.
const BEGIN_END: &str = " (made by `adj install-skill`; removed by `adj install-skill --agents-md --remove`) -->";

/// Why a file's block cannot be told from the rest of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damaged {
    /// A mark has lost the other.
    OneMark,
    /// There are several.
    Several,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneMark => "one of the two marks around the block is gone",
            Self::Several => "it has more than one block",
        })
    }
}

/// A file, cut at its block.
struct Cut<'a> {
    before: &'a str,
    /// The block with its marks.
    block: Option<&'a str>,
    after: &'a str,
}

/// What is between the marks.
fn body(skills: &[Skill]) -> String {
    let mut text = String::from(
        "## Other agent sessions: `adj`\n\n\
         `adj` starts, messages, waits on, wakes, answers and stops other coding-agent sessions (`adj help`).\n\
         Before you use it, read the instructions that fit; each is one page:\n\n",
    );
    for skill in skills {
        text.push_str(&format!("- `adj install-skill --print {}`: {}\n", skill.name, skill.description()));
    }
    text.push_str(
        "\nExit codes: 0 done; 1 failed; 2 wrong call; 3 it asks, `adj respond`; 4 no such session or exited;\n\
         5 unknown, look before you repeat; 124 timeout, `adj wait` again; 130 interrupted; 255 daemon out of reach.\n",
    );
    text
}

fn block(skills: &[Skill]) -> String {
    let body = body(skills);
    format!("{BEGIN}{VERSION} {}{BEGIN_END}\n{body}{END}\n", digest(&body))
}

fn cut(text: &str) -> Result<Cut<'_>, Damaged> {
    let line_starts = |mark: &str| -> Vec<usize> {
        text.match_indices(mark).map(|(at, _)| at).filter(|at| *at == 0 || text[..*at].ends_with('\n')).collect()
    };
    match (line_starts(BEGIN).as_slice(), line_starts(END).as_slice()) {
        ([], []) => Ok(Cut { before: text, block: None, after: "" }),
        ([begin], [end]) if begin < end => {
            let end = end + END.len();
            let end = if text[end..].starts_with('\n') { end + 1 } else { end };
            Ok(Cut { before: &text[..*begin], block: Some(&text[*begin..end]), after: &text[end..] })
        }
        ([_, _, ..], _) | (_, [_, _, ..]) => Err(Damaged::Several),
        ([_] | [], [_] | []) => Err(Damaged::OneMark),
    }
}

/// What the block of a file is.
pub(crate) fn state(text: &str, skills: &[Skill]) -> State {
    match cut(text) {
        Ok(Cut { block: None, .. }) => State::Missing,
        Ok(Cut { block: Some(found), .. }) if found.trim_end() == block(skills).trim_end() => State::Current,
        Ok(Cut { block: Some(found), .. }) if is_untouched(found) => State::Stale,
        Ok(Cut { block: Some(_), .. }) | Err(_) => State::Modified,
    }
}

/// Whether a block is as some version of `adj` wrote it.
fn is_untouched(block: &str) -> bool {
    let Some((first, rest)) = block.split_once('\n') else { return false };
    let said = first.strip_prefix(BEGIN).and_then(|words| words.split(' ').nth(1));
    rest.rsplit_once(END).is_some_and(|(body, _)| said == Some(digest(body).as_str()))
}

/// The file with this version's block: where the old one was, else at the end, behind an empty line.
pub(crate) fn put(text: &str, skills: &[Skill]) -> Result<String, Damaged> {
    let Cut { before, block: found, after } = cut(text)?;
    let gap = match (found, before) {
        (Some(_), _) | (None, "") => "",
        (None, before) if before.ends_with('\n') => "\n",
        (None, _) => "\n\n",
    };
    Ok(format!("{before}{gap}{}{after}", block(skills)))
}

/// The file without its block, and without the empty line before it.
pub(crate) fn take(text: &str) -> Result<String, Damaged> {
    let Cut { before, block, after } = cut(text)?;
    let before = match block {
        Some(_) if before.ends_with("\n\n") => &before[..before.len() - 1],
        Some(_) | None => before,
    };
    Ok(format!("{before}{after}"))
}

#[cfg(test)]
mod tests {
    use super::super::SKILLS;
    use super::*;

    /// It stands in every prompt of every agent that reads the file.
    const LINES_MAX: usize = 20;

    #[test]
    fn it_is_short() {
        assert!(block(&SKILLS).lines().count() < LINES_MAX);
    }

    #[test]
    fn it_comes_and_goes_without_a_trace() {
        for text in ["", "# Mine\n", "# Mine\n\n- a\n\n", "x"] {
            let with = put(text, &SKILLS).unwrap();
            assert_eq!(state(&with, &SKILLS), State::Current);
            assert_eq!(put(&with, &SKILLS).unwrap(), with, "once more changes nothing");
            let ended = if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
            assert_eq!(take(&with).unwrap(), ended);
        }
    }

    #[test]
    fn it_is_replaced_where_it_stands() {
        let with = format!("{}# After\n", put("# Before\n", &SKILLS[..1]).unwrap());
        assert_eq!(state(&with, &SKILLS), State::Stale);
        let again = put(&with, &SKILLS).unwrap();
        assert!(again.starts_with("# Before\n\n<!-- adjutant:begin ") && again.ends_with("-->\n# After\n"));
        assert_eq!(take(&again).unwrap(), "# Before\n# After\n");
    }

    #[test]
    fn what_somebody_changed_is_told() {
        let with = put("", &SKILLS).unwrap();
        assert_eq!(state(&with.replace("124 timeout", "124"), &SKILLS), State::Modified);
        let headless = with.replace(END, "");
        assert_eq!(state(&headless, &SKILLS), State::Modified);
        assert_eq!(put(&headless, &SKILLS), Err(Damaged::OneMark));
        assert_eq!(take(&format!("{with}{with}")), Err(Damaged::Several));
        assert_eq!(state("a mark inside of a line: <!-- adjutant:end -->", &SKILLS), State::Missing);
    }
}
