//! `adj whoami`.

use crate::commands::Outcome;
use crate::context::Context;

/// Say who calls: a session, proven by its token, or the human user
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct WhoamiArgs {}

pub(crate) async fn run_whoami(context: &mut Context, _args: &WhoamiArgs) -> Outcome {
    let (ui, client) = context.parts()?;
    let caller = client.whoami().await?;
    if ui.json {
        ui.document(&caller)?;
        return Ok(0);
    }
    ui.line(&caller.caller)?;
    if ui.quiet {
        return Ok(0);
    }
    if let Some(parent) = &caller.parent {
        ui.line(&format!("parent: {parent}"))?;
    }
    if !caller.introduced.is_empty() {
        ui.line(&format!("introduced: {}", caller.introduced.join(", ")))?;
    }
    ui.line(&format!("scope: {}", caller.scope.join(", ")))?;
    for (name, value) in caller.limits.as_object().into_iter().flatten() {
        ui.line(&format!("{name}: {value}"))?;
    }
    Ok(0)
}
