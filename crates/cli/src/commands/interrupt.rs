//! `adj interrupt`.

use adjutant_api::ExitCode;
use adjutant_api::types::session::InterruptSession;
use adjutant_api::types::turn::TurnResult;

use crate::commands::Outcome;
use crate::commands::status::told;
use crate::context::{Context, client_of};
use crate::error::CommandError;
use crate::value::SessionArg;

/// Stop the running turn and keep the session
///
/// Between two turns of a goal the goal is paused. Waits up to 10 s for the agent to confirm; exit 5 if it does not. The queue is held until the next message.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct InterruptArgs {
    /// The sessions
    #[arg(value_name = "id", required = true)]
    id: Vec<SessionArg>,

    /// Cancel what is queued instead of holding it
    #[arg(long)]
    clear_queue: bool,
}

impl InterruptArgs {
    /// Of one session, its queue on hold.
    pub(crate) fn of(id: SessionArg) -> Self {
        Self { id: vec![id], clear_queue: false }
    }
}

pub(crate) async fn run_interrupt(context: &mut Context, args: &InterruptArgs) -> Outcome {
    let ids: Vec<String> = args.id.iter().map(ToString::to_string).collect();
    let (ui, mut groups) = context.groups(&ids)?;
    let how = InterruptSession { clear_queue: args.clear_queue };
    let mut results = Vec::new();
    let mut code = ExitCode::Completed;
    for id in &args.id {
        let client = client_of(&mut groups, id.as_str())?;
        match client.interrupt(id.as_str(), &how).await.map_err(CommandError::from) {
            Err(error) if args.id.len() == 1 => return Err(error),
            Err(error) => code = ExitCode::of_several([code, told(ui, &error)]),
            Ok(result) => {
                if !ui.json && !ui.quiet {
                    ui.line(&said(id, result.as_ref()))?;
                }
                results.push(result);
            }
        }
    }
    match (ui.json, args.id.len()) {
        (true, 1) => results.iter().try_for_each(|result| ui.document(result))?,
        (true, _) => ui.document(&results)?,
        (false, _) => {}
    }
    Ok(code.number())
}

/// What was stopped. Without a turn that is the goal, and the result says how it stands.
fn said(id: &SessionArg, result: Option<&TurnResult>) -> String {
    match result {
        None => format!("Nothing to interrupt on {id}"),
        Some(TurnResult { turn: None, error: Some(stopped), .. }) => format!("Interrupted {id}: {stopped}"),
        Some(_) => format!("Interrupted {id}"),
    }
}
