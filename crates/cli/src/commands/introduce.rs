//! `adj introduce`.

use adjutant_api::types::gateway::IntroduceSession;

use crate::commands::Outcome;
use crate::context::Context;
use crate::value::SessionArg;

/// Let two sessions send to each other
///
/// A session may send to its parent, to its descendants, and to whoever has sent it a message. Others it has to be introduced
/// to, by somebody who may steer both: you, or a session that both descend from.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct IntroduceArgs {
    /// One of them
    #[arg(value_name = "id")]
    one: SessionArg,

    /// The other
    #[arg(value_name = "other")]
    other: SessionArg,
}

pub(crate) async fn run_introduce(context: &mut Context, args: &IntroduceArgs) -> Outcome {
    let (ui, client) = context.parts()?;
    let introduced = client.introduce(args.one.as_str(), &IntroduceSession { to: args.other.to_string() }).await?;
    if ui.json {
        ui.document(&introduced)?;
    } else if !ui.quiet {
        ui.line(&format!("Introduced {} and {} to each other", args.one, args.other))?;
    }
    Ok(0)
}
