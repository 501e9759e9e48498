//! Asking all machines of the configuration at once, each for a bounded time.

use std::time::Duration;

use adjutant_api::ErrorBody;
use adjutant_api::types::session::{Session, SessionsQuery};
use adjutant_client::{Client, ClientOptions, Endpoint};
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
    let mut asked = JoinSet::new();
    for remote in remotes {
        asked.spawn_local(async move {
            let told = timeout(ANSWER, ask(&remote)).await;
            (remote, told.unwrap_or_else(|_| Err(format!("no answer within {} s", ANSWER.as_secs()))))
        });
    }
    let (mut sessions, mut warnings) = (Vec::new(), Vec::new());
    while let Some(answer) = asked.join_next().await {
        let Ok((remote, told)) = answer else { continue };
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

/// All sessions of a machine; no daemon is started there for that.
async fn ask(remote: &Remote) -> Result<Vec<Session>, String> {
    let mut client = Client::new(ClientOptions {
        endpoint: Endpoint::Ssh(remote.ssh()),
        token: None,
        autostart: false,
        warn: Box::new(|_, _| {}),
    });
    let all = SessionsQuery { all: true, ..SessionsQuery::default() };
    client.sessions(&all).await.map_err(|error| ErrorBody::from(error).message)
}
