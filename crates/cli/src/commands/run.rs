//! `adj run`.

use std::future::Future;

use adjutant_api::exit_code::number_of;
use adjutant_api::types::session::{CreateSession, InterruptSession, KillSessions};
use adjutant_api::types::turn::{OutcomeWord, TurnResult, WaitQuery};
use adjutant_client::Client;

use crate::commands::create::{CreateOptions, in_doubt};
use crate::commands::send::note_dropped;
use crate::commands::{Outcome, wait};
use crate::context::Context;
use crate::duration::Limit;
use crate::error::CommandError;
use crate::message::TextArgs;
use crate::result;
use crate::runtime::EndSignals;
use crate::ui::Ui;

/// Run one task in a session of its own: create it, ask, print the answer, end it
///
/// For a shell session the output and the exit code are the command's own. Interrupting `run` interrupts the turn and
/// ends the session. When somebody has to answer first (3) or the time is over (124), the session is kept.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    options: CreateOptions,

    #[command(flatten)]
    text: TextArgs,

    /// Give up after this long; the session is kept, and its turn goes on
    #[arg(short, long, value_name = "duration")]
    timeout: Option<Limit>,

    /// Keep the session
    #[arg(long)]
    keep: bool,
}

pub(crate) async fn run_run(context: &mut Context, args: &RunArgs) -> Outcome {
    let text = args.text.required(context.message_max_bytes()?)?;
    let limit = context.timeout(args.timeout)?;
    let mut session = args.options.session(context).await?;
    session.message = args.options.first_message(context, &session, Some(text.text))?;
    let mut signals = EndSignals::catch()?;
    let (ui, client) = context.parts()?;
    note_dropped(ui, text.dropped);
    let created = match until_signal(&mut signals, client.create(&session)).await {
        Ok(created) => created.map_err(|error| in_doubt(error.into(), &session))?,
        Err(code) => return abandoned(client, &session, code).await,
    };
    let query = WaitQuery { session: vec![created.id.clone()], timeout_ms: limit.millis(), ..WaitQuery::default() };
    let found = match until_signal(&mut signals, wait::one(client, &query)).await {
        Ok(found) => found?,
        Err(code) => {
            stop(client, &created.id).await?;
            return Ok(code);
        }
    };
    // The session ends also where nobody takes the answer, as behind `| head -1`.
    let shown = show(ui, &found);
    match found.outcome {
        OutcomeWord::WaitingForInput | OutcomeWord::Timeout => note_kept(ui, &found, limit),
        OutcomeWord::Completed
        | OutcomeWord::Failed
        | OutcomeWord::Interrupted
        | OutcomeWord::Exited
        | OutcomeWord::Unknown
        | OutcomeWord::Idle
        | OutcomeWord::Other(_) => end(ui, client, &created.id, args.keep).await?,
    }
    shown.map(|()| number_of(&found))
}

/// What comes of some work, or the exit code of the signal that came first.
async fn until_signal<T>(signals: &mut EndSignals, work: impl Future<Output = T>) -> Result<T, u8> {
    tokio::select! {
        biased;
        done = work => Ok(done),
        code = signals.recv() => Err(code),
    }
}

/// The create was interrupted: repeating it with its key finds the session that it made, or makes one, to be ended.
async fn abandoned(client: &mut Client, session: &CreateSession, code: u8) -> Outcome {
    let again = CreateSession { no_wait: true, ..session.clone() };
    if let Ok(created) = client.create(&again).await {
        stop(client, &created.id).await?;
    }
    Ok(code)
}

async fn stop(client: &mut Client, id: &str) -> Result<(), CommandError> {
    // That there is nothing to interrupt any more, or that the agent does not confirm, is no reason to keep the session.
    let _ = client.interrupt(id, &InterruptSession { clear_queue: true }).await;
    kill(client, id).await
}

async fn kill(client: &mut Client, id: &str) -> Result<(), CommandError> {
    let killed = client.kill(&KillSessions { ids: vec![id.to_owned()], ..KillSessions::default() }).await?;
    match killed.into_iter().find_map(|one| one.error) {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

fn show(ui: &mut Ui, found: &TurnResult) -> Result<(), CommandError> {
    if ui.json {
        ui.document(found)?
    } else {
        result::print_answer(ui, found)?
    }
    ui.flush()?;
    if !ui.json {
        result::explain(ui, found);
    }
    Ok(())
}

fn note_kept(ui: &Ui, found: &TurnResult, limit: Limit) {
    let session = &found.session;
    if found.outcome == OutcomeWord::Timeout {
        wait::note_timeout(ui, session, limit);
    }
    ui.note(&format!("the session is kept; its answer will be at: adj wait {session} --print"));
    ui.hint(&format!("adj kill {session}"));
}

/// The result stands whatever becomes of the session; what goes wrong now is a warning.
async fn end(ui: &Ui, client: &mut Client, id: &str, keep: bool) -> Result<(), CommandError> {
    if keep {
        ui.note(&format!("kept session {id}"));
        return Ok(());
    }
    if let Err(CommandError::Told(error)) = kill(client, id).await {
        ui.warning(&format!("The session {id} could not be ended: {error}."));
        ui.hint(&format!("adj kill {id}"));
    }
    Ok(())
}
