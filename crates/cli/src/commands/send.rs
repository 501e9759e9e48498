//! `adj send`.

use adjutant_api::ExitCode;
use adjutant_api::types::message::{Message, MessageKind, MessageStateWord, SendMessage, Sent};

use crate::commands::Outcome;
use crate::context::Context;
use crate::duration::Span;
use crate::error::CommandError;
use crate::message::TextArgs;
use crate::ui::Ui;
use crate::value::{MessageArg, Moment, SessionArg};

/// Put a message in a session's queue; returns at once
///
/// An idle session starts on it immediately; a working one gets it as the next turn, in order of acceptance. A session
/// that waits for an answer keeps it queued: answer with `adj respond`. A message that begins with a dash and looks like
/// an option stands behind `--`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct SendArgs {
    /// The session
    #[arg(value_name = "id")]
    id: SessionArg,

    #[command(flatten)]
    text: TextArgs,

    #[command(flatten)]
    pub(crate) options: SendOptions,

    /// Return only when the agent has taken it; exit 5 when that is not proven within 30 s
    #[arg(long)]
    confirm: bool,

    /// Due after this time
    #[arg(long, value_name = "duration", conflicts_with_all = ["run_at", "steer", "interrupt"])]
    delay: Option<Span>,

    /// Due at this point in time
    #[arg(long, value_name = "time", conflicts_with_all = ["steer", "interrupt"])]
    run_at: Option<Moment>,

    /// Wake the calling session with the outcome and the final text
    #[arg(long)]
    wake_me: bool,

    /// The text is a command of the agent, such as `/compact`
    #[arg(long)]
    as_command: bool,
}

/// Options that `ask` has too.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct SendOptions {
    /// Put it into the running turn, if the agent can
    #[arg(long, conflicts_with = "interrupt")]
    steer: bool,

    /// Stop the running turn, then run this before the rest of the queue
    #[arg(long)]
    interrupt: bool,

    /// It expires unless it is started within this time
    #[arg(long, value_name = "duration")]
    expires: Option<Span>,

    /// A live message with this key in this session is returned instead of adding a second one
    #[arg(long, value_name = "key")]
    key: Option<String>,

    /// The message that it answers
    #[arg(long, value_name = "message")]
    reply_to: Option<MessageArg>,
}

/// How long `--confirm` waits for the agent.
const CONFIRM_MS: u64 = 30_000;

impl SendOptions {
    /// A message with these options.
    pub(crate) fn message(&self, text: String) -> SendMessage {
        let kind = match (self.steer, self.interrupt) {
            (true, _) => MessageKind::Steer,
            (false, true) => MessageKind::Interrupt,
            (false, false) => MessageKind::Next,
        };
        SendMessage {
            text,
            kind: Some(kind),
            key: self.key.clone(),
            reply_to: self.reply_to.as_ref().map(|message| message.as_str().to_owned()),
            expires_ms: self.expires.map(Span::millis),
            ..SendMessage::default()
        }
    }
}

pub(crate) async fn run_send(context: &mut Context, args: &SendArgs) -> Outcome {
    let text = args.text.required(context.message_max_bytes()?)?;
    let message = SendMessage {
        confirm_ms: args.confirm.then_some(CONFIRM_MS),
        delay_ms: args.delay.map(Span::millis),
        run_at: args.run_at.map(|moment| moment.0),
        wake_me: args.wake_me,
        as_command: args.as_command,
        ..args.options.message(text.text)
    };
    let (ui, client) = context.parts()?;
    let sent = client.send(args.id.as_str(), &message).await?;
    note_dropped(ui, text.dropped);
    if args.options.steer && sent.message.kind != MessageKind::Steer {
        ui.note(&format!("{} is no part of a running turn; it is the next turn of {}", sent.message.id, args.id));
    }
    match args.confirm.then(|| not_taken(&sent)).flatten() {
        Some(exit) => tell_not_taken(ui, &sent, exit),
        None => print_sent(ui, &sent, args.confirm).map(|()| 0),
    }
}

/// The exit code of a message that has ended without any sign that the agent took it.
fn not_taken(sent: &Sent) -> Option<u8> {
    let unknown = sent.message.state == MessageStateWord::Unknown;
    let exit = if unknown { ExitCode::Unknown } else { ExitCode::Refused };
    sent.message.receipt.accepted_at.is_none().then_some(exit.number())
}

fn tell_not_taken(ui: &mut Ui, sent: &Sent, exit: u8) -> Outcome {
    let message = &sent.message;
    if ui.json {
        ui.document(sent)?;
    }
    let why = message.error.as_deref().map_or_else(String::new, |why| format!(": {why}"));
    ui.note(&format!("{} was not taken, and is {}{why}", message.id, message.state));
    Ok(exit)
}

/// Says how many control characters were dropped.
pub(crate) fn note_dropped(ui: &Ui, dropped: usize) {
    if dropped > 0 {
        let characters = if dropped == 1 { "character was" } else { "characters were" };
        ui.note(&format!("{dropped} control {characters} dropped"));
    }
}

/// Says what keeps a message that could run.
pub(crate) fn note_hold(ui: &Ui, message: &Message) {
    if message.held && !message.delayed {
        ui.note(&format!("the queue of {} is on hold, and {} with it", message.session, message.id));
        ui.hint(&format!("adj queue release {}", message.session));
    } else if message.lent && !message.delayed {
        let Message { session, id, .. } = message;
        ui.note(&format!(
            "a person has the conversation of {session} at a terminal; {id} waits until it is given back"
        ));
        ui.hint(&format!("adj interrupt {session}"));
    }
}

/// What is said of a message whose key was there before: it is as it was, and so are its text and its time.
pub(crate) fn known_by_key(sent: &Sent) -> String {
    let Message { id, session, state, run_at, delayed, .. } = &sent.message;
    let at = run_at.as_ref().filter(|_| *delayed).map_or_else(String::new, |at| format!(", runs at {at}"));
    format!("Message {id} for {session} has this key already ({state}{at}); nothing was added")
}

/// `taken` says that the agent has confirmed it, wherever in the queue it was at first.
fn print_sent(ui: &mut Ui, sent: &Sent, taken: bool) -> Result<(), CommandError> {
    let message = &sent.message;
    if ui.json {
        return ui.document(sent);
    }
    if ui.quiet {
        return ui.line(&message.id);
    }
    if sent.repeated {
        return ui.line(&known_by_key(sent));
    }
    note_hold(ui, message);
    match (&message.run_at, sent.handed || taken) {
        (_, true) => ui.line(&format!("Sent message to {}", message.session)),
        (Some(at), false) if message.delayed => {
            ui.line(&format!("Queued message for {}, runs at {at}", message.session))
        }
        (Some(_) | None, false) => ui.line(&format!("Queued message for {} ({} ahead)", message.session, sent.ahead)),
    }
}
