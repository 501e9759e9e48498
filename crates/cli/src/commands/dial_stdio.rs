//! `adj dial-stdio`: what `ssh` runs on another machine.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use adjutant_api::protocol::VERSION;
use adjutant_api::types::dial::{Far, GREETING, Greeting};

use crate::commands::Outcome;
use crate::commands::create::environment;
use crate::context::Context;
use crate::error::CommandError;
use crate::{house, runtime};

/// Copy bytes between standard input and output and the daemon's socket
///
/// `adj --host` runs it through `ssh`. Its first line says whether the daemon is there, and what a session finds on this
/// machine.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct DialStdioArgs {}

pub(crate) fn run_dial_stdio(context: &mut Context, _args: &DialStdioArgs) -> Outcome {
    if context.ui.json {
        return Err(CommandError::usage("`dial-stdio` has no JSON form"));
    }
    let mut dialled = None;
    let failed = runtime::uninterrupted(async {
        dialled = Some(context.client()?.dial().await?.into_std()?);
        Ok(0)
    });
    match (failed, dialled) {
        (Ok(_), Some(socket)) => {
            socket.set_nonblocking(false)?;
            greet(&Greeting::Connected(own()?))?;
            bridge(socket)
        }
        (Err(CommandError::Told(body)), _) => {
            greet(&Greeting::Failed(body.clone()))?;
            Ok(body.exit)
        }
        (outcome, _) => outcome,
    }
}

/// What a session finds here.
fn own() -> Result<Far, CommandError> {
    let (environment, _) = environment();
    let inherited = house::inherited();
    let home = environment.get("HOME").filter(|home| home.starts_with('/')).cloned();
    let here = || std::env::current_dir().ok()?.into_os_string().into_string().ok();
    let directory = home.or_else(here);
    Ok(Far {
        version: VERSION.to_owned(),
        environment,
        directory,
        umask: inherited.umask,
        soft_limits: inherited.soft_limits,
    })
}

fn greet(greeting: &Greeting) -> Result<(), CommandError> {
    let text = serde_json::to_string(greeting).map_err(|error| CommandError::internal(&error))?;
    let mut out = io::stdout().lock();
    out.write_all(format!("{GREETING}{text}\n").as_bytes()).and_then(|()| out.flush()).map_err(CommandError::from_write)
}

/// Copies both ways until the daemon has said its last: what is still on its way when the caller has nothing more to say
/// arrives.
fn bridge(socket: UnixStream) -> Outcome {
    let mut to_daemon = socket.try_clone()?;
    // It may be reading for ever; the process ends without it.
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut to_daemon);
        let _ = to_daemon.shutdown(Shutdown::Write);
    });
    let mut out = io::stdout().lock();
    // Either side may hang up, and both are an end.
    let _ = copy_at_once(socket, &mut out);
    Ok(0)
}

/// Hands on every piece as soon as it is there.
fn copy_at_once(mut from: UnixStream, to: &mut impl Write) -> io::Result<()> {
    use std::io::Read;
    let mut piece = vec![0; 64 * 1024];
    loop {
        match from.read(&mut piece)? {
            0 => return Ok(()),
            count => {
                to.write_all(&piece[..count])?;
                to.flush()?;
            }
        }
    }
}
