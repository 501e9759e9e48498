//! `adj queue`: what is queued, seen and changed.

use adjutant_api::types::message::{Awaited, AwaitedStateWord, EditMessage, Message, MessagesQuery};
use adjutant_api::{ErrorCode, ExitCode};
use adjutant_client::Client;

use crate::commands::Outcome;
use crate::commands::status::told;
use crate::context::Context;
use crate::duration::Span;
use crate::error::CommandError;
use crate::message::TextArgs;
use crate::table::{self, Column};
use crate::ui::Ui;
use crate::value::{MessageArg, Moment, SessionArg};

/// See and change what is queued
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct QueueArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum Action {
    /// List queued messages in the order in which they will run
    List(ListArgs),
    /// Change text, time or place of a queued message
    Edit(EditArgs),
    /// Cancel queued messages; their text stays in the log
    Remove(RemoveArgs),
    /// Stop delivery without touching the running turn
    Hold(HoldArgs),
    /// Resume delivery
    Release(HoldArgs),
    /// Send a failed, expired or unknown message again, on purpose
    Retry(RetryArgs),
}

#[derive(clap::Args, Clone, Debug)]
struct ListArgs {
    /// The session
    #[arg(value_name = "id")]
    id: SessionArg,

    /// Ended ones too
    #[arg(short, long)]
    all: bool,
}

#[derive(clap::Args, Clone, Debug)]
struct EditArgs {
    /// The session
    #[arg(value_name = "id")]
    id: SessionArg,

    /// The message
    #[arg(value_name = "m")]
    which: MessageArg,

    #[command(flatten)]
    text: TextArgs,

    /// Due after this time
    #[arg(long, value_name = "duration", group = "time")]
    delay: Option<Span>,

    /// Due at this point in time
    #[arg(long, value_name = "time", group = "time")]
    run_at: Option<Moment>,

    /// Due now
    #[arg(long, group = "time")]
    now: bool,

    /// To the front of the queue
    #[arg(long, group = "place")]
    first: bool,

    /// Behind this message
    #[arg(long, value_name = "message", group = "place")]
    after: Option<MessageArg>,
}

#[derive(clap::Args, Clone, Debug)]
struct RemoveArgs {
    /// The session
    #[arg(value_name = "id")]
    id: SessionArg,

    /// The messages
    #[arg(value_name = "m", required_unless_present = "all")]
    which: Vec<MessageArg>,

    /// All of them
    #[arg(long, conflicts_with = "which")]
    all: bool,
}

#[derive(clap::Args, Clone, Debug)]
struct HoldArgs {
    /// The session
    #[arg(value_name = "id")]
    id: SessionArg,
}

#[derive(clap::Args, Clone, Debug)]
struct RetryArgs {
    /// The session
    #[arg(value_name = "id")]
    id: SessionArg,

    /// The message
    #[arg(value_name = "m")]
    which: MessageArg,
}

pub(crate) async fn run_queue(context: &mut Context, args: &QueueArgs) -> Outcome {
    match &args.action {
        Action::List(args) => list(context, args).await,
        Action::Edit(args) => edit(context, args).await,
        Action::Remove(args) => remove(context, args).await,
        Action::Hold(args) => hold(context, &args.id, true).await,
        Action::Release(args) => hold(context, &args.id, false).await,
        Action::Retry(args) => {
            let (ui, client) = context.parts()?;
            let message = client.retry(args.id.as_str(), args.which.as_str()).await?;
            print_changed(ui, "Queued message", &message)
        }
    }
}

const COLUMNS: [Column; 5] =
    [Column::Left("ID"), Column::Left("STATE"), Column::Left("FROM"), Column::Left("WHEN"), Column::Free("TEXT")];

async fn list(context: &mut Context, args: &ListArgs) -> Outcome {
    let (ui, client) = context.parts()?;
    let messages = client.messages(args.id.as_str(), &MessagesQuery { all: args.all }).await?;
    if ui.json {
        ui.document(&messages)?;
    } else if ui.quiet {
        messages.iter().try_for_each(|message| ui.line(&message.id))?;
    } else if messages.is_empty() {
        ui.line("Queue is empty")?;
    } else {
        let rows: Vec<Vec<String>> = messages.iter().map(row).collect();
        ui.text(&table::set(&COLUMNS, &rows, table::terminal_width()))?;
    }
    Ok(0)
}

