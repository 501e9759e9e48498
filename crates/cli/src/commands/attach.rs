//! `adj attach`.

use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::value::SessionArg;

/// Put a person in front of a session's terminal
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct AttachArgs {
    /// The session
    #[arg(value_name = "id")]
    id: SessionArg,

    /// Look, and touch nothing
    #[arg(long)]
    read_only: bool,
}

pub(crate) async fn run_attach(_context: &mut Context, _args: &AttachArgs) -> Outcome {
    Err(CommandError::usage("not yet"))
}
