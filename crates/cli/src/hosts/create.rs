//! Creating a session under an id that is nobody's on any host that is known here, so that an id alone says which is meant.

use std::collections::BTreeSet;

use adjutant_api::types::session::{CreateSession, Session, SessionsQuery};
use adjutant_api::{ErrorCode, SessionName, choose_name};
use adjutant_client::ClientError;

use super::cache::Known;
use crate::context::Context;
use crate::error::CommandError;
use crate::way::Way;

/// Ids that are tried on a host which has more sessions than are known here.
const TRIES: usize = 5;

/// Creates it. Where another host is known, its daemon is told an id instead of choosing one, and another one where it has
/// that; where none is, the daemon chooses.
pub(crate) async fn create(context: &mut Context, wanted: &CreateSession) -> Result<Session, CommandError> {
    let Some(mut taken) = taken(context).await? else { return Ok(context.client()?.create(wanted).await?) };
    if let Some(id) = wanted.id.as_ref().filter(|id| taken.contains(*id)) {
        let message = format!("the id {id} is that of a session of another host");
        return Err(CommandError::new(ErrorCode::IdInUse, message).with_hint("adj list -a"));
    }
    if wanted.id.is_some() {
        return Ok(context.client()?.create(wanted).await?);
    }
    let mut tried = 0;
    loop {
        let name = choose_name(seed(wanted), |name: &SessionName| taken.contains(name.as_str())).to_string();
        let named = CreateSession { id: Some(name.clone()), ..wanted.clone() };
        tried += 1;
        match context.client()?.create(&named).await {
            Err(ClientError::Refused(body)) if body.code == ErrorCode::IdInUse && tried < TRIES => {
                taken.insert(name);
            }
            created => return Ok(created?),
        }
    }
}

/// The ids of all hosts but of the one that it is created on, which knows its own; `None` where there is no other host. No
/// daemon is started for the question: one that is not there has no say.
async fn taken(context: &mut Context) -> Result<Option<BTreeSet<String>>, CommandError> {
    let target = match context.way()? {
        Way::Here => None,
        Way::Host(remote) => Some(remote.name.clone()),
        Way::Sandbox(_) => return Ok(None),
    };
    let Ok(home) = Context::home() else { return Ok(None) };
    let others = Known::all(&home).into_iter().filter(|host| Some(&host.name) != target.as_ref());
    let mut ids: BTreeSet<String> = others.flat_map(|host| host.sessions).map(|session| session.id).collect();
    if target.is_some() {
        let all = SessionsQuery { all: true, ..SessionsQuery::default() };
        match Context::client_of_user(false)?.sessions(&all).await {
            Ok(here) => ids.extend(here.into_iter().map(|session| session.id)),
            Err(ClientError::NotRunning { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok((!ids.is_empty() || target.is_some()).then_some(ids))
}

/// Where in the names the search begins: another place for each create, and the same when it is said again.
fn seed(wanted: &CreateSession) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    wanted.key.as_deref().unwrap_or_default().bytes().fold(0xcbf2_9ce4_8422_2325, step)
}
