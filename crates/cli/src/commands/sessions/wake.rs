//! `adj sessions wake`.

use std::ffi::OsString;
use std::path::PathBuf;

use super::words;
use crate::commands::Outcome;
use crate::commands::wake;
use crate::context::Context;
use crate::duration::Span;
use crate::message::TextArgs;
use crate::value::Moment;

/// Queue a message, now or later, reviving a session that has ended
///
/// `[<project>] <session> [<message>]`; with `--message` or `--file` the last word is the session.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct WakeArgs {
    /// The project, then the session, then the message
    #[arg(value_name = "word", required = true)]
    words: Vec<OsString>,

    /// The message, whatever it looks like; one argument
    #[arg(long, value_name = "text", allow_hyphen_values = true)]
    message: Option<OsString>,

    /// Read the message from a file; `-` is standard input
    #[arg(short, long, value_name = "path")]
    file: Option<PathBuf>,

    /// Drop control characters instead of refusing them
    #[arg(long)]
    strip_control: bool,

    /// Due after this time; `0s` is now
    #[arg(long, value_name = "duration", conflicts_with = "run_at")]
    delay: Option<Span>,

    /// Due at this point in time; one in the past is now
    #[arg(long, value_name = "time")]
    run_at: Option<Moment>,
}

pub(super) async fn run(context: &mut Context, args: &WakeArgs) -> Outcome {
    let elsewhere = args.message.is_some() || args.file.is_some();
    let meant = words::session_and_message(&args.words, elsewhere)?;
    let id = words::found(context, &meant).await?;
    let text = TextArgs::of(meant.message, args.message.clone(), args.file.clone(), args.strip_control);
    wake::run_wake(context, &wake::WakeArgs::at(id, text, args.delay, args.run_at)).await
}
