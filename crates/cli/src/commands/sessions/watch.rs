//! `adj sessions watch`.

use std::ffi::OsString;

use super::words;
use crate::commands::Outcome;
use crate::commands::watch::{self, Until};
use crate::context::Context;
use crate::duration::Limit;

/// Block until a run has ended, with a summary; or show events
///
/// `[<project>] <session>`; the exit code is the run's.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct WatchArgs {
    /// The project, then the session
    #[arg(value_name = "word", required = true)]
    words: Vec<OsString>,

    /// Until the run in progress has ended (`terminal`), the next turn has (`next`), the queue is empty (`idle`), a request
    /// is open (`input`), or the process has ended (`exit`)
    #[arg(long, value_name = "what", value_enum)]
    until: Option<Until>,

    /// Print the last events, 20 unless given
    #[arg(long, value_name = "n", num_args = 0..=1, default_missing_value = "20")]
    tail: Option<u64>,

    /// Give up after this long
    #[arg(short, long, value_name = "duration")]
    timeout: Option<Limit>,
}

pub(super) async fn run(context: &mut Context, args: &WatchArgs) -> Outcome {
    let id = words::found(context, &words::session(&args.words)?).await?;
    let args = watch::WatchArgs {
        id: vec![id],
        until: args.until,
        tail: args.tail,
        follow: false,
        since: None,
        types: Vec::new(),
        timeout: args.timeout,
    };
    watch::run_watch(context, &args).await
}
