//! Creating a session, and proving that it runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use adjutant_agents::Agent;
use adjutant_api::ErrorCode;
use adjutant_api::types::session::{CreateSession, Session as WireSession};
use adjutant_core::agent::Mode;
use adjutant_core::call::{Answer, Call, NewMessage, NewSession};
use adjutant_core::limits::READY_MS_DEFAULT;
use adjutant_core::message::{MessageKind, Sender};
use adjutant_core::session::Profile;
use adjutant_core::{AgentName, Right, SessionId, SessionName};
use axum::Json;
use uuid::Uuid;

use super::bounds::{Bounds, check_resume, check_stored};
use super::placed;
use super::ready::{await_ready, start_failure};
use super::sessions::record;
use super::{asked, environment};
use crate::http::call::Incoming;
use crate::http::error::Failure;
use crate::http::follow::Follower;
use crate::http::resolve::Rule;
use crate::http::{from_api, to_api};
use crate::launch::{Launch, new_token, token_hash};
use crate::workspace::Made;

/// `POST /v1/sessions`
pub(super) async fn create(call: Incoming) -> Result<Json<WireSession>, Failure> {
    let wanted: CreateSession = call.body()?;
    let no_wait = wanted.no_wait;
    let ready_ms_max = wanted.timeout_ms.unwrap_or(READY_MS_DEFAULT);
    let (new, launch, made) = prepare(&call, wanted).await?;
    let id = new.id;
    let token = new.profile.token_hash.clone();
    call.app.launches.put(token.clone(), launch);
    let mut follower = Follower::live(&call.app, vec![id]);
    let told = call.app.supervisor.call(call.caller, Call::Create(Box::new(new))).await;
    let (created, replayed) = match told {
        Ok(Answer::Created { session, replayed, .. }) => (session, replayed),
        Ok(other) => return Err(Failure::internal(format!("a create was answered with {other:?}"))),
        Err(refusal) => {
            call.app.launches.forget(&token);
            placed::take_back(&call, made).await;
            return Err(refusal.into());
        }
    };
    if replayed {
        call.app.launches.forget(&token);
        placed::take_back(&call, made).await;
        follower = Follower::live(&call.app, vec![created]);
    }
    if !no_wait {
        await_ready(&call, created, &mut follower, replayed, ready_ms_max).await?;
    }
    record(&call, created, to_api::session).await
}

/// Checks everything that can be checked before anything is recorded or started.
async fn prepare(call: &Incoming, mut wanted: CreateSession) -> Result<(NewSession, Launch, Option<Made>), Failure> {
    let agent = agent(call, &wanted.cli)?;
    let parent = parent(call, wanted.parent.as_deref()).await?;
    let bounds = Bounds::of(call, parent).await?;
    bounds.apply(&mut wanted)?;
    check_resume(call, &wanted).await?;
    wanted.environment = environment::or_base(&wanted.environment, &wanted.env)?;
    let mode = mode(&agent, &wanted, &bounds)?;
    asked::check(agent.capabilities(), &wanted)?;
    agent.check(asked::chosen(&wanted)).map_err(|why| Failure::new(ErrorCode::Usage, why))?;
    let (resume, policy) = (asked::resume(&wanted), asked::policy(&wanted));
    let name = wanted.id.as_deref().map(str::parse::<SessionName>).transpose();
    let name = name.map_err(|error| Failure::new(ErrorCode::IdInvalid, error.to_string()))?;
    let message = wanted.message.take().map(|text| from_api::text(text, call.app.message_bytes_max)).transpose()?;
    if let Some(message) = &message {
        check_stored(call, message.len()).await?;
    }
    let description = from_api::description(wanted.description.clone())?;
    let key = from_api::key(wanted.key.clone())?;
    let directory = placed::directory(wanted.path.clone()).await;
    let directory = directory.map_err(|failure| bounds.told(&wanted.path, failure))?;
    bounds.check_directory(&wanted.path, &directory)?;
    let program = program(agent, merged(&wanted.environment, &wanted.env), mode).await;
    let program = program.map_err(|failure| bounds.missing(&wanted.cli, mode, failure))?;
    let token = new_token().map_err(|error| Failure::internal(error.to_string()))?;
    let uuid = Uuid::now_v7();
    let id = SessionId::from_bytes(*uuid.as_bytes());
    // Last of what can fail, because it leaves something behind.
    let placed = placed::place(call, &directory, &wanted, &bounds, id).await?;
    let profile = Profile {
        agent: AgentName::new(wanted.cli),
        mode,
        path: placed.path,
        project: placed.located.project,
        worktree: placed.located.worktree,
        description,
        resume,
        policy,
        model: wanted.model,
        effort: wanted.effort,
        headless: wanted.headless,
        sandbox: wanted.sandbox,
        arguments: wanted.arguments,
        program: program.display().to_string(),
        env_names: wanted.env.keys().cloned().collect(),
        creator: Sender::Human,
        key,
        token_hash: token_hash(&token),
        keep_failed: wanted.no_wait,
        trust: wanted.trust,
        owner: bounds.owner,
    };
    // The last eight bytes of a version 7 UUID are random but for two bits, so that they serve as a seed too.
    let name_seed = u64::from_be_bytes(uuid.as_bytes()[8..].try_into().unwrap_or_default());
    let message = message.map(first_message);
    let launch = Launch {
        caller_environment: wanted.environment,
        extra_environment: wanted.env,
        inherited: call.app.inherited.overridden(wanted.umask, wanted.soft_limits),
        token,
        ready_ms_max: wanted.timeout_ms.unwrap_or(READY_MS_DEFAULT),
    };
    let owned_live_max = bounds.live_max();
    Ok((NewSession { id, name_seed, name, profile, parent, message, owned_live_max }, launch, placed.made))
}

