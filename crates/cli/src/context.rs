//! What a command works with: its streams, its configuration, its client.

use adjutant_api::home::Home;
use adjutant_api::types::session::Session;
use adjutant_api::{ErrorBody, ErrorCode};
use adjutant_client::{Client, ClientOptions};

use crate::config::Config;
use crate::duration::Limit;
use crate::error::CommandError;
use crate::hosts::{self, Known, Place};
use crate::ui::Ui;
use crate::variables;
use crate::way::{Remote, Way};

/// What a command works with. The parts are made when they are first needed.
pub(crate) struct Context {
    /// The two streams.
    pub(crate) ui: Ui,
    autostart: bool,
    host: Option<String>,
    way: Option<Way>,
    client: Option<Client>,
    /// The sessions of the call and the clients of their machines, where those are several.
    spread: Vec<(Vec<String>, Client)>,
    config: Option<Config>,
}

/// Sessions of one machine, and the client that comes to it.
pub(crate) struct Group<'a> {
    /// As the call names them.
    pub(crate) ids: Vec<String>,
    /// The client.
    pub(crate) client: &'a mut Client,
}

impl Context {
    /// A context that has read nothing yet.
    pub(crate) fn new(ui: Ui, autostart: bool, host: Option<String>) -> Self {
        Self { ui, autostart, host, way: None, client: None, spread: Vec::new(), config: None }
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

    /// From now on it is about that machine.
    pub(crate) fn turn_to(&mut self, host: &Known) -> Result<(), CommandError> {
        self.way = Some(Way::Host(Remote::known(&host.name, &host.target, &host.program)?));
        Ok(())
    }

    /// Whether sessions of other machines are the call's to know: it is made on this one, and not by a session, of which
    /// another machine knows nothing.
    pub(crate) fn knows_others(&mut self) -> Result<bool, CommandError> {
        Ok(matches!(self.way()?, Way::Here) && variables::token()?.is_none())
    }

    /// It is about sessions of these machines.
    pub(crate) fn spread_over(&mut self, places: Vec<Place>) -> Result<(), CommandError> {
        let (autostart, mut spread) = (self.autostart, Vec::new());
        for place in places {
            let way = match &place.host {
                Some(host) => Way::Host(Remote::known(&host.name, &host.target, &host.program)?),
                None => Way::Here,
            };
            spread.push((place.ids, Clients { way, autostart }.make()?));
        }
        self.spread = spread;
        Ok(())
    }

    /// The streams, and these sessions by their machines. Mostly that is one.
    pub(crate) fn groups(&mut self, ids: &[String]) -> Result<(&mut Ui, Vec<Group<'_>>), CommandError> {
        if self.spread.is_empty() {
            let (ui, client) = self.parts()?;
            return Ok((ui, vec![Group { ids: ids.to_vec(), client }]));
        }
        let groups = self.spread.iter_mut().map(|(ids, client)| Group { ids: ids.clone(), client });
        Ok((&mut self.ui, groups.collect()))
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

    /// Whether a daemon may be started.
    pub(crate) fn autostarts(&self) -> bool {
        self.autostart
    }

    /// A client that is nobody but the user, and says nothing to anybody.
    pub(crate) fn client_of_user(autostart: bool) -> Result<Client, CommandError> {
        let warn = Box::new(|_: &str, _: &str| {});
        Ok(Client::new(ClientOptions { endpoint: Way::Here.endpoint()?, token: None, autostart, warn }))
    }

    /// The client; it connects with its first call.
    pub(crate) fn client(&mut self) -> Result<&mut Client, CommandError> {
        if self.client.is_none() {
            self.client = Some(self.new_client()?);
        }
        self.client.as_mut().ok_or_else(|| CommandError::new(ErrorCode::Internal, "no client"))
    }

    /// Notes down where a session was created, if that is another machine.
    pub(crate) fn note_created(&self, session: &Session) {
        let Some(Way::Host(remote)) = &self.way else { return };
        if hosts::remember_created(remote, session).is_err() {
            self.ui.warning(&format!("It could not be noted down that {} is on {}.", session.id, remote.name));
            self.ui.hint(&format!("adj --host {} status {}", remote.name, session.id));
        }
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

/// The client of one session among these.
pub(crate) fn client_of<'a>(groups: &'a mut [Group<'_>], id: &str) -> Result<&'a mut Client, CommandError> {
    let own = groups.iter().position(|group| group.ids.iter().any(|own| own == id)).unwrap_or(0);
    let group = groups.get_mut(own).ok_or_else(|| CommandError::new(ErrorCode::Internal, "no client"))?;
    Ok(group.client)
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
