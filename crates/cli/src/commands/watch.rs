//! `adj watch`.

use std::cell::RefCell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use adjutant_api::exit_code::number_of;
use adjutant_api::types::event::{Event, EventsQuery};
use adjutant_api::types::message::MessagesQuery;
use adjutant_api::types::session::StatusWord;
use adjutant_api::types::turn::{OutcomeWord, TurnResult, WaitQuery};
use adjutant_api::{ExitCode, type_matches};
use adjutant_client::{Client, Flow};
use serde_json::Value;

use crate::commands::status::told;
use crate::commands::{Outcome, wait};
use crate::context::{Context, Group, client_of};
use crate::duration::Limit;
use crate::error::CommandError;
use crate::ui::Ui;
use crate::value::SessionArg;
use crate::{hosts, result};

/// Block until a run has ended, with a summary; or show or follow events
///
/// `--tail` prints the last events and returns. `-F` prints events as they occur, until interrupted or `--until` is met;
/// nothing is skipped or doubled across restarts of the daemon. With `--json` events are one JSON object per line.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct WatchArgs {
    /// The sessions; all of them unless given, then with `-F` or `--tail`
    #[arg(value_name = "id")]
    pub(crate) id: Vec<SessionArg>,

    /// Until the run in progress has ended (`terminal`), the next turn has (`next`), the queue is empty (`idle`), a request
    /// is open (`input`), or the process has ended (`exit`)
    #[arg(long, value_name = "what", value_enum)]
    pub(crate) until: Option<Until>,

    /// Print the last events, 20 unless given
    #[arg(long, value_name = "n", num_args = 0..=1, default_missing_value = "20")]
    pub(crate) tail: Option<u64>,

    /// Print events as they occur
    #[arg(short = 'F', long)]
    pub(crate) follow: bool,

    /// Only events after this cursor
    #[arg(long, value_name = "cursor")]
    pub(crate) since: Option<u64>,

    /// Only these types of events; `*` stands for anything
    #[arg(long, value_name = "glob,…", value_delimiter = ',')]
    pub(crate) types: Vec<String>,

    /// Give up after this long
    #[arg(short, long, value_name = "duration")]
    pub(crate) timeout: Option<Limit>,
}

/// The events by which it is seen that what a watch waits for has come.
const DECIDING: [&str; 3] = ["turn.*", "session.exited", "request.opened"];

/// What a watch waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Until {
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
    let ids: Vec<String> = args.id.iter().map(ToString::to_string).collect();
    let (ui, mut groups) = context.groups(&ids)?;
    if groups.len() > 1 && args.since.is_some() {
        return Err(CommandError::usage("a cursor is one host's, and these sessions are on several"));
    }
    match (follows, args.tail.is_some() || args.since.is_some()) {
        (true, _) => follow_all(ui, groups, args).await,
        (false, true) => show(ui, &mut groups, args).await,
        (false, false) => until(ui, &mut groups, args).await,
    }
}

/// The same of some of the sessions.
fn about(args: &WatchArgs, ids: &[String]) -> WatchArgs {
    let id = args.id.iter().filter(|id| ids.iter().any(|own| own == id.as_str())).cloned().collect();
    WatchArgs { id, ..args.clone() }
}

