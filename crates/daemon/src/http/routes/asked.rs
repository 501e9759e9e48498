//! What is asked of an agent beyond a directory and a name: checked against what it can do, and never left out.

use adjutant_agents::{Chosen, is_rule};
use adjutant_api::ErrorCode;
use adjutant_api::types::session::CreateSession;
use adjutant_core::agent::Capabilities;
use adjutant_core::limits::{ARGUMENTS_MAX, POLICY_RULES_MAX, WORD_BYTES_MAX};
use adjutant_core::session::{Policy, Resume};

use crate::http::error::Failure;

/// Refuses what the agent cannot do, and words that are none.
pub(super) fn check(can: &Capabilities, wanted: &CreateSession) -> Result<(), Failure> {
    let resumes = wanted.resume.is_some() || wanted.resume_latest;
    let rules = wanted.allow_tools.len() + wanted.deny_tools.len();
    let lacks = [
        (wanted.model.is_some() && !can.model, "has no models to choose from"),
        (wanted.effort.is_some() && !can.effort, "has no effort to choose"),
        (wanted.headless && !can.headless, "cannot be held without its terminal"),
        (wanted.sandbox.is_some() && !can.sandbox, "has no sandbox to choose"),
        (resumes && !can.resume, "has no conversations to take up"),
        (rules > 0 && !can.policy, "asks for no permissions that a rule could answer"),
        (!wanted.arguments.is_empty() && !can.arguments, "takes no words for its own command line"),
    ];
    if let Some((_, what)) = lacks.into_iter().find(|(lacks, _)| *lacks) {
        return Err(Failure::new(ErrorCode::NotSupported, format!("{} {what}", wanted.cli)));
    }
    if wanted.resume.is_some() && wanted.resume_latest {
        return Err(usage("one conversation can be taken up, not this one and the newest"));
    }
    if rules > POLICY_RULES_MAX || wanted.arguments.len() > ARGUMENTS_MAX {
        return Err(usage(&format!("at most {POLICY_RULES_MAX} rules and {ARGUMENTS_MAX} words can be given")));
    }
    if let Some(rule) = wanted.allow_tools.iter().chain(&wanted.deny_tools).find(|rule| !is_rule(rule)) {
        let form = "the name of a tool, and behind it in parentheses what it is to do: `Read`, `Bash(git *)`";
        return Err(usage(&format!("`{}` is no rule; one is {form}", shown(rule))));
    }
    let words = [&wanted.model, &wanted.effort, &wanted.sandbox, &wanted.resume].into_iter().flatten();
    let words = words.chain(&wanted.arguments).chain(&wanted.allow_tools).chain(&wanted.deny_tools);
    match words.into_iter().find(|word| word.is_empty() || word.len() > WORD_BYTES_MAX || word.contains('\0')) {
        Some(_) => Err(usage(&format!("a word has 1 to {WORD_BYTES_MAX} bytes, and none of them is zero"))),
        None => Ok(()),
    }
}

/// What only the agent itself can judge.
pub(super) fn chosen(wanted: &CreateSession) -> Chosen<'_> {
    Chosen { sandbox: wanted.sandbox.as_deref(), conversation: wanted.resume.as_deref() }
}

/// A word that was given, short and on one line.
fn shown(word: &str) -> String {
    word.chars().take(SHOWN_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Characters of a wrong word that are shown again.
const SHOWN_CHARS_MAX: usize = 80;

fn usage(message: &str) -> Failure {
    Failure::new(ErrorCode::Usage, message)
}

/// The conversation that is to be taken up.
pub(super) fn resume(wanted: &CreateSession) -> Option<Resume> {
    let named = wanted.resume.clone().map(Resume::Conversation);
    named.or(wanted.resume_latest.then_some(Resume::Latest))
}

/// The rules by which its requests are answered.
pub(super) fn policy(wanted: &CreateSession) -> Policy {
    Policy { allow: wanted.allow_tools.clone(), deny: wanted.deny_tools.clone() }
}
