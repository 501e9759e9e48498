//! `adj attach`.

use std::os::unix::process::CommandExt;
use std::time::Duration;

use adjutant_api::types::event::{Event, EventsQuery};
use adjutant_api::types::session::{Attach, AttachQuery, StatusWord, TerminalQuery};
use adjutant_api::{ErrorCode, ExitCode};
use adjutant_client::{Client, Flow, Ssh, Terminal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::commands::Outcome;
use crate::context::Context;
use crate::detach::{self, KeyWatch};
use crate::error::CommandError;
use crate::house::{Frame, FrameDecoder, GIVEN_BACK};
use crate::runtime::EndSignals;
use crate::screen::Screen;
use crate::ui::Ui;
use crate::value::SessionArg;
use crate::way::Way;

/// Put a person in front of a session's terminal
///
/// Leaving leaves everything running, exit 0. In a shell's terminal that is Ctrl-] and then d, and Ctrl-] twice types one
/// Ctrl-]; an agent with a screen of its own (Claude Code, Codex) is shown in tmux, which Ctrl-b and then d leaves. When
/// the session ends meanwhile, exit 4.
///
/// A session that is held without a terminal has to be idle. Its conversation is yours at a terminal as long as you are
/// there; messages wait, and it goes on without one when everybody has left and it is at rest. A line that was not sent is lost
/// then. When its program there does not end well, exit 1.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct AttachArgs {
    /// The session
    #[arg(value_name = "id")]
    id: SessionArg,

    /// Look, and touch nothing
    #[arg(long)]
    read_only: bool,
}

/// How a look at a terminal ended.
enum Left {
    /// The person detached.
    Detached,
    /// A signal ended `adj`, with this exit code.
    Signal(u8),
    /// The runner closed the terminal.
    Closed(String),
    /// The connection broke: the daemon has ended, and the session may go on.
    Broken,
}

pub(crate) async fn run_attach(context: &mut Context, args: &AttachArgs) -> Outcome {
    if context.ui.json {
        return Err(CommandError::usage("`attach` has no JSON form"));
    }
    Screen::check()?;
    if let Way::Host(remote) = context.way()? {
        return attach_there(&remote.ssh(), args);
    }
    let (ui, client) = context.parts()?;
    let how = client.attach(args.id.as_str(), &AttachQuery { read_only: args.read_only }).await?;
    if !how.terminal {
        return run_program(ui, client, &how, args).await;
    }
    let terminal = open(client, args).await?;
    let mode = if args.read_only { ", only to look" } else { "" };
    ui.note(&format!("attached to {}{mode}; {}", args.id, detach::HOW));
    let lent = client.session(args.id.as_str()).await?.lent && !args.read_only;
    let screen = Screen::take()?;
    let left = look(client, terminal, screen, args).await?;
    match left {
        Left::Detached => {
            let lost = if lent { "; what was typed there and not sent is gone" } else { "" };
            ui.note(&format!("detached from {}; it goes on{lost}", args.id));
            Ok(0)
        }
        Left::Signal(code) => Ok(code),
        Left::Closed(why) => closed(ui, client, args, &why).await,
        Left::Broken => Err(CommandError::new(ErrorCode::DaemonUnreachable, "the connection to the terminal is lost")),
    }
}

/// Becomes an `ssh` with a terminal, in which the `adj` of that machine shows the session.
fn attach_there(ssh: &Ssh, args: &AttachArgs) -> Outcome {
    let id = args.id.to_string();
    let words: &[&str] = if args.read_only { &["attach", "--read-only", &id] } else { &["attach", &id] };
    let error = ssh.attach_command(words).exec();
    Err(CommandError::new(ErrorCode::HostUnreachable, format!("`ssh` cannot be run: {error}")))
}

/// Runs the program that shows the session, in the terminal of this call, until the person leaves it.
async fn run_program(ui: &Ui, client: &mut Client, how: &Attach, args: &AttachArgs) -> Outcome {
    let Some((program, words)) = how.program.split_first() else {
        return Err(CommandError::new(ErrorCode::Internal, "the daemon names no program to attach with"));
    };
    // Keys of the terminal are the program's; a signal that is sent to `adj` ends both.
    let mut ends = EndSignals::catch()?;
    let mut shown = show_with(program, words, how)
        .map_err(|error| CommandError::new(ErrorCode::AgentNotFound, format!("{program} cannot be run: {error}")))?;
    let status = tokio::select! {
        status = shown.wait() => status?,
        code = ends.recv_sent() => {
            shown.kill().await?;
            return Ok(code);
        }
    };
    match has_ended(client, args).await? {
        true => closed(ui, client, args, "the session has ended").await,
        false => Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(ExitCode::Refused.number())),
    }
}

#[expect(clippy::disallowed_methods, reason = "a person's own terminal is given to the program that shows the session")]
fn show_with(program: &str, words: &[String], how: &Attach) -> std::io::Result<Child> {
    Command::new(program).args(words).envs(&how.environment).spawn()
}

/// Time for a session that is being ended to be over, once its screen has gone.
const END_MAX: Duration = Duration::from_secs(30);

/// Whether the session has ended. Its screen goes before the rest of it.
async fn has_ended(client: &mut Client, args: &AttachArgs) -> Result<bool, CommandError> {
    const STOPPING: &str = "session.stopping";
    const EXITED: &str = "session.exited";
    let types = [STOPPING, EXITED, "session.revived"].map(str::to_owned).to_vec();
    let session = vec![args.id.to_string()];
    let newest = EventsQuery { session, types, tail: Some(1), ..EventsQuery::default() };
    match client.events(&newest).await?.pop() {
        Some(event) if event.r#type == EXITED => Ok(true),
        Some(event) if event.r#type == STOPPING => {
            let rest = EventsQuery { since: Some(event.seq), tail: None, follow: true, ..newest };
            let each = |event: Event| if event.r#type == EXITED { Flow::Stop } else { Flow::GoOn };
            Ok(client.follow(&rest, Some(END_MAX), each).await?)
        }
        Some(_) | None => Ok(false),
    }
}

