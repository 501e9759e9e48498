//! `adj wait`.

use adjutant_api::ExitCode;
use adjutant_api::exit_code::number_of;
use adjutant_api::stream::WaitResult;
use adjutant_api::types::turn::{OutcomeWord, TurnResult, WaitQuery};
use adjutant_client::Client;

use crate::commands::Outcome;
use crate::context::{Context, Group, client_of};
use crate::duration::{Limit, Span, words};
use crate::error::CommandError;
use crate::result;
use crate::ui::Ui;
use crate::value::{MessageArg, SessionArg};
use crate::{hosts, notify};

/// Block until the work that sessions have accepted so far has ended
///
/// The exit code is the outcome: 0 completed, 1 failed, 3 waiting for input, 4 exited, 5 unknown, 124 timeout, 130
/// interrupted; a shell session gives its command's own code. Returns early when a request has to be answered. Survives
/// a restart of the daemon, and repeating it is always safe.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct WaitArgs {
    /// The sessions; all of them are waited for
    #[arg(value_name = "id", required = true)]
    id: Vec<SessionArg>,

    /// Give up after this long; the turn goes on
    #[arg(short, long, value_name = "duration")]
    timeout: Option<Limit>,

    /// Accepted for old scripts; there is no poll
    #[arg(short, long, value_name = "duration", hide = true)]
    interval: Option<Limit>,

    /// Return at the first session that is done
    #[arg(long, conflicts_with = "count")]
    any: bool,

    /// Return as soon as this many sessions are done
    #[arg(long, value_name = "n", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,

    /// Print the final text instead of the word
    #[arg(long)]
    print: bool,

    /// Until this message is terminal, and only that
    #[arg(long = "for", value_name = "message", conflicts_with_all = ["next_turn", "goal"])]
    message: Option<MessageArg>,

    /// The next turn that ends after the call, even if none runs yet
    #[arg(long, conflicts_with = "goal")]
    next_turn: bool,

    /// Until the goal is pursued no more: complete, blocked, paused, out of budget, or cleared
    #[arg(long, conflicts_with_all = ["any", "count", "print"])]
    goal: bool,

    /// Do not return on an open request
    #[arg(long)]
    through_input: bool,

    /// Also wait for messages with a later start
    #[arg(long)]
    include_delayed: bool,

    /// Run this with `sh -c` when it is over, with the results as a JSON array on its standard input
    #[arg(long, value_name = "command", allow_hyphen_values = true)]
    notify_cmd: Option<String>,
}

pub(crate) async fn run_wait(context: &mut Context, args: &WaitArgs) -> Outcome {
    let limit = context.timeout(args.timeout)?;
    let query = query(args, limit);
    let (ui, mut groups) = context.groups(&query.session)?;
    if args.goal {
        return goals(ui, &mut groups, &query, limit).await;
    }
    if groups.len() > 1 {
        let (results, code) = hosts::wait(ui, groups, &query, args.print, limit).await?;
        tell(ui, args, &results).await?;
        return Ok(code.number());
    }
    let client = client_of(&mut groups, "")?;
    if query.session.len() > 1 {
        let found = several(ui, client, &query, args.print, limit).await?;
        tell(ui, args, &found.results).await?;
        return Ok(code_of(&found));
    }
    let found = one(client, &query).await?;
    show(ui, &found, args.print)?;
    if found.outcome == OutcomeWord::Timeout {
        note_timeout(ui, &found.session, limit);
        note_lent(ui, client, &query.session).await;
    }
    tell(ui, args, std::slice::from_ref(&found)).await?;
    Ok(number_of(&found))
}

/// The result is there before anybody is told of it.
async fn tell(ui: &mut Ui, args: &WaitArgs, results: &[TurnResult]) -> Result<(), CommandError> {
    let Some(command) = &args.notify_cmd else { return Ok(()) };
    ui.flush()?;
    notify::run(ui, command, &results).await;
    Ok(())
}

fn query(args: &WaitArgs, limit: Limit) -> WaitQuery {
    let mut session: Vec<String> = Vec::new();
    for id in args.id.iter().map(ToString::to_string) {
        if !session.contains(&id) {
            session.push(id);
        }
    }
    WaitQuery {
        session,
        count: if args.any { Some(1) } else { args.count },
        next_turn: args.next_turn,
        running: false,
        r#for: args.message.as_ref().map(|message| message.as_str().to_owned()),
        through_input: args.through_input,
        include_delayed: args.include_delayed,
        goal: args.goal,
        timeout_ms: limit.millis(),
    }
}

