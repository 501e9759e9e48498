//! `adj gateway run`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use adjutant_api::protocol::GATEWAY_PORT;
use adjutant_api::{ErrorBody, ErrorCode};

use crate::commands::Outcome;
use crate::context::Context;
use crate::error::CommandError;
use crate::house::{self, GatewayCall};
use crate::variables;

#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RunArgs {
    /// The port; 0 takes any that is free [default: 6767]
    #[arg(long, value_name = "n")]
    pub(super) port: Option<u16>,

    /// The address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "addr")]
    pub(super) bind: Option<IpAddr>,

    /// Listen on this socket, to be mounted into a container; on no port then unless `--port` is given too
    #[arg(long, value_name = "path")]
    pub(super) socket: Option<PathBuf>,
}

/// Where a gateway is to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) address: Option<(IpAddr, u16)>,
    pub(super) socket: Option<PathBuf>,
}

impl RunArgs {
    /// Where to listen: a port, a socket, or both.
    pub(super) fn places(&self) -> Result<Places, CommandError> {
        let wants_port = self.port.is_some() || self.bind.is_some() || self.socket.is_none();
        let port = match self.port {
            Some(port) => port,
            None => default_port()?,
        };
        let bind = self.bind.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let socket = self.socket.as_ref().map(std::path::absolute).transpose()?;
        Ok(Places { address: wants_port.then_some((bind, port)), socket })
    }
}

/// The port of a gateway that is told none.
pub(super) fn default_port() -> Result<u16, CommandError> {
    Ok(variables::default("ADJ_GATEWAY_PORT")?.unwrap_or(GATEWAY_PORT))
}

pub(super) fn run(context: &mut Context, args: &RunArgs) -> Outcome {
    if context.ui.json {
        return Err(CommandError::usage("`gateway run` has no JSON form"));
    }
    let places = args.places()?;
    let config = context.config()?.clone();
    let autostart = context.autostarts();
    let wake = move || wake(autostart);
    house::run_gateway(GatewayCall {
        home: Context::home()?,
        address: places.address,
        socket: places.socket,
        hosts: config.gateway.hosts,
        message_max_bytes: config.message_max_bytes,
        wake: Arc::new(wake),
        manager: variables::value("NOTIFY_SOCKET"),
    })
}

/// Starts the daemon as any command does, and waits until it serves.
fn wake(autostart: bool) -> Result<(), ErrorBody> {
    let told = |error: CommandError| match error {
        CommandError::Told(body) => body,
        CommandError::ClosedPipe | CommandError::Interrupted => {
            ErrorBody::new(ErrorCode::DaemonUnreachable, "the daemon was not started")
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| ErrorBody::new(ErrorCode::Internal, error.to_string()))?;
    let mut client = Context::client_of_user(autostart).map_err(told)?;
    runtime.block_on(client.daemon_status()).map(drop).map_err(ErrorBody::from)
}
