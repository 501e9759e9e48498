//! The doors to the daemon and the agents: the one file of the command line that knows these crates.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use adjutant_agents::process::Inherited;
pub(crate) use adjutant_agents::runner::frame::{Frame, FrameDecoder, GIVEN_BACK};
use adjutant_agents::{Agent, AgentSettings, Program, SkillPlaces};
use adjutant_api::home::Home;
use adjutant_api::{ErrorBody, ErrorCode};
pub(crate) use adjutant_daemon::Webhook;
use adjutant_daemon::{DaemonOptions, GatewayOptions, Notify, Wake};
use adjutant_fakemodel::script::Book;
use adjutant_fakemodel::{Options, Server};

use crate::commands::Outcome;
use crate::config::{Config, MayKill};
use crate::error::CommandError;

/// How the daemon is run.
pub(crate) struct DaemonCall {
    pub(crate) home: Home,
    pub(crate) detached: bool,
    pub(crate) idle_exit: Option<Duration>,
    pub(crate) config: Config,
}

/// Runs the daemon to its end; it says itself why it could not.
pub(crate) fn run_daemon(call: DaemonCall) -> Outcome {
    let DaemonCall { home, detached, idle_exit, config } = call;
    let ended = adjutant_daemon::run(DaemonOptions {
        home,
        adj: std::env::current_exe()?,
        detached,
        idle_exit,
        keep_days: config.keep_days,
        queue_max: config.queue_max,
        message_max_bytes: usize::try_from(config.message_max_bytes).unwrap_or(usize::MAX),
        sessions_may_kill_any: config.sessions_may_kill == MayKill::Any,
        agents: agents(&config),
        notify: notify(&config)?,
    });
    Ok(number(ended))
}

/// How the gateway is run.
pub(crate) struct GatewayCall {
    pub(crate) home: Home,
    pub(crate) address: Option<(IpAddr, u16)>,
    pub(crate) socket: Option<PathBuf>,
    pub(crate) hosts: Vec<String>,
    pub(crate) message_max_bytes: u64,
    pub(crate) wake: Wake,
    pub(crate) manager: Option<OsString>,
}

/// Runs the gateway to its end; it says itself why it could not.
pub(crate) fn run_gateway(call: GatewayCall) -> Outcome {
    let GatewayCall { home, address, socket, hosts, message_max_bytes, wake, manager } = call;
    let message_max_bytes = usize::try_from(message_max_bytes).unwrap_or(usize::MAX);
    let options = GatewayOptions { home, address, socket, hosts, message_max_bytes, wake, manager };
    Ok(number(adjutant_daemon::run_gateway(&options)))
}

/// Whether a gateway could listen there, and who does otherwise.
pub(crate) fn check_port(bind: IpAddr, port: u16) -> Result<(), ErrorBody> {
    adjutant_daemon::check_port(bind, port)
}

/// Where the user's services are, in launchd's words.
pub(crate) fn launchd_domain() -> String {
    format!("gui/{}", rustix::process::getuid().as_raw())
}

/// Whether a variable says something that any program needs, or where an agent keeps its things; no secret is one.
pub(crate) fn is_plain_variable(name: &str) -> bool {
    adjutant_agents::is_plain_variable(name)
}

fn agents(config: &Config) -> AgentSettings {
    let usual = AgentSettings::default();
    AgentSettings { docker: config.docker.command.clone().unwrap_or(usual.docker) }
}

fn notify(config: &Config) -> Result<Option<Notify>, CommandError> {
    let parts = config.notify.parts().map_err(|why| CommandError::new(ErrorCode::ConfigInvalid, why))?;
    Ok(parts.map(|parts| Notify {
        command: parts.command,
        webhook: parts.webhook,
        events: parts.events,
        attempt: Duration::from_millis(parts.attempt_ms),
    }))
}

/// Reads the address of a web hook.
pub(crate) fn webhook(text: &str) -> Result<Webhook, String> {
    text.parse()
}

/// The number in an exit code, which the standard library keeps to itself.
fn number(code: ExitCode) -> u8 {
    (0..=u8::MAX).find(|number| ExitCode::from(*number) == code).unwrap_or(1)
}

