//! `adj sessions stop`.

use std::ffi::OsString;

use super::words;
use crate::commands::{Outcome, interrupt, kill};
use crate::context::Context;

/// Stop the running turn; with `--end`, the session
///
/// `[<project>] <session>`
#[derive(clap::Args, Clone, Debug)]
pub(super) struct StopArgs {
    /// The project, then the session
    #[arg(value_name = "word", required = true)]
    words: Vec<OsString>,

    /// End the session too, as `adj kill` does
    #[arg(long)]
    end: bool,
}

pub(super) async fn run(context: &mut Context, args: &StopArgs) -> Outcome {
    let id = words::found(context, &words::session(&args.words)?).await?;
    match args.end {
        false => interrupt::run_interrupt(context, &interrupt::InterruptArgs::of(id)).await,
        true => kill::run_kill(context, &kill::KillArgs::of(id)).await,
    }
}
