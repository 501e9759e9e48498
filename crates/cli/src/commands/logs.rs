//! `adj logs`.

use adjutant_api::types::event::EventsQuery;
use adjutant_api::types::log::{LogEntry, LogQuery, Role};
use adjutant_client::{Client, Flow};

use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::ui::Ui;
use crate::value::SessionArg;

/// Print the conversation of a session
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct LogsArgs {
    /// The session
    #[arg(value_name = "id")]
    id: SessionArg,

    /// The last turns, this many
    #[arg(short = 'n', long, value_name = "turns", value_parser = clap::value_parser!(u32).range(1..))]
    turns: Option<u32>,

    /// From this turn on
    #[arg(long, value_name = "turn")]
    since: Option<u32>,

    /// Go on with what comes
    #[arg(short = 'F', long)]
    follow: bool,

    /// With what tools returned
    #[arg(long)]
    tools: bool,
}

pub(crate) async fn run_logs(context: &mut Context, args: &LogsArgs) -> Outcome {
    let (ui, client) = context.parts()?;
    let query = LogQuery { n: args.turns, since: args.since, tools: args.tools };
    let entries = client.log(args.id.as_str(), &query).await?;
    if args.follow {
        return follow(ui, client, args, entries).await;
    }
    if ui.json {
        ui.document(&entries)?;
    } else if entries.is_empty() {
        ui.line("No conversation history available")?;
    } else {
        entries.iter().try_for_each(|entry| print(ui, entry))?;
    }
    Ok(0)
}

fn print(ui: &mut Ui, entry: &LogEntry) -> Result<(), CommandError> {
    let text = entry.text.trim_end_matches('\n');
    let beside = entry.appended.as_ref().map_or_else(String::new, |appended| format!("\n{appended}"));
    ui.text(&format!("{}\n{text}{beside}\n\n", label(entry)))
}

fn label(entry: &LogEntry) -> String {
    let from = entry.from.as_deref().filter(|from| *from != "human");
    match (&entry.role, from, &entry.tool) {
        (Role::Human, Some(from), _) => format!("[HUMAN from {from}]"),
        (Role::Human, None, _) => "[HUMAN]".to_owned(),
        (Role::Assistant, _, _) => "[ASSISTANT]".to_owned(),
        (Role::Tool, _, Some(tool)) => format!("[TOOL {tool}]"),
        (Role::Tool, _, None) => "[TOOL]".to_owned(),
        (Role::Notice, _, _) => "[NOTICE]".to_owned(),
        (Role::Other(role), _, _) => format!("[{}]", role.to_uppercase()),
    }
}

/// What is new is looked up whenever an event says that something is; entries that were shown are not shown again.
async fn follow(ui: &mut Ui, client: &mut Client, args: &LogsArgs, entries: Vec<LogEntry>) -> Outcome {
    let mut shown: Vec<LogEntry> = Vec::new();
    show_new(ui, &mut shown, entries)?;
    let types = ["message.delivered", "turn.*", "session.exited"].map(str::to_owned).to_vec();
    let mut query = EventsQuery { session: vec![args.id.to_string()], types, tail: Some(1), ..EventsQuery::default() };
    loop {
        let mut exited = false;
        let mut cursor = None;
        let each = |event: adjutant_api::types::event::Event| {
            exited = event.r#type == "session.exited";
            cursor = Some(event.seq);
            Flow::Stop
        };
        client.follow(&query, None, each).await?;
        let since = shown.iter().rev().find_map(|entry| entry.turn).or(args.since);
        let entries = client.log(args.id.as_str(), &LogQuery { n: None, since, tools: args.tools }).await?;
        show_new(ui, &mut shown, entries)?;
        if exited {
            return Ok(0);
        }
        query = EventsQuery { since: cursor.or(query.since), tail: None, ..query };
    }
}

/// How many entries are remembered: more than one turn has.
const SHOWN_MAX: usize = 10_000;

fn show_new(ui: &mut Ui, shown: &mut Vec<LogEntry>, entries: Vec<LogEntry>) -> Result<(), CommandError> {
    for entry in entries {
        if shown.contains(&entry) {
            continue;
        }
        if ui.json {
            ui.document(&entry)?
        } else {
            print(ui, &entry)?
        }
        shown.push(entry);
    }
    shown.drain(..shown.len().saturating_sub(SHOWN_MAX));
    ui.flush()
}