/// Leaves the terminal and the process group of the command that starts the daemon.
pub(crate) fn leave_terminal() {
    // A process that leads its group already has left them.
    let _ = rustix::process::setsid();
}

/// The runner: everything that it is told comes over its standard input.
pub(crate) fn runner(_tokens: Vec<OsString>) -> u8 {
    number(adjutant_agents::runner::runner_main())
}

/// What this process would hand on to a child besides its environment.
pub(crate) fn inherited() -> Inherited {
    Inherited::own()
}

/// What an agent's hook calls.
pub(crate) fn hook(words: Vec<OsString>) -> u8 {
    number(adjutant_agents::claude::hook_main(&words))
}

/// The program of an agent's terminal.
pub(crate) fn exec(words: Vec<OsString>) -> u8 {
    number(adjutant_agents::claude::exec_main(&words))
}

/// Every agent of this build, with its program or why there is none.
pub(crate) fn find_agents(environment: &BTreeMap<String, String>) -> Vec<(String, Result<String, String>)> {
    let words = |program: Program| {
        let version = program.version.map_or_else(String::new, |version| format!(" {version}"));
        format!("{}{version}", program.path.display())
    };
    let find = |agent: &dyn Agent| {
        let mode = agent.capabilities().modes.first().copied().ok_or("it has no mode")?;
        agent.find(environment, mode).map(words).map_err(|error| error.to_string())
    };
    let all = adjutant_agents::registry(&AgentSettings::default());
    all.into_iter().map(|(name, agent)| (name.to_string(), find(agent.as_ref()))).collect()
}

/// The agents of this build that look for skills, each with where it does so for a caller with this environment.
pub(crate) fn skill_places(environment: &BTreeMap<String, String>) -> Vec<(String, SkillPlaces)> {
    let all = adjutant_agents::registry(&AgentSettings::default());
    let places = all.into_iter().map(|(name, agent)| Some((name.to_string(), agent.skills(environment)?)));
    places.flatten().collect()
}

/// Fills a store for benches.
pub(crate) fn fill(home: &Home, sessions: usize, events: usize) -> Result<(), CommandError> {
    adjutant_daemon::fill(home, sessions, events).map_err(|error| CommandError::new(ErrorCode::Internal, error))
}

/// Writes the projections of the store anew from its log; `None` when a daemon serves, which has them in hand.
pub(crate) fn rebuild(home: &Home) -> Result<Option<String>, CommandError> {
    match adjutant_daemon::rebuild(home) {
        Ok(told) => Ok(Some(told)),
        Err(error) if error.code == ErrorCode::DaemonUnreachable => Ok(None),
        Err(error) => Err(CommandError::from(error)),
    }
}

/// Brings a damaged store back, while no daemon runs; says what came back and what did not.
pub(crate) fn repair(home: &Home) -> Result<String, CommandError> {
    adjutant_daemon::repair(home).map_err(CommandError::from)
}

/// Starts a model server that plays scripts.
pub(crate) fn fake_model(port: u16, book: Option<&Path>, log: Option<PathBuf>) -> Result<Server, CommandError> {
    let book = book.map(read_book).transpose()?.unwrap_or_default();
    let options = Options { address: SocketAddr::from(([127, 0, 0, 1], port)), book, log };
    Server::start(options).map_err(|error| CommandError::new(ErrorCode::Internal, error.to_string()))
}

fn read_book(path: &Path) -> Result<Book, CommandError> {
    let bytes = std::fs::read(path)?;
    let told = |error| CommandError::new(ErrorCode::Usage, format!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).map_err(told)
}

/// How an agent of the Messages API is pointed to it, and to nothing else.
pub(crate) fn messages_api_variables(server: &Server) -> Vec<String> {
    let own = ["ANTHROPIC_AUTH_TOKEN=fake", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1", "DISABLE_AUTOUPDATER=1"];
    std::iter::once(format!("ANTHROPIC_BASE_URL={}", server.url())).chain(own.map(str::to_owned)).collect()
}

/// The configuration with which a client of the Responses API finds a fake model.
pub(crate) fn responses_api_config(server: &Server) -> String {
    adjutant_fakemodel::openai::client_config(&server.url())
}
