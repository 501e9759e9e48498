//! One HTTP call, read: who calls, what its path, query and body say.

use adjutant_api::methods::METHODS;
use adjutant_api::protocol::{LAST_EVENT_ID_HEADER, NDJSON, PROTOCOL, PROTOCOL_HEADER, VERSION, VERSION_HEADER};
use adjutant_api::{ErrorCode, query};
use adjutant_core::SessionId;
use adjutant_core::call::Caller;
use axum::body::Bytes;
use axum::extract::{FromRequest, RawPathParams, Request};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, AUTHORIZATION};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use super::error::Failure;
use super::{App, resolve};
use crate::launch::token_hash;

/// A call with everything that a handler may want of it.
pub(crate) struct Incoming {
    pub(crate) app: App,
    pub(crate) caller: Caller,
    parameters: Vec<(String, String)>,
    query: String,
    headers: HeaderMap,
    body: Bytes,
}

impl FromRequest<App> for Incoming {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let caller = caller(app, &parts.headers).await?;
        let parameters = parameters(&mut parts, app).await?;
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let headers = parts.headers.clone();
        let body = Bytes::from_request(Request::from_parts(parts, body), app).await;
        let body = body.map_err(|rejection| too_large(app, rejection.status().as_u16()))?;
        Ok(Self { app: app.clone(), caller, parameters, query, headers, body })
    }
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

/// Who calls: the session that its token proves, or else the user, whose processes alone reach the socket.
pub(crate) async fn caller(app: &App, headers: &HeaderMap) -> Result<Caller, Failure> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(Caller::Human) };
    let unauthorized = || Failure::new(ErrorCode::Unauthorized, "the token is not one of a session that lives");
    let token = value.to_str().ok().and_then(|text| text.strip_prefix("Bearer ")).ok_or_else(unauthorized)?;
    let hash = token_hash(token);
    let session = app.look(move |host| host.by_token_hash(&hash).map(|session| session.id)).await?;
    session.map(Caller::Session).ok_or_else(unauthorized)
}

impl Incoming {
    /// A parameter of the path.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The session that the path names, found by the rules for reading.
    pub(crate) async fn session_to_read(&self) -> Result<SessionId, Failure> {
        self.resolve(self.parameter("id"), resolve::Rule::Read).await
    }

    /// The session that the path names, found by the rules for changing.
    pub(crate) async fn session_to_change(&self) -> Result<SessionId, Failure> {
        self.resolve(self.parameter("id"), resolve::Rule::Change).await
    }

    /// Any session that the call names.
    pub(crate) async fn resolve(&self, text: &str, rule: resolve::Rule) -> Result<SessionId, Failure> {
        let (text, caller) = (text.to_owned(), self.caller);
        self.app.look(move |host| resolve::session(host, &text, caller, rule)).await?
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