fn view(args: &AttachArgs) -> TerminalQuery {
    let (columns, rows) = Screen::size();
    TerminalQuery { columns: Some(columns), rows: Some(rows), read_only: args.read_only }
}

/// The runner has closed the terminal; whether the session has ended is for the daemon to say, unless it goes on without one.
async fn closed(ui: &Ui, client: &mut Client, args: &AttachArgs, why: &str) -> Outcome {
    if why.starts_with(GIVEN_BACK) {
        ui.note(&format!("{}: {why}", args.id));
        // What is said behind that is why its program did not end well.
        return Ok(if why == GIVEN_BACK { 0 } else { ExitCode::Refused.number() });
    }
    let session = client.session(args.id.as_str()).await?;
    if session.status == StatusWord::Exited {
        let body = adjutant_api::ErrorBody::new(ErrorCode::SessionExited, format!("{} has exited", session.id));
        return Err(CommandError::Told(body.with_detail("session", session.id)));
    }
    let error =
        CommandError::new(ErrorCode::SessionExited, format!("the terminal of {} was closed: {why}", session.id));
    debug_assert_eq!(error.exit(), ExitCode::NotFound.number());
    Err(error)
}

/// Connections in a row that break before they have shown anything.
const BROKEN_MAX: u32 = 5;

/// Shows and types until somebody has enough. A daemon that ends is replaced, and the look goes on.
async fn look(
    client: &mut Client,
    mut terminal: Terminal,
    mut screen: Screen,
    args: &AttachArgs,
) -> Result<Left, CommandError> {
    let mut ends = EndSignals::catch()?;
    let mut resized = signal(SignalKind::window_change())?;
    let mut keys = KeyWatch::default();
    let mut broken = 0;
    loop {
        let mut viewer = Viewer { terminal, decoder: FrameDecoder::default(), read_only: args.read_only, shown: false };
        let left = viewer.run(&mut screen, &mut keys, &mut ends, &mut resized).await?;
        broken = if viewer.shown { 1 } else { broken + 1 };
        if !matches!(left, Left::Broken) || broken > BROKEN_MAX {
            return Ok(left);
        }
        terminal = open(client, args).await?;
        screen.show(CLEAR)?;
    }
}

/// Opens the terminal. A daemon that ends meanwhile is replaced, and asked the same: who is there already, is there.
async fn open(client: &mut Client, args: &AttachArgs) -> Result<Terminal, CommandError> {
    let mut broken = 0;
    loop {
        let error = match client.terminal(args.id.as_str(), &view(args)).await {
            Ok(terminal) => return Ok(terminal),
            Err(error) => adjutant_api::ErrorBody::from(error),
        };
        broken += 1;
        if error.code != ErrorCode::DaemonUnreachable || broken > BROKEN_MAX {
            return Err(error.into());
        }
    }
}

/// What comes after this shows the whole screen again.
const CLEAR: &[u8] = b"\x1b[2J\x1b[H";

/// One connection to a terminal.
struct Viewer {
    terminal: Terminal,
    decoder: FrameDecoder,
    read_only: bool,
    shown: bool,
}

impl Viewer {
    async fn run(
        &mut self,
        screen: &mut Screen,
        keys: &mut KeyWatch,
        ends: &mut EndSignals,
        resized: &mut Signal,
    ) -> Result<Left, CommandError> {
        let mut read = vec![0; 64 * 1024];
        loop {
            let left = tokio::select! {
                count = self.terminal.read(&mut read) => match count {
                    Ok(0) | Err(_) => Some(Left::Broken),
                    Ok(count) => self.show(screen, &read[..count])?,
                },
                typed = screen.typed() => self.pass_on(keys, &typed?).await,
                _ = resized.recv() => self.resize().await,
                code = ends.recv() => Some(Left::Signal(code)),
            };
            if let Some(left) = left {
                return Ok(left);
            }
        }
    }

    fn show(&mut self, screen: &mut Screen, piece: &[u8]) -> Result<Option<Left>, CommandError> {
        self.decoder.push(piece);
        while let Some(frame) = self.decoder.next_frame()? {
            match frame {
                Frame::Output(bytes) => {
                    self.shown = true;
                    screen.show(&bytes)?;
                }
                Frame::Closed(why) => return Ok(Some(Left::Closed(why))),
                Frame::Input(_) | Frame::Resize { .. } | Frame::Opened { .. } | Frame::Resized { .. } => {}
            }
        }
        Ok(None)
    }

    async fn pass_on(&mut self, keys: &mut KeyWatch, typed: &[u8]) -> Option<Left> {
        if typed.is_empty() {
            return Some(Left::Detached);
        }
        let typed = keys.take(typed);
        let nothing = typed.bytes.is_empty() || self.read_only;
        let broken = !nothing && self.say(&Frame::Input(typed.bytes)).await.is_err();
        if typed.leaves { Some(Left::Detached) } else { broken.then_some(Left::Broken) }
    }

    async fn resize(&mut self) -> Option<Left> {
        let (columns, rows) = Screen::size();
        let broken = !self.read_only && self.say(&Frame::Resize { columns, rows }).await.is_err();
        broken.then_some(Left::Broken)
    }

    async fn say(&mut self, frame: &Frame) -> std::io::Result<()> {
        self.terminal.write_all(&frame.encode()).await
    }
}
