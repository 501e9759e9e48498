//! Asking all machines of the configuration at once, each for a bounded time.

use std::rc::Rc;
use std::time::Duration;

use adjutant_api::ErrorBody;
use adjutant_api::types::request::{Request, RequestsQuery};
use adjutant_api::types::session::{Session, SessionsQuery};
use adjutant_client::{Client, ClientError, ClientOptions, Endpoint};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::cache::Known;
use crate::context::Context;
use crate::error::CommandError;
use crate::way::Remote;

/// Time for one machine to tell of its sessions.
const ANSWER: Duration = Duration::from_secs(2);

/// What there is to show of the sessions of these machines, and what is to be said of those that gave no answer. Call it
/// inside of a `LocalSet`.
pub(crate) async fn ask_all(remotes: Vec<Remote>) -> Result<(Vec<Session>, Vec<String>), CommandError> {
    if remotes.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let home = Context::home()?;
    let (mut sessions, mut warnings) = (Vec::new(), Vec::new());
    let all = SessionsQuery { all: true, ..SessionsQuery::default() };
    let asked = each(remotes, async move |client: &mut Client| client.sessions(&all).await).await;
    for (remote, told) in asked {
        let mut known = Known::load(&home, &remote);
        match told {
            Ok(told) => {
                sessions.extend(known.update(told));
                if let Err(error) = known.save(&home) {
                    warnings.push(format!("What {} said of its sessions could not be kept: {error}.", remote.name));
                }
            }
            Err(why) => {
                sessions.extend(known.out_of_reach(&why));
                warnings.push(format!(
                    "{} is out of reach, and its sessions are shown as they were last seen: {why}.",
                    remote.name
                ));
            }
        }
    }
    warnings.sort();
    Ok((sessions, warnings))
}

/// The other machines that a call is about, unless what it wants is `of_here`, and what is to be said of a configuration
/// that does not tell.
pub(crate) fn others(context: &mut Context, of_here: bool) -> Result<(Vec<Remote>, Option<String>), CommandError> {
    if of_here || !context.knows_others()? {
        return Ok((Vec::new(), None));
    }
    Ok(Remote::all(context))
}

/// What agents ask on these machines, and what is to be said of those that gave no answer. Call it inside of a `LocalSet`.
pub(crate) async fn requests(remotes: Vec<Remote>, query: RequestsQuery) -> (Vec<Request>, Vec<String>) {
    let (mut requests, mut warnings) = (Vec::new(), Vec::new());
    let asked = each(remotes, async move |client: &mut Client| client.requests(&query).await).await;
    for (remote, told) in asked {
        match told {
            Ok(told) => requests.extend(told),
            Err(why) => {
                warnings.push(format!("{} is out of reach, and what its agents ask is not known: {why}.", remote.name));
            }
        }
    }
    warnings.sort();
    (requests, warnings)
}

/// Asks each of them; no daemon is started there for that.
async fn each<T: 'static>(
    remotes: Vec<Remote>,
    ask: impl AsyncFn(&mut Client) -> Result<T, ClientError> + 'static,
) -> Vec<(Remote, Result<T, String>)> {
    let (ask, mut asked) = (Rc::new(ask), JoinSet::new());
    for remote in remotes {
        let ask = Rc::clone(&ask);
        asked.spawn_local(async move {
            let mut client = Client::new(ClientOptions {
                endpoint: Endpoint::Ssh(remote.ssh()),
                token: None,
                autostart: false,
                warn: Box::new(|_, _| {}),
            });
            let told = match timeout(ANSWER, ask(&mut client)).await {
                Ok(told) => told.map_err(|error| ErrorBody::from(error).message),
                Err(_) => Err(format!("no answer within {} s", ANSWER.as_secs())),
            };
            (remote, told)
        });
    }
    let mut answers = Vec::new();
    while let Some(answer) = asked.join_next().await {
        answers.extend(answer);
    }
    answers
}
