//! Failures: one mapping from what can go wrong to the error object and its status.

use adjutant_api::{ErrorBody, ErrorCode, ErrorDocument};
use adjutant_core::{Caller, Host, Refusal, Right, SessionId};
use adjutant_store::ReadError;
use axum::Json;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::supervisor::Gone;
use crate::tokens::TokenError;

/// A call that cannot be answered.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) body: Box<ErrorBody>,
    status: Option<StatusCode>,
}

impl Failure {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        ErrorBody::new(code, message).into()
    }

    /// Something that should not happen.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Internal, message)
    }

    /// A request that did not come in time.
    pub(crate) fn too_slow(mut self) -> Self {
        self.status = Some(StatusCode::REQUEST_TIMEOUT);
        self
    }

    /// A request with too long a head.
    pub(crate) fn head_too_large(mut self) -> Self {
        self.status = Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        self
    }

    pub(crate) fn with_detail(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        *self.body = self.body.with_detail(name, value);
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        *self.body = self.body.with_hint(hint);
        self
    }

    /// A session that was found and is not there any more.
    pub(crate) fn gone(id: SessionId) -> Self {
        Self::new(ErrorCode::SessionNotFound, format!("no session {id}")).with_hint("adj list -a")
    }

    /// No session is called that; near names are those of sessions that the caller may see.
    pub(crate) fn session_not_found(host: &Host, caller: Caller, text: &str) -> Self {
        let near = near(host, caller, text);
        let names = if near.is_empty() { String::new() } else { format!(" (near: {})", near.join(", ")) };
        Self::new(ErrorCode::SessionNotFound, format!("no session {text}{names}"))
            .with_hint("adj list -a")
            .with_detail("near", near)
    }
}

impl From<ErrorBody> for Failure {
    fn from(body: ErrorBody) -> Self {
        Self { body: Box::new(body), status: None }
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        let code = match &error {
            TokenError::File(_) => ErrorCode::StoreUnreadable,
            TokenError::TooMany => ErrorCode::QueueFull,
            TokenError::NotFound(_) => ErrorCode::TokenNotFound,
        };
        Self::new(code, error.to_string())
    }
}

impl From<Gone> for Failure {
    fn from(_: Gone) -> Self {
        Self::new(ErrorCode::DaemonUnreachable, "the daemon is stopping")
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::internal(format!("the store cannot be read: {error}"))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::SessionNotFound(_) => ErrorCode::SessionNotFound,
            Refusal::SessionExited(_) | Refusal::SessionStopping(_) | Refusal::NotResumable { .. } => {
                ErrorCode::SessionExited
            }
            Refusal::NameInUse(_) => ErrorCode::IdInUse,
            Refusal::MessageNotFound(_) => ErrorCode::MessageNotFound,
            Refusal::MessageStarted(_) => ErrorCode::MessageStarted,
            Refusal::QueueFull { .. } | Refusal::TooManySessions(_) | Refusal::TooManyOwned { .. } => {
                ErrorCode::QueueFull
            }
            Refusal::NotSupported { .. } => ErrorCode::NotSupported,
            Refusal::ConversationInUse { .. } => ErrorCode::AgentStartFailed,
            Refusal::NotASession | Refusal::AfterTooMany(_) | Refusal::Misplaced(_) => ErrorCode::Usage,
            Refusal::Forbidden(_) | Refusal::TooDeep(_) | Refusal::SessionLives(_) => ErrorCode::Forbidden,
            Refusal::RequestNotFound(_) => ErrorCode::RequestNotFound,
            Refusal::RequestNotPending(_) => ErrorCode::RequestNotPending,
            Refusal::NotStored(_) => ErrorCode::StoreUnwritable,
            Refusal::Stopping => ErrorCode::DaemonUnreachable,
        };
        let failure = Self::new(code, refusal.to_string());
        match &refusal {
            Refusal::SessionExited(name)
            | Refusal::SessionStopping(name)
            | Refusal::NotResumable { session: name, .. } => failure.with_detail("session", name.as_str()),
            Refusal::ConversationInUse { conversation, by } => failure
                .with_detail("conversation", conversation.as_str())
                .with_detail("session", by.as_str())
                .with_hint(format!("adj send {by}")),
            Refusal::QueueFull { session, messages, bytes } => failure
                .with_detail("session", session.as_str())
                .with_detail("messages", *messages as u64)
                .with_detail("bytes", *bytes),
            Refusal::SessionNotFound(_)
            | Refusal::NameInUse(_)
            | Refusal::MessageNotFound(_)
            | Refusal::MessageStarted(_)
            | Refusal::TooManySessions(_)
            | Refusal::TooManyOwned { .. }
            | Refusal::TooDeep(_)
            | Refusal::NotASession
            | Refusal::AfterTooMany(_)
            | Refusal::NotSupported { .. }
            | Refusal::Misplaced(_)
            | Refusal::Forbidden(_)
            | Refusal::RequestNotFound(_)
            | Refusal::RequestNotPending(_)
            | Refusal::SessionLives(_)
            | Refusal::NotStored(_)
            | Refusal::Stopping => failure,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let known = StatusCode::from_u16(self.body.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let code = self.body.code.clone();
        let mut answer = (self.status.unwrap_or(known), Json(ErrorDocument { error: *self.body })).into_response();
        answer.extensions_mut().insert(code);
        answer
    }
}

/// A path that is not in the table.
pub(crate) async fn no_such_route(uri: Uri) -> Failure {
    let failure = Failure::new(ErrorCode::Usage, format!("there is no {}", uri.path()));
    Failure { status: Some(StatusCode::NOT_FOUND), ..failure }
}

/// A verb that the path does not have.
pub(crate) async fn no_such_verb(uri: Uri) -> Failure {
    let failure = Failure::new(ErrorCode::Usage, format!("{} does not take that HTTP method", uri.path()));
    Failure { status: Some(StatusCode::METHOD_NOT_ALLOWED), ..failure }
}

/// Up to three names that differ little from what was given; nothing is ever done with them.
fn near(host: &Host, caller: Caller, text: &str) -> Vec<String> {
    let close = |name: &str| distance(name, text) <= 1 + text.len() / 6 || (text.len() >= 3 && name.starts_with(text));
    let seen = host.sessions().filter(|session| host.may(caller, session, Right::See));
    let mut names: Vec<&str> = seen.map(|s| s.name.as_str()).filter(|name| close(name)).collect();
    names.sort_by_key(|name| distance(name, text));
    names.into_iter().take(3).map(str::to_owned).collect()
}

/// How many letters have to be changed, added or left out to make one text of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(64).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distance_counts_letters() {
        assert_eq!(distance("fizz-top", "fiz-top"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("vi-jg", "vi-jg"), 0);
    }
}
