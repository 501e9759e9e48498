//! `adj wake`.

use adjutant_api::types::message::{Awaited, AwaitedStateWord, Message, MessagesQuery, Sent, WakeSession};
use adjutant_client::Client;

use crate::commands::Outcome;
use crate::commands::queue::awaited_name;
use crate::commands::send::{known_by_key, note_dropped};
use crate::context::Context;
use crate::duration::{Limit, Span};
use crate::error::CommandError;
use crate::message::TextArgs;
use crate::ui::Ui;
use crate::value::{Moment, SessionArg, Variable};
use crate::way;

/// Queue a message, now or later, reviving a session that has ended
///
/// Without a message the process is revived and a held queue released, and no turn is started. A session that has ended is
/// started again on its conversation, under the same id, with the environment of this call.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct WakeArgs {
    /// The session
    #[arg(value_name = "id")]
    id: SessionArg,

    #[command(flatten)]
    text: TextArgs,

    /// Due after this time; `0s` is now
    #[arg(long, value_name = "duration", conflicts_with = "run_at")]
    delay: Option<Span>,

    /// Due at this point in time; one in the past is now
    #[arg(long, value_name = "time")]
    run_at: Option<Moment>,

    /// Due when the work that this session has now, or this message, has ended; repeat it for several. How each ended, and
    /// its final text, are put beside the message
    #[arg(long, value_name = "session|message")]
    after: Vec<SessionArg>,

    /// The first of `--after` is enough
    #[arg(long, requires = "after")]
    any: bool,

    /// It expires unless it is started within this time
    #[arg(long, value_name = "duration")]
    expires: Option<Span>,

    /// A live message with this key in this session is returned instead of adding a second one
    #[arg(long, value_name = "key")]
    key: Option<String>,

    /// A variable for a session that has ended, on top of the environment of this call; may be repeated
    #[arg(long, value_name = "NAME=value")]
    env: Vec<Variable>,

    /// Give up after this long when a session that has ended does not get ready again; a minute unless given
    #[arg(short, long, value_name = "duration")]
    timeout: Option<Limit>,
}

impl WakeArgs {
    /// A wake at a time.
    pub(crate) fn at(id: SessionArg, text: TextArgs, delay: Option<Span>, run_at: Option<Moment>) -> Self {
        let (after, env) = (Vec::new(), Vec::new());
        Self { id, text, delay, run_at, after, any: false, expires: None, key: None, env, timeout: None }
    }
}

pub(crate) async fn run_wake(context: &mut Context, args: &WakeArgs) -> Outcome {
    let text = args.text.optional(context.message_max_bytes()?)?;
    let dropped = text.as_ref().map_or(0, |text| text.dropped);
    let around = way::surroundings(context).await?;
    let message = WakeSession {
        text: text.map(|text| text.text),
        key: args.key.clone(),
        once: false,
        expires_ms: args.expires.map(Span::millis),
        delay_ms: args.delay.map(Span::millis),
        run_at: args.run_at.map(|moment| moment.0),
        after: args.after.iter().map(ToString::to_string).collect(),
        any: args.any,
        environment: around.environment,
        env: args.env.iter().map(|v| (v.name.clone(), v.value.clone())).collect(),
        umask: around.umask,
        soft_limits: around.soft_limits,
        timeout_ms: args.timeout.and_then(Limit::millis),
    };
    let (ui, client) = context.parts()?;
    let sent = client.wake(args.id.as_str(), &message).await?;
    note_dropped(ui, dropped);
    if let Some(sent) = sent.as_ref().filter(|sent| !sent.repeated) {
        note_passed_over(ui, client, sent).await?;
    }
    if ui.json {
        ui.document(&sent)?;
        return Ok(0);
    }
    match sent {
        None if ui.quiet => {}
        None => ui.line(&format!("Woke session {}", args.id))?,
        Some(sent) if ui.quiet => ui.line(&sent.message.id)?,
        Some(sent) if sent.repeated => ui.line(&known_by_key(&sent))?,
        Some(sent) => {
            let at = sent.message.run_at.filter(|_| sent.message.delayed);
            let at = at.map_or_else(String::new, |at| format!(", runs at {at}"));
            let after = after(&sent.message);
            ui.line(&format!("Queued message {} for {}{at}{after}", sent.message.id, sent.message.session))?;
        }
    }
    Ok(0)
}

/// How many delayed messages are named.
const NAMED_MAX: usize = 5;

/// Delayed messages are no work that a session has now: whoever means them has to name them.
async fn note_passed_over(ui: &Ui, client: &mut Client, sent: &Sent) -> Result<(), CommandError> {
    let at_once = |awaited: &&Awaited| awaited.message.is_none() && awaited.state == AwaitedStateWord::Settled;
    for awaited in sent.message.after.iter().filter(at_once) {
        let queued = client.messages(&awaited.session, &MessagesQuery::default()).await?;
        let delayed: Vec<&str> = queued.iter().filter(|m| m.delayed).map(|m| m.id.as_str()).collect();
        if let Some(last) = delayed.last() {
            let (name, more) = (&awaited.session, delayed.len().saturating_sub(NAMED_MAX));
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            let list = format!("{}{more}", delayed.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", "));
            ui.note(&format!("{name} has nothing under way, and what is delayed there is not waited for: {list}"));
            ui.hint(&format!("adj wake {} --after {last} …", sent.message.session));
        }
    }
    Ok(())
}

/// What it still waits for.
fn after(message: &Message) -> String {
    let open = message.after.iter().filter(|awaited| awaited.state == AwaitedStateWord::Open);
    let names: Vec<&str> = open.map(awaited_name).collect();
    match (message.delayed, names.is_empty()) {
        (true, false) => format!(", after {}", names.join(if message.any { " or " } else { " and " })),
        (true, true) | (false, _) => String::new(),
    }
}
