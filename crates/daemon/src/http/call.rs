//! One HTTP call, read: who calls, what its path, query and body say.

use std::sync::Arc;

use adjutant_api::methods::METHODS;
use adjutant_api::protocol::{LAST_EVENT_ID_HEADER, NDJSON, PROTOCOL, PROTOCOL_HEADER, VERSION, VERSION_HEADER};
use adjutant_api::{ErrorCode, query};
use adjutant_core::call::Caller;
use adjutant_core::message::{Message, Sender};
use adjutant_core::{Host, Right, SessionId};
use axum::body::Bytes;
use axum::extract::{FromRequest, RawPathParams, Request};
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use super::authority::Identity;
use super::error::Failure;
use super::resolve::Rule;
use super::{App, resolve};
use crate::tokens::Grant;

/// A call with everything that a handler may want of it.
pub(crate) struct Incoming {
    pub(crate) app: App,
    pub(crate) caller: Caller,
    /// What the caller's token allows, where it came with one.
    pub(crate) grant: Option<Arc<Grant>>,
    parameters: Vec<(String, String)>,
    query: String,
    headers: HeaderMap,
    body: Bytes,
}

impl FromRequest<App> for Incoming {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let Identity { caller, grant } = of_door(&mut parts.extensions)?;
        let parameters = parameters(&mut parts, app).await?;
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let headers = parts.headers.clone();
        let body = Bytes::from_request(Request::from_parts(parts, body), app).await;
        let body = body.map_err(|rejection| too_large(app, rejection.status().as_u16()))?;
        Ok(Self { app: app.clone(), caller, grant, parameters, query, headers, body })
    }
}

/// Who calls, as the door has found out.
pub(crate) fn of_door(extensions: &mut axum::http::Extensions) -> Result<Identity, Failure> {
    extensions.remove::<Identity>().ok_or_else(|| Failure::internal("nobody has asked who calls"))
}

async fn parameters(parts: &mut axum::http::request::Parts, app: &App) -> Result<Vec<(String, String)>, Failure> {
    use axum::extract::FromRequestParts;
    let raw = RawPathParams::from_request_parts(parts, app).await;
    let raw = raw.map_err(|_| Failure::new(ErrorCode::IdInvalid, "the path is not UTF-8"))?;
    Ok(raw.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn too_large(app: &App, status: u16) -> Failure {
    match status {
        413 => Failure::new(
            ErrorCode::MessageTooLarge,
            format!("the body is larger than {} bytes of text allow", app.message_bytes_max),
        )
        .with_detail("limit", app.message_bytes_max as u64),
        _ => Failure::new(ErrorCode::Usage, "the body could not be read"),
    }
}

impl Incoming {
    /// A parameter of the path.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The session that the path names, for a caller that may see it.
    pub(crate) async fn session_to_read(&self) -> Result<SessionId, Failure> {
        self.resolve(self.parameter("id"), Rule::Read, Right::See).await
    }

    /// The session that the path names, for a caller that may change it.
    pub(crate) async fn session_to_change(&self) -> Result<SessionId, Failure> {
        self.resolve(self.parameter("id"), Rule::Change, Right::Steer).await
    }

    /// The session that the path names, for a caller that may send to it.
    pub(crate) async fn session_to_send_to(&self) -> Result<SessionId, Failure> {
        self.resolve(self.parameter("id"), Rule::Change, Right::Send).await
    }

    /// Any session that the call names, for a caller that has this right over it.
    pub(crate) async fn resolve(&self, text: &str, rule: Rule, right: Right) -> Result<SessionId, Failure> {
        let (text, caller) = (text.to_owned(), self.caller);
        self.app.look(move |host| resolve::allowed(host, &text, caller, rule, right)).await?
    }

    /// Whether the caller has this right over a session; over one that is gone, the user alone has.
    pub(crate) async fn may(&self, session: SessionId, right: Right) -> Result<bool, Failure> {
        let caller = self.caller;
        let may = move |host: &Host| host.session(session).map(|session| host.may(caller, session, right));
        Ok(self.app.look(may).await?.unwrap_or(caller == Caller::Human))
    }

    /// Whether a message is from the caller, who may then see what became of it.
    pub(crate) fn is_from_caller(&self, message: &Message) -> bool {
        match (self.caller, message.from) {
            (Caller::Session(caller), Sender::Session(from)) => caller == from,
            (Caller::Token(caller), Sender::Token(from)) => caller == from,
            (Caller::Human, _) => true,
            (Caller::Session(_) | Caller::Token(_), _) => false,
        }
    }

    /// The query, as the type that the table names.
    pub(crate) fn query<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        query::from_query(&self.query).map_err(|error| Failure::new(ErrorCode::Usage, error.to_string()))
    }

    /// The body, as the type that the table names; no body at all is an empty object.
    pub(crate) fn body<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let bytes: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        // Serde would take the fields from an array too, by their places.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(Failure::new(ErrorCode::Usage, "the body is no JSON object"));
        }
        serde_json::from_slice(bytes)
            .map_err(|error| Failure::new(ErrorCode::Usage, format!("the body is not right: {error}")))
    }

    /// Whether the caller wants streams as JSON lines.
    pub(crate) fn wants_lines(&self) -> bool {
        self.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|text| text.contains(NDJSON))
    }

    /// The cursor from which a stream is taken up again.
    pub(crate) fn last_event_id(&self) -> Option<&str> {
        self.headers.get(LAST_EVENT_ID_HEADER).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty())
    }
}

/// Refuses callers of another protocol, web pages, and requests that could only come from one.
pub(crate) async fn check_protocol(request: Request, next: Next) -> Response {
    match protocol_flaw(request.uri().path(), request.headers()) {
        None => next.run(request).await,
        Some(failure) => failure.into_response(),
    }
}

fn protocol_flaw(path: &str, headers: &HeaderMap) -> Option<Failure> {
    if headers.contains_key(axum::http::header::ORIGIN) {
        return Some(Failure::new(ErrorCode::Forbidden, "calls from web pages are not answered"));
    }
    let theirs = headers.get(PROTOCOL_HEADER)?.to_str().unwrap_or("unreadable");
    if theirs == PROTOCOL.to_string() || METHODS.iter().any(|method| method.any_protocol && method.path == path) {
        return None;
    }
    let version = headers.get(VERSION_HEADER).and_then(|v| v.to_str().ok()).unwrap_or("unknown");
    let message = format!(
        "the caller is adj {version} with protocol {theirs}, and the daemon is {VERSION} with protocol {PROTOCOL}"
    );
    let failure = Failure::new(ErrorCode::VersionMismatch, message).with_hint("adj daemon stop");
    Some(failure.with_detail("daemon_version", VERSION).with_detail("caller_version", version))
}
