//! What a caller may ask for: a session no more than it is allowed itself, a caller outside what its token says, and the
//! descendants of its sessions no more than that either.
//!
//! A token that does not name the mode `native` gives no way to let an agent do more than it asks for: no variables, no words
//! for its command line, no rules that answer for the user, and no answers to its permissions.

use std::path::{Component, Path};
use std::sync::Arc;
use std::time::Instant;

use adjutant_api::ErrorCode;
use adjutant_api::types::message::{SendMessage, WakeSession};
use adjutant_api::types::session::{CreateSession, ModeWord};
use adjutant_api::types::workspace::WorkspaceWord;
use adjutant_core::agent::{Mode, NewRequest, RequestKind};
use adjutant_core::call::Caller;
use adjutant_core::request::Request;
use adjutant_core::{Host, Right, SessionId, TokenId};
use rustix::fs::{AtFlags, CWD, FileType, Mode as Permissions, OFlags, openat, statat};
use rustix::io::Errno;

use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::to_api;
use crate::tokens::{Grant, RECORD_BYTES, Room, stored_max};

/// What holds for a session that is to be created.
pub(super) struct Bounds {
    /// The token that it will belong to.
    pub(super) owner: Option<TokenId>,
    /// What that token allows.
    grant: Option<Arc<Grant>>,
    /// The mode of the session that creates it.
    own: Option<Mode>,
    /// It comes from outside: what it says of its own surroundings means nothing here.
    outside: bool,
}

fn forbidden(message: String) -> Failure {
    Failure::new(ErrorCode::Forbidden, message)
}

impl Bounds {
    /// The bounds of this call.
    pub(super) async fn of(call: &Incoming, parent: Option<SessionId>) -> Result<Self, Failure> {
        let caller = call.caller;
        let look = move |host: &Host| {
            let known = |id| host.session(id).map(|session| session.profile.clone());
            let own = caller.session().and_then(known);
            let owner = own.as_ref().and_then(|own| own.owner).or_else(|| known(parent?)?.owner);
            (own.map(|own| own.mode), owner)
        };
        let (own, owner) = call.app.look(look).await?;
        match caller {
            Caller::Human => Ok(Self { owner, grant: None, own: None, outside: false }),
            Caller::Token(id) => Ok(Self { owner: Some(id), grant: call.grant.clone(), own: None, outside: true }),
            Caller::Session(_) => {
                let grant = match owner {
                    Some(token) => Some(Arc::new(call.app.tokens.grant(token).ok_or_else(|| ended(token))?)),
                    None => None,
                };
                Ok(Self { owner, grant, own, outside: false })
            }
        }
    }

    /// Sessions of the token that may live at once.
    pub(super) fn live_max(&self) -> Option<usize> {
        self.grant.as_ref().map(|grant| usize::try_from(grant.sessions_max).unwrap_or(usize::MAX))
    }

    /// Checks what is asked for, and puts in what the caller does not decide.
    pub(super) fn apply(&self, wanted: &mut CreateSession) -> Result<(), Failure> {
        if let (None, Some(mode)) = (&wanted.mode, self.mode_unless_named()) {
            wanted.mode = Some(mode);
        }
        let Some(grant) = &self.grant else { return Ok(()) };
        if wanted.resume.is_some() || wanted.resume_latest {
            return Err(forbidden("a token takes up no conversations: they are not its own".to_owned()));
        }
        if !grant.is_unbound() {
            check_bound(wanted)?;
        }
        if self.outside {
            wanted.environment = grant.environment.clone();
            wanted.umask = None;
            wanted.soft_limits.clear();
        }
        Ok(())
    }

    /// The mode of a create that names none, where the agent's own default is not meant.
    fn mode_unless_named(&self) -> Option<ModeWord> {
        match (&self.grant, self.own) {
            (Some(grant), _) if self.outside => grant.modes.first().map(|mode| to_api::mode(Mode::from(*mode))),
            (_, Some(own @ (Mode::Guarded | Mode::Docker))) => Some(to_api::mode(own)),
            (_, Some(Mode::Native) | None) => None,
        }
    }

    /// Refuses a mode that the caller may not give.
    pub(super) fn check_mode(&self, mode: Mode) -> Result<(), Failure> {
        let word = to_api::mode(mode);
        if let Some(grant) = self.grant.as_ref().filter(|grant| !grant.permits(mode)) {
            let words: Vec<String> =
                grant.modes.iter().map(|mode| to_api::mode(Mode::from(*mode)).to_string()).collect();
            let message = format!("the token permits no sessions of the mode `{word}`, but {}", words.join(", "));
            return Err(forbidden(message).with_detail("modes", words));
        }
        match self.own {
            Some(own @ (Mode::Guarded | Mode::Docker)) if own != mode => {
                let own = to_api::mode(own);
                Err(forbidden(format!("a session of the mode `{own}` creates none of the mode `{word}`")))
            }
            Some(Mode::Native | Mode::Guarded | Mode::Docker) | None => Ok(()),
        }
    }

