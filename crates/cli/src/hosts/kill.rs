//! Ending sessions wherever they are: a failure, or a host that is out of reach, does not stop the rest.

use adjutant_api::types::session::{KillSessions, Killed, StatusWord};
use adjutant_api::{ErrorBody, ErrorCode};
use adjutant_client::{Client, ClientError, ClientOptions, Endpoint};
use tokio::task::{JoinSet, LocalSet};

use super::cache::Known;
use crate::context::Context;
use crate::error::CommandError;
use crate::way::{Remote, Way};

/// What is to be ended on one host.
struct There {
    remote: Remote,
    which: KillSessions,
    /// The sessions that it is about, as far as they are known here.
    ids: Vec<String>,
}

/// Ends sessions here and on other hosts, and gives what came of each; what cannot be said of a single one is a warning.
pub(crate) async fn kill(context: &mut Context, which: &KillSessions) -> Result<Vec<Killed>, CommandError> {
    // Where there is no home, that is what is wrong.
    context.client()?;
    let there = if context.knows_others()? { elsewhere(context, which).await? } else { Vec::new() };
    let is_elsewhere = |id: &String| there.iter().any(|one| one.ids.contains(id));
    let here =
        KillSessions { ids: which.ids.iter().filter(|id| !is_elsewhere(id)).cloned().collect(), ..which.clone() };
    let asks_here = !here.ids.is_empty() || which.ids.is_empty();
    let asked = LocalSet::new();
    let client = context.client()?;
    let (told, (others, warnings)) = asked
        .run_until(async {
            let own = async { if asks_here { client.kill(&here).await } else { Ok(Vec::new()) } };
            tokio::join!(own, on_all(there))
        })
        .await;
    warnings.iter().for_each(|warning| context.ui.warning(warning));
    if let (Way::Host(remote), Ok(told), true) = (context.way()?.clone(), &told, which.purge) {
        forget(&remote, told);
    }
    // What was done on other hosts is told, whatever is wrong with the call here.
    let told = match told {
        Ok(told) => told,
        Err(error) if others.is_empty() => return Err(error.into()),
        Err(error) => here.ids.iter().map(|id| failed(id, &error)).collect(),
    };
    Ok(told.into_iter().chain(others).collect())
}

/// The other hosts that a call is about: those that hold the sessions it names, or all of the configuration.
async fn elsewhere(context: &mut Context, which: &KillSessions) -> Result<Vec<There>, CommandError> {
    let home = Context::home()?;
    if which.ids.is_empty() {
        let all = |remote: Remote| {
            let known = Known::load(&home, &remote);
            let live = known.sessions.iter().filter(|session| session.status != StatusWord::Exited);
            There { remote, which: which.clone(), ids: live.map(|session| session.id.clone()).collect() }
        };
        let (remotes, unread) = Remote::all(context);
        unread.iter().for_each(|warning| context.ui.warning(warning));
        return Ok(remotes.into_iter().map(all).collect());
    }
    let mut there: Vec<There> = Vec::new();
    let known = Known::all(&home);
    for id in &which.ids {
        let holders: Vec<&Known> = known.iter().filter(|host| host.has(id)).collect();
        let Some(first) = holders.first() else { continue };
        if holders.len() > 1 || is_here(context, id).await? {
            return Err(ambiguous(id));
        }
        match there.iter_mut().find(|one| one.remote.name == first.name) {
            Some(one) => one.ids.push(id.clone()),
            None => {
                let remote = Remote::known(&first.name, &first.target, &first.program)?;
                there.push(There { remote, which: which.clone(), ids: vec![id.clone()] });
            }
        }
    }
    there.iter_mut().for_each(|one| one.which.ids.clone_from(&one.ids));
    Ok(there)
}

async fn is_here(context: &mut Context, id: &str) -> Result<bool, CommandError> {
    match context.client()?.session(id).await {
        Ok(_) => Ok(true),
        Err(ClientError::Refused(body)) if body.code == ErrorCode::SessionNotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn ambiguous(id: &str) -> CommandError {
    let message = format!("{id} is on several hosts; `--host` and the UUID of a session say which is meant");
    CommandError::new(ErrorCode::AmbiguousId, message).with_hint("adj list -a --json")
}

/// Asks all of them at once.
async fn on_all(there: Vec<There>) -> (Vec<Killed>, Vec<String>) {
    let mut asked = JoinSet::new();
    for one in there {
        asked.spawn_local(async move {
            let told = on_one(&one).await;
            (one, told)
        });
    }
    let (mut killed, mut warnings) = (Vec::new(), Vec::new());
    while let Some(answer) = asked.join_next().await {
        match answer {
            Ok((one, Ok(told))) => {
                if one.which.purge {
                    forget(&one.remote, &told);
                }
                killed.extend(told);
            }
            Ok((one, Err(error))) if one.ids.is_empty() => {
                warnings.push(format!("{}, and nothing is known of its sessions.", ErrorBody::from(error).message));
            }
            Ok((one, Err(error))) => killed.extend(one.ids.iter().map(|id| failed(id, &error))),
            Err(_) => {}
        }
    }
    warnings.sort();
    (killed, warnings)
}

async fn on_one(there: &There) -> Result<Vec<Killed>, ClientError> {
    let mut client = Client::new(ClientOptions {
        endpoint: Endpoint::Ssh(there.remote.ssh()),
        token: None,
        autostart: true,
        warn: Box::new(|_, _| {}),
    });
    client.kill(&there.which).await
}

/// What somebody has wanted to be forgotten there is forgotten here.
fn forget(remote: &Remote, told: &[Killed]) {
    let Ok(home) = Context::home() else { return };
    let mut known = Known::load(&home, remote);
    let is_gone = |id: &str| told.iter().any(|one| one.killed && one.id == id);
    known.sessions.retain(|session| !is_gone(&session.id));
    // It is shown as unknown otherwise, which is true as well.
    let _ = known.save(&home);
}

fn failed(id: &str, error: &ClientError) -> Killed {
    Killed { id: id.to_owned(), killed: false, error: Some(ErrorBody::from(error.clone())) }
}
