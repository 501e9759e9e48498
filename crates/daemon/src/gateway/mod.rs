//! The gateway: the daemon's API for callers outside, on loopback TCP or on a Unix socket that is mounted into a container.
//!
//! It is a process of its own, so that it outlives the daemon and takes on itself what strangers send: it bounds connections,
//! rates, sizes and times, checks `Host` and `Origin`, and passes on what is left with the token that came along. It decides
//! nothing about what a token may do; the daemon does, whoever passes a call on.

mod bodies;
mod gate;
mod lines;
mod listen;
mod owner;
mod pace;
mod pass;
mod ready;
mod seats;
mod serve;
mod status;
mod unread;
mod wire;

use std::ffi::OsString;
use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use adjutant_agents::process::raise_open_files;
use adjutant_api::home::Home;
use adjutant_api::protocol::BODY_BYTES_EXTRA;
use adjutant_api::{ErrorBody, ErrorCode};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, Semaphore, watch};

use self::bodies::Bodies;
use self::lines::Lines;
use self::listen::Listeners;
use self::pace::{Known, Pace};
use self::seats::Seats;
use self::unread::Unread;
use crate::listen::private_directory;
use crate::lock::{HomeLock, LockError};

/// Starts the daemon where none runs, and waits until it serves.
pub type Wake = Arc<dyn Fn() -> Result<(), ErrorBody> + Send + Sync>;

/// How a gateway is run.
#[derive(Clone)]
pub struct GatewayOptions {
    /// Where the host's files are.
    pub home: Home,
    /// The address to listen on; `None` for no TCP.
    pub address: Option<(IpAddr, u16)>,
    /// The socket to listen on.
    pub socket: Option<PathBuf>,
    /// Further names that are accepted in `Host`.
    pub hosts: Vec<String>,
    /// Largest message, in bytes.
    pub message_max_bytes: usize,
    /// Starts the daemon.
    pub wake: Wake,
    /// The socket of a service manager that wants to hear when the gateway serves.
    pub manager: Option<OsString>,
}

/// Wrong tokens that one address may name at once, and how many more each second.
const FAILURES_BURST: u32 = 20;
const FAILURES_PER_SECOND: u32 = 1;

/// Tokens from addresses with too many failures about which the daemon is asked at once.
const ASKED_AT_ONCE_MAX: usize = 4;

/// Requests that one token may make at once, and how many more each second.
const REQUESTS_BURST: u32 = 400;
const REQUESTS_PER_SECOND: u32 = 100;

/// Time for connections to finish when the gateway ends.
const CONNECTIONS_END_MAX: Duration = Duration::from_secs(2);

/// A gateway that runs.
pub(crate) struct Gateway {
    home: Home,
    hosts: Vec<String>,
    body_bytes_max: usize,
    wake: Wake,
    /// One command starts the daemon, and the others wait for it.
    waking: Mutex<()>,
    seats: Seats,
    failures: Pace<String>,
    requests: Pace<String>,
    known: Known,
    /// Room for those whose tokens the daemon is asked about although their address is slowed down.
    asked: Semaphore,
    bodies: Bodies,
    unread: Unread,
    lines: Lines,
    started: Instant,
    addresses: Vec<String>,
    port: Option<u16>,
    answered: AtomicU64,
    refused: AtomicU64,
    ending: watch::Sender<bool>,
}

impl Gateway {
    fn count(&self, refused: bool) {
        let counter = if refused { &self.refused } else { &self.answered };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether a gateway could listen there.
///
/// # Errors
/// Who does otherwise, as far as that is known.
pub fn check_port(bind: IpAddr, port: u16) -> Result<(), ErrorBody> {
    let address = (bind, port).into();
    match std::net::TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) => Err(listen::not_bound(address, &error)),
    }
}

/// Runs a gateway until it is told to end.
pub fn run(options: &GatewayOptions) -> ExitCode {
    match serve_until_told(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let hint = error.hint.as_ref().map_or(String::new(), |hint| format!("hint: {hint}\n"));
            let _ = write!(std::io::stderr(), "adj: {}\n{hint}", error.message);
            ExitCode::from(error.exit)
        }
    }
}

fn serve_until_told(options: &GatewayOptions) -> Result<(), ErrorBody> {
    let home = &options.home;
    for directory in [&home.state, &home.run] {
        let unusable = |e| ErrorBody::new(ErrorCode::StateDirUnusable, format!("{}: {e}", directory.display()));
        private_directory(directory).map_err(unusable)?;
    }
    let lock = HomeLock::take_named(&home.state, "gateway.lock").map_err(|error| taken(&error))?;
    let _ = raise_open_files();
    let runtime = runtime()?;
    let served = runtime.block_on(serve(options));
    runtime.shutdown_timeout(Duration::from_millis(200));
    drop(lock);
    served
}

fn runtime() -> Result<tokio::runtime::Runtime, ErrorBody> {
    let built =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).max_blocking_threads(8).enable_all().build();
    built.map_err(|error| ErrorBody::new(ErrorCode::Internal, format!("no runtime can be started: {error}")))
}

fn taken(error: &LockError) -> ErrorBody {
    match error {
        LockError::Held { pid, .. } => {
            let pid = pid.map_or(String::new(), |pid| format!(" (pid {pid})"));
            let message = format!("another gateway{pid} serves this host already");
            ErrorBody::new(ErrorCode::PortInUse, message).with_hint("adj gateway status")
        }
        LockError::Io { .. } => ErrorBody::new(ErrorCode::StateDirUnusable, error.to_string()),
    }
}

async fn serve(options: &GatewayOptions) -> Result<(), ErrorBody> {
    let listeners = Listeners::bind(options).await?;
    let gateway = Arc::new(Gateway {
        home: options.home.clone(),
        hosts: options.hosts.clone(),
        body_bytes_max: options.message_max_bytes.saturating_mul(2).saturating_add(BODY_BYTES_EXTRA as usize),
        wake: Arc::clone(&options.wake),
        waking: Mutex::default(),
        seats: Seats::default(),
        failures: Pace::new(FAILURES_BURST, FAILURES_PER_SECOND),
        requests: Pace::new(REQUESTS_BURST, REQUESTS_PER_SECOND),
        known: Known::default(),
        asked: Semaphore::new(ASKED_AT_ONCE_MAX),
        bodies: Bodies::default(),
        unread: Unread::default(),
        lines: Lines::new(&options.home.gateway_log()),
        started: Instant::now(),
        addresses: listeners.addresses(),
        port: listeners.port(),
        answered: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        ending: watch::Sender::new(false),
    });
    let status = status::serve(&gateway)?;
    for address in &gateway.addresses {
        gateway.lines.say(&format!("Gateway listening on {address}"));
    }
    let accepting = listeners.accept(&gateway);
    if let Some(Err(error)) = options.manager.as_deref().map(ready::tell) {
        gateway.lines.say(&format!("the service manager was not told that the gateway serves: {error}"));
    }
    told_to_end().await;
    let _ = gateway.ending.send(true);
    accepting.iter().for_each(tokio::task::JoinHandle::abort);
    let _ = tokio::time::timeout(CONNECTIONS_END_MAX, gateway.seats.empty()).await;
    status.abort();
    listeners_end(options);
    gateway.lines.say("Gateway ended");
    Ok(())
}

/// The sockets lead nowhere any more.
fn listeners_end(options: &GatewayOptions) {
    let own = options.home.gateway_socket();
    for socket in [Some(&own), options.socket.as_ref()].into_iter().flatten() {
        let _ = std::fs::remove_file(socket);
    }
}

async fn told_to_end() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
