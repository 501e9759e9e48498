//! From what a caller wrote to the session it means. A guess is shown and never acted on.

use adjutant_api::ErrorCode;
use adjutant_core::call::Caller;
use adjutant_core::session::Session;
use adjutant_core::{Host, MessageId, Right, SessionId, SessionName};

use super::error::Failure;

/// Shortest part of a UUID by which a session may be read, in hexadecimal digits.
const PREFIX_DIGITS_MIN: usize = 8;

/// Which ways of naming a session count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Name, whole UUID, or the beginning of exactly one.
    Read,
    /// Name or whole UUID.
    Change,
}

/// Finds the session that `text` names, for a caller that has a right over it.
pub(crate) fn allowed(host: &Host, text: &str, caller: Caller, rule: Rule, right: Right) -> Result<SessionId, Failure> {
    let id = session(host, text, caller, rule)?;
    match host.session(id) {
        Some(found) => host.check_right(caller, found, right).map(|()| id).map_err(|refusal| {
            let failure = Failure::from(refusal);
            match caller.session().filter(|_| right == Right::Send).and_then(|by| host.session(by)) {
                // For the user, or for a session above both.
                Some(by) => failure.with_hint(format!("adj introduce {} {}", by.name, found.name)),
                None => failure,
            }
        }),
        None => Err(Failure::session_not_found(host, caller, text)),
    }
}

/// Finds the session that `text` names. What the caller may do with it is not asked.
pub(crate) fn session(host: &Host, text: &str, caller: Caller, rule: Rule) -> Result<SessionId, Failure> {
    match text {
        "self" => own(host, caller).map(|session| session.id),
        "parent" => own(host, caller)?
            .parent
            .ok_or_else(|| Failure::new(ErrorCode::SessionNotFound, "this session has no parent")),
        _ => named(host, text, caller, rule),
    }
}

/// The calling session's record.
fn own(host: &Host, caller: Caller) -> Result<&Session, Failure> {
    let outside = || Failure::new(ErrorCode::Usage, "`self` and `parent` mean something inside a session only");
    caller.session().and_then(|id| host.session(id)).ok_or_else(outside)
}

fn named(host: &Host, text: &str, caller: Caller, rule: Rule) -> Result<SessionId, Failure> {
    if let Ok(id) = text.parse::<SessionId>() {
        return host.session(id).map(|s| s.id).ok_or_else(|| Failure::session_not_found(host, caller, text));
    }
    let prefix = text.len() >= PREFIX_DIGITS_MIN && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let name = text.parse::<SessionName>();
    if let Some(found) = name.as_ref().ok().and_then(|name| host.by_name(name)) {
        return Ok(found.id);
    }
    if prefix && rule == Rule::Read {
        return by_prefix(host, text, caller);
    }
    match name {
        Ok(_) => Err(Failure::session_not_found(host, caller, text)),
        Err(_) if prefix => Err(Failure::session_not_found(host, caller, text)),
        Err(malformed) => Err(Failure::new(ErrorCode::IdInvalid, malformed.to_string())),
    }
}

/// The beginning of an id is looked for among the sessions that the caller may see.
fn by_prefix(host: &Host, text: &str, caller: Caller) -> Result<SessionId, Failure> {
    let wanted = text.to_ascii_lowercase();
    let found: Vec<&Session> = {
        let fits = |s: &&Session| s.id.to_string().starts_with(&wanted) && host.may(caller, s, Right::See);
        host.sessions().filter(fits).collect()
    };
    match found.as_slice() {
        [one] => Ok(one.id),
        [] => Err(Failure::session_not_found(host, caller, text)),
        several => {
            let names: Vec<String> = several.iter().take(10).map(|s| s.name.to_string()).collect();
            let message = format!("{text} begins the ids of {} sessions: {}", several.len(), names.join(", "));
            Err(Failure::new(ErrorCode::AmbiguousId, message).with_detail("candidates", names))
        }
    }
}

/// A message id, checked for its form.
pub(crate) fn message_id(text: &str) -> Result<MessageId, Failure> {
    text.parse().map_err(|error: adjutant_core::id::IdMalformed| Failure::new(ErrorCode::IdInvalid, error.to_string()))
}

/// No session has, or had, a message of that id.
pub(crate) fn message_not_found(id: MessageId) -> Failure {
    Failure::new(ErrorCode::MessageNotFound, format!("no message {id}"))
}

/// A request id, checked for its form.
pub(crate) fn request_id(text: &str) -> Result<adjutant_core::RequestId, Failure> {
    text.parse().map_err(|error: adjutant_core::id::IdMalformed| Failure::new(ErrorCode::IdInvalid, error.to_string()))
}
