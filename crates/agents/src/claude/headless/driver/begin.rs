//! How Claude Code is started without a terminal.

use adjutant_core::agent::StartFailure;

use super::meaning::Protocol;
use crate::LaunchPlan;
use crate::claude::environment::{config_dir, environment};
use crate::claude::headless::command_line::{Conversation, PASSING, arguments};
use crate::claude::home;
use crate::claude::resume::taken_up;
use crate::runner::{Driven, Driver, Held, PipesPlan};

/// The variable by which Claude Code is asked to say when it is at rest.
const STATES: &str = "CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS";

/// Starts a session and follows it.
pub(super) async fn launch(driver: &mut Driver<Protocol>, plan: LaunchPlan) -> Driven {
    match held(driver, plan) {
        Ok(held) => driver.launch(held).await,
        Err(detail) => driver.start_failed(StartFailure::AgentStartFailed { detail }).await,
    }
}

/// What the runner is to hold.
///
/// # Errors
/// Why there is nothing to hold.
fn held(driver: &mut Driver<Protocol>, plan: LaunchPlan) -> Result<Held, String> {
    let mut environment = environment(&plan, driver.place(), driver.stamp());
    environment.insert(STATES.to_owned(), "1".to_owned());
    let config_dir = config_dir(&environment);
    home::write(&driver.place().state_dir, &config_dir)
        .map_err(|error| format!("the session's directory cannot be written: {error}"))?;
    let resumed = taken_up(&plan, &config_dir)?;
    if let Some(native) = &resumed {
        driver.meaning.machine.resume(native);
    }
    let arguments = arguments(&plan.profile, &Conversation::of(driver.session(), resumed));
    Ok(Held {
        environment,
        inherited: plan.inherited.clone(),
        exact: plan.is_confined(),
        program: plan.program,
        directory: plan.directory,
        pipes: Some(PipesPlan { arguments, passing: PASSING.map(str::to_owned).to_vec() }),
        ready_ms_max: plan.ready_ms_max,
    })
}
