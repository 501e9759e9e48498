//! `adj gateway`: the daemon's API for callers outside.

mod container;
mod launchd;
mod run;
mod service;
mod status;
mod systemd;
mod token;

use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::runtime::interruptible;
use crate::way::Way;

/// Let containers and other programs in: the daemon's API on a port of this machine, or on a socket
///
/// Whoever calls needs a token, which `adj gateway token create` makes. `adj gateway` alone is `adj gateway run`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct GatewayArgs {
    #[command(subcommand)]
    action: Option<Action>,

    #[command(flatten)]
    run: run::RunArgs,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum Action {
    /// Run the gateway in the foreground
    Run(run::RunArgs),
    /// Have the gateway start whenever you log in, and start it now
    Install(run::RunArgs),
    /// Stop it and have it start no more
    Uninstall(service::UninstallArgs),
    /// Say whether it runs, and where
    Status(status::StatusArgs),
    /// Make, list and revoke tokens
    Token(token::TokenArgs),
}

pub(crate) fn run_gateway(context: &mut Context, args: &GatewayArgs) -> Outcome {
    if args.action.is_some() && args.run != run::RunArgs::default() {
        return Err(CommandError::usage("options of `gateway run` and `gateway install` stand behind these words"));
    }
    if let Way::Host(_) = context.way()? {
        return Err(CommandError::usage("a gateway and its tokens are of this machine; `--host` names another one"));
    }
    match &args.action {
        None => run::run(context, &args.run),
        Some(Action::Run(args)) => run::run(context, args),
        Some(Action::Install(args)) => interruptible(service::install(context, args)),
        Some(Action::Uninstall(_)) => interruptible(service::uninstall(context)),
        Some(Action::Status(_)) => interruptible(status::status(context)),
        Some(Action::Token(args)) => interruptible(token::run(context, args)),
    }
}
