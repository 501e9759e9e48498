//! `adj sessions`: what sessions can do, in the controller's style of arguments.

mod list;
mod start;
mod status;
mod stop;
mod wake;
mod watch;
mod words;

use crate::commands::Outcome;
use crate::context::Context;

/// Start, list, see, watch, wake and stop sessions, in the controller's style
///
/// Each does what the command of nearly the same name does (`create`, `list`, `status`, `watch`, `wake`, `interrupt`). A
/// project is a name of the configuration, a directory, or a name that `adj project list` shows; it is the one of the
/// current directory unless given.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct SessionsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum Action {
    /// Start a session, with a message
    Start(start::StartArgs),
    /// List the sessions of a project
    List(list::ListArgs),
    /// Say what a session does
    Status(status::StatusArgs),
    /// Block until a run has ended, with a summary; or show events
    Watch(watch::WatchArgs),
    /// Queue a message, now or later, reviving a session that has ended
    Wake(wake::WakeArgs),
    /// Stop the running turn; with `--end`, the session
    Stop(stop::StopArgs),
}

pub(crate) async fn run_sessions(context: &mut Context, args: &SessionsArgs) -> Outcome {
    match &args.action {
        Action::Start(args) => start::run(context, args).await,
        Action::List(args) => list::run(context, args).await,
        Action::Status(args) => status::run(context, args).await,
        Action::Watch(args) => watch::run(context, args).await,
        Action::Wake(args) => wake::run(context, args).await,
        Action::Stop(args) => stop::run(context, args).await,
    }
}