fn row(message: &Message) -> Vec<String> {
    let state = match (message.delayed, message.held, &message.blocked_by) {
        (true, ..) => "delayed",
        (_, true, _) => "held",
        (_, _, Some(_)) => "blocked",
        (false, false, None) if message.lent => "blocked",
        (false, false, None) => message.state.as_str(),
    };
    let when = [message.run_at.map(|at| at.to_string()).filter(|_| message.delayed), waits_for(message)];
    let when: Vec<String> = when.into_iter().flatten().collect();
    let when = if when.is_empty() { "-".to_owned() } else { when.join(" and ") };
    vec![message.id.clone(), state.to_owned(), message.from.clone(), when, table::first_line(&message.text)]
}

/// All that a message waits for, as long as it waits; what has ended of it with its outcome.
fn waits_for(message: &Message) -> Option<String> {
    let is_open = |awaited: &Awaited| awaited.state == AwaitedStateWord::Open;
    let name = |awaited: &Awaited| match &awaited.outcome {
        Some(outcome) if !is_open(awaited) => format!("{} ({outcome})", awaited_name(awaited)),
        Some(_) | None => awaited_name(awaited).to_owned(),
    };
    let names: Vec<String> = message.after.iter().map(name).collect();
    let between = if message.any { " or " } else { ", " };
    message.after.iter().any(is_open).then(|| format!("after {}", names.join(between)))
}

/// What is waited for, as it was named.
pub(crate) fn awaited_name(awaited: &Awaited) -> &str {
    awaited.message.as_deref().unwrap_or(&awaited.session)
}

async fn edit(context: &mut Context, args: &EditArgs) -> Outcome {
    let change = EditMessage {
        text: args.text.optional(context.message_max_bytes()?)?.map(|text| text.text),
        delay_ms: args.delay.map(Span::millis),
        run_at: args.run_at.map(|moment| moment.0),
        now: args.now,
        first: args.first,
        after: args.after.as_ref().map(ToString::to_string),
    };
    if change == EditMessage::default() {
        return Err(CommandError::usage("nothing to change is given: text, time or place"));
    }
    let (ui, client) = context.parts()?;
    let message = client.edit(args.id.as_str(), args.which.as_str(), &change).await?;
    print_changed(ui, "Changed message", &message)
}

fn print_changed(ui: &mut Ui, what: &str, message: &Message) -> Outcome {
    if ui.json {
        ui.document(message)?;
    } else if ui.quiet {
        ui.line(&message.id)?;
    } else {
        ui.line(&format!("{what} {}", message.id))?;
    }
    Ok(0)
}

/// All are tried; one that has started is left as it is.
async fn remove(context: &mut Context, args: &RemoveArgs) -> Outcome {
    let (ui, client) = context.parts()?;
    let (removed, code) = match args.all {
        true => (client.clear(args.id.as_str()).await?, ExitCode::Completed),
        false => remove_each(ui, client, args).await?,
    };
    if ui.json {
        ui.document(&removed)?;
    } else if !ui.quiet {
        removed.iter().try_for_each(|message| ui.line(&format!("Removed message {}", message.id)))?;
    }
    Ok(code.number())
}

async fn remove_each(
    ui: &Ui,
    client: &mut Client,
    args: &RemoveArgs,
) -> Result<(Vec<Message>, ExitCode), CommandError> {
    let mut removed = Vec::new();
    let mut code = ExitCode::Completed;
    for which in &args.which {
        match client.remove(args.id.as_str(), which.as_str()).await.map_err(CommandError::from) {
            Ok(message) => removed.push(message),
            Err(error) if args.which.len() == 1 || is_about_session(&error) => return Err(error),
            Err(error) => code = ExitCode::of_several([code, ExitCode::Refused, told(ui, &error)]),
        }
    }
    Ok((removed, if code == ExitCode::Completed { code } else { ExitCode::Refused }))
}

fn is_about_session(error: &CommandError) -> bool {
    let codes = [ErrorCode::SessionNotFound, ErrorCode::DaemonUnreachable, ErrorCode::VersionMismatch];
    matches!(error, CommandError::Told(body) if codes.contains(&body.code))
}

async fn hold(context: &mut Context, id: &SessionArg, hold: bool) -> Outcome {
    let (ui, client) = context.parts()?;
    let session = match hold {
        true => client.hold(id.as_str()).await?,
        false => client.release(id.as_str()).await?,
    };
    if ui.json {
        ui.document(&session)?;
    } else if !ui.quiet {
        let what = if hold { "Held" } else { "Released" };
        ui.line(&format!("{what} queue of {}", session.id))?;
    }
    Ok(0)
}