/// A message that waits for nothing.
fn first_message(text: Arc<str>) -> NewMessage {
    let kind = MessageKind::Next;
    NewMessage { text, kind, key: None, reply_to: None, due: None, after: None, expires: None, interrupt: false }
}

pub(super) fn merged(caller: &BTreeMap<String, String>, extra: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut all = caller.clone();
    all.extend(extra.clone());
    all
}

fn agent(call: &Incoming, name: &str) -> Result<Arc<dyn Agent>, Failure> {
    call.app.agents.get(&AgentName::new(name)).cloned().ok_or_else(|| {
        let known: Vec<&str> = call.app.agents.keys().map(AgentName::as_str).collect();
        let message = format!("there is no agent `{name}` (there is: {})", known.join(", "));
        Failure::new(ErrorCode::AgentNotFound, message).with_detail("agents", known)
    })
}

fn mode(agent: &Arc<dyn Agent>, wanted: &CreateSession, bounds: &Bounds) -> Result<Mode, Failure> {
    let modes = &agent.capabilities().modes;
    let known: Vec<String> = modes.iter().map(|mode| to_api::mode(*mode).to_string()).collect();
    let refused = |word: &str| {
        let message = format!("{} has no mode `{word}` (there is: {})", wanted.cli, known.join(", "));
        Failure::new(ErrorCode::NotSupported, message)
    };
    let mode = match &wanted.mode {
        None => modes.first().copied().ok_or_else(|| refused("default"))?,
        Some(word) => {
            let known = from_api::mode(word).ok_or_else(|| refused(word.as_str()))?;
            bounds.check_mode(known)?;
            Some(known).filter(|mode| modes.contains(mode)).ok_or_else(|| refused(word.as_str()))?
        }
    };
    bounds.check_mode(mode)?;
    Ok(mode)
}

async fn parent(call: &Incoming, wanted: Option<&str>) -> Result<Option<SessionId>, Failure> {
    match wanted {
        None => Ok(call.caller.session()),
        Some("none") => Ok(None),
        Some(text) => call.resolve(text, Rule::Change, Right::Steer).await.map(Some),
    }
}

pub(super) async fn program(
    agent: Arc<dyn Agent>,
    environment: BTreeMap<String, String>,
    mode: Mode,
) -> Result<PathBuf, Failure> {
    let found = tokio::task::spawn_blocking(move || agent.find(&environment, mode)).await;
    let found = found.map_err(|_| Failure::internal("looking for the agent failed"))?;
    found.map(|program| program.path).map_err(|why| start_failure(&why))
}
