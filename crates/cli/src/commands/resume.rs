//! `adj resume`.

use adjutant_api::types::message::WakeSession;
use adjutant_api::types::session::{Session, SessionsQuery, StatusWord};
use adjutant_api::{ErrorBody, ErrorCode, ExitCode};
use adjutant_client::Client;
use serde::Serialize;

use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::ui::Ui;
use crate::value::SessionArg;
use crate::way;

/// Bring sessions that have ended back, each on its conversation
///
/// Like `wake` without a message, for several: under the same id, with the environment of this call, and without a turn.
/// They are started one after the other, each when the one before is ready. One that runs is left alone.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ResumeArgs {
    /// The sessions
    #[arg(value_name = "id", required_unless_present = "all")]
    id: Vec<SessionArg>,

    /// All that have ended and can be resumed, as after a restart of the machine
    #[arg(long, conflicts_with = "id")]
    all: bool,
}

/// What came of one session.
#[derive(Debug, Serialize)]
struct Resumed {
    id: String,
    resumed: bool,
    error: Option<ErrorBody>,
}

pub(crate) async fn run_resume(context: &mut Context, args: &ResumeArgs) -> Outcome {
    let wake = plain_wake(context).await?;
    let (ui, client) = context.parts()?;
    let ids = match args.all {
        true => ended(client).await?,
        false => args.id.iter().map(ToString::to_string).collect(),
    };
    let (mut all, mut codes) = (Vec::new(), Vec::new());
    for id in &ids {
        let one = resume(client, id, &wake).await?;
        codes.push(one.error.as_ref().map_or(ExitCode::Completed, |error| error.code.exit_code()));
        if !ui.json {
            print(ui, &one)?;
            ui.flush()?;
        }
        all.push(one);
    }
    if ui.json {
        ui.document(&all)?;
    } else if all.is_empty() && !ui.quiet {
        ui.line("No sessions to resume")?;
    }
    Ok(match codes.as_slice() {
        [one] => *one,
        several => ExitCode::of_several(several.iter().copied()),
    }
    .number())
}

/// A wake that starts no turn, with what a session finds around it.
pub(crate) async fn plain_wake(context: &mut Context) -> Result<WakeSession, CommandError> {
    let around = way::surroundings(context).await?;
    let (environment, umask, soft_limits) = (around.environment, around.umask, around.soft_limits);
    Ok(WakeSession { environment, umask, soft_limits, ..WakeSession::default() })
}

/// Those that have ended and can be resumed, the oldest first: parents before their children.
async fn ended(client: &mut Client) -> Result<Vec<String>, CommandError> {
    let query = SessionsQuery { all: true, ..SessionsQuery::default() };
    let mut ended: Vec<Session> = client.sessions(&query).await?;
    ended.retain(|session| session.status == StatusWord::Exited && session.resumable);
    ended.sort_by_key(|session| session.created_at.as_millis());
    Ok(ended.into_iter().map(|session| session.id).collect())
}

/// A daemon that is not there is the end of it; what is wrong with one session does not stop the rest.
async fn resume(client: &mut Client, id: &str, wake: &WakeSession) -> Result<Resumed, CommandError> {
    let tried = async {
        let session = client.session(id).await?;
        if session.status == StatusWord::Exited {
            client.wake(id, wake).await?;
            return Ok(true);
        }
        Ok::<_, adjutant_client::ClientError>(false)
    };
    match tried.await {
        Ok(resumed) => Ok(Resumed { id: id.to_owned(), resumed, error: None }),
        Err(error) => {
            let body = ErrorBody::from(error);
            if body.code == ErrorCode::DaemonUnreachable {
                return Err(body.into());
            }
            Ok(Resumed { id: id.to_owned(), resumed: false, error: Some(body) })
        }
    }
}

fn print(ui: &mut Ui, one: &Resumed) -> Result<(), CommandError> {
    match (&one.error, one.resumed) {
        (Some(error), _) => ui.error(error),
        (None, true) if ui.quiet => ui.line(&one.id)?,
        (None, true) => ui.line(&format!("Resumed session {}", one.id))?,
        (None, false) if ui.quiet => {}
        (None, false) => ui.line(&format!("Session {} runs", one.id))?,
    }
    Ok(())
}