    /// Refuses a directory, resolved, that the token does not hold. It is told by the name that the caller knows.
    pub(super) fn check_directory(&self, named: &str, directory: &Path) -> Result<(), Failure> {
        match &self.grant {
            Some(grant) if !grant.holds(directory) => Err(outside_roots(Path::new(named), grant)),
            Some(_) | None => Ok(()),
        }
    }

    /// What is said of a program that was not found: a caller outside can do nothing about the PATH, and is not shown it.
    pub(super) fn missing(&self, agent: &str, mode: Mode, failure: Failure) -> Failure {
        if !self.outside || failure.body.code != ErrorCode::AgentNotFound {
            return failure;
        }
        let mode = to_api::mode(mode);
        let message = format!(
            "what starts `{agent}` in the mode `{mode}` is not on the PATH of the token, which is that of the shell in which the \
             token was made"
        );
        Failure::new(ErrorCode::AgentNotFound, message)
            .with_hint("adj gateway token create  # on the host, where it is found")
    }

    /// What is wrong with a directory, said to a caller that may know: nothing is told of what lies outside of its roots,
    /// also where a link in them leads there. So it is looked at anew, and no link is followed.
    pub(super) fn told(&self, text: &str, failure: Failure) -> Failure {
        let path = Path::new(text);
        match &self.grant {
            Some(grant) => flaw_within(path, grant).unwrap_or_else(|| outside_roots(path, grant)),
            None => failure,
        }
    }
}

fn ended(token: TokenId) -> Failure {
    forbidden(format!("the token {token}, to which this session belongs, has ended: it creates no more sessions"))
}

fn outside_roots(directory: &Path, grant: &Grant) -> Failure {
    let roots: Vec<String> = grant.roots.iter().map(|root| root.display().to_string()).collect();
    let message = format!("{} is outside of the directories of the token: {}", directory.display(), roots.join(", "));
    Failure::new(ErrorCode::PathNotTranslatable, message).with_detail("roots", roots)
}

/// Why a path is no directory, if that can be said without following a link: one may lead anywhere, and be another the
/// next moment.
fn flaw_within(path: &Path, grant: &Grant) -> Option<Failure> {
    let root = grant.roots.iter().find(|root| path.starts_with(root))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at = openat(CWD, root, flags, Permissions::empty()).ok()?;
    let shown = path.display();
    for part in path.strip_prefix(root).ok()?.components() {
        let Component::Normal(part) = part else { return None };
        at = match openat(&at, part, flags, Permissions::empty()) {
            Ok(next) => next,
            Err(error @ (Errno::NOENT | Errno::ACCESS)) => {
                return Some(Failure::new(ErrorCode::PathNotFound, format!("{shown}: {error}")));
            }
            Err(_) => {
                let found = statat(&at, part, AtFlags::SYMLINK_NOFOLLOW).ok()?;
                let message = format!("{shown} is not a directory");
                let is_link = FileType::from_raw_mode(found.st_mode).is_symlink();
                return (!is_link).then(|| Failure::new(ErrorCode::PathNotDirectory, message));
            }
        };
    }
    None
}

/// What only a token with the mode `native` may ask for.
fn check_bound(wanted: &CreateSession) -> Result<(), Failure> {
    let isolated = wanted.workspace.as_ref().is_some_and(|word| *word != WorkspaceWord::Shared);
    let asked = [
        (!wanted.env.is_empty(), "sets variables"),
        (wanted.sandbox.is_some(), "chooses a sandbox"),
        (!wanted.allow_tools.is_empty(), "permits tools"),
        (!wanted.arguments.is_empty(), "gives words to the agent's command line"),
        (wanted.trust, "trusts a directory"),
        (wanted.worktree.is_some() || isolated, "has git make or choose a work tree"),
    ];
    match asked.into_iter().find(|(asked, _)| *asked) {
        Some((_, what)) => Err(forbidden(format!("only a token with the mode `native` {what}"))),
        None => Ok(()),
    }
}

/// What the token allows by which the caller came, or to which the calling session belongs.
async fn grant_of(call: &Incoming) -> Result<Option<Arc<Grant>>, Failure> {
    if call.grant.is_some() {
        return Ok(call.grant.clone());
    }
    let good = |token| call.app.tokens.grant(token).map(Arc::new).ok_or_else(|| ended(token));
    token_of(call).await?.map(good).transpose()
}

/// The token by which the caller came, or to which the calling session belongs.
async fn token_of(call: &Incoming) -> Result<Option<TokenId>, Failure> {
    match call.caller {
        Caller::Human => Ok(None),
        Caller::Token(token) => Ok(Some(token)),
        Caller::Session(by) => Ok(call.app.look(move |host| host.session(by)?.profile.owner).await?),
    }
}

