//! `adj goal`.

use adjutant_api::types::goal::{Goal, GoalQuery, GoalState, SetGoal};

use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::ui::Ui;
use crate::value::SessionArg;

/// See or set the goal that an agent pursues by itself, turn after turn
///
/// Without an objective and an option the goal is printed. `adj wait --goal` waits for its end.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct GoalArgs {
    /// The session
    #[arg(value_name = "id")]
    id: SessionArg,

    /// What is to be reached, one argument; it is pursued at once
    #[arg(value_name = "objective")]
    objective: Option<String>,

    /// Tokens that it may cost
    #[arg(long, value_name = "tokens", value_parser = clap::value_parser!(u64).range(1..))]
    budget: Option<u64>,

    /// Let it rest
    #[arg(long, conflicts_with_all = ["objective", "budget", "resume", "clear"])]
    pause: bool,

    /// Go on with it
    #[arg(long, conflicts_with_all = ["objective", "budget", "clear"])]
    resume: bool,

    /// Forget it
    #[arg(long, conflicts_with_all = ["objective", "budget"])]
    clear: bool,
}

pub(crate) async fn run_goal(context: &mut Context, args: &GoalArgs) -> Outcome {
    let (ui, client) = context.parts()?;
    let changes = args.objective.is_some() || args.budget.is_some() || args.pause || args.resume || args.clear;
    let state = if changes {
        let wanted = SetGoal {
            objective: args.objective.clone(),
            token_budget: args.budget,
            pause: args.pause,
            resume: args.resume,
            clear: args.clear,
        };
        client.set_goal(args.id.as_str(), &wanted).await?
    } else {
        client.goal(args.id.as_str(), &GoalQuery { await_end: false, timeout_ms: None }).await?
    };
    show(ui, args.id.as_str(), &state)?;
    Ok(0)
}

fn show(ui: &mut Ui, id: &str, state: &GoalState) -> Result<(), CommandError> {
    match (ui.json, &state.goal, state.cleared) {
        (true, _, Some(cleared)) => ui.document(&serde_json::json!({ "cleared": cleared })),
        (true, goal, None) => ui.document(goal),
        (false, _, Some(true)) => ui.line(&format!("Cleared goal for {id}")),
        (false, _, Some(false)) => ui.line(&format!("No goal to clear for {id}")),
        (false, None, None) => ui.line(&format!("No goal set for {id}")),
        (false, Some(goal), None) => lines(goal).iter().try_for_each(|line| ui.line(line)),
    }
}

fn lines(goal: &Goal) -> Vec<String> {
    let budget = goal.token_budget.map_or_else(|| "none".to_owned(), |budget| budget.to_string());
    vec![
        format!("objective: {}", goal.objective),
        format!("status: {}", goal.status),
        format!("tokens used: {}", goal.tokens_used),
        format!("token budget: {budget}"),
        format!("time used: {} s", goal.time_used_seconds),
    ]
}
