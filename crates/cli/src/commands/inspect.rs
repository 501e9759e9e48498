//! `adj inspect`.

use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::value::SessionArg;

/// Print all that the daemon knows of a session, as JSON
///
/// Names of variables without their values, arguments without texts and secrets.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct InspectArgs {
    /// The session
    #[arg(value_name = "id")]
    id: SessionArg,
}

pub(crate) async fn run_inspect(context: &mut Context, args: &InspectArgs) -> Outcome {
    let (ui, client) = context.parts()?;
    let mut record = client.inspect(args.id.as_str()).await?;
    if ui.json {
        ui.document(&record)?;
    } else {
        ui.map_paths(&mut record);
        let text = serde_json::to_string_pretty(&record).map_err(|error| CommandError::internal(&error))?;
        ui.line(&text)?;
    }
    Ok(0)
}
