//! `adj restart`.

use adjutant_api::types::session::{KillSessions, Session, StatusWord};
use adjutant_api::{ErrorBody, ErrorCode};
use adjutant_client::{Client, ClientError};

use crate::commands::Outcome;
use crate::commands::resume::plain_wake;
use crate::context::Context;
use crate::error::CommandError;
use crate::value::SessionArg;

/// End a session's process and start it again on its conversation
///
/// The id, the conversation and the log stay. Its program and its variables are those of this call, so that a newer
/// version or another key is taken up. Nothing is ended that could not be started again, and no second process is started
/// before the first is proven to have gone, since two would write one conversation. A session that works, or that has
/// messages in its queue, which its end would cancel, is refused without `--force`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct RestartArgs {
    /// The session
    #[arg(value_name = "id")]
    id: SessionArg,

    /// Even if it works, or has messages in its queue: the turn is interrupted, and they are cancelled
    #[arg(long)]
    force: bool,
}

pub(crate) async fn run_restart(context: &mut Context, args: &RestartArgs) -> Outcome {
    let wake = plain_wake(context).await?;
    let (ui, client) = context.parts()?;
    let session = client.session(args.id.as_str()).await?;
    check(&session, args.force)?;
    if session.status != StatusWord::Exited {
        end(client, &session).await?;
    }
    client.wake(&session.uuid, &wake).await.map_err(|error| not_back(&session, error))?;
    let session = client.session(&session.uuid).await?;
    if ui.json {
        ui.document(&session)?;
    } else if !ui.quiet {
        ui.line(&format!("Restarted session {}", session.id))?;
    }
    Ok(0)
}

fn check(session: &Session, force: bool) -> Result<(), CommandError> {
    let id = &session.id;
    // One that has just begun may not have said what its conversation is.
    if !session.resumable || session.agent_session.is_none() {
        let message = format!("{id} has no conversation that could be taken up again, so that it is left as it is");
        return Err(CommandError::new(ErrorCode::NotSupported, message));
    }
    let busy = session.turn.is_some() || session.queued > 0;
    if busy && !force {
        let what = if session.turn.is_some() { "works" } else { "has messages in its queue" };
        let message = format!("{id} {what}; `--force` ends that");
        return Err(CommandError::new(ErrorCode::SessionsWorking, message).with_hint(format!("adj wait {id}")));
    }
    Ok(())
}

/// Ends it, and says so only when no process of it is left.
async fn end(client: &mut Client, session: &Session) -> Result<(), CommandError> {
    let which = KillSessions { ids: vec![session.uuid.clone()], ..KillSessions::default() };
    let killed = client.kill(&which).await?;
    match killed.into_iter().find_map(|one| one.error) {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// It has ended and did not come back: whoever reads that has to know both.
fn not_back(session: &Session, error: ClientError) -> CommandError {
    let body = ErrorBody::from(error);
    let message = format!("{} has ended and could not be started again: {}", session.id, body.message);
    ErrorBody { message, ..body }.with_hint(format!("adj resume {}", session.id)).into()
}
