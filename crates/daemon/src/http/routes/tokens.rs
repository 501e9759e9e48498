//! Tokens of the gateway: made, listed, revoked by the user.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use adjutant_api::types::gateway::{CreateToken, CreatedToken, Token};
use adjutant_api::types::session::ModeWord;
use adjutant_api::{ErrorCode, WireTime};
use adjutant_core::agent::Mode;
use adjutant_core::{Host, TokenId};
use axum::Json;

use super::placed::directory;
use crate::clock;
use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::{from_api, to_api};
use crate::launch::{new_token, token_hash};
use crate::tokens::{Grant, ModeRow, SESSIONS_MAX_DEFAULT, TokenError, Tokens};

/// What the text of every token begins with, so that one which lies about is recognised.
const PREFIX: &str = "adjgw_";

/// Directories of one token.
const ROOTS_MAX: usize = 100;

/// Variables of one token, and their bytes together.
const VARIABLES_MAX: usize = 500;
const VARIABLES_BYTES_MAX: usize = 256 * 1024;

/// A moment as it is written on the wire.
pub(super) fn time(millis: i64) -> WireTime {
    WireTime::from_millis(millis)
}

/// `GET /v1/gateway/tokens`
pub(super) async fn list(call: Incoming) -> Result<Json<Vec<Token>>, Failure> {
    let all = with_tokens(&call, Tokens::all).await?;
    call.app.look(move |host| Json(all.into_iter().map(|(id, grant)| on_wire(host, id, grant)).collect())).await
}

/// `POST /v1/gateway/tokens`
pub(super) async fn create(call: Incoming) -> Result<Json<CreatedToken>, Failure> {
    let wanted: CreateToken = call.body()?;
    let secret = new_token().map_err(|error| Failure::internal(error.to_string()))?;
    let secret = format!("{PREFIX}{secret}");
    let grant = grant(wanted, token_hash(&secret)).await?;
    let kept = grant.clone();
    let id = with_tokens(&call, move |tokens| tokens.add(kept)).await?;
    tracing::info!(token = %id, label = grant.label, "a token of the gateway was made");
    let token = call.app.look(move |host| on_wire(host, id, grant)).await?;
    Ok(Json(CreatedToken { secret, token }))
}

/// `DELETE /v1/gateway/tokens/{token}`
pub(super) async fn revoke(call: Incoming) -> Result<Json<Token>, Failure> {
    let id = call.parameter("token").parse::<TokenId>();
    let id = id.map_err(|error| Failure::new(ErrorCode::IdInvalid, error.to_string()))?;
    let grant = with_tokens(&call, move |tokens| tokens.revoke(id)).await?;
    tracing::info!(token = %id, label = grant.label, "a token of the gateway was revoked");
    call.app.look(move |host| Json(on_wire(host, id, grant))).await
}

async fn with_tokens<T: Send + 'static>(
    call: &Incoming,
    work: impl FnOnce(&Tokens) -> Result<T, TokenError> + Send + 'static,
) -> Result<T, Failure> {
    let tokens = Arc::clone(&call.app.tokens);
    let done = tokio::task::spawn_blocking(move || work(&tokens)).await;
    Ok(done.map_err(|_| Failure::internal("looking at the tokens failed"))??)
}

/// What is asked for, checked.
async fn grant(wanted: CreateToken, hash: String) -> Result<Grant, Failure> {
    let usage = |message: String| Failure::new(ErrorCode::Usage, message);
    if wanted.roots.is_empty() {
        return Err(usage("a token names at least one directory".to_owned()));
    }
    if wanted.roots.len() > ROOTS_MAX {
        return Err(usage(format!("a token names at most {ROOTS_MAX} directories")));
    }
    let mut roots: Vec<PathBuf> = Vec::new();
    for root in wanted.roots {
        roots.push(directory(root).await?);
    }
    let now = clock::wall().as_millis();
    let expires_at = wanted.expires_ms.map(|millis| now.saturating_add_unsigned(millis));
    Ok(Grant {
        hash,
        label: from_api::description(wanted.label)?,
        roots,
        modes: modes(&wanted.modes)?,
        sessions_max: wanted.sessions_max.unwrap_or(SESSIONS_MAX_DEFAULT),
        created_at: now,
        expires_at,
        environment: checked(wanted.environment)?,
    })
}

fn modes(words: &[ModeWord]) -> Result<Vec<ModeRow>, Failure> {
    if words.is_empty() {
        return Ok(vec![ModeRow::Guarded, ModeRow::Docker]);
    }
    let mut modes = Vec::new();
    for word in words {
        let mode = from_api::mode(word);
        let mode = mode.ok_or_else(|| Failure::new(ErrorCode::NotSupported, format!("there is no mode `{word}`")))?;
        if !modes.contains(&ModeRow::from(mode)) {
            modes.push(ModeRow::from(mode));
        }
    }
    Ok(modes)
}

fn checked(environment: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Failure> {
    let bytes: usize = environment.iter().map(|(name, value)| name.len() + value.len()).sum();
    if environment.len() > VARIABLES_MAX || bytes > VARIABLES_BYTES_MAX {
        let message = format!("a token has at most {VARIABLES_MAX} variables with {VARIABLES_BYTES_MAX} bytes");
        return Err(Failure::new(ErrorCode::Usage, message));
    }
    Ok(environment)
}

fn on_wire(host: &Host, id: TokenId, grant: Grant) -> Token {
    let live = host.sessions().filter(|session| !session.has_exited() && session.profile.owner == Some(id)).count();
    Token {
        id: id.to_string(),
        expired: !grant.is_good_at(clock::wall()),
        label: grant.label,
        roots: grant.roots.iter().map(|root| root.display().to_string()).collect(),
        modes: grant.modes.iter().map(|mode| to_api::mode(Mode::from(*mode))).collect(),
        sessions_max: grant.sessions_max,
        sessions_live: live as u64,
        variables: grant.environment.into_keys().collect(),
        created_at: time(grant.created_at),
        expires_at: grant.expires_at.map(time),
    }
}
