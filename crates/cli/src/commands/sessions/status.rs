//! `adj sessions status`.

use std::ffi::OsString;

use adjutant_api::types::session::{Session, StatusWord};

use super::words;
use crate::commands::Outcome;
use crate::context::Context;

/// Say what a session does
///
/// `[<project>] <session>`; with a project the session has to be in it.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct StatusArgs {
    /// The project, then the session
    #[arg(value_name = "word", required = true)]
    words: Vec<OsString>,
}

pub(super) async fn run(context: &mut Context, args: &StatusArgs) -> Outcome {
    let id = words::found(context, &words::session(&args.words)?).await?;
    let (ui, client) = context.parts()?;
    let session = client.session(id.as_str()).await?;
    if ui.json {
        ui.document(&session)?;
    } else if ui.quiet {
        ui.line(session.status.as_str())?;
    } else {
        lines(&session).iter().try_for_each(|line| ui.line(line))?;
    }
    Ok(0)
}

fn lines(session: &Session) -> Vec<String> {
    let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let active = match session.status {
        StatusWord::Exited => "no",
        StatusWord::Starting
        | StatusWord::Idle
        | StatusWord::Working
        | StatusWord::WaitingForInput
        | StatusWord::Unknown
        | StatusWord::Other(_) => "yes",
    };
    let turn = match (&session.turn, &session.last_turn) {
        (Some(turn), _) => format!("{} (running)", turn.number),
        (None, Some(turn)) => format!("{} ({})", turn.number, turn.outcome),
        (None, None) => "-".to_owned(),
    };
    let pending: Vec<String> = session.pending.iter().map(|request| request.id.clone()).collect();
    let pending = if pending.is_empty() { "-".to_owned() } else { pending.join(" ") };
    vec![
        format!("active: {active}"),
        format!("status: {}", session.status),
        format!("provider: {}", session.cli),
        format!("project: {}", or_dash(session.project.as_deref())),
        format!("worktree: {}", or_dash(session.worktree.as_deref())),
        format!("turn: {turn}"),
        format!("queued: {}", session.queued),
        format!("pending: {pending}"),
    ]
}
