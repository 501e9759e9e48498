//! `adj export`: a whole session as one document.

use adjutant_api::types::event::{Event, EventsQuery};
use adjutant_api::types::log::{LogEntry, LogQuery, Role};
use adjutant_api::types::message::{Message, MessagesQuery};
use adjutant_api::types::session::Session;
use adjutant_api::types::turn::{TurnResult, TurnsQuery};
use adjutant_client::Client;
use serde::Serialize;

use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::ui::Ui;
use crate::value::SessionArg;

/// Turns that are asked for at once.
const TURNS_PAGE: u32 = 200;

/// Print a whole session as one document
///
/// `jsonl`: one JSON object per line, each with its `type`: `session` first, then every `message`, `turn`, `entry` of the
/// conversation and `event`, oldest first within its type. `markdown`: the conversation, for people. What the host has
/// forgotten by its rules of retention is not there; an event `log.gap` says so.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ExportArgs {
    /// The session
    #[arg(value_name = "id")]
    id: SessionArg,

    /// The form of the document
    #[arg(long, value_name = "form", value_enum, default_value_t = Form::Jsonl)]
    format: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// JSON lines: everything.
    Jsonl,
    /// Markdown: the conversation.
    Markdown,
}

/// One line of the document for programs.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Session { session: &'a Session },
    Message { message: &'a Message },
    Turn { turn: &'a TurnResult },
    Entry { entry: &'a LogEntry },
    Event { event: &'a Event },
}

pub(crate) async fn run_export(context: &mut Context, args: &ExportArgs) -> Outcome {
    let (ui, client) = context.parts()?;
    let session = client.session(args.id.as_str()).await?;
    match args.format {
        Form::Jsonl => lines(ui, client, &session).await?,
        Form::Markdown => markdown(ui, client, &session).await?,
    }
    Ok(0)
}

async fn lines(ui: &mut Ui, client: &mut Client, session: &Session) -> Result<(), CommandError> {
    ui.document(&Line::Session { session })?;
    for message in client.messages(&session.uuid, &MessagesQuery { all: true }).await? {
        ui.document(&Line::Message { message: &whole(client, session, message).await? })?;
    }
    let mut turns = Turns::new();
    while let Some(page) = turns.next(client, session).await? {
        page.iter().try_for_each(|turn| ui.document(&Line::Turn { turn }))?;
    }
    let mut turns = Turns::new();
    while let Some(entries) = turns.next_entries(client, session).await? {
        entries.iter().try_for_each(|entry| ui.document(&Line::Entry { entry }))?;
    }
    events(ui, client, session).await
}

/// A list cuts long texts; the message itself has all of it.
async fn whole(client: &mut Client, session: &Session, message: Message) -> Result<Message, CommandError> {
    match message.text.len() as u64 == message.bytes {
        true => Ok(message),
        false => Ok(client.message(&session.uuid, &message.id).await?),
    }
}

/// Pages through the turns of a session.
struct Turns {
    next: Option<u32>,
}

impl Turns {
    fn new() -> Self {
        Self { next: Some(1) }
    }

    async fn next(&mut self, client: &mut Client, session: &Session) -> Result<Option<Vec<TurnResult>>, CommandError> {
        let Some(since) = self.next else { return Ok(None) };
        let query = TurnsQuery { since: Some(since), n: Some(TURNS_PAGE) };
        let page = client.turns(&session.uuid, &query).await?;
        let last = page.iter().filter_map(|turn| turn.turn).max();
        self.next = last.map(|last| last + 1);
        Ok((!page.is_empty()).then_some(page))
    }

    async fn next_entries(
        &mut self,
        client: &mut Client,
        session: &Session,
    ) -> Result<Option<Vec<LogEntry>>, CommandError> {
        let Some(since) = self.next else { return Ok(None) };
        let query = LogQuery { n: Some(TURNS_PAGE), since: Some(since), tools: true };
        let page = client.log(&session.uuid, &query).await?;
        self.next = page.iter().filter_map(|entry| entry.turn).max().map(|last| last + 1);
        Ok((!page.is_empty()).then_some(page))
    }
}

async fn events(ui: &mut Ui, client: &mut Client, session: &Session) -> Result<(), CommandError> {
    let mut query = EventsQuery { session: vec![session.uuid.clone()], since: Some(0), ..EventsQuery::default() };
    // What happens while the document is made is not in it: a session at work would have no end.
    let newest = EventsQuery { since: None, tail: Some(1), ..query.clone() };
    let newest = client.events(&newest).await?.last().map_or(0, |event| event.seq);
    while query.since < Some(newest) {
        let page = client.events(&query).await?;
        let page: Vec<&Event> = page.iter().filter(|event| event.seq <= newest).collect();
        let Some(last) = page.last().map(|event| event.seq) else { return Ok(()) };
        page.iter().try_for_each(|event| ui.document(&Line::Event { event }))?;
        query.since = Some(last);
    }
    Ok(())
}

async fn markdown(ui: &mut Ui, client: &mut Client, session: &Session) -> Result<(), CommandError> {
    ui.text(&heading(session))?;
    let (mut entries, mut turns) = (Turns::new(), Turns::new());
    let mut results: Vec<TurnResult> = Vec::new();
    let mut shown = None;
    while let Some(page) = entries.next_entries(client, session).await? {
        for entry in &page {
            if let Some(number) = entry.turn.filter(|turn| shown != Some(*turn)) {
                while results.last().and_then(|turn| turn.turn).is_none_or(|last| last < number) {
                    let Some(more) = turns.next(client, session).await? else { break };
                    results = more;
                }
                let result = results.iter().find(|turn| turn.turn == Some(number));
                ui.text(&turn_heading(number, result))?;
                shown = Some(number);
            }
            ui.text(&said(entry))?;
        }
    }
    if shown.is_none() {
        ui.line("\nNothing has been said in it.")?;
    }
    Ok(())
}

fn heading(session: &Session) -> String {
    let mut text = format!("# Session {}\n\n", session.id);
    let mut fact = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            text.push_str(&format!("- {name}: {}\n", quoted(value)));
        }
    };
    fact("id", Some(&session.uuid));
    fact("agent", Some(&session.cli));
    fact("for", session.description.as_deref());
    fact("directory", Some(&session.path));
    fact("project", session.project.as_deref());
    fact("branch", session.branch.as_deref());
    fact("parent", session.parent.as_deref());
    fact("created", Some(&session.created_at.to_string()));
    fact("state", Some(session.status.as_str()));
    text
}

/// A value as code, in as many backticks as it needs.
fn quoted(value: &str) -> String {
    let line = crate::table::first_line(value);
    let fence = "`".repeat(longest_run(&line, 0) + 1);
    let pad = if line.starts_with('`') || line.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{line}{pad}{fence}")
}

fn turn_heading(number: u32, result: Option<&TurnResult>) -> String {
    let Some(result) = result else { return format!("\n## Turn {number}\n") };
    let code = result.exit_code.map_or_else(String::new, |code| format!(", exit code {code}"));
    let ended = result.ended_at.map_or_else(String::new, |at| format!(", {at}"));
    format!("\n## Turn {number}: {}{code}{ended}\n", result.outcome)
}

/// What was said, in a fence that nothing in it can end.
fn said(entry: &LogEntry) -> String {
    let who = match (&entry.role, &entry.from, &entry.tool) {
        (Role::Human, Some(from), _) if from != "human" => format!("Message from {}", quoted(from)),
        (Role::Human, _, _) => "Message".to_owned(),
        (Role::Assistant, _, _) => "Answer".to_owned(),
        (Role::Tool, _, Some(tool)) => format!("Tool {}", quoted(tool)),
        (Role::Tool, _, None) => "Tool".to_owned(),
        (Role::Notice, _, _) => "Notice".to_owned(),
        (Role::Other(role), _, _) => role.clone(),
    };
    let beside = entry.appended.as_ref().map_or_else(String::new, |appended| fenced("Put beside it", appended));
    format!("{}{beside}", fenced(&who, &entry.text))
}

fn fenced(who: &str, text: &str) -> String {
    let fence = "`".repeat(longest_run(text, 2) + 1);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("\n**{who}**\n\n{fence}text\n{text}{end}{fence}\n")
}

/// The longest run of backticks in a text, and at least this many.
fn longest_run(text: &str, least: usize) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0).max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> LogEntry {
        LogEntry {
            role: Role::Assistant,
            text: text.to_owned(),
            turn: Some(1),
            at: None,
            from: None,
            message: None,
            tool: None,
            appended: None,
        }
    }

    #[test]
    fn a_text_cannot_leave_its_fence() {
        assert_eq!(said(&entry("plain")), "\n**Answer**\n\n```text\nplain\n```\n");
        assert_eq!(said(&entry("a\n```\n# b\n````\n")), "\n**Answer**\n\n`````text\na\n```\n# b\n````\n`````\n");
        assert_eq!(quoted("a`b"), "``a`b``");
        assert_eq!(quoted("`a"), "`` `a ``");
    }
}
