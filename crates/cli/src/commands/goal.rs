//! `adj goal`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use adjutant_api::types::goal::{Goal, GoalQuery, GoalState, SetGoal};

use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::message::TextArgs;
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

    /// What is to be reached, in one argument or several; it is pursued at once
    #[arg(value_name = "objective")]
    objective: Vec<OsString>,

    /// What is to be reached, whatever it looks like
    #[arg(long, value_name = "text", allow_hyphen_values = true)]
    condition: Option<OsString>,

    /// Read what is to be reached from a file; `-` is standard input
    #[arg(short, long, value_name = "path")]
    file: Option<PathBuf>,

    /// Tokens that it may cost
    #[arg(long, value_name = "tokens", value_parser = clap::value_parser!(u64).range(1..))]
    budget: Option<u64>,

    /// Turns that it may take
    #[arg(long, value_name = "turns", value_parser = clap::value_parser!(u32).range(1..))]
    max_turns: Option<u32>,

    /// Let it rest
    #[arg(long, group = "change", conflicts_with_all = SETTING)]
    pause: bool,

    /// Go on with it
    #[arg(long, group = "change", conflicts_with_all = SETTING)]
    resume: bool,

    /// Forget it
    #[arg(long, group = "change", conflicts_with_all = SETTING)]
    clear: bool,

    /// It is reached; an agent says so of its own, with `self`
    #[arg(long, group = "change", conflicts_with_all = SETTING)]
    done: bool,

    /// With `--done`: what shows it
    #[arg(long, value_name = "text", requires = "done", allow_hyphen_values = true)]
    evidence: Option<String>,

    /// It cannot be reached, for this reason
    #[arg(long, value_name = "reason", group = "change", conflicts_with_all = SETTING, allow_hyphen_values = true)]
    blocked: Option<String>,
}

/// What sets a goal, and goes along with no other change of it.
const SETTING: [&str; 5] = ["objective", "condition", "file", "budget", "max_turns"];

pub(crate) async fn run_goal(context: &mut Context, args: &GoalArgs) -> Outcome {
    let wanted = wanted(args, context.message_max_bytes()?)?;
    let (ui, client) = context.parts()?;
    let state = if wanted == SetGoal::default() {
        client.goal(args.id.as_str(), &GoalQuery { await_end: false, timeout_ms: None }).await?
    } else {
        client.set_goal(args.id.as_str(), &wanted).await?
    };
    show(ui, args.id.as_str(), &state)?;
    Ok(0)
}

fn wanted(args: &GoalArgs, bytes_max: u64) -> Result<SetGoal, CommandError> {
    let objective = (!args.objective.is_empty()).then(|| args.objective.join(OsStr::new(" ")));
    let places = TextArgs::of(objective, args.condition.clone(), args.file.clone(), false);
    Ok(SetGoal {
        objective: places.optional(bytes_max)?.map(|text| text.text),
        token_budget: args.budget,
        max_turns: args.max_turns,
        pause: args.pause,
        resume: args.resume,
        clear: args.clear,
        done: args.done,
        evidence: args.evidence.clone(),
        blocked: args.blocked.clone(),
    })
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
    let none = || "none".to_owned();
    let budget = goal.token_budget.map_or_else(none, |budget| budget.to_string());
    let max_turns = goal.max_turns.map_or_else(none, |turns| turns.to_string());
    let lines = [
        format!("objective: {}", goal.objective),
        format!("status: {}", goal.status),
        format!("tokens used: {}", goal.tokens_used),
        format!("token budget: {budget}"),
        format!("time used: {} s", goal.time_used_seconds),
        format!("turns used: {}", goal.turns_used),
        format!("max turns: {max_turns}"),
    ];
    lines.into_iter().chain(goal.reason.as_ref().map(|reason| format!("reason: {reason}"))).collect()
}