/// Follows at all hosts at once. One that is out of reach does not stop the rest.
async fn follow_all(ui: &mut Ui, mut groups: Vec<Group<'_>>, args: &WatchArgs) -> Outcome {
    let ui = RefCell::new(ui);
    if let [one] = groups.as_mut_slice() {
        return Ok(code_of(&follow(&ui, one.client, args).await?));
    }
    let follows = groups.into_iter().map(|group| {
        let (ui, args) = (&ui, about(args, &group.ids));
        hosts::boxed(async move { follow(ui, group.client, &args).await })
    });
    let mut met = Vec::new();
    for followed in hosts::all(follows.collect(), || false).await {
        match followed {
            Ok(some) => met.extend(some),
            Err(error @ CommandError::Told(_)) => met.push(Met::plain(told(&ui.borrow(), &error))),
            Err(error @ (CommandError::ClosedPipe | CommandError::Interrupted)) => return Err(error),
        }
    }
    Ok(code_of(&met))
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

/// What is asked for while one follows: beside what is shown, what may end the watch.
fn followed_query(args: &WatchArgs) -> EventsQuery {
    let mut query = events_query(args);
    if args.until.is_some() && !query.types.is_empty() {
        query.types.extend(DECIDING.map(str::to_owned));
    }
    query
}

/// Whether an event is one of those that were asked for. That some are gone is always said.
fn is_shown(args: &WatchArgs, event: &Event) -> bool {
    let name = event.r#type.as_str();
    args.types.is_empty() || name == "log.gap" || args.types.iter().any(|pattern| type_matches(pattern, name))
}

async fn show(ui: &mut Ui, groups: &mut [Group<'_>], args: &WatchArgs) -> Outcome {
    let mut events = Vec::new();
    for group in &mut *groups {
        events.extend(group.client.events(&events_query(&about(args, &group.ids))).await?);
    }
    if groups.len() > 1 {
        events.sort_by_key(|event: &Event| event.at.as_millis());
        let surplus = args.tail.and_then(|tail| events.len().checked_sub(usize::try_from(tail).ok()?));
        events.drain(..surplus.unwrap_or(0));
    }
    events.iter().try_for_each(|event| print(ui, event))?;
    Ok(0)
}

/// What a watch waits for, and how far it has come.
struct Goal {
    until: Option<Until>,
    /// The sessions that have not come to it, by their names.
    open: Vec<String>,
    several: bool,
    met: Vec<Met>,
}

/// What came of one session: its code, and what that counts as among several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Met {
    number: u8,
    among: ExitCode,
}

impl Met {
    fn plain(code: ExitCode) -> Self {
        Self { number: code.number(), among: code }
    }

    fn of_result(found: &TurnResult) -> Self {
        Self { number: number_of(found), among: wait::code_among_several(found) }
    }

    /// A command's own code, which among several counts as failed.
    fn of_command(own: Option<u8>, without: ExitCode) -> Self {
        let among = if own.unwrap_or(without.number()) == 0 { ExitCode::Completed } else { ExitCode::Refused };
        Self { number: own.unwrap_or(without.number()), among }
    }
}

/// The exit code of a watch.
fn code_of(met: &[Met]) -> u8 {
    match met {
        [one] => one.number,
        all => ExitCode::of_several(all.iter().map(|one| one.among)).number(),
    }
}

impl Goal {
    /// Looks for what is there already. What comes after the look is behind the cursor that the query gets.
    async fn set(client: &mut Client, args: &WatchArgs, query: &mut EventsQuery) -> Result<Self, CommandError> {
        let mut goal = Self { until: args.until, open: Vec::new(), several: args.id.len() > 1, met: Vec::new() };
        let Some(until) = args.until else { return Ok(goal) };
        if query.since.is_none() && query.tail.is_none() {
            // Of any type: one that is not shown is a place in the log as well.
            let newest = EventsQuery { tail: Some(1), types: Vec::new(), ..query.clone() };
            query.since = client.events(&newest).await?.last().map(|event| event.seq);
        }
        for id in &args.id {
            match met_now(client, id.as_str(), until).await? {
                (_, Some(met)) => goal.met.push(met),
                (name, None) => goal.open.push(name),
            }
        }
        Ok(goal)
    }

    fn is_met(&self) -> bool {
        !self.met.is_empty() && (self.open.is_empty() || !self.several)
    }

    fn of_event(&self, event: &Event) -> Option<(String, Met)> {
        let session = event.session.clone()?;
        let concerns = self.open.is_empty() || self.open.contains(&session);
        let met = self.until.and_then(|until| met_by_event(until, event)).filter(|_| concerns)?;
        Some((session, met))
    }

    fn reach(&mut self, session: &str, met: Met) {
        self.met.push(met);
        self.open.retain(|open| open != session);
    }
}

/// The session's name, and what came of it if what is waited for is there already.
async fn met_now(client: &mut Client, id: &str, until: Until) -> Result<(String, Option<Met>), CommandError> {
    let session = client.session(id).await?;
    let met = match until {
        Until::Exit => (session.status == StatusWord::Exited).then_some(Met::plain(ExitCode::Completed)),
        Until::Input => match session.status {
            StatusWord::WaitingForInput => Some(Met::plain(ExitCode::WaitingForInput)),
            StatusWord::Exited => Some(Met::plain(ExitCode::NotFound)),
            StatusWord::Starting
            | StatusWord::Idle
            | StatusWord::Working
            | StatusWord::Unknown
            | StatusWord::Other(_) => None,
        },
        Until::Terminal | Until::Next | Until::Idle => {
            let found = until_turn(client, id, until, Some(0)).await?;
            (found.outcome != OutcomeWord::Timeout).then(|| Met::of_result(&found))
        }
    };
    Ok((session.id, met))
}

async fn follow(ui: &RefCell<&mut Ui>, client: &mut Client, args: &WatchArgs) -> Result<Vec<Met>, CommandError> {
    let deadline = Deadline::after(args.timeout);
    let mut query = followed_query(args);
    let mut goal = Goal::set(client, args, &mut query).await?;
    if goal.is_met() {
        if args.since.is_some() || args.tail.is_some() {
            let events = client.events(&events_query(args)).await?;
            events.iter().try_for_each(|event| print(&mut ui.borrow_mut(), event))?;
        }
        return Ok(goal.met);
    }
    loop {
        let (mut failed, mut reached, mut last) = (None, None, query.since);
        let each = |event: Event| {
            last = Some(event.seq);
            if is_shown(args, &event) {
                let ui = &mut *ui.borrow_mut();
                failed = print(ui, &event).and_then(|()| ui.flush()).err();
            }
            reached = goal.of_event(&event);
            if failed.is_some() || reached.is_some() { Flow::Stop } else { Flow::GoOn }
        };
        let in_time = client.follow(&query, deadline.left(), each).await?;
        if let Some(error) = failed {
            return Err(error);
        }
        query = EventsQuery { since: last, tail: None, ..query };
        match reached {
            Some((session, _)) if goal.until == Some(Until::Idle) && has_work(client, &session).await? => {}
            Some((session, met)) => goal.reach(&session, met),
            None if in_time => return Ok(goal.met),
            None => {
                for open in &goal.open {
                    wait::note_timeout(&ui.borrow(), open, args.timeout.unwrap_or(Limit::None));
                }
                return Ok(vec![Met::plain(ExitCode::Timeout)]);
            }
        }
        if goal.is_met() {
            return Ok(goal.met);
        }
    }
}

/// What came of the session, if this event is what the watch waits for.
fn met_by_event(until: Until, event: &Event) -> Option<Met> {
    let own = event.data["exit_code"].as_u64().and_then(|code| u8::try_from(code).ok());
    match (until, event.r#type.as_str()) {
        (Until::Exit, "session.exited") => Some(Met::plain(ExitCode::Completed)),
        (_, "session.exited") => Some(Met::plain(ExitCode::NotFound)),
        (Until::Input, "request.opened") => Some(Met::plain(ExitCode::WaitingForInput)),
        (Until::Input | Until::Exit, _) => None,
        (_, "turn.completed") => Some(Met::of_command(own, ExitCode::Completed)),
        (_, "turn.failed") => Some(Met::of_command(own, ExitCode::Refused)),
        (_, "turn.interrupted") => Some(Met::plain(ExitCode::Interrupted)),
        (_, "turn.exited") => Some(Met::plain(ExitCode::NotFound)),
        (_, "turn.unknown") => Some(Met::plain(ExitCode::Unknown)),
        _ => None,
    }
}

/// When a watch gives up.
#[derive(Clone, Copy)]
struct Deadline(Option<Instant>);

impl Deadline {
    fn after(limit: Option<Limit>) -> Self {
        Self(limit.and_then(Limit::duration).map(|limit| Instant::now() + limit))
    }

    fn left(self) -> Option<Duration> {
        self.0.map(|until| until.saturating_duration_since(Instant::now()))
    }

    fn left_ms(self) -> Option<u64> {
        self.left().map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
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
async fn until(ui: &mut Ui, groups: &mut [Group<'_>], args: &WatchArgs) -> Outcome {
    let deadline = Deadline::after(args.timeout);
    let mut met = Vec::new();
    for id in &args.id {
        let client = client_of(groups, id.as_str())?;
        let (found, one) = until_one(client, id.as_str(), args.until.unwrap_or_default(), deadline).await?;
        if ui.json {
            ui.document(&found)?;
        } else if found.outcome == OutcomeWord::Timeout {
            wait::note_timeout(ui, &found.session, args.timeout.unwrap_or(Limit::None));
        } else {
            ui.line(&summary(&found, one.number))?;
        }
        ui.flush()?;
        if args.until != Some(Until::Exit) {
            result::explain(ui, &found);
        }
        met.push(one);
    }
    Ok(code_of(&met))
}

async fn until_one(
    client: &mut Client,
    id: &str,
    until: Until,
    deadline: Deadline,
) -> Result<(TurnResult, Met), CommandError> {
    let found = match until {
        Until::Terminal | Until::Next | Until::Idle => until_turn(client, id, until, deadline.left_ms()).await?,
        Until::Input | Until::Exit => until_event(client, id, until, deadline).await?,
    };
    let met = match (until, &found.outcome) {
        // That is what was waited for.
        (Until::Exit, OutcomeWord::Exited) => Met::plain(ExitCode::Completed),
        _other => Met::of_result(&found),
    };
    Ok((found, met))
}

async fn until_turn(
    client: &mut Client,
    id: &str,
    until: Until,
    timeout_ms: Option<u64>,
) -> Result<TurnResult, CommandError> {
    let query = WaitQuery { session: vec![id.to_owned()], timeout_ms, through_input: true, ..WaitQuery::default() };
    match until {
        Until::Next => wait::one(client, &WaitQuery { next_turn: true, ..query }).await,
        Until::Idle => until_idle(client, query).await,
        Until::Terminal | Until::Input | Until::Exit => wait::one(client, &WaitQuery { running: true, ..query }).await,
    }
}

/// What was accepted while one waited is waited for as well.
async fn until_idle(client: &mut Client, query: WaitQuery) -> Result<TurnResult, CommandError> {
    let deadline = Deadline::after(query.timeout_ms.map(Limit::Millis));
    loop {
        let left = WaitQuery { timeout_ms: deadline.left_ms(), ..query.clone() };
        let found = wait::one(client, &left).await?;
        if found.outcome == OutcomeWord::Timeout || !has_work(client, &found.session).await? {
            return Ok(found);
        }
    }
}

/// Whether a session works, or will without being told more: what is held or not due yet waits for something else.
async fn has_work(client: &mut Client, id: &str) -> Result<bool, CommandError> {
    // The queue first: a message that leaves it meanwhile is seen as a turn.
    let waiting = client.messages(id, &MessagesQuery::default()).await?;
    let session = client.session(id).await?;
    let waits = waiting.iter().any(|message| !message.held && !message.delayed);
    Ok(session.status != StatusWord::Exited && (waits || session.turn.is_some()))
}

/// Waits for an event that says that a state has come, or finds that it is there already.
async fn until_event(
    client: &mut Client,
    id: &str,
    until: Until,
    deadline: Deadline,
) -> Result<TurnResult, CommandError> {
    let newest = EventsQuery { session: vec![id.to_owned()], tail: Some(1), ..EventsQuery::default() };
    let since = client.events(&newest).await?.last().map(|event| event.seq);
    let mut in_time = true;
    if met_now(client, id, until).await?.1.is_none() {
        let types = ["request.opened", "session.exited"].map(str::to_owned).to_vec();
        let query = EventsQuery { session: vec![id.to_owned()], since, types, ..EventsQuery::default() };
        let each = |event: Event| if met_by_event(until, &event).is_some() { Flow::Stop } else { Flow::GoOn };
        in_time = client.follow(&query, deadline.left(), each).await?;
    }
    let session = client.session(id).await?;
    let outcome = match (in_time, &session.status) {
        (false, _) => OutcomeWord::Timeout,
        (true, StatusWord::Exited) => OutcomeWord::Exited,
        (true, _) => OutcomeWord::WaitingForInput,
    };
    let error = session.exit.and_then(|exit| exit.detail);
    Ok(TurnResult { outcome, pending: session.pending, error, ..TurnResult::idle(session.id) })
}

/// `fizz-top turn 7 completed in 42.3s (exit 0)`.
fn summary(found: &TurnResult, code: u8) -> String {
    let turn = found.turn.map_or_else(String::new, |turn| format!(" turn {turn}"));
    let took = found.duration_ms.map_or_else(String::new, |ms| format!(" in {}.{}s", ms / 1_000, ms % 1_000 / 100));
    format!("{}{turn} {}{took} (exit {code})", found.session, found.outcome)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn met(until: Until, r#type: &str, exit_code: Option<u8>) -> Option<(u8, u8)> {
        let event = Event {
            seq: 1,
            session: Some("fizz-top".to_owned()),
            at: adjutant_api::WireTime::from_millis(0),
            r#type: r#type.to_owned(),
            turn: Some(1),
            data: json!({"exit_code": exit_code}),
        };
        met_by_event(until, &event).map(|met| (met.number, met.among.number()))
    }

    #[test]
    fn every_end_of_a_turn_ends_a_watch_for_it() {
        for until in [Until::Terminal, Until::Next, Until::Idle] {
            assert_eq!(met(until, "turn.completed", Some(0)), Some((0, 0)));
            assert_eq!(met(until, "turn.failed", None), Some((1, 1)));
            assert_eq!(met(until, "turn.failed", Some(3)), Some((3, 1)), "a command's own code is no request");
            assert_eq!(met(until, "turn.interrupted", Some(130)), Some((130, 130)));
            assert_eq!(met(until, "turn.exited", Some(137)), Some((4, 4)));
            assert_eq!(met(until, "turn.unknown", None), Some((5, 5)));
            assert_eq!(met(until, "session.exited", Some(0)), Some((4, 4)));
            assert_eq!(met(until, "request.opened", None), None);
        }
        assert_eq!(met(Until::Exit, "session.exited", Some(7)), Some((0, 0)));
        assert_eq!(met(Until::Exit, "turn.completed", Some(0)), None);
        assert_eq!(met(Until::Input, "request.opened", None), Some((3, 3)));
        assert_eq!(met(Until::Input, "session.exited", None), Some((4, 4)));
        assert_eq!(met(Until::Input, "turn.failed", Some(1)), None);
    }

    #[test]
    fn several_sessions_count_a_commands_code_as_failed() {
        let three = Met { number: 3, among: ExitCode::Refused };
        assert_eq!(code_of(&[three]), 3);
        assert_eq!(code_of(&[three, Met::plain(ExitCode::Completed)]), 1);
        assert_eq!(code_of(&[three, Met::plain(ExitCode::WaitingForInput)]), 3);
    }
}
