//! The positionals of the group: which of them is the project, which the session, which the message.

use std::ffi::{OsStr, OsString};

use adjutant_api::ErrorCode;

use crate::context::Context;
use crate::error::CommandError;
use crate::project::{self, Project};
use crate::value::SessionArg;

/// What the positionals of a call mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) project: Option<String>,
    pub(super) session: Option<SessionArg>,
    pub(super) message: Option<OsString>,
}

/// `[<project>] <session>`
pub(super) fn session(words: &[OsString]) -> Result<Words, CommandError> {
    match words {
        [] => Err(CommandError::usage("`<session>` is missing")),
        [one] => Ok(Words { session: Some(id(one)?), ..Words::default() }),
        [first, one] => Ok(Words { project: Some(name(first)?), session: Some(id(one)?), message: None }),
        [..] => Err(too_many()),
    }
}

/// `[<project>] <session> [<message>]`. With the message elsewhere, the last one is the session.
pub(super) fn session_and_message(words: &[OsString], elsewhere: bool) -> Result<Words, CommandError> {
    match words {
        [before @ .., message] if !elsewhere && !before.is_empty() => {
            Ok(Words { message: Some(message.clone()), ..session(before)? })
        }
        all => session(all),
    }
}

/// `[<project>] [<message>]`. With the message elsewhere, the only one is the project.
pub(super) fn project_and_message(words: &[OsString], elsewhere: bool) -> Result<Words, CommandError> {
    match words {
        [] => Ok(Words::default()),
        [project] if elsewhere => Ok(Words { project: Some(name(project)?), ..Words::default() }),
        [message] => Ok(Words { message: Some(message.clone()), ..Words::default() }),
        [project, message] if !elsewhere => {
            Ok(Words { project: Some(name(project)?), session: None, message: Some(message.clone()) })
        }
        [..] => Err(too_many()),
    }
}

fn too_many() -> CommandError {
    CommandError::usage("there is a word too many; a text with spaces is one argument, in quotes")
}

fn name(word: &OsStr) -> Result<String, CommandError> {
    word.to_str().map(str::to_owned).ok_or_else(|| CommandError::usage("the project is not UTF-8"))
}

fn id(word: &OsStr) -> Result<SessionArg, CommandError> {
    let text = word.to_str().ok_or_else(|| CommandError::usage("the session is not UTF-8"))?;
    let shown = if text.contains(|c: char| c.is_whitespace() || c.is_control()) { "<session>" } else { text };
    text.parse()
        .map_err(|error: crate::value::ValueError| CommandError::new(error.code.clone(), format!("`{shown}` {error}")))
}

/// The session of the words, after a look that it is in the project, where one is named.
pub(super) async fn found(context: &mut Context, words: &Words) -> Result<SessionArg, CommandError> {
    let id = words.session.clone().ok_or_else(|| CommandError::usage("`<session>` is missing"))?;
    let Some(text) = &words.project else { return Ok(id) };
    let project = match project::named(context, text).await {
        Err(CommandError::Told(body)) if body.code == ErrorCode::ProjectNotFound => {
            return Err(no_project(context, text, CommandError::Told(body)).await);
        }
        found => found?,
    };
    let session = context.client()?.session(id.as_str()).await?;
    if is_in(&session, &project) {
        return Ok(id);
    }
    let message = format!("{} is not in the project {}", session.id, project.name);
    Err(CommandError::new(ErrorCode::SessionNotFound, message).with_hint(format!("adj sessions list {text}")))
}

/// Where the first word is a session, the last is one too many: a part of the message, more likely than a session of a
/// project that nobody knows.
async fn no_project(context: &mut Context, text: &str, error: CommandError) -> CommandError {
    let Ok(client) = context.client() else { return error };
    match text.parse::<SessionArg>() {
        Ok(id) if client.session(id.as_str()).await.is_ok() => {
            let message = format!("`{text}` is a session and no project, so there is a word too many behind it");
            CommandError::usage(message).with_hint("a message with spaces is one argument, in quotes")
        }
        Ok(_) | Err(_) => error,
    }
}

fn is_in(session: &adjutant_api::types::session::Session, project: &Project) -> bool {
    let below = |path: &str| std::path::Path::new(path).starts_with(&project.root);
    (project.is_named && session.project.as_ref() == Some(&project.name))
        || below(&session.path)
        || session.checkout.as_deref().is_some_and(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<OsString> {
        list.iter().map(OsString::from).collect()
    }

    fn shown(found: Result<Words, CommandError>) -> Option<(String, String, String)> {
        let found = found.ok()?;
        let text = |message: Option<OsString>| message.map(|m| m.to_string_lossy().into_owned()).unwrap_or_default();
        let session = found.session.map(|id| id.to_string()).unwrap_or_default();
        Some((found.project.unwrap_or_default(), session, text(found.message)))
    }

    fn all(project: &str, session: &str, message: &str) -> Option<(String, String, String)> {
        Some((project.to_owned(), session.to_owned(), message.to_owned()))
    }

    #[test]
    fn the_last_positional_is_the_message_unless_it_is_elsewhere() {
        let wake = |list: &[&str], elsewhere| shown(session_and_message(&words(list), elsewhere));
        assert_eq!(wake(&["vi-jg"], false), all("", "vi-jg", ""));
        assert_eq!(wake(&["vi-jg", "go on"], false), all("", "vi-jg", "go on"));
        assert_eq!(wake(&["app", "vi-jg", "go on"], false), all("app", "vi-jg", "go on"));
        assert_eq!(wake(&["vi-jg"], true), all("", "vi-jg", ""));
        assert_eq!(wake(&["app", "vi-jg"], true), all("app", "vi-jg", ""));
        assert_eq!(wake(&["app", "vi-jg", "x"], true), None);
        assert_eq!(wake(&[], false), None);
        let start = |list: &[&str], elsewhere| shown(project_and_message(&words(list), elsewhere));
        assert_eq!(start(&["fix it"], false), all("", "", "fix it"));
        assert_eq!(start(&["app", "fix it"], false), all("app", "", "fix it"));
        assert_eq!(start(&["app"], true), all("app", "", ""));
        assert_eq!(start(&[], true), all("", "", ""));
    }

    #[test]
    fn a17_words_without_quotes_are_an_error() {
        for (list, elsewhere) in [(&["the", "parser"][..], true), (&["a", "b", "c"], false)] {
            let Err(CommandError::Told(body)) = project_and_message(&words(list), elsewhere) else {
                panic!("{list:?}")
            };
            assert_eq!(body.exit, 2);
            assert!(body.message.contains("in quotes"), "{}", body.message);
        }
        assert!(session_and_message(&words(&["a", "b", "c", "d"]), false).is_err());
        assert!(session(&words(&["app", "a/b"])).is_err(), "the form of an id is checked");
    }
}
