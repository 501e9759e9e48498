//! Finding the machine of a session that is named without its host.

use adjutant_api::ErrorCode;
use adjutant_client::ClientError;
use clap::ArgMatches;

use super::cache::Known;
use crate::context::Context;
use crate::error::CommandError;
use crate::runtime;
use crate::value::SessionArg;
use crate::variables;
use crate::way::Way;

/// Turns a call to the machine of the sessions that it names, where that is another one. A session's own calls stay here:
/// another machine knows nothing of it.
pub(crate) fn route(context: &mut Context, matches: &ArgMatches) -> Result<(), CommandError> {
    let ids = ids(matches);
    if ids.is_empty() || !matches!(context.way()?, Way::Here) || variables::token()?.is_some() {
        return Ok(());
    }
    let Ok(home) = Context::home() else { return Ok(()) };
    let known = Known::all(&home);
    let found: Vec<&Known> = known.iter().filter(|host| ids.iter().any(|id| host.has(id))).collect();
    let Some(first) = found.first() else { return Ok(()) };
    let here = known_here(context, &ids)?;
    let all_there = ids.iter().all(|id| first.has(id));
    if here == 0 && found.len() == 1 && all_there {
        return context.turn_to(first);
    }
    let places = found.iter().map(|host| host.name.as_str()).chain((here > 0).then_some("this machine"));
    let places = places.collect::<Vec<_>>().join(", ");
    let message =
        format!("{}: found on {places}; `--host` and the UUID of a session say which is meant", ids.join(", "));
    Err(CommandError::new(ErrorCode::AmbiguousId, message).with_hint("adj list -a --json"))
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

/// How many of these this machine knows. No daemon is started for the question: one that is not there knows none now.
fn known_here(context: &Context, ids: &[String]) -> Result<usize, CommandError> {
    let mut count = 0;
    runtime::interruptible(async {
        let mut client = Context::client_of_user(context.autostarts())?;
        for id in ids {
            match client.session(id).await {
                Ok(_) => count += 1,
                Err(ClientError::Refused(body)) if body.code == ErrorCode::SessionNotFound => {}
                Err(ClientError::NotRunning { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(0)
    })?;
    Ok(count)
}
