//! Finding the machines of sessions that are named without their hosts.

use adjutant_api::ErrorCode;
use adjutant_client::ClientError;
use clap::ArgMatches;

use super::cache::Known;
use crate::context::Context;
use crate::error::CommandError;
use crate::runtime;
use crate::value::SessionArg;

/// Verbs that take sessions of several hosts at once; `kill` looks for them itself.
const OVER_HOSTS: [&str; 4] = ["wait", "watch", "status", "interrupt"];

/// Some of the sessions of a call, and where they are.
pub(crate) struct Place {
    /// As the call names them.
    pub(crate) ids: Vec<String>,
    /// The machine; this one unless it says another.
    pub(crate) host: Option<Known>,
}

/// Turns a call to the machines of the sessions that it names, where they are on others. A session's own calls stay here:
/// another machine knows nothing of it.
pub(crate) fn route(context: &mut Context, matches: &ArgMatches, verb: &str) -> Result<(), CommandError> {
    let ids = ids(matches);
    if ids.is_empty() || !context.knows_others()? {
        return Ok(());
    }
    let Ok(home) = Context::home() else { return Ok(()) };
    let known = Known::all(&home);
    if known.iter().all(|host| ids.iter().all(|id| !host.has(id))) {
        return Ok(());
    }
    let places = places(context, &ids, &known)?;
    match places.as_slice() {
        [Place { host: Some(host), .. }] => context.turn_to(host),
        [_] | [] => Ok(()),
        _ if OVER_HOSTS.contains(&verb) => context.spread_over(places),
        _ => {
            let message = format!("{} are on several hosts, and `{verb}` is for those of one", ids.join(", "));
            Err(CommandError::new(ErrorCode::NotSupported, message))
        }
    }
}

/// Where each session is. One that is in several places is told, and nobody guesses; of one that is nowhere, this machine
/// says so.
fn places(context: &Context, ids: &[String], known: &[Known]) -> Result<Vec<Place>, CommandError> {
    let here = known_here(context, ids)?;
    let mut places: Vec<Place> = Vec::new();
    for id in ids {
        let holders: Vec<&Known> = known.iter().filter(|host| host.has(id)).collect();
        let host = match (holders.as_slice(), here.contains(id)) {
            ([], _) => None,
            ([one], false) => Some(*one),
            (several, here) => return Err(ambiguous(id, several, here)),
        };
        let name = host.map(|host| &host.name);
        match places.iter_mut().find(|place| place.host.as_ref().map(|host| &host.name) == name) {
            Some(place) => place.ids.push(id.clone()),
            None => places.push(Place { ids: vec![id.clone()], host: host.cloned() }),
        }
    }
    Ok(places)
}

fn ambiguous(id: &str, holders: &[&Known], here: bool) -> CommandError {
    let places = holders.iter().map(|host| host.name.as_str()).chain(here.then_some("this machine"));
    let places = places.collect::<Vec<_>>().join(", ");
    let message = format!("{id}: found on {places}; `--host` and the UUID of a session say which is meant");
    CommandError::new(ErrorCode::AmbiguousId, message).with_hint("adj list -a --json")
}

/// The sessions that a call names.
fn ids(matches: &ArgMatches) -> Vec<String> {
    let innermost = std::iter::successors(Some(matches), |above| above.subcommand().map(|(_, below)| below));
    let named = |matches: &ArgMatches| {
        let ids = matches.try_get_many::<SessionArg>("id").ok().flatten();
        ids.into_iter().flatten().map(ToString::to_string).collect::<Vec<_>>()
    };
    innermost.flat_map(named).collect()
}

/// Those of these that this machine knows. No daemon is started for the question: one that is not there knows none now.
fn known_here(context: &Context, ids: &[String]) -> Result<Vec<String>, CommandError> {
    let mut found = Vec::new();
    runtime::interruptible(async {
        let mut client = Context::client_of_user(context.autostarts())?;
        for id in ids {
            match client.session(id).await {
                Ok(_) => found.push(id.clone()),
                Err(ClientError::Refused(body)) if body.code == ErrorCode::SessionNotFound => {}
                Err(ClientError::NotRunning { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(0)
    })?;
    Ok(found)
}
