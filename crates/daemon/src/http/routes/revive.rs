//! Starting an exited session again, on its conversation.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use adjutant_api::ErrorCode;
use adjutant_api::types::message::{Sent, WakeSession};
use adjutant_core::call::{Answer, Call, NewMessage, Revival};
use adjutant_core::limits::READY_MS_DEFAULT;
use adjutant_core::session::Profile;
use adjutant_core::{Host, MessageId, Right, SessionId};

use super::bounds::Bounds;
use super::create::{merged, program};
use super::environment::or_base;
use super::messages::{enqueue, one};
use super::ready::await_ready;
use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::follow::Follower;
use crate::launch::{Launch, new_token, token_hash};

/// What a wake brings along for the case that its session has ended: nothing of it is stored.
pub(super) struct Means {
    environment: BTreeMap<String, String>,
    env: BTreeMap<String, String>,
    umask: Option<u32>,
    soft_limits: BTreeMap<String, Option<u64>>,
    ready_ms_max: u64,
}

impl Means {
    /// Takes them out of a wake.
    pub(super) fn of(wanted: &mut WakeSession) -> Self {
        Self {
            environment: std::mem::take(&mut wanted.environment),
            env: std::mem::take(&mut wanted.env),
            umask: wanted.umask.take(),
            soft_limits: std::mem::take(&mut wanted.soft_limits),
            ready_ms_max: wanted.timeout_ms.take().unwrap_or(READY_MS_DEFAULT),
        }
    }

    /// The caller's variables by the list of the agent, as at a create. Of those that the creator had named, the caller's own
    /// values are taken where it has any: they were not stored.
    fn extra(&self, profile: &Profile) -> BTreeMap<String, String> {
        let named = profile.env_names.iter().filter_map(|name| self.environment.get_key_value(name));
        let mut extra: BTreeMap<String, String> = named.map(|(name, value)| (name.clone(), value.clone())).collect();
        extra.extend(self.env.clone());
        extra
    }
}

/// Puts a message into the queue of a session, or lets its queue run on, and starts the session first where it has ended.
pub(super) async fn wake_or_revive(
    call: &Incoming,
    session: SessionId,
    message: Option<NewMessage>,
    means: &Means,
) -> Result<Option<Sent>, Failure> {
    if let Some(profile) = ended(call, session).await? {
        return revive(call, session, &profile, message, means).await;
    }
    match message {
        Some(message) => {
            let text = Arc::clone(&message.text);
            enqueue(call, session, message, &text, false).await.map(Some)
        }
        None => {
            call.app.supervisor.call(call.caller, Call::Release { session }).await?;
            Ok(None)
        }
    }
}

/// The profile of a session that has ended and can be started again; `None` for one that lives.
async fn ended(call: &Incoming, session: SessionId) -> Result<Option<Profile>, Failure> {
    let caller = call.caller;
    let look = move |host: &Host| match host.session(session).filter(|session| session.has_exited()) {
        // It is started with the surroundings of whoever wakes it, which is more than to send to it.
        Some(ended) => host
            .check_right(caller, ended, Right::Steer)
            .and_then(|()| host.check_revival(ended))
            .map(|()| Some(ended.profile.clone())),
        None => Ok(None),
    };
    Ok(call.app.look(look).await??)
}

async fn revive(
    call: &Incoming,
    session: SessionId,
    profile: &Profile,
    message: Option<NewMessage>,
    means: &Means,
) -> Result<Option<Sent>, Failure> {
    let (revival, launch) = prepare(call, session, profile, means).await?;
    let token = revival.token_hash.clone();
    let text = message.as_ref().map(|message| Arc::clone(&message.text));
    call.app.launches.put(token.clone(), launch);
    let mut follower = Follower::live(&call.app, vec![session]);
    let told = call.app.supervisor.call(call.caller, Call::Revive { session, revival, message }).await;
    if let Ok(Answer::Revived { message }) = told {
        let ready = await_ready(call, session, &mut follower, false, means.ready_ms_max).await;
        ready.map_err(|failure| with_message(failure, message))?;
        return told_of(call, session, message, text).await;
    }
    call.app.launches.forget(&token);
    match told {
        // Somebody else was first: it lives already.
        Ok(Answer::Queued { message, handed, ahead, replayed }) => {
            let message = one(call, session, message, None).await?;
            Ok(Some(Sent { message, handed, ahead: ahead as u64, repeated: replayed }))
        }
        Ok(Answer::Done) => Ok(None),
        Ok(other) => Err(Failure::internal(format!("a revival was answered with {other:?}"))),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Finds out what can be found out before anything is recorded or started.
async fn prepare(
    call: &Incoming,
    session: SessionId,
    profile: &Profile,
    means: &Means,
) -> Result<(Revival, Launch), Failure> {
    let agent = call.app.agents.get(&profile.agent).cloned();
    let agent = agent.ok_or_else(|| Failure::internal(format!("this build has no agent `{}`", profile.agent)))?;
    let bounds = Bounds::of(call, Some(session)).await?;
    let path = profile.path.clone();
    // Resolved anew, since a part of it may be a link by now that leads elsewhere.
    let directory = tokio::task::spawn_blocking(move || Path::new(&path).canonicalize()).await;
    let directory = directory.ok().and_then(Result::ok).filter(|directory| directory.is_dir()).ok_or_else(|| {
        let message = format!("its directory {} is not there any more", profile.path);
        bounds.told(&profile.path, Failure::new(ErrorCode::PathNotFound, message))
    })?;
    bounds.check_directory(&profile.path, &directory)?;
    let (environment, extra) = (or_base(&means.environment, &means.env)?, means.extra(profile));
    let program = program(agent, merged(&environment, &extra), profile.mode).await;
    let program = program.map_err(|failure| bounds.missing(profile.agent.as_str(), profile.mode, failure))?;
    let token = new_token().map_err(|error| Failure::internal(error.to_string()))?;
    let missing: Vec<&str> =
        profile.env_names.iter().filter(|name| !extra.contains_key(*name)).map(String::as_str).collect();
    let notice = (!missing.is_empty()).then(|| {
        format!("it is started again without variables that were named when it was created: {}", missing.join(", "))
    });
    let revival = Revival {
        program: program.display().to_string(),
        token_hash: token_hash(&token),
        notice,
        owned_live_max: bounds.live_max(),
    };
    let launch = Launch {
        caller_environment: environment,
        extra_environment: extra,
        inherited: call.app.inherited.overridden(means.umask, means.soft_limits.clone()),
        token,
        ready_ms_max: means.ready_ms_max,
    };
    Ok((revival, launch))
}

async fn told_of(
    call: &Incoming,
    session: SessionId,
    message: Option<MessageId>,
    text: Option<Arc<str>>,
) -> Result<Option<Sent>, Failure> {
    let Some(message) = message else { return Ok(None) };
    let message = one(call, session, message, text.map(|text| text.to_string())).await?;
    let handed = message.receipt.handed_at.is_some();
    Ok(Some(Sent { message, handed, ahead: 0, repeated: false }))
}

/// The message was accepted with the session and has ended with it; whoever is told of the failure can look at it.
fn with_message(failure: Failure, message: Option<MessageId>) -> Failure {
    match message {
        Some(message) => failure.with_detail("message", message.to_string()),
        None => failure,
    }
}
