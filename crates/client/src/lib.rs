//! Typed client of the Adjutant daemon, over its Unix socket.
//!
//! A [`Client`] opens its connection when it is first needed, starts the daemon when none listens, gives every call a
//! deadline, and continues waits and streams of events by itself when the daemon ends in the middle.

mod backoff;
mod call;
mod connect;
mod error;
mod events;
mod gateway;
mod goal;
mod limits;
mod lines;
mod resume;
mod spawn;
mod start;
mod terminal;
mod typed;
mod wait;

use std::path::PathBuf;
use std::process::Child;

use adjutant_api::home::Home;

pub use error::ClientError;
pub use events::Flow;
pub use gateway::gateway_status;
pub use terminal::Terminal;

use connect::Link;

/// What a client is told once.
pub struct ClientOptions {
    /// Where the host's files are.
    pub home: Home,
    /// The `adj` binary, to be started as the daemon.
    pub adj: PathBuf,
    /// The token that proves which session calls.
    pub token: Option<String>,
    /// Whether a daemon may be started when none listens.
    pub autostart: bool,
    /// What the daemon's environment is made from: the caller's variables.
    pub environment: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    /// Takes a remark that a person should see once, and a command that helps.
    pub warn: Warn,
}

/// Takes a remark and the command that helps.
pub type Warn = Box<dyn FnMut(&str, &str)>;

/// A client of one daemon.
pub struct Client {
    options: ClientOptions,
    link: Option<Link>,
    /// The daemon that this process has started, to be reaped if it ends before us.
    started: Option<Child>,
    warned: bool,
}

impl Client {
    /// A client that has not connected yet.
    pub fn new(options: ClientOptions) -> Self {
        Self { options, link: None, started: None, warned: false }
    }

    /// Where the host's files are.
    pub fn home(&self) -> &Home {
        &self.options.home
    }
}
