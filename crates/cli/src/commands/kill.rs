//! `adj kill`.

use adjutant_api::types::session::{KillSessions, Killed};
use adjutant_api::{ErrorCode, ExitCode};

use crate::commands::Outcome;
use crate::context::Context;
use crate::duration::Span;
use crate::error::CommandError;
use crate::hosts;
use crate::ui::Ui;
use crate::value::SessionArg;

/// End sessions: processes, queue and all
///
/// Interrupts the turn, closes the agent's input, and after 3 s ends the whole process group; returns when no process is
/// left. The record is kept as `exited`, and the log for `keep_days`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct KillArgs {
    /// The sessions
    #[arg(value_name = "id")]
    id: Vec<SessionArg>,

    /// All sessions, on all hosts; called by a session: its descendants
    #[arg(long, conflicts_with_all = ["id", "older_than"])]
    all: bool,

    /// Sessions in which nothing has happened for this long; working ones only with `--force`
    #[arg(long, value_name = "duration", conflicts_with = "id")]
    older_than: Option<Span>,

    /// The descendants too, children first
    #[arg(long)]
    tree: bool,

    /// No grace period, working ones too
    #[arg(long)]
    force: bool,

    /// Delete record and log as well
    #[arg(long)]
    purge: bool,
}

impl KillArgs {
    /// Of one session, with grace.
    pub(crate) fn of(id: SessionArg) -> Self {
        Self { id: vec![id], all: false, older_than: None, tree: false, force: false, purge: false }
    }
}

pub(crate) async fn run_kill(context: &mut Context, args: &KillArgs) -> Outcome {
    let which = KillSessions {
        ids: args.id.iter().map(ToString::to_string).collect(),
        all: args.all,
        older_than_ms: args.older_than.map(Span::millis),
        tree: args.tree,
        force: args.force,
        purge: args.purge,
    };
    if args.id.is_empty() && !args.all && args.older_than.is_none() {
        return Err(CommandError::usage("nothing to kill is given: ids, --all or --older-than"));
    }
    let killed = hosts::kill(context, &which).await?;
    let ui = &mut context.ui;
    if ui.json {
        ui.document(&killed)?;
        return Ok(code(&killed).number());
    }
    killed.iter().try_for_each(|one| print_one(ui, one))?;
    if args.id.is_empty() && !ui.quiet {
        match killed.iter().filter(|one| one.killed).count() {
            0 if killed.is_empty() => ui.line("No matching sessions to kill")?,
            number => ui.line(&format!("Killed {number} sessions"))?,
        }
    }
    Ok(code(&killed).number())
}

fn print_one(ui: &mut Ui, one: &Killed) -> Result<(), CommandError> {
    match &one.error {
        Some(error) => ui.error(error),
        None if ui.quiet => {}
        None => ui.line(&format!("Killed session {}", one.id))?,
    }
    Ok(())
}

/// One unknown id: 4. Failures at the target: 1, or 255 if only hosts were out of reach.
fn code(killed: &[Killed]) -> ExitCode {
    let failed: Vec<&ErrorCode> = killed.iter().filter_map(|one| one.error.as_ref()).map(|error| &error.code).collect();
    match failed.as_slice() {
        [] => ExitCode::Completed,
        [one] if killed.len() == 1 => one.exit_code(),
        all if all.iter().all(|code| code.exit_code() == ExitCode::Unreachable) => ExitCode::Unreachable,
        all if all.iter().all(|code| code.exit_code() == ExitCode::NotFound) => ExitCode::NotFound,
        _ => ExitCode::Refused,
    }
}

#[cfg(test)]
mod tests {
    use adjutant_api::ErrorBody;

    use super::*;

    fn killed(error: Option<ErrorCode>) -> Killed {
        let body = error.map(|code| ErrorBody::new(code, "x"));
        Killed { id: "x".to_owned(), killed: body.is_none(), error: body }
    }

    #[test]
    fn e4_the_code_says_what_failed() {
        let host = || killed(Some(ErrorCode::HostUnreachable));
        assert_eq!(code(&[]), ExitCode::Completed);
        assert_eq!(code(&[killed(None), killed(None)]), ExitCode::Completed);
        assert_eq!(code(&[killed(Some(ErrorCode::SessionNotFound))]), ExitCode::NotFound);
        assert_eq!(code(&[killed(None), killed(Some(ErrorCode::SessionNotFound))]), ExitCode::NotFound);
        assert_eq!(code(&[killed(Some(ErrorCode::Forbidden)), killed(None)]), ExitCode::Refused);
        assert_eq!(code(&[host(), killed(None)]), ExitCode::Unreachable);
        assert_eq!(code(&[host(), killed(Some(ErrorCode::Internal))]), ExitCode::Refused);
    }
}
