//! `adj watch`.

use std::io::IsTerminal;

use adjutant_api::ExitCode;
use adjutant_api::exit_code::number_of;
use adjutant_api::types::event::{Event, EventsQuery};
use adjutant_api::types::session::StatusWord;
use adjutant_api::types::turn::{OutcomeWord, TurnResult, WaitQuery};
use adjutant_client::{Client, Flow};
use serde_json::Value;

use crate::commands::{Outcome, wait};
use crate::context::Context;
use crate::duration::Limit;
use crate::error::CommandError;
use crate::result;
use crate::ui::Ui;
use crate::value::SessionArg;

/// Block until a run has ended, with a summary; or show or follow events
///
/// `--tail` prints the last events and returns. `-F` prints events as they occur, until interrupted or `--until` is met;
/// nothing is skipped or doubled across restarts of the daemon. With `--json` events are one JSON object per line.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct WatchArgs {
    /// The sessions; all of them unless given, then with `-F` or `--tail`
    #[arg(value_name = "id")]
    id: Vec<SessionArg>,

    /// Until the run in progress has ended (`terminal`), the next turn has (`next`), the queue is empty (`idle`), a request
    /// is open (`input`), or the process has ended (`exit`)
    #[arg(long, value_name = "what", value_enum)]
    until: Option<Until>,

    /// Print the last events, 20 unless given
    #[arg(long, value_name = "n", num_args = 0..=1, default_missing_value = "20")]
    tail: Option<u64>,

    /// Print events as they occur
    #[arg(short = 'F', long)]
    follow: bool,

    /// Only events after this cursor
    #[arg(long, value_name = "cursor")]
    since: Option<u64>,

    /// Only these types of events; `*` stands for anything
    #[arg(long, value_name = "glob,…", value_delimiter = ',')]
    types: Vec<String>,

    /// Give up after this long
    #[arg(short, long, value_name = "duration")]
    timeout: Option<Limit>,
}

/// What a watch waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Until {
    #[default]
    Terminal,
    Next,
    Idle,
    Input,
    Exit,
}

pub(crate) async fn run_watch(context: &mut Context, args: &WatchArgs) -> Outcome {
    let several_on_terminal = args.id.len() > 1 && args.until.is_none() && std::io::stdout().is_terminal();
    let follows = args.follow || (several_on_terminal && args.tail.is_none());
    if args.id.is_empty() && !follows && args.tail.is_none() && args.since.is_none() {
        return Err(CommandError::usage("watching all sessions needs `-F` or `--tail`"));
    }
    let (ui, client) = context.parts()?;
    match (follows, args.tail.is_some() || args.since.is_some()) {
        (true, _) => follow(ui, client, args).await,
        (false, true) => show(ui, client, args).await,
        (false, false) => until(ui, client, args).await,
    }
}

fn events_query(args: &WatchArgs) -> EventsQuery {
    EventsQuery {
        session: args.id.iter().map(ToString::to_string).collect(),
        since: args.since,
        types: args.types.clone(),
        tail: args.tail,
        follow: false,
    }
}

async fn show(ui: &mut Ui, client: &mut Client, args: &WatchArgs) -> Outcome {
    let events = client.events(&events_query(args)).await?;
    events.iter().try_for_each(|event| print(ui, event))?;
    Ok(0)
}

async fn follow(ui: &mut Ui, client: &mut Client, args: &WatchArgs) -> Outcome {
    let mut failed = None;
    let mut open: Vec<String> = args.id.iter().map(ToString::to_string).collect();
    let several = open.len() > 1;
    let mut codes = Vec::new();
    let met = |event: &Event| args.until.and_then(|until| code_of_event(until, event));
    let each = |event: Event| {
        if let Err(error) = print(ui, &event).and_then(|()| ui.flush()) {
            failed = Some(error);
            return Flow::Stop;
        }
        if let (Some(code), Some(session)) = (met(&event), &event.session) {
            codes.push(code);
            open.retain(|id| id != session);
            if open.is_empty() || !several {
                return Flow::Stop;
            }
        }
        Flow::GoOn
    };
    let limit = args.timeout.and_then(Limit::duration);
    let in_time = client.follow(&events_query(args), limit, each).await?;
    match (failed, codes.as_slice()) {
        (Some(error), _) => Err(error),
        (None, _) if !in_time => Ok(ExitCode::Timeout.number()),
        (None, [one]) => Ok(*one),
        (None, all) => Ok(ExitCode::of_several(all.iter().map(|code| code_among_several(*code))).number()),
    }
}

fn code_among_several(code: u8) -> ExitCode {
    ExitCode::from_number(code).unwrap_or(ExitCode::Refused)
}

/// The exit code, if this event is what the watch waits for.
fn code_of_event(until: Until, event: &Event) -> Option<u8> {
    let exit_code = event.data["exit_code"].as_u64().and_then(|code| u8::try_from(code).ok());
    match (until, event.r#type.as_str()) {
        (_, "session.exited") => Some(if until == Until::Exit { 0 } else { ExitCode::NotFound.number() }),
        (Until::Terminal | Until::Next | Until::Idle, "turn.completed") => Some(exit_code.unwrap_or(0)),
        (Until::Terminal | Until::Next | Until::Idle, "turn.failed") => Some(exit_code.unwrap_or(1)),
        (Until::Terminal | Until::Next | Until::Idle, "turn.interrupted") => Some(ExitCode::Interrupted.number()),
        (Until::Input, "request.opened") => Some(ExitCode::WaitingForInput.number()),
        _ => None,
    }
}

