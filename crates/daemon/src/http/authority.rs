//! Who calls, and whether they may: decided here, before any handler runs, for every way into the daemon alike.
//!
//! The table of methods says who may call a method at all, and [`Host::may`](adjutant_core::Host::may) over which sessions.
//! Nobody else decides: the gateway passes a token on and says that it did.

use std::sync::Arc;

use adjutant_api::ErrorCode;
use adjutant_api::methods::{Callers, Method, Scope};
use adjutant_api::protocol::{EVENT_STREAM, GATEWAY_HEADER, NDJSON, TOKEN_HEADER};
use adjutant_core::TokenId;
use adjutant_core::call::Caller;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;

use super::App;
use super::error::Failure;
use crate::audit::Told;
use crate::launch::token_hash;
use crate::tokens::Grant;

/// Who calls, with what the caller's token allows where it came with one.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) caller: Caller,
    pub(crate) grant: Option<Arc<Grant>>,
}

/// The door of one method.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) app: App,
    pub(crate) method: &'static Method,
}

/// Finds out who calls, refuses those who may not, and lets the others in.
pub(crate) async fn enter(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let identity = match identity(&door.app, request.headers()).await {
        Ok(identity) => identity,
        Err(failure) => return failure.into_response(),
    };
    let caller = identity.caller;
    let told = audited(&door, &identity, &request);
    let answer = match check_method(door.method, caller) {
        Err(failure) => failure.into_response(),
        Ok(()) => {
            request.extensions_mut().insert(identity);
            within_token(&door.app, caller, next.run(request)).await
        }
    };
    if let Some(told) = told {
        told.answered(answer.status().as_u16(), answer.extensions().get::<ErrorCode>());
    }
    answer
}

/// Who calls: whom the token proves, or else the user, whose processes alone reach the socket.
async fn identity(app: &App, headers: &HeaderMap) -> Result<Identity, Failure> {
    let outside = headers.contains_key(GATEWAY_HEADER);
    let Some(value) = headers.get(AUTHORIZATION) else {
        return match outside {
            true => Err(unauthorized("a call through the gateway needs a token")),
            false => Ok(Identity { caller: Caller::Human, grant: None }),
        };
    };
    let bad = || match outside {
        true => unauthorized("the token is not good: it has ended, was revoked, or never was one of this host's"),
        false => unauthorized("the token is none of a session that lives, nor one of the gateway that is good"),
    };
    let token = value.to_str().ok().and_then(|text| text.strip_prefix("Bearer ")).ok_or_else(bad)?;
    let hash = token_hash(token);
    if let Some((id, grant)) = app.tokens.find(&hash) {
        return Ok(Identity { caller: Caller::Token(id), grant: Some(Arc::new(grant)) });
    }
    if outside {
        return Err(bad());
    }
    let session = app.look(move |host| host.by_token_hash(&hash).map(|session| session.id)).await?;
    session.map(|id| Identity { caller: Caller::Session(id), grant: None }).ok_or_else(bad)
}

fn unauthorized(why: &str) -> Failure {
    Failure::new(ErrorCode::Unauthorized, why).with_hint("adj gateway token create")
}

fn check_method(method: &Method, caller: Caller) -> Result<(), Failure> {
    let (class, who) = match caller {
        Caller::Human => (Callers::User, "the user"),
        Caller::Session(_) => (Callers::Inside, "a session"),
        Caller::Token(_) => (Callers::All, "a token of the gateway"),
    };
    match class <= method.callers {
        true => Ok(()),
        false => Err(Failure::new(ErrorCode::Forbidden, format!("`{}` is not for {who}", method.name))),
    }
}

/// What a caller outside changes is on record, whatever comes of it.
fn audited(door: &Door, identity: &Identity, request: &Request) -> Option<Told> {
    let Caller::Token(token) = identity.caller else { return None };
    if door.method.scope == Scope::Read {
        return None;
    }
    let label = identity.grant.as_ref().and_then(|grant| grant.label.clone());
    let peer = request.headers().get(GATEWAY_HEADER).and_then(|peer| peer.to_str().ok()).unwrap_or("socket");
    Some(door.app.audit.begin(token, label, door.method, request.uri().path(), peer))
}

/// Runs a call no longer than its token is good.
async fn within_token(app: &App, caller: Caller, call: impl Future<Output = Response>) -> Response {
    let Caller::Token(token) = caller else { return call.await };
    let mut answer = tokio::select! {
        answer = call => until_ended(app, token, answer),
        () = Arc::clone(&app.tokens).ended(token) => unauthorized("the token has ended").into_response(),
    };
    if let Ok(id) = HeaderValue::from_str(&token.to_string()) {
        answer.headers_mut().insert(TOKEN_HEADER, id);
    }
    answer
}

/// A stream ends with its token.
fn until_ended(app: &App, token: TokenId, answer: Response) -> Response {
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind != Some(EVENT_STREAM) && kind != Some(NDJSON) {
        return answer;
    }
    let (parts, body) = answer.into_parts();
    let ended = Arc::clone(&app.tokens).ended(token);
    Response::from_parts(parts, Body::from_stream(body.into_data_stream().take_until(Box::pin(ended))))
}