/// Waits for the ends of goals, one after the other, each told as it is found.
async fn goals(ui: &mut Ui, groups: &mut [Group<'_>], query: &WaitQuery, limit: Limit) -> Outcome {
    let mut code = ExitCode::Completed;
    for id in &query.session {
        let goal = client_of(groups, id)?.goal_end(id, limit.millis()).await?.goal;
        let word = goal.as_ref().map_or("cleared", |goal| goal.status.as_str());
        if word == "active" {
            note_timeout(ui, id, limit);
            return Ok(ExitCode::Timeout.number());
        }
        if !matches!(word, "complete" | "cleared") {
            code = ExitCode::Refused;
        }
        match (ui.json, query.session.len()) {
            (true, _) => ui.document(&goal)?,
            (false, 1) => ui.line(word)?,
            (false, _) => ui.line(&format!("{id}\t{word}"))?,
        }
    }
    Ok(code.number())
}

/// Waits for one session; a time that is over is a result too.
pub(crate) async fn one(client: &mut Client, query: &WaitQuery) -> Result<TurnResult, CommandError> {
    let found = client.wait(query, |_| {}).await?;
    let session = query.session.first().cloned().unwrap_or_default();
    let timeout = || TurnResult { outcome: OutcomeWord::Timeout, ..TurnResult::idle(session) };
    Ok(found.and_then(|found| found.results.into_iter().next()).unwrap_or_else(timeout))
}

/// The word, or the text, and what the word does not say.
fn show(ui: &mut Ui, found: &TurnResult, print: bool) -> Result<(), CommandError> {
    if ui.json {
        return ui.document(found);
    }
    if print {
        result::print_answer(ui, found)?;
    } else if found.outcome != OutcomeWord::Timeout {
        ui.line(found.outcome.as_str())?;
    }
    result::explain(ui, found);
    Ok(())
}

/// Several sessions, each told as it is done.
async fn several(
    ui: &mut Ui,
    client: &mut Client,
    query: &WaitQuery,
    print: bool,
    limit: Limit,
) -> Result<WaitResult, CommandError> {
    let mut failed: Option<CommandError> = None;
    let found = client.wait(query, |found| {
        if failed.is_none() {
            failed = show_one_of_several(ui, found, print).err();
        }
    });
    let found = found.await?;
    if let Some(error) = failed {
        return Err(error);
    }
    let found = found.unwrap_or_else(|| none_in_time(query));
    for late in found.results.iter().filter(|one| one.outcome == OutcomeWord::Timeout) {
        if ui.json {
            ui.document(late)?;
        }
        note_timeout(ui, &late.session, limit);
    }
    Ok(found)
}

pub(crate) fn show_one_of_several(ui: &mut Ui, found: &TurnResult, print: bool) -> Result<(), CommandError> {
    if ui.json {
        ui.document(found)?;
    } else if print {
        result::print_answer(ui, found)?;
    } else {
        ui.line(&format!("{}\t{}", found.session, found.outcome))?;
    }
    ui.flush()?;
    result::explain(ui, found);
    Ok(())
}

/// What is said when no daemon could say it in time.
fn none_in_time(query: &WaitQuery) -> WaitResult {
    let late = |id: &String| TurnResult { outcome: OutcomeWord::Timeout, ..TurnResult::idle(id.clone()) };
    let results = query.session.iter().map(late).collect();
    WaitResult { ended_by: adjutant_api::stream::WaitEnd::Timeout, results }
}

fn code_of(found: &WaitResult) -> u8 {
    ExitCode::of_several(found.results.iter().map(code_among_several)).number()
}

/// Among several, a command's own code counts as failed.
pub(crate) fn code_among_several(result: &TurnResult) -> ExitCode {
    if result.exit_code.is_some_and(|code| code != 0) && result.outcome == OutcomeWord::Completed {
        return ExitCode::Refused;
    }
    ExitCode::of_outcome(&result.outcome)
}

/// Says of a session that it is in somebody's hands. Whoever cannot be asked is told of elsewhere.
async fn note_lent(ui: &Ui, client: &mut Client, sessions: &[String]) {
    for id in sessions {
        if client.session(id).await.is_ok_and(|session| session.lent) {
            ui.note(&format!("a person has the conversation of {id} at a terminal; it goes on when it is given back"));
            ui.hint(&format!("adj interrupt {id}"));
        }
    }
}

/// Says that the time is over and the work is not.
pub(crate) fn note_timeout(ui: &Ui, session: &str, limit: Limit) {
    let after = limit.millis().map_or_else(String::new, |millis| format!(" after {}", words(millis)));
    let after = if limit == Limit::Millis(Span(0).millis()) { String::new() } else { after };
    ui.note(&format!("{session} is not done{after}; its work goes on"));
}