/// One line: when, where, what, and the facts.
fn print(ui: &mut Ui, event: &Event) -> Result<(), CommandError> {
    if ui.json {
        return ui.document(event);
    }
    let session = event.session.as_deref().unwrap_or("-");
    let turn = event.turn.map_or_else(String::new, |turn| format!(" turn={turn}"));
    ui.line(&format!("{} {session} {}{turn}{}", event.at, event.r#type, facts(&event.data)))
}

/// Facts that fit a line; the rest is in the JSON form.
fn facts(data: &Value) -> String {
    let fields = data.as_object().into_iter().flatten();
    let plain = fields.filter_map(|(name, value)| match value {
        Value::String(text) => Some(format!(" {name}={}", shortened(text))),
        Value::Number(_) | Value::Bool(_) => Some(format!(" {name}={value}")),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    });
    plain.collect()
}

fn shortened(text: &str) -> String {
    let line = crate::table::first_line(text);
    let cut: String = line.chars().take(80).collect();
    let more = if cut.len() < line.len() { "…" } else { "" };
    if cut.contains(' ') { format!("\"{cut}{more}\"") } else { format!("{cut}{more}") }
}

/// Waits without showing events; a summary for each session.
async fn until(ui: &mut Ui, client: &mut Client, args: &WatchArgs) -> Outcome {
    let mut codes = Vec::new();
    for id in &args.id {
        let found = until_one(client, id.as_str(), args).await?;
        if ui.json {
            ui.document(&found)?;
        } else if found.outcome == OutcomeWord::Timeout {
            wait::note_timeout(ui, &found.session, args.timeout.unwrap_or(Limit::None));
        } else {
            ui.line(&summary(&found))?;
        }
        ui.flush()?;
        result::explain(ui, &found);
        codes.push(number_of(&found));
    }
    match codes.as_slice() {
        [one] => Ok(*one),
        all => Ok(ExitCode::of_several(all.iter().map(|code| code_among_several(*code))).number()),
    }
}

async fn until_one(client: &mut Client, id: &str, args: &WatchArgs) -> Result<TurnResult, CommandError> {
    let limit = args.timeout.and_then(Limit::millis);
    let query = WaitQuery { session: vec![id.to_owned()], timeout_ms: limit, ..WaitQuery::default() };
    match args.until.unwrap_or_default() {
        Until::Terminal => wait::one(client, &WaitQuery { running: true, through_input: true, ..query }).await,
        Until::Next => wait::one(client, &WaitQuery { next_turn: true, through_input: true, ..query }).await,
        Until::Idle => until_idle(client, &WaitQuery { through_input: true, ..query }).await,
        Until::Input => {
            until_event(client, id, args, "request.opened", |status| *status == StatusWord::WaitingForInput).await
        }
        Until::Exit => until_event(client, id, args, "session.exited", |status| *status == StatusWord::Exited).await,
    }
}

/// What was accepted while one waited is waited for as well.
async fn until_idle(client: &mut Client, query: &WaitQuery) -> Result<TurnResult, CommandError> {
    loop {
        let found = wait::one(client, query).await?;
        let session = client.session(&found.session).await?;
        let has_work = session.turn.is_some() || (session.queued > 0 && !session.held);
        if !has_work || found.outcome == OutcomeWord::Timeout || session.status == StatusWord::Exited {
            return Ok(found);
        }
    }
}

/// Waits for an event that says that a state has come, or finds that it is there already.
async fn until_event(
    client: &mut Client,
    id: &str,
    args: &WatchArgs,
    event_type: &str,
    is_there: impl Fn(&StatusWord) -> bool,
) -> Result<TurnResult, CommandError> {
    let types = vec![event_type.to_owned(), "session.exited".to_owned()];
    let newest = EventsQuery { session: vec![id.to_owned()], tail: Some(1), ..EventsQuery::default() };
    let since = client.events(&newest).await?.last().map(|event| event.seq);
    let session = client.session(id).await?;
    let mut in_time = true;
    if !is_there(&session.status) && session.status != StatusWord::Exited {
        let query = EventsQuery { session: vec![id.to_owned()], since, types, ..EventsQuery::default() };
        in_time = client.follow(&query, args.timeout.and_then(Limit::duration), |_| Flow::Stop).await?;
    }
    let session = client.session(id).await?;
    let outcome = match (in_time, &session.status) {
        (false, _) => OutcomeWord::Timeout,
        (true, StatusWord::Exited) if event_type == "session.exited" => OutcomeWord::Completed,
        (true, StatusWord::Exited) => OutcomeWord::Exited,
        (true, _) => OutcomeWord::WaitingForInput,
    };
    Ok(TurnResult { outcome, pending: session.pending, ..TurnResult::idle(session.id) })
}

/// `fizz-top turn 7 completed in 42.3s (exit 0)`.
fn summary(found: &TurnResult) -> String {
    let turn = found.turn.map_or_else(String::new, |turn| format!(" turn {turn}"));
    let took = found.duration_ms.map_or_else(String::new, |ms| format!(" in {}.{}s", ms / 1_000, ms % 1_000 / 100));
    format!("{}{turn} {}{took} (exit {})", found.session, found.outcome, number_of(found))
}
