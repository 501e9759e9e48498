//! The skills that teach agents to use `adj`, and the copies of them that were installed.

pub(crate) mod block;
pub(crate) mod file;
pub(crate) mod named;

use std::path::PathBuf;

use adjutant_api::protocol::VERSION;
use sha2::{Digest, Sha256};

use crate::error::CommandError;

/// One skill of this build.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Skill {
    /// Its name, and that of its directory.
    pub(crate) name: &'static str,
    source: &'static str,
}

/// All of them, the one about the tool first.
pub(crate) const SKILLS: [Skill; 4] = [
    Skill { name: "adjutant", source: include_str!("../../../skills/adjutant/SKILL.md") },
    Skill { name: "delegate", source: include_str!("../../../skills/delegate/SKILL.md") },
    Skill { name: "handoff", source: include_str!("../../../skills/handoff/SKILL.md") },
    Skill { name: "teammate", source: include_str!("../../../skills/teammate/SKILL.md") },
];

/// Stands for the version in the sources.
const VERSION_MARK: &str = "{{version}}";

/// Begins the line of the front matter by which a copy that somebody changed is told from one that is old.
const DIGEST_KEY: &str = "  digest: ";

/// Ends the front matter.
const FRONT_END: &str = "\n---\n";

impl Skill {
    /// Its text as it is installed: with the version that it belongs to, and its own digest.
    pub(crate) fn text(&self) -> String {
        let text = self.source.replace(VERSION_MARK, VERSION);
        let line = format!("\n{DIGEST_KEY}\"{}\"{FRONT_END}", digest(&text));
        text.replacen(FRONT_END, &line, 1)
    }

    /// When it is to be used, in the words of its front matter.
    pub(crate) fn description(&self) -> &'static str {
        let line = self.source.lines().find_map(|line| line.strip_prefix("description: "));
        line.unwrap_or_default()
    }
}

/// What tells one text from another: half of its SHA-256, in hexadecimal digits.
fn digest(text: &str) -> String {
    let sum = Sha256::digest(text.as_bytes());
    sum.iter().take(sum.len() / 2).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a copy is as some version of `adj` wrote it.
fn is_untouched(copy: &str) -> bool {
    let Some((front, rest)) = copy.split_once(FRONT_END) else { return false };
    let Some((front, said)) = front.rsplit_once('\n') else { return false };
    let said = said.strip_prefix(DIGEST_KEY).unwrap_or_default().trim_matches('"');
    said == digest(&format!("{front}{FRONT_END}{rest}"))
}

/// What is at a place where a copy belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing.
    Missing,
    /// What this version installs.
    Current,
    /// What another version installed.
    Stale,
    /// What nobody's `adj` wrote.
    Modified,
}

impl State {
    /// Its word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Current => "current",
            Self::Stale => "stale",
            Self::Modified => "modified",
        }
    }
}

/// A place where something of ours is, or is to be.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    /// What people call it.
    pub(crate) name: &'static str,
    /// Who reads it.
    pub(crate) reader: String,
    /// The file.
    pub(crate) file: PathBuf,
    /// What is in it.
    pub(crate) content: Content,
}

/// What a copy is.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// A file that is a skill.
    Skill(Skill),
    /// A block in a file that is somebody else's, about these skills.
    Block(Vec<Skill>),
}

impl Copy {
    /// What is there now.
    pub(crate) fn state(&self) -> Result<State, CommandError> {
        let found = file::read(&self.file)?;
        Ok(match (&self.content, found) {
            (_, None) => State::Missing,
            (Content::Skill(skill), Some(text)) if text == skill.text() => State::Current,
            (Content::Skill(_), Some(text)) if is_untouched(&text) => State::Stale,
            (Content::Skill(_), Some(_)) => State::Modified,
            (Content::Block(skills), Some(text)) => block::state(&text, skills),
        })
    }

    /// Writes it, whatever is there.
    pub(crate) fn install(&self) -> Result<(), CommandError> {
        match &self.content {
            Content::Skill(skill) => file::write(&self.file, &skill.text()),
            Content::Block(skills) => {
                let before = file::read(&self.file)?.unwrap_or_default();
                file::write(&self.file, &block::put(&before, skills).map_err(|flaw| self.damaged(flaw))?)
            }
        }
    }

    /// Takes it away, and the directory of a skill that is empty then.
    pub(crate) fn remove(&self) -> Result<(), CommandError> {
        match &self.content {
            Content::Skill(_) => file::remove_with_directory(&self.file),
            Content::Block(_) => {
                let before = file::read(&self.file)?.unwrap_or_default();
                let after = block::take(&before).map_err(|flaw| self.damaged(flaw))?;
                if after.is_empty() { file::remove(&self.file) } else { file::write(&self.file, &after) }
            }
        }
    }

    fn damaged(&self, flaw: block::Damaged) -> CommandError {
        let file = self.file.display();
        CommandError::new(adjutant_api::ErrorCode::SkillModified, format!("{file}: {flaw}; nothing was written there"))
            .with_hint("take the lines with `adjutant:begin` and `adjutant:end` out by hand")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A skill is read whole, every time.
    const LINES_MAX: usize = 150;

    #[test]
    fn every_skill_can_be_read_whole_and_says_what_it_is() {
        for skill in SKILLS {
            let text = skill.text();
            assert!(text.lines().count() < LINES_MAX, "{}", skill.name);
            assert!(text.starts_with(&format!("---\nname: {}\ndescription: ", skill.name)), "{}", skill.name);
            assert!(text.contains("\nallowed-tools: Bash(adj:*)\n"), "{}", skill.name);
            assert!(text.contains(&format!("\n  version: \"{VERSION}\"\n")) && !text.contains("{{"), "{}", skill.name);
            assert!(!skill.description().is_empty() && !skill.description().contains(": "), "{}", skill.name);
        }
    }

    #[test]
    fn a_copy_that_somebody_changed_is_told_from_an_old_one() {
        let text = SKILLS[0].text();
        assert!(is_untouched(&text));
        assert!(!is_untouched(&text.replace("124", "125")));
        assert!(!is_untouched(SKILLS[0].source) && !is_untouched("") && !is_untouched("---\n---\n"));
    }
}
