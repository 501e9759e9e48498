//! What a command works with: its streams, its configuration, its client.

use adjutant_api::home::Home;
use adjutant_api::{ErrorBody, ErrorCode};
use adjutant_client::{Client, ClientOptions};

use crate::config::Config;
use crate::duration::Limit;
use crate::error::CommandError;
use crate::ui::Ui;
use crate::variables;
use crate::way::Way;

/// What a command works with. The parts are made when they are first needed.
pub(crate) struct Context {
    /// The two streams.
    pub(crate) ui: Ui,
    autostart: bool,
    host: Option<String>,
    way: Option<Way>,
    client: Option<Client>,
    config: Option<Config>,
}

impl Context {
    /// A context that has read nothing yet.
    pub(crate) fn new(ui: Ui, autostart: bool, host: Option<String>) -> Self {
        Self { ui, autostart, host, way: None, client: None, config: None }
    }

    /// By which way it comes to its daemon.
    pub(crate) fn way(&mut self) -> Result<&Way, CommandError> {
        let way = match self.way.take() {
            Some(way) => way,
            None => {
                let host = self.host.clone();
                Way::find(host.as_deref(), || self.config().cloned())?
            }
        };
        Ok(self.way.insert(way))
    }

    /// Where the host's files are.
    pub(crate) fn home() -> Result<Home, CommandError> {
        Home::resolve(&variables::home()).map_err(|error| ErrorBody::from(error).into())
    }

    /// The configuration.
    pub(crate) fn config(&mut self) -> Result<&Config, CommandError> {
        if self.config.is_none() {
            self.config = Some(self.load_config()?);
        }
        self.config.as_ref().ok_or_else(|| CommandError::new(ErrorCode::Internal, "no configuration"))
    }

    /// A container may have no home to keep a configuration in.
    fn load_config(&self) -> Result<Config, CommandError> {
        match Self::home() {
            Ok(home) => Config::load(&home.config),
            Err(CommandError::Told(body)) if body.code == ErrorCode::HomeMissing => Ok(Config::default()),
            Err(error) => Err(error),
        }
    }

    /// Largest message, in bytes.
    pub(crate) fn message_max_bytes(&mut self) -> Result<u64, CommandError> {
        self.config().map(|config| config.message_max_bytes)
    }

    /// The limit of a command that waits: the option, else the environment, else the configuration.
    pub(crate) fn timeout(&mut self, option: Option<Limit>) -> Result<Limit, CommandError> {
        if let Some(limit) = option {
            return Ok(limit);
        }
        if let Some(limit) = variables::default("ADJ_TIMEOUT")? {
            return Ok(limit);
        }
        self.config().map(Config::default_timeout)
    }

    /// No daemon is started for this command.
    pub(crate) fn without_autostart(&mut self) {
        self.autostart = false;
    }

    /// The client; it connects with its first call.
    pub(crate) fn client(&mut self) -> Result<&mut Client, CommandError> {
        if self.client.is_none() {
            self.client = Some(self.new_client()?);
        }
        self.client.as_mut().ok_or_else(|| CommandError::new(ErrorCode::Internal, "no client"))
    }

    /// Streams and client at once.
    pub(crate) fn parts(&mut self) -> Result<(&mut Ui, &mut Client), CommandError> {
        self.client()?;
        match &mut self.client {
            Some(client) => Ok((&mut self.ui, client)),
            None => Err(CommandError::new(ErrorCode::Internal, "no client")),
        }
    }

    fn new_client(&mut self) -> Result<Client, CommandError> {
        let way = self.way()?;
        let (endpoint, token) = (way.endpoint()?, way.token()?);
        let mapped = if let Way::Sandbox(sandbox) = way { Some(sandbox.map.clone()) } else { None };
        mapped.into_iter().for_each(|map| self.ui.show_mapped(map));
        let coloured = Ui::new(self.ui.json, self.ui.quiet, crate::ui::Colour::Auto);
        let warn = move |remark: &str, hint: &str| {
            coloured.warning(remark);
            coloured.hint(hint);
        };
        Ok(Client::new(ClientOptions { endpoint, token, autostart: self.autostart, warn: Box::new(warn) }))
    }

    /// What makes further clients for the same caller.
    pub(crate) fn clients(&mut self) -> Result<Clients, CommandError> {
        Ok(Clients { way: self.way()?.clone(), autostart: self.autostart })
    }
}

/// Makes clients that say nothing to people.
#[derive(Clone)]
pub(crate) struct Clients {
    /// The way that they take.
    pub(crate) way: Way,
    autostart: bool,
}

impl Clients {
    /// A client that has not connected yet.
    pub(crate) fn make(&self) -> Result<Client, CommandError> {
        let (endpoint, token) = (self.way.endpoint()?, self.way.token()?);
        Ok(Client::new(ClientOptions { endpoint, token, autostart: self.autostart, warn: Box::new(|_, _| {}) }))
    }
}