/// A session takes up no conversation but one that a session of its own has had.
pub(super) async fn check_resume(call: &Incoming, wanted: &CreateSession) -> Result<(), Failure> {
    if call.caller.session().is_none() {
        return Ok(());
    }
    let (caller, resume) = (call.caller, wanted.resume.clone());
    let is_own = match resume {
        None => !wanted.resume_latest,
        Some(conversation) => {
            let of_its_own = move |host: &Host| {
                host.sessions().any(|one| one.holds(&conversation) && host.may(caller, one, Right::Steer))
            };
            call.app.look(of_its_own).await?
        }
    };
    let why = "a session takes up conversations of its own sessions alone, by their ids";
    if is_own { Ok(()) } else { Err(forbidden(why.to_owned())) }
}

/// A caller from outside decides nothing of the surroundings in which a session of its is started again.
pub(super) async fn apply_to_wake(call: &Incoming, wanted: &mut WakeSession) -> Result<(), Failure> {
    let Some(grant) = grant_of(call).await? else { return Ok(()) };
    if !wanted.env.is_empty() && !grant.is_unbound() {
        return Err(forbidden("only a token with the mode `native` sets variables".to_owned()));
    }
    if call.grant.is_none() {
        return Ok(());
    }
    wanted.environment = grant.environment.clone();
    wanted.umask = None;
    wanted.soft_limits.clear();
    Ok(())
}

/// A message that is a command of the agent's own could change what it asks for.
pub(super) async fn check_message(call: &Incoming, wanted: &SendMessage) -> Result<(), Failure> {
    match grant_of(call).await? {
        Some(grant) if wanted.as_command && !grant.is_unbound() => {
            Err(forbidden("only a token with the mode `native` sends commands of the agent's own".to_owned()))
        }
        Some(_) | None => Ok(()),
    }
}

/// What a token's sessions are told stays in the store until they are forgotten, so that there is a bound on it.
pub(super) async fn check_stored(call: &Incoming, bytes: usize) -> Result<(), Failure> {
    let Some(token) = token_of(call).await? else { return Ok(()) };
    let bytes = bytes as u64;
    let mut room = call.app.stored.take(token, bytes, Instant::now());
    if room == Room::Uncounted {
        let own = move |host: &Host| {
            let own = host.sessions().filter(|session| session.profile.owner == Some(token));
            own.map(|session| session.id).collect::<Vec<_>>()
        };
        let own = call.app.look(own).await?;
        let held = call.app.read(move |reader| reader.message_bytes_of(&own, RECORD_BYTES)).await?;
        call.app.stored.counted(token, held, Instant::now());
        room = call.app.stored.take(token, bytes, Instant::now());
    }
    match room {
        Room::Taken => Ok(()),
        Room::None | Room::Uncounted => {
            let limit = stored_max();
            let message = format!(
                "the messages of the token {token} hold {limit} bytes, which is the limit; they are kept until their sessions \
                 are forgotten"
            );
            Err(Failure::new(ErrorCode::QueueFull, message).with_detail("limit", limit))
        }
    }
}

/// Whoever may not steer a session does not answer for it; permissions of a bound token's sessions are the user's to give,
/// and so is what a tool server asks: it acts for the user, and its question may be a permission in other words.
pub(super) async fn check_answer(call: &Incoming, session: SessionId, request: &Request) -> Result<(), Failure> {
    if call.caller != Caller::Human && !call.may(session, Right::Steer).await? {
        return Err(forbidden(format!("{} is not asked by a session of yours", request.id)));
    }
    match grant_of(call).await? {
        Some(grant) if !is_question(&request.asked) && !grant.is_unbound() => {
            Err(forbidden("the permissions of a token's sessions are the user's to give".to_owned()))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether it is the model that asks, with questions that stand in the request, and not something that wants to be permitted.
fn is_question(asked: &NewRequest) -> bool {
    match asked.kind {
        RequestKind::Permission => false,
        RequestKind::Choice | RequestKind::Input => !asked.questions.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::agent::Question;

    use super::*;

    #[test]
    fn only_what_the_model_asks_is_a_question_and_no_permission() {
        let question = Question {
            label: "Colour".to_owned(),
            text: "Which colour?".to_owned(),
            options: Vec::new(),
            multiple: false,
            free_text: true,
        };
        let asked = |kind, questions: &[Question]| NewRequest {
            native: "1".to_owned(),
            kind,
            tool: None,
            summary: String::new(),
            options: Vec::new(),
            multiple: false,
            questions: questions.to_vec(),
            details: String::new(),
        };
        let one = [question];
        assert!(is_question(&asked(RequestKind::Choice, &one)) && is_question(&asked(RequestKind::Input, &one)));
        // The form of a tool server, and what a program reads from a terminal, have no questions of the model's.
        assert!(!is_question(&asked(RequestKind::Input, &[])) && !is_question(&asked(RequestKind::Choice, &[])));
        assert!(!is_question(&asked(RequestKind::Permission, &one)));
    }
}
